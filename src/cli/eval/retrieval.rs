//! Every mode on judged questions: what is found, how far up, how fast.

use std::collections::BTreeSet;
use std::time::Instant;

use super::report::{Report, Row};
use crate::cli::progress;
use crate::engine::Engine;
use crate::engine::measure::{Figures, Judged};
use crate::error::Result;
use crate::types::{MAX_LIMIT, Mode, Query, QueryInput, Reader};

/// Names as in `--mode`.
pub(super) const MODES: [(Mode, &str); 3] = [
    (Mode::Lexical, "lexical"),
    (Mode::Vector, "vector"),
    (Mode::Hybrid, "hybrid"),
];

/// Adds the figures of every mode to `report`; questions without a wanted document are left out.
pub(super) async fn measure(engine: &Engine, name: &str, questions: &[Judged], report: &mut Report) -> Result<()> {
    let asked: Vec<&Judged> = questions
        .iter()
        .filter(|question| !question.wanted.is_empty())
        .collect();
    // Of so few documents a hundred are all of them.
    let deep = report.documents > MAX_LIMIT;
    let pages = if deep { 2 } else { 1 };
    let bar = progress::bar("questions", asked.len() as u64);
    let mut times = Times::default();
    for (at, question) in asked.iter().enumerate() {
        times.first(engine, name, &question.text, at).await?;
        for (mode, part) in MODES {
            let ranked = documents(engine, name, &question.text, (mode, pages)).await?;
            let figures = Figures::of(&ranked, &question.wanted);
            let mut row = Row::from([
                ("ndcg_at_10".to_owned(), figures.ndcg_at_10),
                ("recall_at_10".to_owned(), figures.recall_at_10),
                ("mrr_at_10".to_owned(), figures.mrr_at_10),
            ]);
            if deep {
                row.insert("recall_at_100".to_owned(), figures.recall_at_100);
            }
            report.add(part, &question.id, row);
        }
        bar.inc(1);
    }
    times.add_to(report);
    Ok(())
}

/// A search as a reader makes it.
pub(super) fn query(name: &str, text: &str, mode: Mode) -> Result<Query> {
    parse(name, text, mode, (None, 0))
}

/// The same, for as many passages as an answer looks at.
pub(super) fn query_of(name: &str, text: &str, limit: usize) -> Result<Query> {
    parse(name, text, Mode::Hybrid, (Some(limit), 0))
}

fn parse(name: &str, text: &str, mode: Mode, (limit, offset): (Option<usize>, usize)) -> Result<Query> {
    let input = QueryInput {
        text: text.to_owned(),
        collections: vec![name.to_owned()],
        mode,
        limit,
        offset,
        ..QueryInput::default()
    };
    Query::parse(input, Reader::Everything)
}

/// Documents, best first: those of the first `pages` pages of passages, of which several may be of one document.
async fn documents(engine: &Engine, name: &str, text: &str, (mode, pages): (Mode, usize)) -> Result<Vec<String>> {
    let (mut seen, mut ranked) = (BTreeSet::new(), Vec::new());
    for page in 0..pages {
        let place = (Some(MAX_LIMIT), page * MAX_LIMIT);
        let found = engine.search(&parse(name, text, mode, place)?).await?;
        let uris = found.passages.into_iter().map(|passage| passage.document.uri.clone());
        ranked.extend(uris.filter(|uri| seen.insert(uri.clone())));
    }
    Ok(ranked)
}

/// Milliseconds of searches by mode. The embedder keeps the vector of a question, so only the first search for it
/// tells what a reader waits: each mode is the first of a third of the questions.
#[derive(Default)]
pub(super) struct Times([Vec<f64>; MODES.len()]);

impl Times {
    /// Makes the first search for the question at `at`.
    pub async fn first(&mut self, engine: &Engine, name: &str, text: &str, at: usize) -> Result<()> {
        let mode = at % MODES.len();
        let query = query(name, text, MODES[mode].0)?;
        let begun = Instant::now();
        engine.search(&query).await?;
        self.0[mode].push(begun.elapsed().as_secs_f64() * 1000.0);
        Ok(())
    }

    /// Adds the quantiles to `report`.
    pub fn add_to(mut self, report: &mut Report) {
        for ((_, part), times) in MODES.iter().zip(&mut self.0) {
            times.sort_by(f64::total_cmp);
            let figures = report.figures.entry((*part).to_owned()).or_default();
            for (name, share) in [("p50_ms", 0.5), ("p95_ms", 0.95)] {
                if let Some(time) = times.get((share * times.len() as f64) as usize) {
                    figures.insert(name.to_owned(), *time);
                }
            }
        }
    }
}
