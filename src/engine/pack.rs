//! Fits passages into a token budget. Never over it; the best evidence first.

use crate::types::{Context, Passage};

/// Tokens that the fence around one passage costs (number, title, quotes).
const FENCE: usize = 24;

/// Takes passages in order while they fit into `budget` tokens; a later, shorter one may still fit.
pub fn fit(passages: Vec<Passage>, budget: usize, count: &dyn Fn(&str) -> usize) -> Context {
    let mut context = Context::default();
    for passage in passages {
        if context
            .passages
            .iter()
            .any(|taken| taken.chunk.text == passage.chunk.text)
        {
            context.dropped += 1;
            continue;
        }
        let cost = FENCE + count(&passage.document.title) + count(&passage.chunk.text);
        if context.tokens + cost > budget {
            context.dropped += 1;
            continue;
        }
        context.tokens += cost;
        context.passages.push(passage);
    }
    context
}

/// Keeps the latest messages whose tokens fit into `budget`; oldest first in the result.
pub fn recent<'a>(
    turns: &'a [crate::types::Message],
    budget: usize,
    count: &dyn Fn(&str) -> usize,
) -> &'a [crate::types::Message] {
    let mut used = 0;
    for (at, turn) in turns.iter().enumerate().rev() {
        used += count(&turn.text) + 4;
        if used > budget {
            return &turns[at + 1..];
        }
    }
    turns
}
