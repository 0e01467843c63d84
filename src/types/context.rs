//! What a model is given to see, what was left out of it, and what each part costs.

use std::ops::Range;
use std::sync::Arc;

use super::Passage;

/// The evidence that a model sees; `passages[n - 1]` is cited as `[n]`.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Numbered from 1.
    pub passages: Vec<Passage>,
    /// Tokens of the evidence.
    pub tokens: usize,
    /// What was found and is not there, or not whole.
    pub left_out: Vec<LeftOut>,
    /// What each part of the prompt costs; none where no model is asked.
    pub ledger: Option<Ledger>,
}

/// A passage that the model does not see whole.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// As it was found.
    pub passage: Passage,
    /// Why.
    pub reason: Reason,
}

/// Why a passage was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The passage with that number says the same.
    Same(usize),
    /// There was no room, and others gain more.
    Room,
    /// There was no room for all of it: the passage with that number is what stayed.
    Cut(usize),
}

impl Reason {
    /// The word on every wire, and the number of the passage that stands for it.
    pub fn told(self) -> (&'static str, Option<usize>) {
        match self {
            Self::Same(number) => ("same", Some(number)),
            Self::Room => ("room", None),
            Self::Cut(number) => ("cut", Some(number)),
        }
    }
}

/// Tokens of each part of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// All that the model can take, the answer included.
    pub window: usize,
    /// The instructions.
    pub system: usize,
    /// The turns before.
    pub memory: usize,
    /// The passages with their fences.
    pub evidence: usize,
    /// The question.
    pub question: usize,
    /// Kept free for the answer.
    pub answer: usize,
    /// Whether the counts are ours, a little too many rather than too few, and not the model's own.
    pub estimated: bool,
}

impl Passage {
    /// The same passage over another stretch of its document; `span` is where `text` stands there.
    pub(crate) fn stretched(&self, span: Range<usize>, text: String) -> Self {
        let mut chunk = self.chunk.as_ref().clone();
        let held = |range: &Range<usize>| {
            let at = chunk.span.start + range.start..chunk.span.start + range.end;
            let inside = span.start <= at.start && at.end <= span.end;
            inside.then(|| at.start - span.start..at.end - span.start)
        };
        let highlights = self.highlights.iter().filter_map(held).collect();
        chunk.span = span;
        chunk.text = text;
        Self {
            chunk: Arc::new(chunk),
            highlights,
            ..self.clone()
        }
    }
}
