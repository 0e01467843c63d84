//! What in a PDF would send the reader round in circles or down without end: its own recursion has no limit, and a
//! stack that runs over takes the whole process with it.

use std::collections::{BTreeMap, BTreeSet};

use pdf_extract::content::Content;
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::pdf_sizes::{LARGEST, unpacked};

/// Drawings within drawings, and folders of pages within folders.
const DEEPEST: usize = 32;
const PARENTS: usize = 64;
/// Drawings that are drawn, and bytes of content that are read for it, counted each time.
const MOST_STEPS: usize = 100_000;
const MOST_BYTES: usize = 1 << 30;
/// A page's own content, in bytes: each operation in it takes a hundred.
const LARGEST_CONTENT: usize = LARGEST / 8;
/// Brackets within brackets in the tables of a font.
const BRACKETS: usize = 100;

/// An error where reading the pages of `document` would not end well.
pub fn check(document: &Document) -> Result<(), String> {
    check_tables(document)?;
    let mut walk = Walk {
        document,
        names: BTreeMap::new(),
        costs: BTreeMap::new(),
    };
    let nothing = Dictionary::new();
    let mut whole = Cost::default();
    for page in document.get_pages().into_values() {
        let resources = resources(document, page)?.unwrap_or(&nothing);
        let mut size = 0;
        for id in document.get_page_contents(page) {
            if let Ok(stream) = document.get_object(id).and_then(Object::as_stream) {
                size += unpacked(stream, LARGEST_CONTENT)?;
            }
            if size > LARGEST_CONTENT {
                return Err(format!(
                    "a page of it holds over {} MB of drawing",
                    LARGEST_CONTENT >> 20
                ));
            }
        }
        let content = document.get_page_content(page).map_err(|cause| cause.to_string())?;
        whole.add(Cost {
            steps: 1,
            bytes: size,
            height: 0,
        })?;
        for name in drawn(&content) {
            whole.add(walk.cost(&name, resources, 1)?)?;
        }
    }
    Ok(())
}

/// The page's own resources or those of the nearest folder of pages above it.
pub fn resources(document: &Document, page: ObjectId) -> Result<Option<&Dictionary>, String> {
    let mut found = None;
    let mut node = document.get_dictionary(page).ok();
    for _ in 0..PARENTS {
        let Some(dictionary) = node else { return Ok(found) };
        if found.is_none() {
            found = dictionary
                .get_deref(b"Resources", document)
                .and_then(Object::as_dict)
                .ok();
        }
        let parent = dictionary.get(b"Parent").and_then(Object::as_reference);
        node = parent.and_then(|parent| document.get_dictionary(parent)).ok();
    }
    Err("its pages are their own parents, or lie too deep".to_owned())
}

/// What it takes to draw something once.
#[derive(Clone, Copy, Default)]
struct Cost {
    steps: usize,
    bytes: usize,
    height: usize,
}

impl Cost {
    fn add(&mut self, other: Self) -> Result<(), String> {
        self.steps += other.steps;
        self.bytes += other.bytes;
        self.height = self.height.max(other.height + 1);
        if self.steps > MOST_STEPS || self.bytes > MOST_BYTES {
            return Err("it draws the same things over and over".to_owned());
        }
        Ok(())
    }
}

struct Walk<'a> {
    document: &'a Document,
    /// The names that a stream draws.
    names: BTreeMap<*const Stream, (usize, Vec<Vec<u8>>)>,
    /// What was walked, by stream and resources: names mean what the resources say.
    costs: BTreeMap<(*const Stream, *const Dictionary), Cost>,
}

