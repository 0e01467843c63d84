//! Where a JSON text is wrong: from serde's line and column to a JSON pointer (RFC 6901) and plain words.

use serde_json::error::Category;

/// The pointer to the fault and words for it.
pub fn explain(bytes: &[u8], error: &serde_json::Error) -> (String, String) {
    let place = format!("line {}, column {}", error.line(), error.column());
    let message = error.to_string();
    let what = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    let mut frames = frames(bytes, offset(bytes, error.line(), error.column()));
    let pointer = written(&frames);
    match error.classify() {
        Category::Eof => (pointer, format!("the JSON ends too early, at {place}; send all of it")),
        Category::Syntax if what.contains("recursion limit") => (
            pointer,
            format!("the JSON is nested deeper than 128 levels, at {place}; send it flatter"),
        ),
        Category::Syntax | Category::Io => (pointer, format!("this is not JSON: {what}, at {place}")),
        Category::Data => {
            let Some(name) = quoted(what, "missing field `") else {
                return (pointer, format!("{}, at {place}", plain(what)));
            };
            // Told at the end of the object that lacks it.
            if let Some(Frame::Object { key, .. }) = frames.last_mut() {
                *key = Some(name.to_owned());
            }
            (written(&frames), format!("{what}, at {place}"))
        }
    }
}

/// Serde's words without the names of Rust's types.
pub fn plain(message: &str) -> String {
    let mut words = message.to_owned();
    for (rust, english) in [
        ("expected usize", "expected a whole number from 0"),
        ("expected u64", "expected a whole number from 0"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected f32", "expected a number"),
        (
            "data did not match any variant of untagged enum OneOrMany",
            "expected a string or a list of strings",
        ),
        (
            "data did not match any variant of untagged enum ConversationName",
            "expected an id, or an object with an `id`",
        ),
        (
            "data did not match any variant of untagged enum Content",
            "expected a string or a list of parts",
        ),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("expected a boolean", "expected true or false"),
    ] {
        words = words.replace(rust, english);
    }
    match words.find("expected struct ") {
        Some(start) => format!("{}expected an object", &words[..start]),
        None => words,
    }
}

/// One part of a pointer: `~` and `/` are escaped.
pub fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

/// Lines and columns count from 1, columns in bytes; column 0 is the end of the line before.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match bytes[start..].iter().position(|byte| *byte == b'\n') {
            Some(length) => start += length + 1,
            None => break,
        }
    }
    (start + column).min(bytes.len())
}

enum Frame {
    Object { key: Option<String>, wants_key: bool },
    List(usize),
}

/// Around the value (or key) that ends at `end`, outermost first, in text that is good JSON up to there.
fn frames(bytes: &[u8], end: usize) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut place = 0;
    while place < end {
        match bytes[place] {
            b'"' => {
                let length = string_length(&bytes[place..end]);
                let text = &bytes[place..place + length];
                if let Some(Frame::Object { key, wants_key }) = frames.last_mut()
                    && *wants_key
                {
                    *key = serde_json::from_slice(text).ok();
                    *wants_key = false;
                }
                place += length;
                continue;
            }
            b'{' => frames.push(Frame::Object {
                key: None,
                wants_key: true,
            }),
            b'[' => frames.push(Frame::List(0)),
            // The last closing bracket stays open: what is missing is wrong or missing is inside of it.
            b'}' | b']' if place + 1 < end => drop(frames.pop()),
            b',' => match frames.last_mut() {
                Some(Frame::Object { key, wants_key }) => (*key, *wants_key) = (None, true),
                Some(Frame::List(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
        place += 1;
    }
    frames
}

fn written(frames: &[Frame]) -> String {
    let mut pointer = String::new();
    for frame in frames {
        match frame {
            Frame::Object { key: Some(key), .. } => pointer = format!("{pointer}/{}", escape(key)),
            Frame::Object { key: None, .. } => {}
            Frame::List(index) => pointer = format!("{pointer}/{index}"),
        }
    }
    pointer
}

/// Bytes of the string that starts here, with its quotes; all of it when it does not end.
fn string_length(bytes: &[u8]) -> usize {
    let mut place = 1;
    while place < bytes.len() {
        match bytes[place] {
            b'\\' => place += 2,
            b'"' => return place + 1,
            _ => place += 1,
        }
    }
    bytes.len()
}
