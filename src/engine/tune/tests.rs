//! What fitting does to questions whose legs are known to be good, bad or beside the point.

use std::collections::{BTreeMap, BTreeSet};

use indexer::types::{ChunkContext, Metadata};

use super::fit::{Fitted, fit};
use super::sample::{Sample, half};
use crate::engine::measure::Judged;
use crate::engine::rerank::Opinions;
use crate::index::Fusion;
use crate::types::{ChunkId, DocumentId, Hit};

const CANDIDATES: u32 = 12;

fn chunk(question: u32, at: u32) -> ChunkId {
    let metadata = Metadata::new();
    let context = ChunkContext {
        metadata: &metadata,
        principals: &[],
    };
    ChunkId::of(DocumentId::of(&format!("{question}")), at, "", &context)
}

/// A leg with the relevant candidate, which is the one numbered `question % CANDIDATES`, at `place`.
fn leg(question: u32, place: u32, salt: u32) -> Vec<Hit> {
    let relevant = question % CANDIDATES;
    let mut others: Vec<u32> = (0..CANDIDATES).filter(|at| *at != relevant).collect();
    others.rotate_left((question * 7 + salt) as usize % (CANDIDATES as usize - 1));
    others.insert(place as usize, relevant);
    let hit = |(rank, at): (usize, u32)| Hit {
        chunk: chunk(question, at),
        score: 1.0 / (1.0 + rank as f32),
    };
    others.into_iter().enumerate().map(hit).collect()
}

/// Question `n` with the relevant candidate at these places of the legs; `told` by its coverage as well.
fn sample(n: u32, (lexical, vector): (u32, u32), told: bool) -> Sample {
    let relevant = chunk(n, n % CANDIDATES);
    let mut sample = Sample {
        question: Judged {
            id: n.to_string(),
            text: format!("question {n}"),
            wanted: BTreeMap::from([(format!("{}", n % CANDIDATES), 1.0)]),
            quote: None,
        },
        lexical: leg(n, lexical, 0),
        vector: leg(n, vector, 3),
        coverage: BTreeMap::new(),
        held: BTreeMap::new(),
        opinions: Opinions::default(),
        documents: BTreeMap::new(),
        relevant: BTreeSet::from([relevant]),
    };
    for at in 0..CANDIDATES {
        let chunk = chunk(n, at);
        let coverage = if told && chunk == relevant { 1.0 } else { 0.2 };
        sample.documents.insert(chunk, at.to_string());
        sample.coverage.insert(chunk, coverage);
    }
    sample
}

fn samples(count: u32, places: impl Fn(u32) -> (u32, u32), told: bool) -> Vec<Sample> {
    (0..count).map(|n| sample(n, places(n), told)).collect()
}

fn held(fitted: &Fitted, key: &str) -> f64 {
    fitted.report["held_out_half"][key].as_f64().unwrap()
}

#[test]
fn a_bad_leg_loses_its_weight() {
    // The words are right, and the vectors put what is relevant last.
    let fitted = fit(&samples(100, |n| (n % 2, CANDIDATES - 1), false), false, 2);
    assert_ne!(fitted.fusion, Fusion::default());
    assert!(
        held(&fitted, "difference") > 0.1 && held(&fitted, "p") < 0.01,
        "{}",
        fitted.report
    );
    assert!(held(&fitted, "chosen") >= held(&fitted, "lexical"), "{}", fitted.report);
    let repeated = &fitted.report["halvings"];
    assert!(repeated["chosen"].as_f64() > repeated["default"].as_f64(), "{repeated}");
}

#[test]
fn the_default_stays_where_nothing_is_better() {
    let fitted = fit(&samples(60, |_| (0, 0), false), false, 0);
    assert_eq!(fitted.fusion, Fusion::default());
    assert!(fitted.report["halvings"].is_null());
}

#[test]
fn what_helps_only_the_fitted_half_is_not_kept() {
    // In the fitted half the words are right, in the other one the vectors.
    let places = |n: u32| {
        if half(0, &format!("question {n}")) == 0 {
            (0, CANDIDATES - 1)
        } else {
            (CANDIDATES - 1, 0)
        }
    };
    let fitted = fit(&samples(100, places, false), false, 0);
    assert!(held(&fitted, "difference") < 0.0, "{}", fitted.report);
    // The other half's better leg is never lost, whatever the fitted half says.
    assert_eq!(fitted.fusion, Fusion::alone(true));
}

#[test]
fn coverage_is_learned() {
    let fitted = fit(&samples(200, |n| (n % 9, (n * 5) % 9), true), false, 0);
    let Fusion::Learned(weights) = fitted.fusion else {
        panic!("{}", fitted.report);
    };
    assert!(weights.coverage > 1.0, "{weights:?}");
}

#[test]
fn few_questions_change_nothing_and_say_so() {
    let fitted = fit(&samples(10, |_| (0, CANDIDATES - 1), false), false, 5);
    assert_eq!(fitted.fusion, Fusion::default());
    assert!(
        fitted.report["why"].as_str().unwrap().contains("too few"),
        "{}",
        fitted.report
    );
}

#[test]
fn made_questions_move_the_weight_a_little_only() {
    let fitted = fit(&samples(100, |n| (n % 2, CANDIDATES - 1), false), true, 0);
    let weight = match fitted.fusion {
        Fusion::Convex { vector_weight, .. } | Fusion::ReciprocalRank { vector_weight, .. } => vector_weight,
        Fusion::Learned(_) => panic!("{}", fitted.report),
    };
    assert!((0.3..0.5).contains(&weight), "{}", fitted.report);
}

#[test]
fn the_order_of_the_questions_changes_nothing() {
    let mut all = samples(80, |n| (n % 5, (n * 3) % 7), true);
    let forward = fit(&all, false, 3);
    all.reverse();
    let backward = fit(&all, false, 3);
    let near = |left: &serde_json::Value, right: &serde_json::Value| {
        let both = left.as_f64().zip(right.as_f64());
        both.is_some_and(|(left, right)| (left - right).abs() < 1e-6)
    };
    for key in ["lexical", "chosen", "difference"] {
        let half = |fitted: &Fitted| fitted.report["held_out_half"][key].clone();
        assert!(near(&half(&forward), &half(&backward)), "{key}");
    }
    let repeated = |fitted: &Fitted| fitted.report["halvings"]["chosen"].clone();
    assert!(near(&repeated(&forward), &repeated(&backward)));
}

#[test]
fn a_fusion_is_judged_with_the_reranker_behind_it() {
    let mut sample = sample(3, (5, 7), false);
    assert!(sample.worth(&Fusion::default()) < 0.9);
    let score = |at: u32| (chunk(3, at), if at == 3 { 0.9 } else { 0.1 });
    sample.opinions = Opinions {
        scores: (0..CANDIDATES).map(score).collect(),
        weight: 1.0,
    };
    assert!((sample.worth(&Fusion::default()) - 1.0).abs() < 1e-9);
}

#[test]
fn a_threshold_is_told_as_it_was_typed() {
    for typed in [0.55_f64, 0.1, 0.3, 0.123_456, 0.0, 1.0] {
        assert_eq!(super::rounded(typed as f32).to_string(), typed.to_string());
    }
}