impl<'a> Walk<'a> {
    fn cost(&mut self, name: &[u8], resources: &'a Dictionary, depth: usize) -> Result<Cost, String> {
        // What is missing here ends the reader too, without harm.
        let Some(stream) = self.find(name, resources) else {
            return Ok(Cost::default());
        };
        let own = stream
            .dict
            .get_deref(b"Resources", self.document)
            .and_then(Object::as_dict);
        let resources = own.unwrap_or(resources);
        let key = (std::ptr::from_ref(stream), std::ptr::from_ref(resources));
        let known = self.costs.get(&key).copied();
        if depth + known.map_or(0, |known| known.height) > DEEPEST {
            return Err(format!(
                "a drawing in it draws itself, or over {DEEPEST} others in each other"
            ));
        }
        if let Some(known) = known {
            return Ok(known);
        }
        let (bytes, names) = self.names(stream)?;
        let mut cost = Cost {
            steps: 1,
            bytes,
            height: 0,
        };
        for name in names {
            let inner = self.cost(&name, resources, depth + 1)?;
            cost.add(inner)?;
        }
        self.costs.insert(key, cost);
        Ok(cost)
    }

    fn find(&self, name: &[u8], resources: &'a Dictionary) -> Option<&'a Stream> {
        let drawings = resources
            .get_deref(b"XObject", self.document)
            .and_then(Object::as_dict)
            .ok()?;
        drawings.get_deref(name, self.document).and_then(Object::as_stream).ok()
    }

    fn names(&mut self, stream: &Stream) -> Result<(usize, Vec<Vec<u8>>), String> {
        let key = std::ptr::from_ref(stream);
        if let Some(known) = self.names.get(&key) {
            return Ok(known.clone());
        }
        let size = unpacked(stream, LARGEST)?;
        // A picture may be large; it is no drawing unless it reads like one.
        let names = drawn(&contents(stream));
        self.names.insert(key, (size, names.clone()));
        Ok((size, names))
    }
}

/// What a stream holds, unpacked where that is possible.
pub fn contents(stream: &Stream) -> Vec<u8> {
    stream.decompressed_content().unwrap_or_else(|_| stream.content.clone())
}

/// The names after which content says `Do`, as often as it says so.
pub fn drawn(content: &[u8]) -> Vec<Vec<u8>> {
    let Ok(content) = Content::decode(content) else {
        return Vec::new();
    };
    let named = content.operations.iter().filter(|operation| operation.operator == "Do");
    named
        .filter_map(|operation| operation.operands.first()?.as_name().ok().map(<[u8]>::to_vec))
        .collect()
}

/// The tables of the fonts are read by a parser that goes down a level with each bracket.
fn check_tables(document: &Document) -> Result<(), String> {
    let mut tables = BTreeSet::new();
    for object in document.objects.values() {
        collect(object, &mut tables);
    }
    for id in tables {
        if let Ok(stream) = document.get_object(id).and_then(Object::as_stream)
            && brackets(&contents(stream)) > BRACKETS
        {
            return Err("a table of a font in it nests too deep".to_owned());
        }
    }
    Ok(())
}

fn collect(object: &Object, tables: &mut BTreeSet<ObjectId>) {
    match object {
        Object::Array(list) => list.iter().for_each(|one| collect(one, tables)),
        Object::Dictionary(dictionary) | Object::Stream(Stream { dict: dictionary, .. }) => {
            for (key, value) in dictionary {
                match value.as_reference() {
                    Ok(id) if matches!(&key[..], b"ToUnicode" | b"Encoding" | b"FontFile") => drop(tables.insert(id)),
                    _ => collect(value, tables),
                }
            }
        }
        _ => {}
    }
}

/// How deep brackets stand in each other, as far as the bytes are text; in a string only its own brackets count.
fn brackets(text: &[u8]) -> usize {
    let (mut open, mut strings, mut deepest) = (0_usize, 0_usize, 0);
    let mut escaped = false;
    for byte in text {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' if strings > 0 => escaped = !was_escaped,
            b'(' | b')' if strings > 0 && was_escaped => {}
            b'(' => strings += 1,
            b')' => strings = strings.saturating_sub(1),
            _ if strings > 0 => {}
            b'[' | b'{' | b'<' => open += 1,
            b']' | b'}' | b'>' => open = open.saturating_sub(1),
            0x80.. => break,
            _ => {}
        }
        deepest = deepest.max(open + strings);
    }
    deepest
}
