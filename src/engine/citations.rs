//! Turns the marks of a streamed answer into checked citations. A mark may be split anywhere.
//!
//! A mark is shown only when words of its passage were found that support the words before it; any other mark is
//! taken out and counted. What stands in code (`a[1]`), is the text of a link (`[1](..)`) or sits on a word that it
//! does not support (`items[0]`) is no mark and stays.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::engine::support::{self, support, trimmed};
use crate::types::{Citation, Passage};

/// The longest thing that can still become a mark: `[12, 3, 4]`.
const LONGEST_MARK: usize = 16;

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
    code: Code,
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
            code: Code::default(),
            claim_start: 0,
            citations: Vec::new(),
            invented: 0,
        }
    }

    /// Takes more of the model's text and returns what can be sent now.
    pub fn push(&mut self, delta: &str) -> Vec<Piece> {
        self.held.push_str(delta);
        self.advance(false)
    }

    /// The stream has ended: what was held back is sent. An answer without any mark gets the one that fits best.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = self.advance(true);
        let rest = std::mem::take(&mut self.held);
        self.send(rest, &mut pieces);
        if self.citations.is_empty() && !support::is_refusal(&self.sent) {
            self.attach(&mut pieces);
        }
        pieces
    }

    fn advance(&mut self, ended: bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        loop {
            let Some(open) = self.held.find('[') else {
                let all = std::mem::take(&mut self.held);
                self.send(all, &mut pieces);
                return pieces;
            };
            let before: String = self.held.drain(..open).collect();
            self.send(before, &mut pieces);
            let mark = if self.code.is_inside() {
                Mark::None
            } else {
                mark_at_start(&self.held)
            };
            match mark {
                // What follows tells a mark from the text of a link.
                Mark::Growing => return pieces,
                Mark::Complete(_, length) if !ended && self.held.len() == length => return pieces,
                Mark::Complete(numbers, length) if !self.held[length..].starts_with('(') => {
                    let written: String = self.held.drain(..length).collect();
                    self.mark(&numbers, written, &mut pieces);
                }
                Mark::Complete(..) | Mark::None => {
                    let bracket: String = self.held.drain(..1).collect();
                    self.send(bracket, &mut pieces);
                }
            }
        }
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
        self.code.follow(&text);
        self.sent.push_str(&text);
        pieces.push(Piece::Text(text));
    }

    fn mark(&mut self, numbers: &[usize], written: String, pieces: &mut Vec<Piece>) {
        let is_after_mark = self.claim_start == self.sent.len() && !self.citations.is_empty();
        let is_on_word = self.sent.ends_with(|c: char| c.is_alphanumeric() || "_])".contains(c)) && !is_after_mark;
        let cited = self.citations.len();
        for number in numbers {
            self.cite(*number, pieces);
        }
        if is_on_word && self.citations.len() == cited {
            self.invented -= numbers.len();
            self.send(written, pieces);
        }
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
                let share = support::share(&sent[claim.clone()], &passage.chunk.text);
                if share > best.as_ref().map_or(0.0, |(so_far, ..)| *so_far) {
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

/// Whether the text is in code: between two runs of the same number of backticks.
#[derive(Debug, Default)]
struct Code {
    /// Backticks that opened it; 0 outside.
    open: usize,
    /// Backticks at the end of the text.
    run: usize,
}

impl Code {
    fn follow(&mut self, text: &str) {
        for c in text.chars() {
            if c == '`' {
                self.run += 1;
                continue;
            }
            self.open = self.after_run();
            self.run = 0;
            // A lone backtick in prose must not swallow the marks of all that follows.
            if c == '\n' && self.open < 3 {
                self.open = 0;
            }
        }
    }

    fn after_run(&self) -> usize {
        match (self.run, self.open) {
            (0, open) => open,
            (run, 0) => run,
            (run, open) if run == open => 0,
            (_, open) => open,
        }
    }

    fn is_inside(&self) -> bool {
        self.after_run() > 0
    }
}

enum Mark {
    /// The numbers in it, and its length in bytes.
    Complete(Vec<usize>, usize),
    Growing,
    None,
}

/// `[1]`, and `[1, 2]` as some models write it.
fn mark_at_start(text: &str) -> Mark {
    let inner = &text[1..];
    let length = inner
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || b", ".contains(byte))
        .count();
    match inner.as_bytes().get(length) {
        Some(b']') if length + 2 <= LONGEST_MARK => {
            let numbers: Option<Vec<usize>> = inner[..length]
                .split(',')
                .map(|number| number.trim().parse().ok().filter(|n| *n < 1_000))
                .collect();
            numbers.map_or(Mark::None, |numbers| Mark::Complete(numbers, length + 2))
        }
        None if length + 1 < LONGEST_MARK => Mark::Growing,
        _ => Mark::None,
    }
}

/// Whether a text holds something that would be read as a mark.
pub fn has_mark(text: &str) -> bool {
    without_marks(text).len() < text.len()
}

/// The text without what would be read as a mark: numbers of an earlier answer mean nothing in the next.
pub fn without_marks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let before = &rest[..open];
        kept.push_str(before);
        rest = &rest[open..];
        let length = match mark_at_start(rest) {
            Mark::Complete(_, length) => length,
            Mark::Growing | Mark::None => {
                kept.push('[');
                1
            }
        };
        rest = &rest[length..];
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
#[path = "citations_tests.rs"]
mod tests;
