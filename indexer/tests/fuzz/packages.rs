//! Packages and archives: their parts are random, so is now and then the package itself.

use std::sync::LazyLock;

use fastrand::Rng;

use crate::hold::parsed;
use crate::made::{self, change, input, text, words};
use crate::{built, run};

/// Elements of OpenDocument texts, sheets and slides.
pub static OPENDOCUMENT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "<office:text>¶</office:text>¶<text:h text:outline-level='2'>¶<text:h text:outline-level='-9'>¶\
    </text:h>¶<text:p>¶</text:p>¶<text:s text:c='3'/>¶<text:s text:c='99999999999'/>¶<text:tab/>¶\
    <text:line-break/>¶<text:list>¶<text:list-item>¶</text:list-item>¶</text:list>¶<text:note>¶\
    </text:note>¶<text:note-citation>¶</text:note-citation>¶<office:spreadsheet>¶</office:spreadsheet>¶\
    <table:table table:name='A'>¶</table:table>¶<table:table-row>¶</table:table-row>¶\
    <table:table-row table:number-rows-repeated='1048576'>¶<table:table-cell>¶</table:table-cell>¶\
    <table:table-cell table:number-columns-repeated='4294967295'>¶\
    <table:table-cell office:date-value='2024'/>¶<office:presentation>¶</office:presentation>¶\
    <draw:page>¶</draw:page>¶<presentation:notes>¶</presentation:notes>¶<office:annotation>¶\
    </office:annotation>¶<office:meta>¶<dc:title>¶</dc:title>¶</office:meta>¶<![CDATA[¶]]>¶&lt;¶&#228;¶\
    &#0;¶&x;¶words ¶<!DOCTYPE a [<!ENTITY x 'y'>]>",
    )
});
static OFFICE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "<w:p>¶</w:p>¶<w:r><w:t>¶</w:t></w:r>¶<w:tbl>¶</w:tbl>¶<w:tr>¶</w:tr>¶<w:tc>¶</w:tc>¶\
    <w:pPr><w:pStyle w:val=\"h1\"/></w:pPr>¶<w:del>¶</w:del>¶<w:br/>¶<w:footnoteReference w:id=\"1\"/>¶\
    <a:t>¶</a:t>¶words ¶&amp;¶&#x1F3BB;¶<row r=\"1\">¶</row>¶<c r=\"A1\"><v>¶</v></c>¶\
    <c r=\"XFD1048576\" t=\"s\"><v>¶<c r=\"B2\" s=\"1\"><v>45943¶<c t=\"inlineStr\"><is><t>¶\
    </t></is></c>",
    )
});

/// A package that `pack` makes, damaged now and then.
fn package(target: &str, name: &str, pack: impl Fn(&mut Rng) -> Vec<u8>) {
    let make = |rng: &mut Rng| {
        let mut bytes = pack(rng);
        for _ in 0..rng.usize(..8).saturating_sub(4) {
            change(rng, &mut bytes, &["PK\x01\x02", "PK\x05\x06"]);
        }
        bytes
    };
    run(target, make, |bytes| parsed(name, None, bytes));
}

#[test]
fn office_files() {
    package("word", "a.docx", |rng| {
        let words = built::paragraph("h1", "Title") + &text(rng, &OFFICE);
        built::docx(&words)
    });
    package("slides", "a.pptx", |rng| {
        let (title, words) = (text(rng, &OFFICE), text(rng, &OFFICE));
        built::pptx(&[("First", "one"), (&title, &words), ("", "x")])
    });
    package("workbook", "a.xlsx", |rng| built::xlsx(&text(rng, &OFFICE)));
}

#[test]
fn opendocument_packages() {
    package("odt", "a.odt", |rng| built::opendocument(&text(rng, &OPENDOCUMENT)));
    package("ods", "a.ods", |rng| {
        let rows = text(rng, &OPENDOCUMENT[19..30]);
        built::opendocument(&format!("<office:spreadsheet><table:table table:name='A'>{rows}"))
    });
}

#[test]
fn books() {
    let words = ["<p>", "<h1>", "</h1>", "words ", "<table>", "<td>", "</html>"];
    package("epub", "a.epub", |rng| {
        built::epub(&[&text(rng, &words), &text(rng, &words)])
    });
}

#[test]
fn archives() {
    let names = [
        "a.md", "b.html", "c.csv", "d/e.json", "../x", ".hidden", "f.rtf", "", "g.zip", "h.eml", "é",
    ];
    let words = words("# A\n¶<p>¶{\"a\":1}¶a,b\n¶{\\rtf1 x}¶Subject: x\n\n¶\n\n¶words ");
    let members = |rng: &mut Rng| {
        let count = rng.usize(..5);
        (0..count)
            .map(|_| (made::one(rng, &names), input(rng, &words, &[])))
            .collect::<Vec<_>>()
    };
    let borrowed = |members: &[(&'static str, Vec<u8>)]| -> Vec<u8> {
        let list: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        built::tar(&list)
    };
    package("tar", "a.tar", |rng| {
        let mut members = members(rng);
        // The writer of the test refuses such names itself.
        members.retain(|(name, _)| !name.is_empty() && !name.contains(".."));
        borrowed(&members)
    });
    package("gzip", "a.md.gz", |rng| built::gzip(&input(rng, &words, &[])));
    package("zip", "a.zip", |rng| {
        let mut members = members(rng);
        members.sort();
        members.dedup_by(|left, right| left.0 == right.0);
        let inner = built::zip(&[("a.md", b"words")]);
        let mut list: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        list.push(("inner.zip", &inner));
        built::zip(&list)
    });
}
