//! PDF files, good and hostile, that the tests write for themselves.

use std::path::Path;

use super::*;

/// As where nothing reads pictures.
fn parse(bytes: &[u8]) -> Result<Page, String> {
    read(bytes, None, &mut Duration::default())
}

fn check(lines: &str, expected: &str) {
    assert_eq!(unwrap_lines(lines), expected);
}

#[test]
fn wrapped_lines_become_paragraphs() {
    check("", "");
    check(
        "\n\nTitle\n\nThe first line goes\non to the second one\nand ends.\n\n\nNext",
        "Title\n\nThe first line goes on to the second one and ends.\n\nNext",
    );
    check(
        "A line as long as this\n• one\n• two",
        "A line as long as this\n• one\n• two",
    );
    check(
        "Head\nA line as long as this one\nend",
        "Head\nA line as long as this one end",
    );
}

#[test]
fn broken_files_are_errors() {
    for bytes in [
        &b"%PDF-1.7\n"[..],
        b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 1 0 R >>\nendobj\ntrailer << /Root 1 0 R >>",
        b"%PDF-\xff\xff\0\0",
    ] {
        assert!(parse(bytes).is_err());
    }
}

#[allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a test file is written once"
)]
/// A PDF of these objects, of which the first is the catalogue, written out so that no binary lies in the repository.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let (mut file, mut table) = (b"%PDF-1.4\n".to_vec(), "0000000000 65535 f \n".to_owned());
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend(format!("{} 0 obj\n", index + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let (start, size) = (file.len(), objects.len() + 1);
    let end = format!("xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    file.extend(end.into_bytes());
    file
}

fn stream(facts: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< /Length {} {facts} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// A PDF with a page for each text.
fn pdf(texts: &[&str]) -> Vec<u8> {
    let pages: Vec<String> = (0..texts.len()).map(|page| format!("{} 0 R", 4 + page * 2)).collect();
    let pages = pages.join(" ");
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{pages}] /Count {} >>", texts.len()).into_bytes(),
        FONT.as_bytes().to_vec(),
    ];
    for text in texts {
        let content = objects.len() + 2;
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R \
             /Resources << /Font << /F 3 0 R >> >> >>"
        );
        objects.push(page.into_bytes());
        objects.push(stream("", format!("BT /F 12 Tf 50 700 Td ({text}) Tj ET").as_bytes()));
    }
    file(&objects)
}

const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>";

/// A PDF of one page with drawings `X0`, `X1`, ...: their contents, in which `/X1 Do` draws the second.
fn drawings(page: &str, contents: &[&str]) -> Vec<u8> {
    let names: Vec<String> = (0..contents.len()).map(|at| format!("/X{at} {} 0 R", at + 6)).collect();
    let resources = format!("<< /Font << /F 3 0 R >> /XObject << {} >> >>", names.join(" "));
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        FONT.as_bytes().to_vec(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources {resources} >>")
            .into_bytes(),
        stream("", page.as_bytes()),
    ];
    let own = format!("/Type /XObject /Subtype /Form /Resources {resources}");
    objects.extend(contents.iter().enumerate().map(|(at, content)| {
        // Every second one inherits what names mean.
        let facts = if at % 2 == 0 {
            "/Type /XObject /Subtype /Form"
        } else {
            &own
        };
        stream(facts, content.as_bytes())
    }));
    file(&objects)
}

fn refused(file: &[u8], words: &str) {
    let cause = parse(file).map(|page| page.text).unwrap_err();
    assert!(cause.contains(words), "{cause}");
}

#[test]
fn drawings_within_drawings_are_read() {
    let file = drawings("/X0 Do", &["/X1 Do", "BT /F 12 Tf 50 700 Td (Deep) Tj ET"]);
    assert_eq!(parse(&file).unwrap().text, "Deep");
}

#[test]
fn a_drawing_that_draws_itself_is_refused() {
    refused(&drawings("/X0 Do", &["/X0 Do"]), "draws itself");
    refused(&drawings("/X0 Do", &["/X1 Do", "/X0 Do"]), "draws itself");
    // Each alone is shallow; walked from the last to the first, none is seen to be deep.
    let chain: Vec<String> = (1..=100).map(|next| format!("/X{next} Do")).collect();
    let chain: Vec<&str> = chain.iter().map(String::as_str).chain([""]).collect();
    let page: Vec<String> = (0..=100).rev().map(|at| format!("/X{at} Do")).collect();
    refused(&drawings(&page.join(" "), &chain), "over 32 others");
    let doubling: Vec<String> = (1..30).map(|next| format!("/X{next} Do /X{next} Do")).collect();
    let doubling: Vec<&str> = doubling.iter().map(String::as_str).chain(["BT ET"]).collect();
    refused(&drawings("/X0 Do", &doubling), "over and over");
}

