//! Turns the marks of a streamed answer into checked citations. A mark may be split anywhere.
//!
//! A mark is shown only when words of its passage were found that support the words before it; any other mark is
//! taken out and counted.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::index::analyse;
use crate::types::{Citation, Passage};

/// Least share of a claim's words that its quote must hold.
const LEAST_OVERLAP: f32 = 0.5;
/// The longest thing that can still become a mark: `[123]`.
const LONGEST_MARK: usize = 5;

/// What the reader is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// More of the answer, without marks that failed the check.
    Text(String),
    /// A checked citation whose mark has just been sent.
    Citation(Citation),
}

/// Follows an answer as it streams.
#[derive(Debug)]
pub struct Tracker {
    passages: Vec<Passage>,
    sent: String,
    held: String,
    claim_start: usize,
    citations: Vec<Citation>,
    invented: usize,
}

impl Tracker {
    /// A tracker for an answer over `passages`.
    pub fn new(passages: Vec<Passage>) -> Self {
        Self {
            passages,
            sent: String::new(),
            held: String::new(),
            claim_start: 0,
            citations: Vec::new(),
            invented: 0,
        }
    }

    /// Takes more of the model's text and returns what can be sent now.
    pub fn push(&mut self, delta: &str) -> Vec<Piece> {
        self.held.push_str(delta);
        let mut pieces = Vec::new();
        loop {
            let Some(open) = self.held.find('[') else {
                let all = std::mem::take(&mut self.held);
                self.send(all, &mut pieces);
                return pieces;
            };
            let before: String = self.held.drain(..open).collect();
            self.send(before, &mut pieces);
            match mark_at_start(&self.held) {
                Mark::Complete(number, length) => {
                    self.held.drain(..length);
                    self.cite(number, &mut pieces);
                }
                Mark::Growing => return pieces,
                Mark::None => {
                    let bracket: String = self.held.drain(..1).collect();
                    self.send(bracket, &mut pieces);
                }
            }
        }
    }

    /// The stream has ended: what was held back is text. An answer without any mark gets the one that fits best.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let rest = std::mem::take(&mut self.held);
        self.send(rest, &mut pieces);
        if self.citations.is_empty() && !self.sent.trim().is_empty() {
            self.attach(&mut pieces);
        }
        pieces
    }

    /// All that was sent.
    pub fn text(&self) -> &str {
        &self.sent
    }

    /// The checked citations, in order.
    pub fn citations(&self) -> &[Citation] {
        &self.citations
    }

    /// How many marks were taken out.
    pub fn invented(&self) -> usize {
        self.invented
    }

    fn send(&mut self, text: String, pieces: &mut Vec<Piece>) {
        if text.is_empty() {
            return;
        }
        self.sent.push_str(&text);
        pieces.push(Piece::Text(text));
    }

    fn cite(&mut self, number: usize, pieces: &mut Vec<Piece>) {
        let claim = self.claim();
        let passage = number.checked_sub(1).and_then(|at| self.passages.get(at));
        let support = passage.and_then(|passage| support(&self.sent[claim.clone()], &passage.chunk.text));
        let (Some(passage), Some(span)) = (passage, support) else {
            self.invented += 1;
            return;
        };
        let start = passage.chunk.span.start;
        let citation = Citation {
            number,
            answer_range: claim,
            document: passage.document.id,
            version: passage.document.version.clone(),
            source_range: start + span.start..start + span.end,
            quote: passage.chunk.text[span].to_owned(),
            checked: true,
        };
        self.send(format!("[{number}]"), pieces);
        self.claim_start = self.sent.len();
        self.citations.push(citation.clone());
        pieces.push(Piece::Citation(citation));
    }

    /// The words that a mark here speaks of: since the last mark, the last sentence of it.
    fn claim(&self) -> Range<usize> {
        let from = self.claim_start.min(self.sent.len());
        let since = &self.sent[from..];
        if since.trim().is_empty() {
            // A second mark for the same words.
            return self
                .citations
                .last()
                .map_or(from..self.sent.len(), |last| last.answer_range.clone());
        }
        let sentence = since
            .split_sentence_bound_indices()
            .filter(|(_, sentence)| sentence.chars().any(char::is_alphanumeric))
            .last()
            .map_or(0..since.len(), |(at, sentence)| at..at + sentence.len());
        let range = trimmed(since, sentence);
        from + range.start..from + range.end
    }

    fn attach(&mut self, pieces: &mut Vec<Piece>) {
        let sent = self.sent.clone();
        let mut best: Option<(f32, usize, Range<usize>)> = None;
        for (at, sentence) in sent.split_sentence_bound_indices() {
            let claim = trimmed(&sent, at..at + sentence.len());
            for (passage_at, passage) in self.passages.iter().enumerate() {
                let Some((share, _)) = best_sentence(&sent[claim.clone()], &passage.chunk.text) else {
                    continue;
                };
                let better = best.as_ref().is_none_or(|(so_far, _, _)| share > *so_far);
                if better && support(&sent[claim.clone()], &passage.chunk.text).is_some() {
                    best = Some((share, passage_at, claim.clone()));
                }
            }
        }
        let Some((_, passage_at, claim)) = best else { return };
        let passage = &self.passages[passage_at];
        let Some(span) = support(&sent[claim.clone()], &passage.chunk.text) else {
            return;
        };
        let start = passage.chunk.span.start;
        let citation = Citation {
            number: passage_at + 1,
            answer_range: claim,
            document: passage.document.id,
            version: passage.document.version.clone(),
            source_range: start + span.start..start + span.end,
            quote: passage.chunk.text[span].to_owned(),
            checked: true,
        };
        self.send(format!(" [{}]", passage_at + 1), pieces);
        self.citations.push(citation.clone());
        pieces.push(Piece::Citation(citation));
    }
}

