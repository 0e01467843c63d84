//! PDF files: random objects in a file whose table of contents is right, and damaged ones.

use std::io::Write;
use std::sync::LazyLock;

use fastrand::Rng;

use crate::hold::parsed;
use crate::made::{change, one, soup, words};
use crate::run;

static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "<<¶>>¶[¶]¶(¶)¶<¶>¶/Type¶/Page¶/Pages¶/Catalog¶/Kids¶/Parent¶/Count¶/Resources¶/XObject¶/Font¶\
    /ToUnicode¶/Encoding¶/FontFile¶/W¶/#57¶/Index¶/Size¶/Root¶/Length¶/Filter¶/FlateDecode¶/LZWDecode¶\
    /ASCII85Decode¶/ASCIIHexDecode¶/DecodeParms¶/Predictor¶/Columns¶/EarlyChange¶/ObjStm¶/N¶/First¶\
    /Prev¶/XRef¶/Encrypt¶/MediaBox¶/Contents¶/Image¶/Subtype¶/Form¶/Width¶/Height¶ 1 0 R ¶ 2 0 R ¶ 4 0 R ¶ 5 0 R ¶ 6 0 R ¶ 99 0 R ¶\
    stream\n¶\nendstream\n¶endobj\n¶obj¶null¶true¶ 12 ¶ 0 ¶ -1 ¶/X0¶/F ¶%¶\n¶trailer",
    )
});
static CONTENT: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "BT ¶ET ¶/F 12 Tf ¶50 700 Td ¶(words) Tj ¶[(a) -200 (b)] TJ ¶T* ¶/X0 Do ¶/X1 Do ¶q ¶Q ¶\
    1 0 0 1 0 0 cm ¶(\\351\\(\\)) ' ¶<0041> Tj ¶BI /W 1 /H 1 ID x EI ¶/P BMC ¶EMC ¶\n¶12 ¶(¶)¶\
    9999999999 0 Td ¶[[[[¶beginbfchar ¶endbfchar ¶<41> <0041> ",
    )
});
static FILTERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words("/FlateDecode¶[/FlateDecode /FlateDecode]¶/LZWDecode¶/ASCII85Decode¶/ASCIIHexDecode¶/DCTDecode")
});

fn pdf(rng: &mut Rng) -> Vec<u8> {
    let page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F 3 0 R >> \
                /XObject << /X0 6 0 R /X1 7 0 R >> >> >>";
    let fixed = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding /ToUnicode 7 0 R >>",
        page,
    ];
    let mut objects: Vec<Vec<u8>> = fixed.iter().map(|object| object.as_bytes().to_vec()).collect();
    for facts in [
        "",
        "/Type /XObject /Subtype /Form",
        "/Type /XObject /Subtype /Image /Width 9 /Height 9",
        "/Type /ObjStm /N 2 /First 8",
    ] {
        objects.push(stream(rng, facts));
    }
    for object in &mut objects {
        match rng.u8(..16) {
            0 => *object = soup(rng, &WORDS),
            1 => change(rng, object, &WORDS),
            2 => *object = stream(rng, "/Type /XRef /W [1 2 1] /Size 9 /Root 1 0 R"),
            _ => {}
        }
    }
    let mut bytes = file(rng, &objects);
    for _ in 0..rng.usize(..8).saturating_sub(4) {
        change(rng, &mut bytes, &WORDS);
    }
    bytes
}

/// A stream of drawing, packed in one of the ways or none.
fn stream(rng: &mut Rng, facts: &str) -> Vec<u8> {
    let mut content = soup(rng, &CONTENT);
    content.truncate(16 << 10);
    let mut filter = String::new();
    if rng.bool() {
        let name = one(rng, &FILTERS);
        filter = format!("/Filter {name}");
        if rng.u8(..8) == 0 {
            filter.push_str(" /DecodeParms << /Predictor 12 /Columns 4 >>");
        }
        for _ in 0..name.matches("/Flate").count() {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&content).unwrap();
            content = encoder.finish().unwrap();
        }
    }
    let length = if rng.u8(..8) == 0 {
        rng.usize(..99_999)
    } else {
        content.len()
    };
    let head = format!("<< /Length {length} {facts} {filter} >>\nstream\n");
    [head.as_bytes(), &content, b"\nendstream"].concat()
}

/// The objects in a file, with a table that is right or one that is a stream.
fn file(rng: &mut Rng, objects: &[Vec<u8>]) -> Vec<u8> {
    let (mut file, mut places) = (b"%PDF-1.5\n".to_vec(), Vec::new());
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", at + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let (start, size) = (file.len(), objects.len() + 1);
    if rng.u8(..4) == 0 {
        let mut table = vec![0; 5];
        for (at, place) in places.iter().enumerate() {
            let kind = if rng.u8(..16) == 0 { rng.u8(..4) } else { 1 };
            let place = if kind == 2 { at } else { *place };
            table.extend([kind, (place >> 16) as u8, (place >> 8) as u8, place as u8, 0]);
        }
        let head = format!(
            "{size} 0 obj\n<< /Type /XRef /W [1 3 1] /Size {size} /Root 1 0 R /Length {} >>\nstream\n",
            table.len()
        );
        file.extend([head.as_bytes(), &table, b"\nendstream\nendobj\n"].concat());
    } else {
        let rows: Vec<String> = places.iter().map(|place| format!("{place:010} 00000 n \n")).collect();
        let rows = rows.concat();
        file.extend(
            format!("xref\n0 {size}\n0000000000 65535 f \n{rows}trailer\n<< /Size {size} /Root 1 0 R >>\n")
                .into_bytes(),
        );
    }
    file.extend(format!("startxref\n{start}\n%%EOF\n").into_bytes());
    file
}

#[test]
fn pdf_files() {
    run("pdf", pdf, |bytes| parsed("a.pdf", None, bytes));
}