#[test]
fn pages_that_are_their_own_parents_are_refused() {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 2 0 R >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>",
        "<< /Length 0 >>\nstream\n\nendstream",
    ];
    refused(
        &file(&objects.map(|object| object.as_bytes().to_vec())),
        "their own parents",
    );
}

#[test]
fn a_font_whose_table_nests_without_end_is_refused() {
    for open in ["[", "([", "<</a ", "[()"] {
        let objects = [
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
            FONT.replace(">>", "/ToUnicode 6 0 R >>").into_bytes(),
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R \
              /Resources << /Font << /F 3 0 R >> >> >>"
                .to_vec(),
            stream("", b"BT /F 12 Tf 50 700 Td (x) Tj ET"),
            stream("", open.repeat(100_000).as_bytes()),
        ];
        refused(&file(&objects), "nests too deep");
    }
}

/// A PDF whose table of contents is a stream: object 2 of the head, then object 3.
fn tabled(facts: &str, table: &[u8]) -> Vec<u8> {
    let mut file = b"%PDF-1.5\n".to_vec();
    let first = file.len();
    file.extend(b"1 0 obj\n<< /Length 2 0 R >>\nstream\nx\nendstream\nendobj\n");
    let start = file.len();
    let entry = [1, 0, first as u8, 0];
    let table = [&[0, 0, 0, 0], &entry[..], table].concat();
    let facts = format!("/Type /XRef /Size 3 /Root 1 0 R {facts}");
    file.extend([b"3 0 obj\n", &stream(&facts, &table)[..], b"\nendobj\n"].concat());
    file.extend(format!("startxref\n{start}\n%%EOF\n").into_bytes());
    file
}

#[test]
fn a_table_of_contents_without_an_end_is_refused() {
    // Object 2 lies in the stream that is object 2.
    refused(&tabled("/W [1 2 1]", &[2, 0, 2, 0]), "cross-reference table");
    refused(
        &tabled("/#57 [0 0 0] /Index [0 4000000000]", &[]),
        "cross-reference table",
    );
    refused(&tabled("/W [1 9000000000000000 1]", &[]), "cross-reference table");
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_table_of_millions_of_objects_is_refused() {
    let count = 2_000_001;
    let facts = format!("/Type /XRef /W [1 0 0] /Index [1 {count}] /Size {count} /Filter /FlateDecode");
    let table = stream(&facts, &packed(&vec![2; count]));
    refused(&file(&[table]), "lists more than 2000000 objects");
}

#[test]
fn packed_data_that_lie_within_each_other_are_not_read_again_and_again() {
    let mut unit = b"\x00\x09\x00\xf6\xffstream\n\x78\x01".to_vec();
    // Blocks of nothing: much to read, and nothing comes out.
    unit.extend([0, 0, 0, 0xff, 0xff].repeat(300));
    let whole = [&b"%PDF-1.5\nstream\n\x78\x01"[..], &unit.repeat(200)].concat();
    refused(&whole, "lie within each other");
}

#[test]
fn what_unpacks_to_gigabytes_is_refused() {
    let bomb = packed(&vec![b' '; pdf_sizes::LARGEST + 1]);
    let twice = packed(&bomb);
    assert!(twice.len() < 10_000, "{}", twice.len());
    for (facts, content) in [
        ("/Filter /FlateDecode", &bomb),
        ("/Filter [/FlateDecode /FlateDecode]", &twice),
        ("/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode", &bomb),
    ] {
        let mut objects = vec![
            b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
            b"<< /Type /Pages /Kids [] /Count 0 >>".to_vec(),
        ];
        objects.push(stream(facts, content));
        refused(&file(&objects), "unpacks to over");
    }
    let good = stream("/Filter /FlateDecode", &packed(b"BT /F 12 Tf 50 700 Td (Packed) Tj ET"));
    let page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R \
                 /Resources << /Font << /F 3 0 R >> >> >>";
    let objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>".to_vec(),
        FONT.as_bytes().to_vec(),
        page.to_vec(),
        good,
    ];
    assert_eq!(parse(&file(&objects)).unwrap().text, "Packed");
}

#[test]
fn pages_behind_a_broken_one_are_read() {
    let whole = String::from_utf8(pdf(&["Hello world", "Second page"])).unwrap();
    let broken = whole.replacen("/MediaBox [0 0 600 800]", "/MediaBox [0 0 600 (x)]", 1);
    let page = parse(broken.as_bytes()).unwrap();
    assert_eq!((page.text.as_str(), &page.pages[..]), ("Second page", &[0, 0][..]));
    assert_eq!(page.unread, ["page 1: damaged"]);
    refused(
        whole
            .replace("/MediaBox [0 0 600 800]", "/MediaBox [0 0 600 (x)]")
            .as_bytes(),
        "page 2: damaged",
    );
}

