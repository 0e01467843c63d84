//! Files that tests build for themselves, so that no binary lies in the repository.

#![allow(clippy::format_push_string, reason = "a test file is written once")]

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A zip file of these members.
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        file.start_file(*name, SimpleFileOptions::default()).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.finish().unwrap().into_inner()
}

/// A tar file of these members.
pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        file.append_data(&mut header, name, *bytes).unwrap();
    }
    file.into_inner().unwrap()
}

/// These bytes, packed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    file.write_all(bytes).unwrap();
    file.finish().unwrap()
}

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn relations(list: &[(&str, &str)]) -> String {
    let mut text = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#.to_owned();
    for (at, (kind, target)) in list.iter().enumerate() {
        text += &format!(
            r#"<Relationship Id="rId{}" Type="{RELATIONS}/{kind}" Target="{target}"/>"#,
            at + 1
        );
    }
    text + "</Relationships>"
}

fn types(list: &[(&str, &str)]) -> String {
    let mut text = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>"#.to_owned();
    for (part, kind) in list {
        text += &format!(
            r#"<Override PartName="{part}" ContentType="application/vnd.openxmlformats-officedocument.{kind}+xml"/>"#
        );
    }
    text + "</Types>"
}

/// A Word file with this body; `h1` names the style of headings.
pub fn docx(body: &str) -> Vec<u8> {
    let space = r#"xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main""#;
    let document = format!("<w:document {space}><w:body>{body}</w:body></w:document>");
    let styles = format!(
        r#"<w:styles {space}><w:style w:type="paragraph" w:styleId="h1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style></w:styles>"#
    );
    let list = [
        ("/word/document.xml", "wordprocessingml.document.main"),
        ("/word/styles.xml", "wordprocessingml.styles"),
    ];
    zip(&[
        ("[Content_Types].xml", types(&list).as_bytes()),
        (
            "_rels/.rels",
            relations(&[("officeDocument", "word/document.xml")]).as_bytes(),
        ),
        (
            "word/_rels/document.xml.rels",
            relations(&[("styles", "styles.xml")]).as_bytes(),
        ),
        ("word/document.xml", document.as_bytes()),
        ("word/styles.xml", styles.as_bytes()),
    ])
}

/// A paragraph of a Word file, in the style of that name.
pub fn paragraph(style: &str, words: &str) -> String {
    format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{words}</w:t></w:r></w:p>"#)
}

/// A PowerPoint file of slides, each with a title and words.
pub fn pptx(slides: &[(&str, &str)]) -> Vec<u8> {
    let spaces = format!(
        r#"xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="{RELATIONS}" xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main""#
    );
    let shape = |id: u8, kind: &str, words: &str| {
        format!(
            r#"<p:sp><p:nvSpPr><p:cNvPr id="{id}" name="x"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"#
        )
    };
    let mut members = Vec::new();
    let (mut list, mut targets) = (String::new(), Vec::new());
    for (at, (title, words)) in slides.iter().enumerate() {
        let (title, words) = (shape(2, "title", title), shape(3, "body", words));
        let slide = format!("<p:sld {spaces}><p:cSld><p:spTree>{title}{words}</p:spTree></p:cSld></p:sld>");
        // The order is that of the list, not that of the names.
        let name = format!("slides/slide{}.xml", slides.len() - at);
        list += &format!(r#"<p:sldId id="{}" r:id="rId{}"/>"#, 256 + at, at + 1);
        members.push((format!("ppt/{name}"), slide));
        targets.push(name);
    }
    let targets: Vec<(&str, &str)> = targets.iter().map(|target| ("slide", target.as_str())).collect();
    members.push((
        "ppt/presentation.xml".to_owned(),
        format!("<p:presentation {spaces}><p:sldIdLst>{list}</p:sldIdLst></p:presentation>"),
    ));
    members.push(("ppt/_rels/presentation.xml.rels".to_owned(), relations(&targets)));
    let kinds = [("/ppt/presentation.xml", "presentationml.presentation.main")];
    members.push(("[Content_Types].xml".to_owned(), types(&kinds)));
    members.push((
        "_rels/.rels".to_owned(),
        relations(&[("officeDocument", "ppt/presentation.xml")]),
    ));
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    zip(&members)
}

/// An Excel file of one sheet with these rows.
pub fn xlsx(rows: &str) -> Vec<u8> {
    let space = r#"xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main""#;
    let book = format!(
        r#"<workbook {space} xmlns:r="{RELATIONS}"><sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets></workbook>"#
    );
    let styles = format!(
        r#"<styleSheet {space}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#
    );
    let list = [("/xl/workbook.xml", "spreadsheetml.sheet.main")];
    let parts = [("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")];
    zip(&[
        ("[Content_Types].xml", types(&list).as_bytes()),
        (
            "_rels/.rels",
            relations(&[("officeDocument", "xl/workbook.xml")]).as_bytes(),
        ),
        ("xl/workbook.xml", book.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations(&parts).as_bytes()),
        ("xl/styles.xml", styles.as_bytes()),
        (
            "xl/worksheets/sheet1.xml",
            format!("<worksheet {space}><sheetData>{rows}</sheetData></worksheet>").as_bytes(),
        ),
    ])
}

/// An OpenDocument file with this body.
pub fn opendocument(body: &str) -> Vec<u8> {
    let content = flat_opendocument(body);
    zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", content.as_bytes()),
        (
            "meta.xml",
            b"<office:document-meta><office:meta><dc:title>A &amp; B</dc:title></office:meta></office:document-meta>",
        ),
    ])
}

/// The same as one flat file.
pub fn flat_opendocument(body: &str) -> String {
    format!("<?xml version='1.0'?><office:document><office:body>{body}</office:body></office:document>")
}

/// An e-book of these chapters.
pub fn epub(chapters: &[&str]) -> Vec<u8> {
    let names: Vec<String> = (0..chapters.len())
        .map(|at| format!("OEBPS/text/a b{at}.xhtml"))
        .collect();
    let (mut items, mut order) = (String::new(), String::new());
    for at in (0..chapters.len()).rev() {
        items += &format!(r#"<item id="c{at}" href="text/a%20b{at}.xhtml"/>"#);
    }
    for at in 0..chapters.len() {
        order += &format!(r#"<itemref idref="c{at}"/>"#);
    }
    let book = format!(
        "<package><metadata><dc:title>The Book</dc:title></metadata><manifest>{items}</manifest><spine>{order}</spine></package>"
    );
    let container = r#"<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>"#;
    let mut members: Vec<(&str, &[u8])> = vec![
        ("mimetype", b"application/epub+zip"),
        ("META-INF/container.xml", container.as_bytes()),
        ("OEBPS/book.opf", book.as_bytes()),
    ];
    members.extend(
        names
            .iter()
            .zip(chapters)
            .map(|(name, text)| (name.as_str(), text.as_bytes())),
    );
    zip(&members)
}
