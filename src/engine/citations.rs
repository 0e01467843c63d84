//! Turns the marks of a streamed answer into checked citations. A mark may be split anywhere.
//!
//! A mark is shown only when words of its passage were found that support the words before it; any other mark is
//! taken out and counted. A sentence without a mark gets that of the passage that clearly says it. What stands in code
//! (`a[1]`), is the text of a link (`[1](..)`) or sits on a word that it does not support (`items[0]`) is no mark and
//! stays.

use std::ops::Range;
use std::sync::OnceLock;

use crate::engine::claims::Claim;
use crate::engine::sentences::{self, trimmed};
use crate::engine::support::{Bearing, Source, bearing};
use crate::types::{Citation, Passage};

/// The longest thing that can still become a mark: `[12, 3, 4]`.
const LONGEST_MARK: usize = 16;
/// A sentence of fewer words gets no mark that the model did not write.
const LEAST_WORDS: usize = 4;

/// What the reader is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// More of the answer, without marks that failed the check.
    Text(String),
    /// A checked citation whose mark has just been sent.
    Citation(Citation),
}

/// A mark that the model wrote and that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Where the words begin that it stood behind.
    pub claim_start: usize,
    /// Its number.
    pub number: usize,
}

/// Follows an answer as it streams.
#[derive(Debug)]
pub struct Tracker {
    passages: Vec<Passage>,
    sources: Vec<OnceLock<Source>>,
    question: String,
    sent: String,
    held: String,
    /// White space behind a sentence; what comes next tells whether it has a mark.
    gap: String,
    code: Code,
    claim_start: usize,
    citations: Vec<Citation>,
    removed: Vec<Removed>,
}

impl Tracker {
    /// A tracker for an answer to `question` over `passages`.
    pub fn new(passages: Vec<Passage>, question: &str) -> Self {
        Self {
            sources: passages.iter().map(|_| OnceLock::new()).collect(),
            passages,
            question: question.to_owned(),
            sent: String::new(),
            held: String::new(),
            gap: String::new(),
            code: Code::default(),
            claim_start: 0,
            citations: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Takes more of the model's text and returns what can be sent now.
    pub fn push(&mut self, delta: &str) -> Vec<Piece> {
        self.held.push_str(delta);
        self.advance(false)
    }

    /// The stream has ended: what was held back is sent.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = self.advance(true);
        let rest = std::mem::take(&mut self.held);
        self.say(&rest, &mut pieces);
        self.attach(&mut pieces);
        self.close_gap(&mut pieces);
        pieces
    }

    fn advance(&mut self, ended: bool) -> Vec<Piece> {
        let mut pieces = Vec::new();
        loop {
            let Some(open) = self.held.find('[') else {
                let all = std::mem::take(&mut self.held);
                self.say(&all, &mut pieces);
                return pieces;
            };
            let before: String = self.held.drain(..open).collect();
            self.say(&before, &mut pieces);
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
                    self.close_gap(&mut pieces);
                    self.mark(&numbers, written, &mut pieces);
                }
                Mark::Complete(..) | Mark::None => {
                    let bracket: String = self.held.drain(..1).collect();
                    self.say(&bracket, &mut pieces);
                }
            }
        }
    }

    /// All that was sent.
    pub fn text(&self) -> &str {
        &self.sent
    }

    /// The passages, in the order of their numbers.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// The checked citations, in order.
    pub fn citations(&self) -> &[Citation] {
        &self.citations
    }

    /// The marks that were taken out, in order.
    pub fn removed(&self) -> &[Removed] {
        &self.removed
    }

    /// How the passage with that number bears on a claim.
    pub fn bearing(&self, claim: &Claim<'_>, number: usize) -> Option<Bearing> {
        let at = number.checked_sub(1)?;
        let passage = self.passages.get(at)?;
        let source = self.sources[at].get_or_init(|| Source::of(passage, &self.question));
        bearing(claim, source)
    }

    /// The passage that says most of a claim, with its number, among those that `suffices` accepts.
    pub fn best(&self, claim: &Claim<'_>, suffices: fn(&Bearing) -> bool) -> Option<(usize, Bearing)> {
        let mut best: Option<(usize, Bearing)> = None;
        for number in 1..=self.passages.len() {
            let Some(found) = self.bearing(claim, number).filter(suffices) else {
                continue;
            };
            if best.as_ref().is_none_or(|(_, so_far)| found.share > so_far.share) {
                best = Some((number, found));
            }
        }
        best
    }

    /// Sends text, and at the end of each sentence without a mark the one that it should have.
    fn say(&mut self, text: &str, pieces: &mut Vec<Piece>) {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            if c.is_whitespace() {
                let before = text[..at].chars().next_back().or_else(|| self.sent.chars().next_back());
                let ends = c == '\n' || before.is_some_and(|before| ".!?".contains(before));
                if !self.gap.is_empty() || ends {
                    self.send(text[from..at].to_owned(), pieces);
                    self.gap.push(c);
                    from = at + c.len_utf8();
                }
            } else if !self.gap.is_empty() {
                self.attach(pieces);
                self.close_gap(pieces);
            }
        }
        self.send(text[from..].to_owned(), pieces);
    }

    fn close_gap(&mut self, pieces: &mut Vec<Piece>) {
        let gap = std::mem::take(&mut self.gap);
        self.send(gap, pieces);
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
            self.removed.truncate(self.removed.len() - numbers.len());
            self.send(written, pieces);
        }
    }

    fn cite(&mut self, number: usize, pieces: &mut Vec<Piece>) {
        let range = self.claim();
        let found = self.bearing(&Claim::of(&self.sent[range.clone()]), number);
        match found.filter(Bearing::is_support) {
            Some(found) => self.place((number, range), found.span, pieces),
            None => self.removed.push(Removed {
                claim_start: range.start,
                number,
            }),
        }
    }

    /// Sends a mark with its citation of the words at `span` of its passage.
    fn place(&mut self, (number, answer_range): (usize, Range<usize>), span: Range<usize>, pieces: &mut Vec<Piece>) {
        let passage = &self.passages[number - 1];
        let start = passage.chunk.span.start;
        let citation = Citation {
            number,
            answer_range,
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
        let last = sentences::of(since).pop();
        let range = last.unwrap_or_else(|| trimmed(since, 0..since.len()));
        from + range.start..from + range.end
    }

    /// A sentence that ends here without a mark gets that of the passage that clearly says it.
    fn attach(&mut self, pieces: &mut Vec<Piece>) {
        let since = &self.sent[self.claim_start..];
        if self.code.is_inside() || !since.contains(char::is_alphanumeric) {
            return;
        }
        let range = self.claim();
        let words = &self.sent[range.clone()];
        let told = words.split_whitespace().count() >= LEAST_WORDS && !words.ends_with([':', '?', '`']);
        let had = self.removed.iter().any(|mark| range.contains(&mark.claim_start));
        if !told || had || words.starts_with('#') || sentences::is_refusal(words) || sentences::is_shortened(words) {
            return;
        }
        let Some((number, found)) = self.best(&Claim::of(words), Bearing::is_clear) else {
            return;
        };
        self.send(" ".to_owned(), pieces);
        self.place((number, range), found.span, pieces);
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

/// How many numbers stand in what would be read as marks.
pub fn marks(text: &str) -> usize {
    let opened = text.match_indices('[').map(|(at, _)| &text[at..]);
    let numbers = opened.map(|rest| match mark_at_start(rest) {
        Mark::Complete(numbers, _) => numbers.len(),
        Mark::Growing | Mark::None => 0,
    });
    numbers.sum()
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
pub mod tests;