#[test]
fn pages_are_read_and_parted() {
    let page = parse(&pdf(&["Hello world", "", "Third page"])).unwrap();
    assert_eq!(page.text, "Hello world\n\nThird page");
    assert_eq!(page.pages, [0, 13, 13]);
    let whole = pdf(&["Hello world"]);
    for end in 0..whole.len() {
        // Cut anywhere the file is an error or a text, never a panic.
        drop(parse(&whole[..end]));
    }
}

/// A PDF of pages that show a picture each: its facts and its content.
fn scans(pictures: &[(&str, &[u8])]) -> Vec<u8> {
    let pages: Vec<String> = (0..pictures.len())
        .map(|page| format!("{} 0 R", 3 + page * 3))
        .collect();
    let count = pictures.len();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {count} >>", pages.join(" ")).into_bytes(),
    ];
    for (facts, content) in pictures {
        let at = objects.len() + 2;
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {at} 0 R \
             /Resources << /XObject << /P {} 0 R >> >> >>",
            at + 1
        );
        objects.push(page.into_bytes());
        objects.push(stream("", b"q 600 0 0 800 0 0 cm /P Do Q"));
        objects.push(stream(&format!("/Type /XObject /Subtype /Image {facts}"), content));
    }
    file(&objects)
}

const GREY: &str = "/Width 80 /Height 20 /BitsPerComponent 8 /ColorSpace /DeviceGray";

#[test]
fn without_a_program_a_scan_says_what_to_install() {
    let page = parse(&scans(&[(GREY, &[7; 1_600]), (GREY, &[7; 1_600])])).unwrap();
    assert_eq!(page.text.trim(), "");
    assert_eq!(page.pages.len(), 2);
    let [reason] = &page.unread[..] else {
        panic!("{:?}", page.unread)
    };
    assert!(
        reason.starts_with("pages 1-2: ") && reason.contains("install Debian's `tesseract-ocr`"),
        "{reason}"
    );
}

#[test]
fn a_page_without_words_is_read_from_its_picture_alone() {
    let folder = tempfile::tempdir().unwrap();
    // It says how it was called, and how its picture begins.
    let program = program(
        folder.path(),
        "[ $1 = --list-langs ] && printf 'Languages:\\nosd\\ndeu\\neng\\n' && exit
        echo \"Called with $*\"; head -c 13 | tr '\\n' ' '; env | grep -c HOME; true",
    );
    let mut left = Duration::from_mins(1);
    let page = read(&scans(&[(GREY, &[7; 1_600])]), Some(&program), &mut left).unwrap();
    assert_eq!(page.text.trim(), "Called with stdin stdout -l eng+deu P5 80 20 255 0");
    assert!(page.unread.is_empty() && left < Duration::from_mins(1));
}

#[test]
fn a_picture_that_cannot_be_read_costs_its_page_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(
        folder.path(),
        "[ $1 = --list-langs ] && exit 1; grep -q BAD && exit 1; echo words",
    );
    let bad = [b"BAD".as_slice(), &[7; 1_600]].concat();
    let pictures: [(&str, &[u8]); 4] = [
        (GREY, &[7; 1_600]),
        (GREY, &bad),
        ("/Width 80 /Height 20 /Filter /JBIG2Decode", &[0; 9]),
        (
            "/Width 8 /Height 8 /BitsPerComponent 8 /ColorSpace /DeviceGray",
            &[7; 64],
        ),
    ];
    let page = read(&scans(&pictures), Some(&program), &mut Duration::from_mins(1)).unwrap();
    assert_eq!((page.text.trim(), &page.pages[..]), ("words", &[0, 7, 7, 7][..]));
    assert_eq!(
        page.unread,
        [
            "page 2: `tesseract` cannot read its picture",
            "page 3: a picture in JBIG2 is not read"
        ]
    );
}

#[test]
fn a_picture_that_takes_too_long_is_left_and_so_are_those_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "[ $1 = --list-langs ] && exit 1; exec sleep 600");
    let mut left = Duration::from_secs(1);
    let page = read(
        &scans(&[(GREY, &[7; 1_600]), (GREY, &[7; 1_600])]),
        Some(&program),
        &mut left,
    )
    .unwrap();
    let [reason] = &page.unread[..] else {
        panic!("{:?}", page.unread)
    };
    assert!(
        reason.starts_with("pages 1-2: ") && reason.contains("the time for pictures"),
        "{reason}"
    );
}

/// A program that does this in the place of `tesseract`.
fn program(folder: &Path, script: &str) -> Program {
    use std::os::unix::fs::PermissionsExt;
    let (text, path) = (folder.join("script"), folder.join("program"));
    std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&text, PermissionsExt::from_mode(0o700)).unwrap();
    // Written by another process: one that another test starts meanwhile would hold it open, and it could not run.
    let copied = std::process::Command::new("cp").args([&text, &path]).status();
    assert!(copied.unwrap().success());
    Program::at(&path)
}