enum Mark {
    Complete(usize, usize),
    Growing,
    None,
}

fn mark_at_start(text: &str) -> Mark {
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    match text.as_bytes().get(1 + digits) {
        Some(b']') if digits > 0 && digits + 2 <= LONGEST_MARK => {
            Mark::Complete(text[1..=digits].parse().unwrap_or(usize::MAX), digits + 2)
        }
        None if digits + 1 < LONGEST_MARK => Mark::Growing,
        _ => Mark::None,
    }
}

/// The part of `passage` that supports `claim`: a sentence that holds enough of its words, in a passage that holds
/// all of its numbers.
pub fn support(claim: &str, passage: &str) -> Option<Range<usize>> {
    if claim.len() >= 12
        && let Some(at) = passage.find(claim)
    {
        return Some(at..at + claim.len());
    }
    let (share, span) = best_sentence(claim, passage)?;
    let numbers_hold = numbers(claim).iter().all(|number| passage.contains(number.as_str()));
    (share >= LEAST_OVERLAP && numbers_hold).then_some(span)
}

fn best_sentence(claim: &str, passage: &str) -> Option<(f32, Range<usize>)> {
    let wanted: BTreeSet<String> = analyse::terms(claim)
        .into_iter()
        .filter(|term| !term.stop)
        .map(|term| term.text)
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let mut best: Option<(f32, Range<usize>)> = None;
    for span in sentences(passage) {
        let held: BTreeSet<String> = analyse::terms(&passage[span.clone()])
            .into_iter()
            .map(|term| term.text)
            .collect();
        let share = wanted.intersection(&held).count() as f32 / wanted.len() as f32;
        if best.as_ref().is_none_or(|(so_far, _)| share > *so_far) {
            best = Some((share, span));
        }
    }
    best
}

fn numbers(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .map(|number| number.trim_matches(['.', ',']).to_owned())
        .filter(|number| number.bytes().any(|byte| byte.is_ascii_digit()))
        .collect()
}

/// The sentences of a text, lines being sentences too, without the white space around them.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        for (at, sentence) in line.split_sentence_bound_indices() {
            let start = line_start + at;
            let span = trimmed(text, start..start + sentence.len());
            if text[span.clone()].chars().any(char::is_alphanumeric) {
                spans.push(span);
            }
        }
        line_start += line.len();
    }
    spans
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
#[path = "citations_tests.rs"]
mod tests;
