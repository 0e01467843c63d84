//! The chunker: cuts a document along its structure into pieces that are found and cited as one.
//!
//! Chunks never overlap, and every byte that is not white space is in one of them.

use std::ops::Range;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use crate::types::{Chunk, ChunkContext, ChunkId, Document};

/// A section shorter than this goes with the next one.
const TINY_BYTES: usize = 200;
/// Headings down to this level part chunks; deeper ones only name them.
const PARTING_LEVEL: u8 = 3;

/// How documents are cut, and what of a chunk is embedded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunking {
    /// A chunk grows until the next piece would take it past this.
    pub target_bytes: usize,
    /// Whether title and heading path are embedded with the text.
    pub context: bool,
    /// Tells one way to write sentences that are embedded with chunks from another; 0 where none are written.
    pub sentences: u64,
}

impl Default for Chunking {
    /// Chosen by figures; docs/quality.md has them.
    fn default() -> Self {
        Self {
            target_bytes: 1_800,
            context: true,
            sentences: 0,
        }
    }
}

impl Chunking {
    /// No chunk is longer.
    pub fn max_bytes(self) -> usize {
        self.target_bytes + self.target_bytes / 3
    }

    /// What is embedded of a chunk.
    pub fn embedded(self, title: &str, heading_path: &[String], text: &str) -> String {
        if self.context {
            Chunk::embedded_text(title, heading_path, text)
        } else {
            text.to_owned()
        }
    }

    /// All that decides, for the fingerprint.
    pub(crate) fn settings(self) -> Vec<u64> {
        let mut settings = [self.target_bytes, self.max_bytes(), TINY_BYTES]
            .map(|bytes| bytes as u64)
            .to_vec();
        if !self.context {
            // No length is as large, so what is hashed next cannot be mistaken for it.
            settings.push(u64::MAX);
        }
        if self.sentences != 0 {
            settings.extend([u64::MAX - 1, self.sentences]);
        }
        settings
    }
}

/// A piece of text that stays whole: a heading, a paragraph, or a part of a long paragraph.
#[derive(Clone, Debug)]
struct Unit {
    span: Range<usize>,
    /// Chunks hold units of one group only.
    group: usize,
    /// Titles of the headings above, outermost first; shared, since a heading may stand above a million units.
    path: Arc<[String]>,
    is_heading: bool,
}

/// Cuts a document into chunks, in the order of its text.
pub fn split(document: &Document, chunking: Chunking) -> Vec<Chunk> {
    let units = units(document, chunking);
    let mut chunks = Vec::new();
    for pack in pack(&units, chunking) {
        let units = &units[pack];
        let (Some(first), Some(last)) = (units.first(), units.last()) else {
            continue;
        };
        let span = first.span.start..last.span.end;
        chunks.push(chunk(
            document,
            chunking,
            chunks.len() as u32,
            (span, common_path(units)),
        ));
    }
    chunks
}

/// A chunk's text behind the sentence that was written of it, if there is one: what is embedded as its text.
pub fn situated(sentence: Option<&String>, text: &str) -> String {
    match sentence {
        Some(sentence) => format!("{sentence}\n{text}"),
        None => text.to_owned(),
    }
}

/// The chunks of a document of which title, metadata, principals or the sentences that were written of them, in order, are
/// others now: the same texts with the ids that they have now.
pub fn renamed(
    document: &Document,
    mut chunks: Vec<Chunk>,
    chunking: Chunking,
    sentences: &[Option<String>],
) -> Vec<Chunk> {
    for chunk in &mut chunks {
        let sentence = sentences.get(chunk.ordinal as usize).and_then(Option::as_ref);
        let text = situated(sentence, &chunk.text);
        let embedded = chunking.embedded(&document.title, &chunk.heading_path, &text);
        chunk.id = id(document, chunk.ordinal, &embedded);
    }
    chunks
}

fn id(document: &Document, ordinal: u32, embedded: &str) -> ChunkId {
    let context = ChunkContext {
        metadata: &document.metadata,
        principals: &document.principals,
    };
    ChunkId::of(document.id, ordinal, embedded, &context)
}

fn chunk(
    document: &Document,
    chunking: Chunking,
    ordinal: u32,
    (span, heading_path): (Range<usize>, Vec<String>),
) -> Chunk {
    let text = document.text[span.clone()].to_owned();
    let embedded = chunking.embedded(&document.title, &heading_path, &text);
    Chunk {
        id: id(document, ordinal, &embedded),
        document: document.id,
        ordinal,
        heading_path,
        pages: document.pages.as_ref().map(|pages| pages.within(&span)),
        text,
        span,
    }
}

/// Ranges of units, each of which makes a chunk.
fn pack(units: &[Unit], chunking: Chunking) -> Vec<Range<usize>> {
    let mut packs = Vec::new();
    let mut start = 0;
    for next in 1..units.len() {
        let current = &units[start..next];
        if fits(current, &units[next], chunking) {
            continue;
        }
        // A heading goes with what it heads, so it opens the next chunk rather than closing this one.
        let headings = current.iter().rev().take_while(|unit| unit.is_heading).count();
        let moves = units[next].group == units[start].group && headings < current.len();
        let end = if moves { next - headings } else { next };
        let joined = units[next].span.end - units[end].span.start;
        let end = if joined > chunking.max_bytes() { next } else { end };
        packs.push(start..end);
        start = end;
    }
    if !units.is_empty() {
        packs.push(start..units.len());
    }
    packs
}

