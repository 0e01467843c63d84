//! What pictures of a PDF become.

use pdf_extract::dictionary;

use super::*;

/// The file that a picture becomes, 4 points wide and 2 high unless its facts say more.
fn check(facts: Dictionary, content: &[u8], expected: Result<&[u8], &str>) {
    let stream = Stream::new(facts, content.to_vec());
    let found = file(&Document::new(), &stream, (4, 2));
    let found = found.as_deref().map_err(String::as_str);
    assert_eq!(found, expected, "{:?}", stream.dict);
}

fn pgm(points: [u8; 8]) -> Vec<u8> {
    [b"P5\n4 2\n255\n".as_slice(), &points].concat()
}

#[test]
fn samples_of_any_width_become_shades_of_grey() {
    let grey = |bits: i64| dictionary! { "ColorSpace" => "DeviceGray", "BitsPerComponent" => bits };
    check(
        grey(1),
        &[0b0101_0000, 0b1111_0000],
        Ok(&pgm([0, 255, 0, 255, 255, 255, 255, 255])),
    );
    check(grey(2), &[0b0001_1011, 0], Ok(&pgm([0, 85, 170, 255, 0, 0, 0, 0])));
    check(grey(4), &[0x0f, 0xf0, 0, 0], Ok(&pgm([0, 255, 255, 0, 0, 0, 0, 0])));
    check(grey(16), &[9, 1].repeat(8), Ok(&pgm([9; 8])));
    check(grey(8), &[1, 2, 3, 4], Ok(b"P5\n4 1\n255\n\x01\x02\x03\x04"));
    check(grey(8), &[1], Err("a picture is cut off"));
    check(grey(3), &[0; 9], Err("a picture with 3 bits a sample is not read"));
    let mask = dictionary! { "ImageMask" => true, "Decode" => vec![1.into(), 0.into()] };
    check(mask, &[0b0101_0000, 0], Ok(&pgm([255, 0, 255, 0, 255, 255, 255, 255])));
}

#[test]
fn colours_become_shades_of_grey() {
    let colours = |name: &str| dictionary! { "ColorSpace" => name, "BitsPerComponent" => 8 };
    check(colours("DeviceRGB"), &[255, 0, 0].repeat(8), Ok(&pgm([76; 8])));
    check(colours("DeviceCMYK"), &[0, 0, 0, 255].repeat(8), Ok(&pgm([0; 8])));
    check(
        colours("Pattern"),
        &[0; 99],
        Err("the colours of a picture are not known"),
    );
    let table = Object::String(vec![10, 200], pdf_extract::StringFormat::Literal);
    let numbered = vec!["Indexed".into(), "DeviceGray".into(), 1.into(), table];
    let facts = dictionary! { "ColorSpace" => numbered, "BitsPerComponent" => 1 };
    check(facts, &[0b0101_0000, 0], Ok(&pgm([10, 200, 10, 200, 10, 10, 10, 10])));
}

#[test]
fn what_is_packed_as_a_picture_stays_so() {
    check(dictionary! { "Filter" => "DCTDecode" }, b"jpeg", Ok(b"jpeg"));
    check(
        dictionary! { "Filter" => "JPXDecode" },
        b"",
        Err("a picture in JPEG 2000 is not read"),
    );
    let parameters = dictionary! { "K" => -1, "Columns" => 4 };
    let fax = Stream::new(
        dictionary! { "Filter" => "CCITTFaxDecode", "DecodeParms" => parameters },
        b"fax".to_vec(),
    );
    let file = file(&Document::new(), &fax, (4, 2)).unwrap();
    assert!(file.starts_with(b"II*\0\x08\0\0\0\x09\0") && file.ends_with(b"\0\0\0\0fax"));
    // Group 4, black on white, and where the strip begins.
    for entry in [[3, 1, 4, 0], [6, 1, 0, 0], [17, 1, 122, 0]] {
        let entry = [entry[0], entry[1], 4, 0, 1, 0, 0, 0, entry[2], entry[3], 0, 0];
        assert!(file.windows(12).any(|window| window == entry), "{entry:?}");
    }
    assert_eq!(file.len(), 122 + 3);
}
