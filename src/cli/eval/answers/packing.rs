//! Packing: what of the answer is left in the prompt when only half of what was found has room.

use std::sync::Arc;

use super::super::report::{Report, Row};
use super::{holds, share};
use crate::cli::progress;
use crate::cli::sets::{Asked, answers::AskedQuestion};
use crate::engine::{Engine, pack};
use crate::error::Result;
use crate::gateway::tokens;
use crate::types::Passage;

/// Its encoding is exact.
const MODEL: &str = "gpt-4o";
/// More than all passages together.
const WHOLE: usize = 1_000_000;

/// Packs what is found for every question that has an answer: whole, in half the tokens, and in half of them by taking
/// the best passages in order.
pub(super) async fn measure(engine: &Arc<Engine>, set: &Asked, report: &mut Report) -> Result<()> {
    let asked = set
        .questions
        .iter()
        .filter(|question| question.answerable && question.follows.is_none());
    let asked: Vec<_> = asked.collect();
    let count = |text: &str| tokens::count(MODEL, text);
    let bar = progress::bar("packing", asked.len() as u64);
    for question in asked {
        let found = super::found(engine, set, &question.text).await?;
        let whole = pack::in_order(found.clone(), WHOLE, &count);
        let half = whole.tokens / 2;
        let packed = pack::fit(&question.text, found.clone(), half, &count);
        let in_order = pack::in_order(found, half, &count);
        for (part, context) in [("whole", whole), ("packed", packed), ("in order", in_order)] {
            let mut row = figures(question, &context.passages);
            row.insert("tokens".to_owned(), context.tokens as f64);
            report.add(part, &question.id, row);
        }
        bar.inc(1);
    }
    Ok(())
}

fn figures(question: &AskedQuestion, passages: &[Passage]) -> Row {
    let is_gold = |passage: &&Passage| Some(passage.document.uri.as_str()) == question.document.as_deref();
    let gold: Vec<&Passage> = passages.iter().filter(is_gold).collect();
    let mut row = Row::from([("gold_passage".to_owned(), share(!gold.is_empty()))]);
    if !question.answers.is_empty() {
        let held = gold.iter().any(|passage| holds(&passage.chunk.text, &question.answers));
        row.insert("gold_words".to_owned(), share(held));
    }
    row
}
