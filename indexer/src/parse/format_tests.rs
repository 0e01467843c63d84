//! Each format from bytes to a document, and what no file may do to the process.

use std::time::{Duration, Instant};

use super::built::{docx, epub, flat_opendocument, gzip, opendocument, paragraph, pptx, tar, xlsx, zip};
use super::*;
use crate::types::Metadata;

fn read(uri: &str, bytes: &[u8]) -> Result<Document, String> {
    let item = Item {
        uri: uri.to_owned(),
        media_type: None,
        bytes: bytes.to_vec(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    document(&item, "f").map_err(|error| error.to_string())
}

/// The text is as expected, and so are the headings, each at its place.
fn check(uri: &str, bytes: &[u8], text: &str, headings: &[(u8, &str)]) -> Document {
    let document = read(uri, bytes).unwrap();
    assert_eq!(document.text, text, "{uri}");
    let found: Vec<(u8, &str)> = document
        .headings
        .iter()
        .map(|heading| (heading.level, heading.title.as_str()))
        .collect();
    assert_eq!(found, headings, "{uri}");
    for heading in &document.headings {
        assert!(
            document.text[heading.start..].starts_with(&heading.title),
            "{heading:?}"
        );
    }
    document
}

fn refused(uri: &str, bytes: &[u8], words: &str) {
    let started = Instant::now();
    let cause = read(uri, bytes).map(|document| document.text).unwrap_err();
    assert!(
        cause.contains(uri) && cause.contains(words) && cause.contains("; "),
        "{cause}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{uri}: {:?}",
        started.elapsed()
    );
}

/// Cut anywhere, the file is an error or a text.
fn cut(uri: &str, bytes: &[u8]) {
    for end in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
        drop(read(uri, &bytes[..end]));
        let mut damaged = bytes.to_vec();
        damaged[end] ^= 0x55;
        drop(read(uri, &damaged));
    }
}

const CELL: &str = "<w:tc><w:p><w:r><w:t>";
const END: &str = "</w:t></w:r></w:p></w:tc>";

#[test]
fn word_files_keep_headings_lists_and_tables() {
    let (title, words) = (paragraph("h1", "The &amp; title"), paragraph("x", "Some words"));
    let table =
        format!("<w:tbl><w:tr>{CELL}Name{END}{CELL}Price{END}</w:tr><w:tr>{CELL}Lamp{END}{CELL}12{END}</w:tr></w:tbl>");
    let deleted =
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>kept</w:t></w:r></w:ins></w:p>";
    let file = docx(&format!("{title}{words}{table}{deleted}"));
    let text = "The & title\n\nSome words\n\nName | Price\nLamp | 12\n\nkept";
    let document = check("a.bin", &file, text, &[(1, "The & title")]);
    assert_eq!(document.title, "The & title");
    cut("a.docx", &file);
}

#[test]
fn slides_have_numbers_and_the_order_of_the_show() {
    let file = pptx(&[("First", "one"), ("", "two"), ("Third", "three")]);
    let text = "Slide 1: First\n\none\n\nSlide 2\n\ntwo\n\nSlide 3: Third\n\nthree";
    let headings = [(1, "Slide 1: First"), (1, "Slide 2"), (1, "Slide 3: Third")];
    let document = check("a.zip", &file, text, &headings);
    let starts: Vec<usize> = document.headings.iter().map(|heading| heading.start).collect();
    assert_eq!(document.pages, Pages::starting(&starts));
    cut("a.pptx", &file);
}

#[test]
fn sheets_are_rows_under_the_names_of_their_columns() {
    let cell = |at: &str, words: &str| format!(r#"<c r="{at}" t="inlineStr"><is><t>{words}</t></is></c>"#);
    let rows = format!(
        r#"<row r="2">{}{}{}</row><row r="4">{}<c r="D4"><v>12.5</v></c><c r="XFD4" s="1"><v>45943</v></c></row>"#,
        cell("B2", "Name"),
        cell("D2", "Price"),
        cell("XFD2", "Since"),
        cell("B4", "Lamp")
    );
    let file = xlsx(&rows);
    let text = "Prices\n\nName | Price | Since\nLamp | 12.5 | 2025-10-13";
    assert_eq!(check("a.bin", &file, text, &[(1, "Prices")]).title, "a");
    cut("a.xlsx", &file);
}

const TEXT: &str = "<office:text><text:h text:outline-level='2'>One</text:h><text:p>Two<text:s text:c='2'/>&lt;three&#228;\
    <text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>four</text:p></text:note-body></text:note></text:p>\
    <text:list><text:list-item><text:p>five</text:p></text:list-item></text:list>\
    <table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p>\
    </table:table-cell></table:table-row></table:table></office:text>";

#[test]
fn opendocument_texts_keep_headings_lists_and_tables() {
    let text = "One\n\nTwo  <three\u{e4} [four]\n\n- five\n\na | b";
    let document = check("a.bin", &opendocument(TEXT), text, &[(2, "One")]);
    assert_eq!(document.title, "A & B");
    check("a.xml", flat_opendocument(TEXT).as_bytes(), text, &[(2, "One")]);
    cut("a.odt", &opendocument(TEXT));
}

#[test]
fn opendocument_sheets_and_slides_are_sections() {
    let sheet = "<office:spreadsheet><table:table table:name='Prices'><table:table-row><table:table-cell><text:p>Name</text:p>\
        </table:table-cell><table:table-cell table:number-columns-repeated='16000'/><table:table-cell><text:p>Price</text:p>\
        </table:table-cell></table:table-row><table:table-row table:number-rows-repeated='1048570'><table:table-cell/>\
        </table:table-row><table:table-row><table:table-cell><text:p>Lamp</text:p></table:table-cell>\
        <table:table-cell table:number-columns-repeated='16000'/><table:table-cell office:value='12'/></table:table-row>\
        </table:table></office:spreadsheet>";
    check(
        "a.ods",
        &opendocument(sheet),
        "Prices\n\nName | Price\nLamp | 12",
        &[(1, "Prices")],
    );
    let show = "<office:presentation><draw:page><draw:frame><draw:text-box><text:p>Hello</text:p></draw:text-box></draw:frame>\
        <presentation:notes><draw:frame><text:p>Say it</text:p></draw:frame></presentation:notes></draw:page>\
        <draw:page><text:p>Bye</text:p></draw:page></office:presentation>";
    let text = "Slide 1\n\nHello\n\nNotes\n\nSay it\n\nSlide 2\n\nBye";
    check(
        "a.odp",
        &opendocument(show),
        text,
        &[(1, "Slide 1"), (2, "Notes"), (1, "Slide 2")],
    );
}

#[test]
fn books_are_read_chapter_by_chapter() {
    let file = epub(&[
        "<html><head><title>x</title></head><body><h1>One</h1><p>a</p></body></html>",
        "<h2>Two</h2><p>b</p>",
    ]);
    let document = check("a.bin", &file, "One\n\na\n\nTwo\n\nb", &[(1, "One"), (2, "Two")]);
    assert_eq!(document.title, "The Book");
    cut("a.epub", &file);
}

const MAIL: &str = "Received: by x\r\nFrom: \"Ane Vik\" <ane@a.no>\r\nTo: b@b.no\r\nSubject: =?utf-8?q?L=C3=A5n?=\r\n\
    Date: Mon, 2 Mar 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
    --x\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<h2>Hi</h2><p>Gr=FC=DFe\r\n\
    --x\r\nContent-Type: text/csv; name=\"prices.csv\"\r\nContent-Disposition: attachment\r\n\r\nName,Price\r\nLamp,12\r\n\
    --x\r\nContent-Type: image/png; name=\"a.png\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\nAAECAwQFBgc=\r\n\
    --x\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\ndeep\r\n--x--\r\n";

#[test]
fn mails_have_a_head_words_and_attachments() {
    let head = "Subject: L\u{e5}n\nFrom: Ane Vik <ane@a.no>\nTo: b@b.no\nDate: 2026-03-02T10:00:00+01:00";
    let text = format!(
        "{head}\n\nHi\n\nGr\u{fc}\u{df}e\n\nprices.csv\n\nName | Price\nLamp | 12\n\nInner\n\nSubject: Inner\n\ndeep"
    );
    let document = check(
        "a.bin",
        MAIL.as_bytes(),
        &text,
        &[(2, "Hi"), (1, "prices.csv"), (1, "Inner")],
    );
    assert_eq!(document.title, "L\u{e5}n");
    assert_eq!(document.metadata["unread"][0], "`a.png`: it is no document");
    cut("a.eml", MAIL.as_bytes());
}

#[test]
fn a_mailbox_is_a_section_a_mail() {
    let one = "From a@a Mon Mar  2 10:00:00 2026\nSubject: One\nMessage-ID: <1>\nFrom: a@a\n\nwords\n>From here\n\n";
    let file = format!("{one}{}", one.replace("One", "Two"));
    let text =
        "One\n\nSubject: One\nFrom: a@a\n\nwords\nFrom here\n\nTwo\n\nSubject: Two\nFrom: a@a\n\nwords\nFrom here";
    check("a.bin", file.as_bytes(), text, &[(1, "One"), (1, "Two")]);
}

#[test]
fn texts_of_all_kinds_are_told_apart() {
    check("a.csv", b"Name;Price\nLamp;12,5\n", "Name | Price\nLamp | 12,5", &[]);
    check("a.json", b"{\"a\": {\"b\": 1}}", "a\n\nb: 1", &[(1, "a")]);
    check("a.jsonl", b"{\"a\": 1}\n{\"a\": 2}", "a: 1\n\na: 2", &[]);
    check("a.rs", b"fn a() {\n}", "fn a() {\n}", &[(1, "fn a()")]);
    check("a.rtf", b"{\\rtf1\\ansi Gr\\'fc\\'dfe}", "Gr\u{fc}\u{df}e", &[]);
    check(
        "a.txt",
        b"Gr\xfc\xdfe aus K\xf6ln",
        "Gr\u{fc}\u{df}e aus K\u{f6}ln",
        &[],
    );
}

#[test]
fn a_file_of_no_words_says_so() {
    let document = check("a.rtf", b"{\\rtf1 {\\pict 00ff}}", "", &[]);
    assert!(document.metadata["unread"][0].as_str().unwrap().contains("no words"));
}

#[test]
fn members_of_archives_are_sections() {
    let members: [(&str, &[u8]); 5] = [
        ("b/two.md", b"# Two\n\nwords"),
        ("a.txt", b"one"),
        ("c.png", b"\x89PNG\0\0\0\x01"),
        ("d.docx", b"PK\x03\x04"),
        (".git/x.md", b"hidden"),
    ];
    let text = "a.txt\n\none\n\nb/two.md\n\nTwo\n\nwords";
    let headings = [(1, "a.txt"), (1, "b/two.md"), (2, "Two")];
    let document = check("a.bin", &zip(&members), text, &headings);
    let unread = document.metadata["unread"].to_string();
    assert!(
        unread.contains("c.png") && unread.contains("cannot read the Word file `d.docx`"),
        "{unread}"
    );
    let members = [members[1], members[0]];
    check("a.bin", &tar(&members), text, &headings);
    check("a.tgz", &gzip(&tar(&members)), text, &headings);
    check(
        "a.zip",
        &zip(&[("in.zip", &zip(&members[..1]))]),
        "in.zip\n\na.txt\n\none",
        &[(1, "in.zip"), (2, "a.txt")],
    );
    check("b.md.gz", &gzip(b"# Two"), "Two", &[(1, "Two")]);
    for file in [zip(&members), tar(&members), gzip(&tar(&members))] {
        cut("a", &file);
    }
    refused("a.zip", &zip(&[("a.png", b"\x89PNG\0\0\0\x01")]), "no document");
}

#[test]
fn bombs_are_refused() {
    let zeros = vec![b' '; package::MOST_BYTES as usize + 1];
    refused("a.zip", &zip(&[("a.txt", &zeros)]), "unpacks to over");
    refused("a.gz", &gzip(&zeros), "unpacks to over");
    // Each alone has room.
    let half = zip(&[("a.txt", &zeros[..=zeros.len() / 2])]);
    refused("a.zip", &zip(&[("a.zip", &half), ("b.zip", &half)]), "unpacks to over");
    for name in ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"] {
        refused(
            "a.bin",
            &zip(&[("[Content_Types].xml", b"<Types/>"), (name, &zeros)]),
            "unpacks to over",
        );
    }
    refused(
        "a.odt",
        &zip(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("content.xml", &zeros),
        ]),
        "unpacks",
    );
    let names: Vec<String> = (0..=package::MOST_MEMBERS).map(|at| at.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    refused("a.zip", &zip(&members), "over 10000 files");
    refused("a.tar", &tar(&members), "over 10,000 files");
    let mut nested = zip(&[("a.txt", b"x")]);
    for _ in 0..10 {
        nested = zip(&[("a.zip", &nested)]);
    }
    refused("a.zip", &nested, "too many archives");
}

#[test]
fn entities_stand_for_nothing_and_depth_has_an_end() {
    let mut entities = "<!DOCTYPE x [<!ENTITY a0 'boom'>".to_owned();
    for at in 1..30 {
        entities.extend([format!("<!ENTITY a{at} '&a{};&a{};'>", at - 1, at - 1)]);
    }
    entities += "]>";
    let flat = flat_opendocument("<office:text><text:p>x &a29; y</text:p></office:text>")
        .replace("?>", &format!("?>{entities}"));
    let file = zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("content.xml", flat.as_bytes()),
    ]);
    assert_eq!(read("a.odt", &file).unwrap().text, "x y");
    let body = docx(&paragraph("x", "y &a29; z"));
    drop(read("a.docx", &body));
    let deep = flat_opendocument(&"<text:section>".repeat(100_000));
    refused("a.fodt", deep.as_bytes(), "nests over");
    let (open, close) = ("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>");
    let nested = |times: usize| docx(&(open.repeat(times) + &paragraph("x", "y") + &close.repeat(times)));
    assert_eq!(read("a.docx", &nested(100)).unwrap().text, "y");
    refused("a.docx", &nested(30_000), "nests over");
}

#[test]
fn old_and_locked_files_say_what_helps() {
    let compound = |name: &str| {
        let mut file = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
        file.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        file.extend([0; 512]);
        file
    };
    refused("a.doc", &compound("WordDocument"), "save it as .docx");
    refused("a.xls", &compound("Workbook"), "save it as .docx");
    refused("a.docx", &compound("EncryptedPackage"), "a password");
    refused("a.msg", &compound("__properties"), "as .eml");
    let manifest = b"<manifest:encryption-data/>";
    let locked = zip(&[
        ("mimetype", b"application/vnd.oasis.opendocument.text"),
        ("META-INF/manifest.xml", manifest),
    ]);
    refused("a.odt", &locked, "it has a password");
}
