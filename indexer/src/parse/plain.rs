//! Bytes to characters: byte order marks, UTF-8, and a guess at anything older.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

use super::page::Page;

/// Where an HTML file names its encoding.
const DECLARATION_BYTES: usize = 1024;

/// Writes a plain text on a page as it is.
pub fn parse(text: &str) -> Page {
    let mut page = Page::default();
    page.verbatim(text.trim_start_matches(['\n', '\u{feff}']));
    page
}

/// The characters of `bytes` with `\n` line ends, or `None` when they are no text.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned(),
        None if looks_binary(bytes) => return None,
        None => decode_without_mark(bytes),
    };
    if !text.contains('\r') {
        return Some(text);
    }
    Some(text.replace("\r\n", "\n").replace('\r', "\n"))
}

fn decode_without_mark(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    if is_damaged_utf8(bytes) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    // Valid UTF-8 is known by now, so who declares it here is mistaken.
    if let Some(encoding) = declared(bytes).filter(|encoding| *encoding != UTF_8) {
        return encoding.decode_without_bom_handling(bytes).0.into_owned();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector
        .guess(None, Utf8Detection::Deny)
        .decode_without_bom_handling(bytes)
        .0
        .into_owned()
}

/// One bad byte must not turn a UTF-8 text into nonsense, so clear UTF-8 with a little damage stays UTF-8.
fn is_damaged_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= bad * 4
}

fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let label = after.trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':'))?;
    Encoding::for_label(&label.as_bytes()[..end])
}

/// Whether bytes may be text; empty ones are.
pub fn is_text(bytes: &[u8]) -> bool {
    Encoding::for_bom(bytes).is_some() || !looks_binary(bytes)
}

/// Text has next to no control characters; programs, pictures and archives are full of them.
fn looks_binary(bytes: &[u8]) -> bool {
    let controls = bytes
        .iter()
        .filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
        .count();
    controls * 50 > bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Option<&str>) {
        assert_eq!(decode(bytes).as_deref(), expected, "{bytes:?}");
    }

    #[test]
    fn old_and_broken_encodings_are_read() {
        check(b"", Some(""));
        check(b"a\r\nb\rc", Some("a\nb\nc"));
        check(b"\xef\xbb\xbfhi", Some("hi"));
        check(b"\xff\xfeh\0i\0", Some("hi"));
        check("Größe über äöü".as_bytes(), Some("Größe über äöü"));
        check(b"Gr\xf6\xdfe \xfcber alles, sch\xf6n", Some("Größe über alles, schön"));
        check(b"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f \xff", Some("äöüß \u{fffd}"));
        check(
            b"<meta charset=\"windows-1251\">\xcf\xf0\xe8",
            Some("<meta charset=\"windows-1251\">При"),
        );
        let mistaken = [
            b"<meta charset=\"utf-8\">".as_slice(),
            b"\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0?",
        ]
        .concat();
        check(&mistaken, Some("<meta charset=\"utf-8\">Привет, как дела?"));
        check(b"\xff\xfe\x00\xd8", Some("\u{fffd}"));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        check(b"PK\x03\x04\0\0\0\0\x08\0", None);
        check(&[0; 64], None);
    }
}
