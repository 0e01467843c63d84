//! Tables of contents in a PDF that send its reader in circles while it opens the file: objects that lie in streams
//! which lie in themselves, entries without a size. They are read here by the reader's own parser, before it uses them.

use std::collections::BTreeSet;

use pdf_extract::{Dictionary, Object, ObjectStream, Stream};

use super::pdf_sizes::{LARGEST, data, readable, unpacked};

/// No table's head is longer, in bytes.
const HEAD: usize = 16 * 1024;
/// No column is wider; the reader makes room for it before it looks whether there is one.
const WIDEST: i64 = 1_024;
/// Objects of a file that are listed; each takes memory here and at the reader.
const OBJECTS: usize = 2_000_000;
/// Tables that are looked at.
const MOST: usize = 10_000;
const DAMAGED: &str = "its cross-reference table is damaged";

/// An error where a table in `bytes` is not as it should be.
pub fn check(bytes: &[u8]) -> Result<(), String> {
    let mut found = Found::default();
    let (mut tables, mut left) = (0, readable(bytes));
    for at in places(bytes, b"obj") {
        let object = after_blanks(&bytes[at + b"obj".len()..]);
        let head = &object[..object.len().min(HEAD)];
        if !head.starts_with(b"<<") {
            continue;
        }
        let Some(dictionary) = dictionary(head) else { continue };
        let Some(widths) = numbers(&dictionary, b"W") else {
            continue;
        };
        if widths.len() < 3 {
            continue;
        }
        tables += 1;
        let widths = [widths[0], widths[1], widths[2]];
        if widths.iter().any(|width| *width < 0 || *width > WIDEST) || widths == [0; 3] || tables > MOST {
            return Err(DAMAGED.to_owned());
        }
        let Some(start) = places(head, b"stream").next() else {
            continue;
        };
        let data = data(&object[start + b"stream".len()..]);
        let length = dictionary.get(b"Length").and_then(Object::as_i64).unwrap_or(i64::MAX);
        let data = &data[..data.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
        left = left.checked_sub(data.len()).ok_or(DAMAGED)?;
        read(dictionary, data, widths.map(|width| width as usize), &mut found)?;
    }
    if !found.containers.is_disjoint(&found.contained) {
        return Err(DAMAGED.to_owned());
    }
    Ok(())
}

/// What lies in streams, of all tables: later ones complete earlier ones.
#[derive(Default)]
struct Found {
    entries: usize,
    contained: BTreeSet<u32>,
    containers: BTreeSet<u32>,
}

/// Where `word` stands.
fn places<'a>(bytes: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(word.len()).enumerate();
    windows.filter(move |(_, window)| *window == word).map(|(at, _)| at)
}

/// What follows white space and comments.
fn after_blanks(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = bytes.trim_ascii_start();
        if bytes.first() != Some(&b'%') {
            return bytes;
        }
        let end = bytes
            .iter()
            .position(|byte| b"\r\n".contains(byte))
            .unwrap_or(bytes.len());
        bytes = &bytes[end..];
    }
}

/// The dictionary at the beginning of `text`, as the reader understands it: as the one object of a stream of objects.
fn dictionary(text: &[u8]) -> Option<Dictionary> {
    if places(text, b"/W").next().is_none() && places(text, b"/#57").next().is_none() {
        return None;
    }
    let mut head = Dictionary::new();
    head.set("N", 1);
    head.set("First", 4);
    let mut stream = Stream::new(head, [b"1 0 ", text].concat());
    let objects = ObjectStream::new(&mut stream).ok()?.objects;
    objects.into_values().next()?.as_dict().cloned().ok()
}

fn numbers(dictionary: &Dictionary, key: &[u8]) -> Option<Vec<i64>> {
    let list = dictionary.get(key).and_then(Object::as_array).ok()?;
    list.iter().map(|number| number.as_i64().ok()).collect()
}

fn read(dictionary: Dictionary, data: &[u8], widths: [usize; 3], found: &mut Found) -> Result<(), String> {
    let size = dictionary.get(b"Size").and_then(Object::as_i64).unwrap_or(0);
    let sections = numbers(&dictionary, b"Index").unwrap_or_else(|| vec![0, size]);
    let stream = Stream::new(dictionary, data.to_vec());
    unpacked(&stream, LARGEST)?;
    let table = stream.decompressed_content().unwrap_or_default();
    let mut rest = &table[..];
    for section in sections.chunks_exact(2) {
        for number in 0..section[1] {
            let Some(kind) = integer(&mut rest, widths[0]) else {
                return Ok(());
            };
            let kind = if widths[0] == 0 { 1 } else { kind };
            found.entries += 1;
            if found.entries > OBJECTS {
                return Err(format!("it lists more than {OBJECTS} objects"));
            }
            if kind > 2 {
                continue;
            }
            let (Some(container), Some(_)) = (integer(&mut rest, widths[1]), integer(&mut rest, widths[2])) else {
                return Ok(());
            };
            if kind == 2 {
                let id = section[0].wrapping_add(number) as u32;
                found.contained.insert(id);
                found.containers.insert(container);
            }
        }
    }
    Ok(())
}

/// The next integer, of which the reader keeps the last four bytes.
fn integer(rest: &mut &[u8], width: usize) -> Option<u32> {
    let bytes;
    (bytes, *rest) = rest.split_at_checked(width)?;
    Some(bytes.iter().fold(0_u32, |value, byte| (value << 8) + u32::from(*byte)))
}
