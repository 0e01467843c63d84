//! Plain text: encoding, line ends, control characters.

use super::outline::Outline;

/// The text of `bytes`, or none when they are no text.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let head = &bytes[..bytes.len().min(8_192)];
    let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    if !utf16 && zeros * 10 > head.len() {
        return None;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(clean(text.trim_start_matches('\u{feff}')));
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    // A byte-order mark in the bytes wins over the guess.
    let (text, ..) = detector.guess(None, chardetng::Utf8Detection::Allow).decode(bytes);
    Some(clean(&text))
}

/// Line ends as `\n`, no control characters but tab and line end.
pub fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

/// Text as it is.
pub fn parse(text: &str) -> Outline {
    let mut outline = Outline::default();
    outline.block(text);
    outline
}

/// Paragraphs of a page whose lines were wrapped by a typesetter.
pub fn unwrap_lines(page: &str) -> Vec<String> {
    let mut paragraphs = Vec::new();
    for block in page.split("\n\n") {
        let lines: Vec<&str> = block.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if !lines.is_empty() {
            paragraphs.push(lines.join(" "));
        }
    }
    paragraphs
}
