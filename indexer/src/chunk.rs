//! The chunker: cuts a document along its structure into pieces that are found and cited as one.
//!
//! Chunks never overlap, and every byte that is not white space is in one of them.

use std::ops::Range;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use crate::types::{Chunk, ChunkContext, ChunkId, Document};

/// A chunk grows until the next piece would take it past this.
pub const TARGET_BYTES: usize = 1_800;
/// No chunk is longer.
pub const MAX_BYTES: usize = 2_400;
/// A section shorter than this goes with the next one.
pub const TINY_BYTES: usize = 200;
/// Headings down to this level part chunks; deeper ones only name them.
const PARTING_LEVEL: u8 = 3;

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
pub fn split(document: &Document) -> Vec<Chunk> {
    let units = units(document);
    let mut chunks = Vec::new();
    for pack in pack(&units) {
        let units = &units[pack];
        let (Some(first), Some(last)) = (units.first(), units.last()) else {
            continue;
        };
        chunks.push(chunk(
            document,
            chunks.len() as u32,
            first.span.start..last.span.end,
            common_path(units),
        ));
    }
    chunks
}

fn chunk(document: &Document, ordinal: u32, span: Range<usize>, heading_path: Vec<String>) -> Chunk {
    let text = document.text[span.clone()].to_owned();
    let embedded = Chunk::embedded_text(&document.title, &heading_path, &text);
    let context = ChunkContext {
        metadata: &document.metadata,
        principals: &document.principals,
    };
    let id = ChunkId::of(document.id, ordinal, &embedded, &context);
    Chunk {
        id,
        document: document.id,
        ordinal,
        heading_path,
        text,
        span,
    }
}

/// Ranges of units, each of which makes a chunk.
fn pack(units: &[Unit]) -> Vec<Range<usize>> {
    let mut packs = Vec::new();
    let mut start = 0;
    for next in 1..units.len() {
        let current = &units[start..next];
        if fits(current, &units[next]) {
            continue;
        }
        // A heading goes with what it heads, so it opens the next chunk rather than closing this one.
        let headings = current.iter().rev().take_while(|unit| unit.is_heading).count();
        let moves = units[next].group == units[start].group && headings < current.len();
        let end = if moves { next - headings } else { next };
        let joined = units[next].span.end - units[end].span.start;
        let end = if joined > MAX_BYTES { next } else { end };
        packs.push(start..end);
        start = end;
    }
    if !units.is_empty() {
        packs.push(start..units.len());
    }
    packs
}

fn fits(current: &[Unit], next: &Unit) -> bool {
    let (Some(first), Some(last)) = (current.first(), current.last()) else {
        return true;
    };
    let joined = next.span.end - first.span.start;
    // A scrap alone would be found for the wrong reasons, so it may take the chunk up to the limit.
    let is_scrap = last.span.end - first.span.start < TINY_BYTES;
    let room = if is_scrap { MAX_BYTES } else { TARGET_BYTES };
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

fn units(document: &Document) -> Vec<Unit> {
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
            for span in pieces(text, span) {
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
fn pieces(text: &str, span: Range<usize>) -> Vec<Range<usize>> {
    if span.len() <= MAX_BYTES {
        return vec![span];
    }
    let mut spans = Vec::new();
    let mut start = span.start;
    for line in text[span].split_inclusive('\n') {
        let line_span = start..start + line.len();
        start = line_span.end;
        if line.trim().len() <= MAX_BYTES {
            spans.extend(trim(text, line_span));
            continue;
        }
        for (offset, sentence) in line.split_sentence_bound_indices() {
            let begin = line_span.start + offset;
            cut(text, begin..begin + sentence.len(), &mut spans);
        }
    }
    spans
}

/// Cuts a sentence that is too long: at white space, or between characters as a reader sees them.
fn cut(text: &str, span: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let mut start = span.start;
    while span.end - start > MAX_BYTES {
        let window = &text[start..text.floor_char_boundary(start + TARGET_BYTES)];
        let space = window.rfind(char::is_whitespace).filter(|at| *at > TARGET_BYTES / 2);
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
