//! Support below which an answer is declined, fitted when enough of the questions have no answer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::sample::{Sample, half};
use crate::engine::answer::EVIDENCE;
use crate::engine::evidence;
use crate::engine::measure::compare;
use crate::error::Result;
use crate::index::work::blocking;
use crate::index::{Collection, Fusion};
use crate::types::{Hit, Outcome, Passage, Reader};

/// Fewer of either kind do not make two halves that can be told apart.
const FEWEST: usize = 20;
/// No more of the answerable ones may be declined, unless the threshold of now declines more of the held-out half.
const MOST_REFUSED: f64 = 0.1;
/// The salt of the halving.
const SALT: u64 = 0;

/// What came of it.
pub(super) struct Gate {
    /// None when it stays as it is.
    pub decline_below: Option<f64>,
    pub report: Value,
}

/// What the evidence for a question came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weighed {
    half: usize,
    answerable: bool,
    support: f64,
    /// Declined whatever the threshold is.
    hopeless: bool,
}

/// Fits the threshold to the answerable and the unanswerable ones, as `fusion` finds their evidence. `now` is the
/// threshold that holds until then.
pub(super) async fn fit(
    collection: &Arc<Collection>,
    (answerable, unanswerable): (Vec<Sample>, Vec<Sample>),
    fusion: Fusion,
    now: f64,
) -> Result<Option<Gate>> {
    if answerable.len() < FEWEST || unanswerable.len() < FEWEST {
        return Ok(None);
    }
    let collection = collection.clone();
    let weighed = blocking(move || {
        let mut weighed = Vec::new();
        for (samples, answerable) in [(&answerable, true), (&unanswerable, false)] {
            for sample in samples {
                weighed.push(weigh(&collection, sample, &fusion, answerable)?);
            }
        }
        Ok(weighed)
    });
    Ok(Some(choose(&weighed.await?, now)))
}

fn weigh(collection: &Collection, sample: &Sample, fusion: &Fusion, answerable: bool) -> Result<Weighed> {
    let mut fused = sample.fused(fusion);
    fused.truncate(EVIDENCE);
    let hits: Vec<Hit> = fused
        .iter()
        .map(|hit| Hit {
            chunk: hit.chunk,
            score: hit.scores.fused,
        })
        .collect();
    let text = &sample.question.text;
    let mut passages: Vec<Passage> = collection.passages(&hits, text, &Reader::Everything)?;
    for passage in &mut passages {
        if let Some(hit) = fused.iter().find(|hit| hit.chunk == passage.chunk.id) {
            passage.scores = hit.scores;
        }
    }
    let weighed = evidence::weigh(text, &passages, &|word| collection.idf(word), 0.0);
    Ok(Weighed {
        half: half(SALT, text),
        answerable,
        support: f64::from(weighed.support),
        hopeless: weighed.outcome == Outcome::Declined,
    })
}

fn choose(weighed: &[Weighed], now: f64) -> Gate {
    let [fitted, held] = [0, 1].map(|half| {
        weighed
            .iter()
            .filter(|one| one.half == half)
            .copied()
            .collect::<Vec<_>>()
    });
    let mut supports: Vec<f64> = fitted.iter().map(|one| one.support).collect();
    supports.sort_by(f64::total_cmp);
    let between = supports
        .windows(2)
        .map(|pair| ((pair[0] + pair[1]) * 500.0).round() / 1000.0);
    let mut best = (balance(&fitted, now), now);
    for threshold in between {
        let reached = balance(&fitted, threshold);
        let nearer = (best.1 - now).abs().total_cmp(&(threshold - now).abs());
        let better = reached.total_cmp(&best.0).then(nearer).is_gt();
        if better && refused(&fitted, threshold) <= MOST_REFUSED {
            best = (reached, threshold);
        }
    }
    let chosen = best.1;
    let apart = compare(&rights(&held, chosen), &rights(&held, now));
    let allowed = refused(&held, now).max(MOST_REFUSED);
    let better = apart.mean > 0.0 && refused(&held, chosen) <= allowed;
    let side = |questions: &[Weighed]| {
        let at = |threshold| {
            json!({ "declined": declined(questions, threshold), "over_refusal": refused(questions, threshold),
                "balance": balance(questions, threshold) })
        };
        json!({ "questions": questions.len(), "now": at(now), "chosen": at(chosen) })
    };
    let mut held_out = side(&held);
    held_out["difference"] = json!(apart.mean);
    held_out["low"] = json!(apart.low);
    held_out["high"] = json!(apart.high);
    held_out["p"] = json!(apart.p);
    let report = json!({ "now": now, "chosen": chosen, "kept": if better { chosen } else { now },
        "fitted_half": side(&fitted), "held_out_half": held_out });
    Gate {
        decline_below: better.then_some(chosen),
        report,
    }
}

