//! The evidence gate: what it declines when the answering document is there, and when it is taken away.

use std::sync::Arc;

use super::super::report::Report;
use super::share;
use crate::cli::progress;
use crate::cli::sets::Asked;
use crate::engine::{Engine, evidence};
use crate::error::Result;
use crate::types::{Outcome, Passage};

/// Of the questions with an answer so many may be declined where the threshold is fitted.
const REFUSED: f64 = 0.05;

/// Weighs the evidence of every question that has an answer, with the answering document and without it. A search for
/// one more passage stands for an index without it: what else is found stays the same.
pub(super) async fn measure(engine: &Arc<Engine>, set: &Asked, report: &mut Report) -> Result<()> {
    let names = [set.name.clone()];
    let (idf, below) = (engine.idf(&names), engine.decline_below(&names));
    let asked = set
        .questions
        .iter()
        .filter(|question| question.answerable && question.follows.is_none());
    let asked: Vec<_> = asked.collect();
    let bar = progress::bar("evidence", asked.len() as u64);
    let mut supports: Vec<[f32; 2]> = Vec::new();
    for question in asked {
        let found = super::found(engine, set, &question.text).await?;
        let is_gold = |passage: &&Passage| Some(passage.document.uri.as_str()) == question.document.as_deref();
        let rest: Vec<Passage> = found.iter().filter(|passage| !is_gold(passage)).cloned().collect();
        let with = evidence::weigh(&question.text, &found, &*idf, below);
        let without = evidence::weigh(&question.text, &rest, &*idf, below);
        let row = report
            .per_question
            .entry("answers".to_owned())
            .or_default()
            .entry(question.id.clone());
        let given = share(without.outcome != Outcome::Answered);
        row.or_default().insert("declined_without".to_owned(), given);
        supports.push([with.support, without.support]);
        bar.inc(1);
    }
    let figures = report.figures.entry("answers".to_owned()).or_default();
    for (name, value) in ["refused_at_5", "declined_at_5"].into_iter().zip(held_out(&supports)) {
        figures.insert(name.to_owned(), value);
    }
    Ok(())
}

/// With the threshold that declines 5 % of every other question: the shares of the rest that are declined, with the
/// answering document and without.
fn held_out(supports: &[[f32; 2]]) -> [f64; 2] {
    let mut fitted: Vec<f32> = supports.iter().step_by(2).map(|[with, _]| *with).collect();
    fitted.sort_by(f32::total_cmp);
    let below = fitted
        .get((fitted.len() as f64 * REFUSED) as usize)
        .copied()
        .unwrap_or_default();
    let others: Vec<&[f32; 2]> = supports.iter().skip(1).step_by(2).collect();
    [0, 1].map(|side| {
        let declined = others.iter().filter(|pair| pair[side] < below).count();
        declined as f64 / others.len().max(1) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_that_of_the_other_half() {
        // Of the first half one in twenty lies below .5.
        let pairs: Vec<[f32; 2]> = (0..40)
            .map(|at| {
                if at < 2 {
                    [0.1, 0.1]
                } else if at % 4 == 1 {
                    [0.5, 0.6]
                } else {
                    [0.5, 0.4]
                }
            })
            .collect();
        let [refused, declined] = held_out(&pairs);
        assert!(
            (refused - 0.05).abs() < 1e-9 && (declined - 0.55).abs() < 1e-9,
            "{refused} {declined}"
        );
        assert!(held_out(&[]).iter().all(|share| share.abs() < f64::EPSILON));
    }
}