fn fits(current: &[Unit], next: &Unit, chunking: Chunking) -> bool {
    let (Some(first), Some(last)) = (current.first(), current.last()) else {
        return true;
    };
    let joined = next.span.end - first.span.start;
    // A scrap alone would be found for the wrong reasons, so it may take the chunk up to the limit.
    let is_scrap = last.span.end - first.span.start < TINY_BYTES;
    let room = if is_scrap {
        chunking.max_bytes()
    } else {
        chunking.target_bytes
    };
    first.group == next.group && joined <= room
}

/// What the units' heading paths have in common; a bare heading above the others takes nothing from theirs.
fn common_path(units: &[Unit]) -> Vec<String> {
    let mut deepest: Option<&[String]> = None;
    for unit in units.iter().filter(|unit| !unit.is_heading) {
        deepest = Some(deepest.map_or(&unit.path[..], |path| common(path, &unit.path)));
    }
    for unit in units.iter().filter(|unit| unit.is_heading) {
        deepest = match deepest {
            Some(path) if path.starts_with(&unit.path) => Some(path),
            Some(path) => Some(common(path, &unit.path)),
            None => Some(&unit.path),
        };
    }
    deepest.unwrap_or_default().to_vec()
}

fn common<'a>(left: &'a [String], right: &[String]) -> &'a [String] {
    let shared = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    &left[..shared]
}

fn units(document: &Document, chunking: Chunking) -> Vec<Unit> {
    let text = &document.text;
    let mut units = Vec::new();
    let mut open: Vec<(u8, &str)> = Vec::new();
    let (mut group, mut group_start) = (0, 0);
    let mut from = 0;
    let mut level = None;
    for heading in document.headings.iter().map(Some).chain([None]) {
        let to = heading.map_or(text.len(), |heading| text.floor_char_boundary(heading.start).max(from));
        // The title is before every path already.
        let titled = usize::from(open.first().is_some_and(|(_, title)| *title == document.title));
        let path: Arc<[String]> = open[titled..].iter().map(|(_, title)| (*title).to_owned()).collect();
        for (index, span) in paragraphs(text, from..to).into_iter().enumerate() {
            let is_heading = level.is_some() && index == 0;
            for span in pieces(text, span, chunking) {
                units.push(Unit {
                    span,
                    group,
                    path: Arc::clone(&path),
                    is_heading,
                });
            }
        }
        let Some(heading) = heading else { break };
        if heading.level <= PARTING_LEVEL && text[group_start..to].trim().len() >= TINY_BYTES {
            group += 1;
            group_start = to;
        }
        open.retain(|(level, _)| *level < heading.level);
        open.push((heading.level, &heading.title));
        level = Some(heading.level);
        from = to;
    }
    units
}

/// The paragraphs in a range, without the white space around them.
fn paragraphs(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut start = range.start;
    let mut spans = Vec::new();
    for part in text[range].split_inclusive("\n\n") {
        spans.extend(trim(text, start..start + part.len()));
        start += part.len();
    }
    spans
}

/// A paragraph that fits stays whole; a longer one is cut at lines, then sentences, then words.
fn pieces(text: &str, span: Range<usize>, chunking: Chunking) -> Vec<Range<usize>> {
    if span.len() <= chunking.max_bytes() {
        return vec![span];
    }
    let mut spans = Vec::new();
    let mut start = span.start;
    for line in text[span].split_inclusive('\n') {
        let line_span = start..start + line.len();
        start = line_span.end;
        if line.trim().len() <= chunking.max_bytes() {
            spans.extend(trim(text, line_span));
            continue;
        }
        for (offset, sentence) in line.split_sentence_bound_indices() {
            let begin = line_span.start + offset;
            cut(text, begin..begin + sentence.len(), chunking, &mut spans);
        }
    }
    spans
}

/// Cuts a sentence that is too long: at white space, or between characters as a reader sees them.
fn cut(text: &str, span: Range<usize>, chunking: Chunking, spans: &mut Vec<Range<usize>>) {
    let mut start = span.start;
    let target = chunking.target_bytes;
    while span.end - start > chunking.max_bytes() {
        let window = &text[start..text.floor_char_boundary(start + target)];
        let space = window.rfind(char::is_whitespace).filter(|at| *at > target / 2);
        let character = || {
            window
                .grapheme_indices(true)
                .map(|(at, _)| at)
                .next_back()
                .filter(|at| *at > 0)
        };
        let length = space.or_else(character).unwrap_or(window.len());
        spans.extend(trim(text, start..start + length));
        start += length;
    }
    spans.extend(trim(text, start..span.end));
}

fn trim(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let part = &text[span.clone()];
    let kept = part.trim();
    let start = span.start + (part.len() - part.trim_start().len());
    (!kept.is_empty()).then(|| start..start + kept.len())
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
