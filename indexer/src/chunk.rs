//! Cuts a document along its structure: sections, then paragraphs, then sentences. Every span is exact.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::types::{Chunk, ChunkContext, ChunkId, Document};

/// Bytes that a chunk aims for.
pub const TARGET: usize = 1_100;
/// Bytes that a chunk never exceeds, but for a single word that is longer.
pub const LARGEST: usize = 1_600;
/// A section shorter than this joins the next one.
const TINY: usize = 160;

/// The chunks of a document, in order. They do not overlap and leave out nothing but white space.
pub fn split(document: &Document) -> Vec<Chunk> {
    let mut spans = Vec::new();
    for section in sections(document) {
        pack(&document.text, section, &mut spans);
    }
    let context = ChunkContext {
        metadata: &document.metadata,
        principals: &document.principals,
    };
    let mut chunks = Vec::with_capacity(spans.len());
    for span in spans {
        let text = document.text[span.clone()].to_owned();
        let heading_path = heading_path(document, &span);
        let ordinal = chunks.len() as u32;
        let embedded = Chunk::embedded_text(&document.title, &heading_path, &text);
        let id = ChunkId::of(document.id, ordinal, &embedded, &context);
        chunks.push(Chunk {
            id,
            document: document.id,
            ordinal,
            heading_path,
            text,
            span,
        });
    }
    chunks
}

/// Ranges between headings of level 1 to 3; tiny ones are joined with what follows.
fn sections(document: &Document) -> Vec<Range<usize>> {
    let length = document.text.len();
    let mut starts: Vec<usize> = document
        .headings
        .iter()
        .filter(|heading| heading.level <= 3)
        .map(|heading| heading.start)
        .collect();
    starts.retain(|start| *start <= length && document.text.is_char_boundary(*start));
    starts.insert(0, 0);
    starts.sort_unstable();
    starts.dedup();
    let mut sections: Vec<Range<usize>> = Vec::new();
    let mut begin = 0;
    for (at, _) in starts.iter().enumerate() {
        let end = starts.get(at + 1).copied().unwrap_or(length);
        if end - begin >= TINY || end == length {
            sections.push(begin..end);
            begin = end;
        }
    }
    sections
}

/// Adds the spans of one section: pieces are joined while they stay near the target.
fn pack(text: &str, section: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let mut open: Option<Range<usize>> = None;
    for piece in pieces(text, section) {
        open = match open {
            Some(span) if piece.end - span.start <= LARGEST && span.len() < TARGET => Some(span.start..piece.end),
            Some(span) => {
                push(text, span, spans);
                Some(piece)
            }
            None => Some(piece),
        };
    }
    if let Some(span) = open {
        push(text, span, spans);
    }
}

fn push(text: &str, span: Range<usize>, spans: &mut Vec<Range<usize>>) {
    let part = &text[span.clone()];
    let start = span.start + (part.len() - part.trim_start().len());
    let trimmed = start..start + part.trim().len();
    if !trimmed.is_empty() {
        spans.push(trimmed);
    }
}

/// Paragraphs; long ones by line, long lines by sentence, long sentences by words. Together they cover the section.
fn pieces(text: &str, section: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = section.start;
    for paragraph in text[section].split_inclusive("\n\n") {
        let range = start..start + paragraph.len();
        start = range.end;
        if range.len() <= LARGEST {
            pieces.push(range);
            continue;
        }
        let mut line_start = range.start;
        for line in paragraph.split_inclusive('\n') {
            let line_range = line_start..line_start + line.len();
            line_start = line_range.end;
            if line_range.len() <= LARGEST {
                pieces.push(line_range)
            } else {
                long_line(text, line_range, &mut pieces)
            }
        }
    }
    pieces
}

fn long_line(text: &str, line: Range<usize>, pieces: &mut Vec<Range<usize>>) {
    let mut open = line.start;
    for (at, sentence) in text[line.clone()].split_sentence_bound_indices() {
        let start = line.start + at;
        let end = start + sentence.len();
        if sentence.len() > LARGEST {
            if start > open {
                pieces.push(open..start);
            }
            by_words(text, start..end, pieces);
            open = end;
        } else if end - open > TARGET {
            pieces.push(open..end);
            open = end;
        }
    }
    if open < line.end {
        pieces.push(open..line.end);
    }
}

fn by_words(text: &str, sentence: Range<usize>, pieces: &mut Vec<Range<usize>>) {
    let mut open = sentence.start;
    while sentence.end - open > LARGEST {
        let mut end = open + TARGET;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let cut = text[open..end]
            .rfind(char::is_whitespace)
            .filter(|at| *at > 0)
            .map_or(end, |at| open + at);
        pieces.push(open..cut);
        open = cut;
    }
    pieces.push(open..sentence.end);
}

/// The headings that stand above the span's start, outermost first, without the document's title.
fn heading_path(document: &Document, span: &Range<usize>) -> Vec<String> {
    let mut path: Vec<(u8, &str)> = Vec::new();
    for heading in document
        .headings
        .iter()
        .take_while(|heading| heading.start <= span.start)
    {
        path.retain(|(level, _)| *level < heading.level);
        path.push((heading.level, &heading.title));
    }
    path.into_iter()
        .map(|(_, title)| title.to_owned())
        .filter(|title| *title != document.title)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DocumentId, Heading, Metadata};

    fn document(text: &str, headings: &[(u8, &str)]) -> Document {
        let headings = headings
            .iter()
            .map(|(level, title)| Heading {
                level: *level,
                title: (*title).into(),
                start: text.find(title).unwrap(),
            })
            .collect();
        Document {
            id: DocumentId::of("a"),
            uri: "a".into(),
            title: "Title".into(),
            text: text.into(),
            headings,
            metadata: Metadata::new(),
            principals: vec![],
            fingerprint: "f".into(),
        }
    }

    fn check_cover(text: &str) {
        let document = document(text, &[]);
        let chunks = split(&document);
        let mut end = 0;
        for chunk in &chunks {
            assert_eq!(chunk.text, text[chunk.span.clone()]);
            assert!(chunk.span.start >= end, "chunks overlap");
            assert!(text[end..chunk.span.start].trim().is_empty(), "words were left out");
            assert!(chunk.text.len() <= LARGEST, "{} bytes", chunk.text.len());
            end = chunk.span.end;
        }
        assert!(text[end..].trim().is_empty(), "the end was left out");
    }

    #[test]
    fn chunks_cover_the_text_without_overlap() {
        check_cover("");
        check_cover("  \n\n ");
        check_cover("One short line.");
        check_cover(&"A sentence of some words. ".repeat(400));
        check_cover(&"wörter ohne ende 🧭 ".repeat(900));
        check_cover(&"x".repeat(50_000).replace("xxxxxxxxxx", "xxxxxxxx🧭"));
        check_cover(&"Para one.\n\nPara two is longer than one.\n".repeat(200));
    }

    #[test]
    fn a_chunk_knows_its_headings_and_stays_in_its_section() {
        let body = "words and more words ".repeat(20);
        let text = format!("First\n\n{body}\n\nSecond\n\n{body}\n\nInner\n\n{body}");
        let chunks = split(&document(&text, &[(1, "First"), (1, "Second"), (2, "Inner")]));
        let paths: Vec<String> = chunks.iter().map(|chunk| chunk.heading_path.join("/")).collect();
        assert_eq!(paths, ["First", "Second", "Second/Inner"]);
    }
}