fn is_declined(one: &Weighed, threshold: f64) -> bool {
    one.hopeless || one.support < threshold
}

/// For each question, whether it is treated right, weighed so that the mean is that of both kinds' shares.
fn rights(questions: &[Weighed], threshold: f64) -> Vec<f64> {
    let count = |answerable| {
        questions
            .iter()
            .filter(|one| one.answerable == answerable)
            .count()
            .max(1) as f64
    };
    let weights = [count(false), count(true)].map(|of_kind| questions.len() as f64 / (2.0 * of_kind));
    let right = |one: &Weighed| {
        if is_declined(one, threshold) == one.answerable {
            0.0
        } else {
            weights[usize::from(one.answerable)]
        }
    };
    questions.iter().map(right).collect()
}

/// Mean of the shares of both kinds that are treated right.
fn balance(questions: &[Weighed], threshold: f64) -> f64 {
    (declined(questions, threshold) + 1.0 - refused(questions, threshold)) / 2.0
}

/// Share of the unanswerable ones that are declined.
fn declined(questions: &[Weighed], threshold: f64) -> f64 {
    share(questions, false, threshold)
}

/// Share of the answerable ones that are declined.
fn refused(questions: &[Weighed], threshold: f64) -> f64 {
    share(questions, true, threshold)
}

fn share(questions: &[Weighed], answerable: bool, threshold: f64) -> f64 {
    let of_kind: Vec<&Weighed> = questions.iter().filter(|one| one.answerable == answerable).collect();
    let declined = of_kind.iter().filter(|one| is_declined(one, threshold)).count();
    declined as f64 / of_kind.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both halves alike: the given supports, answerable or not.
    fn questions(answerable: &[f64], unanswerable: &[f64]) -> Vec<Weighed> {
        let mut all = Vec::new();
        for half in [0, 1] {
            for (supports, answerable) in [(answerable, true), (unanswerable, false)] {
                all.extend(supports.iter().map(|&support| Weighed {
                    half,
                    answerable,
                    support,
                    hopeless: false,
                }));
            }
        }
        all
    }

    #[test]
    fn a_threshold_that_parts_them_is_found() {
        let gate = choose(&questions(&[0.6, 0.7, 0.8], &[0.1, 0.2, 0.5]), 0.3);
        let found = gate.decline_below.unwrap();
        assert!(found > 0.5 && found < 0.6, "{found}");
        assert_eq!(gate.report["held_out_half"]["chosen"]["balance"], 1.0);
    }

    #[test]
    fn it_stays_where_another_would_decline_too_many_or_gain_nothing() {
        // To decline the unanswerable ones, half of the answerable ones would go.
        let mixed = questions(&[0.2, 0.8], &[0.3, 0.3]);
        assert_eq!(choose(&mixed, 0.1).decline_below, None);
        assert_eq!(choose(&questions(&[0.8], &[0.2]), 0.5).decline_below, None);
    }

    #[test]
    fn what_helps_only_the_fitted_half_is_not_kept() {
        let mut uneven = questions(&[0.6], &[0.4]);
        for one in uneven.iter_mut().filter(|one| one.half == 1) {
            one.support = if one.answerable { 0.45 } else { 0.2 };
        }
        assert_eq!(choose(&uneven, 0.3).decline_below, None);
    }

    #[test]
    fn rights_have_the_balance_as_their_mean() {
        let some = questions(&[0.1, 0.5, 0.9], &[0.2]);
        for threshold in [0.0, 0.15, 0.3, 0.6, 1.0] {
            let mean = crate::engine::measure::mean(&rights(&some, threshold));
            assert!((mean - balance(&some, threshold)).abs() < 1e-9);
        }
    }
}
