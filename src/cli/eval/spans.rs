//! Token recall, precision and intersection over union of the retrieved chunks (Smith, Troynikov 2024), counted in
//! characters as the authors' own program counts them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::index;
use super::report::{Report, Row};
use super::retrieval::{MODES, Times, query};
use crate::cli::progress;
use crate::cli::sets::Spans;
use crate::cli::sets::spans::{Characters, SpanQuestion};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::types::{DocumentId, Item, Reader};

/// Depths of the published figures.
const DEPTHS: [usize; 2] = [5, 10];

/// A retrieved chunk: its text's name and its character range there.
type Place<'a> = (&'a str, Range<usize>);

pub(super) async fn measure(engine: &Arc<Engine>, set: Spans, report: &mut Report) -> Result<()> {
    index(engine, &set.name, set.items.clone(), report).await?;
    let mut characters = BTreeMap::new();
    for item in &set.items {
        characters.insert(item.uri.clone(), stored(engine, &set.name, item)?);
    }
    let bar = progress::bar("questions", set.questions.len() as u64);
    let mut times = Times::default();
    for (at, question) in set.questions.iter().enumerate() {
        times.first(engine, &set.name, &question.text, at).await?;
        for (mode, part) in MODES {
            let found = engine.search(&query(&set.name, &question.text, mode)?).await?;
            let places = found.passages.iter().filter_map(|passage| {
                let (name, characters) = characters.get_key_value(&passage.document.uri)?;
                Some((name.as_str(), characters.range(&passage.chunk.span)))
            });
            report.add(part, &question.id, figures(question, &places.collect::<Vec<_>>()));
        }
        bar.inc(1);
    }
    times.add_to(report);
    Ok(())
}

/// The places in a text as it was stored, which must be the one that the spans were made for.
fn stored(engine: &Engine, name: &str, item: &Item) -> Result<Characters> {
    let text = engine
        .document(name, DocumentId::of(&item.uri), &Reader::Everything)?
        .text;
    if String::from_utf8_lossy(&item.bytes).trim_end() != text {
        let detail = format!("`{}` was changed by its parser, so the spans are not its own", item.uri);
        return Err(Error::bad_input("/path", detail));
    }
    Ok(Characters::of(&text))
}

fn figures(question: &SpanQuestion, retrieved: &[Place<'_>]) -> Row {
    let mut row = Row::new();
    for depth in DEPTHS {
        let [recall, precision, iou] = score(question, &retrieved[..retrieved.len().min(depth)]);
        row.insert(format!("token_recall_at_{depth}"), recall);
        row.insert(format!("token_precision_at_{depth}"), precision);
        row.insert(format!("token_iou_at_{depth}"), iou);
    }
    row
}

/// Recall, precision and intersection over union: what of the answer was retrieved, of the answer, of all that was
/// retrieved, and of both together.
fn score(question: &SpanQuestion, retrieved: &[Place<'_>]) -> [f64; 3] {
    let own = retrieved.iter().filter(|(name, _)| *name == question.corpus);
    let own: Vec<&Range<usize>> = own.map(|(_, range)| range).collect();
    let mut shared = Vec::new();
    for reference in &question.references {
        let parts = own
            .iter()
            .map(|range| range.start.max(reference.start)..range.end.min(reference.end));
        shared.extend(parts.filter(|part| !part.is_empty()));
    }
    let shared = covered(shared) as f64;
    let asked: usize = question.references.iter().map(Range::len).sum();
    let given: usize = retrieved.iter().map(|(_, range)| range.len()).sum();
    let missed = covered(question.references.clone()) as f64 - shared;
    let share = |whole: f64| if whole > 0.0 { shared / whole } else { 0.0 };
    [share(asked as f64), share(given as f64), share(given as f64 + missed)]
}

/// How much the ranges cover together.
fn covered(mut ranges: Vec<Range<usize>>) -> usize {
    ranges.sort_by_key(|range| (range.start, range.end));
    let (mut total, mut end) = (0, 0);
    for range in ranges {
        total += range.end.saturating_sub(range.start.max(end));
        end = end.max(range.end);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_paper() {
        let question = SpanQuestion {
            id: "1".into(),
            text: String::new(),
            corpus: "a".into(),
            references: vec![10..20, 30..40],
        };
        let check = |retrieved: &[Place<'_>], expected: [f64; 3]| {
            let found = score(&question, retrieved);
            assert!(
                found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
                "{retrieved:?}: {found:?}"
            );
        };
        check(&[], [0.0, 0.0, 0.0]);
        check(&[("a", 10..20), ("a", 30..40)], [1.0, 1.0, 1.0]);
        check(&[("a", 0..20)], [0.5, 0.5, 10.0 / 30.0]);
        // The same place in another text is none of the answer.
        check(&[("b", 10..20)], [0.0, 0.0, 0.0]);
        check(&[("a", 15..35), ("b", 0..20)], [0.5, 0.25, 10.0 / 50.0]);
        // What two chunks share counts once for the answer, and twice for what the reader gets.
        check(&[("a", 10..20), ("a", 10..20)], [0.5, 0.5, 10.0 / 30.0]);
    }
}
