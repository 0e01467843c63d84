//! Two ranked lists to one, as the settings of the collection say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::engine::retrieve::Candidates;
use crate::error::Result;
use crate::index::work::blocking;
use crate::index::{Collection, Fusion, Held};
use crate::types::{ChunkId, Hit, Scores};

/// What half a name is worth, in deviations of the fused scores. A name is not all that a long question is about:
/// before all else, names cost `SciFact` .007 of nDCG@10 and contextual-codebase .003.
const NAME_WEIGHT: f32 = 0.5;

/// A fused hit with the scores of each leg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    /// What was found.
    pub chunk: ChunkId,
    /// How each leg saw it; `fused` decides the order.
    pub scores: Scores,
}

/// What the legs found.
#[derive(Clone, Copy, Debug)]
pub struct Legs<'a> {
    /// BM25, best first.
    pub lexical: &'a [Hit],
    /// Cosine, best first.
    pub vector: &'a [Hit],
    /// How many each was asked for.
    pub asked: usize,
}

/// The share of the question's words that each candidate holds.
pub type Coverage = BTreeMap<ChunkId, f32>;

/// Fuses what was found in each collection, best first; on scales of all of them, so that their scores compare. The
/// number is the score of what no leg found.
pub async fn fuse(found: &[(Arc<Collection>, Candidates)], asked: usize) -> Result<(Vec<Vec<Fused>>, f32)> {
    let legs: Vec<Legs<'_>> = found.iter().map(|(_, candidates)| candidates.legs(asked)).collect();
    let mut scales = Scales::of(&legs);
    let fusion = match found {
        // What is left keeps its own order.
        _ if scales.lexical.is_none() || scales.vector.is_none() => Fusion::alone(scales.lexical.is_none()),
        [(collection, _)] => collection.fusion(),
        // Scores of several collections compare only when they were made alike.
        _ => Fusion::default(),
    };
    let mut coverages = Vec::with_capacity(found.len());
    for ((collection, candidates), legs) in found.iter().zip(&legs) {
        let mut coverage = Coverage::new();
        if fusion.needs_coverage() {
            let (collection, question) = (collection.clone(), candidates.asked.clone());
            let chunks = chunks(*legs);
            coverage = blocking(move || collection.coverage(&question, &chunks)).await?;
        }
        coverages.push(coverage);
    }
    scales.covered = Scale::of(
        coverages
            .iter()
            .flat_map(|coverage| coverage.values().copied())
            .collect(),
    );
    let each = legs.iter().zip(&coverages);
    let fused = each.map(|(legs, coverage)| apply_on(&scales, &fusion, *legs, coverage));
    Ok((fused.collect(), scales.score(&fusion, None, &Scores::default())))
}

/// The chunks that a leg found, each once.
pub fn chunks(legs: Legs<'_>) -> Vec<ChunkId> {
    let mut chunks: Vec<ChunkId> = legs.lexical.iter().chain(legs.vector).map(|hit| hit.chunk).collect();
    chunks.sort_unstable();
    chunks.dedup();
    chunks
}

/// Carries a fusion out in one collection.
pub fn apply(fusion: &Fusion, legs: Legs<'_>, coverage: &Coverage) -> Vec<Fused> {
    apply_on(&Scales::of_one(legs, coverage), fusion, legs, coverage)
}

fn apply_on(scales: &Scales, fusion: &Fusion, legs: Legs<'_>, coverage: &Coverage) -> Vec<Fused> {
    merge(legs, |chunk, scores| scales.score(fusion, coverage.get(&chunk), scores))
}

/// What a learned fusion weighs of each candidate, in the order of `Weights`.
pub fn rows(legs: Legs<'_>, coverage: &Coverage) -> Vec<(ChunkId, [f32; 4])> {
    let scales = Scales::of_one(legs, coverage);
    let hits = merge(legs, |_, _| 0.0).into_iter();
    hits.map(|hit| (hit.chunk, scales.row(coverage.get(&hit.chunk), &hit.scores)))
        .collect()
}

fn mix(vector_weight: f64, words: f32, meaning: f32) -> f32 {
    let share = vector_weight as f32;
    (1.0 - share) * words + share * meaning
}

/// Puts what holds a code that was asked for before what does not, and what holds a name higher; `held` tells how much
/// of them.
pub fn exact_first(fused: &mut [Fused], held: &BTreeMap<ChunkId, Held>) {
    let spread = Scale::of(fused.iter().map(|hit| hit.scores.fused).collect()).deviation;
    for hit in fused.iter_mut() {
        let held = held.get(&hit.chunk).copied().unwrap_or_default();
        (hit.scores.exact, hit.scores.names) = (held.codes, held.names);
        hit.scores.fused += NAME_WEIGHT * spread * held.names as f32;
    }
    fused.sort_by(|a, b| Scores::best_first(&a.scores, &b.scores).then(a.chunk.cmp(&b.chunk)));
}

fn merge(legs: Legs<'_>, score: impl Fn(ChunkId, &Scores) -> f32) -> Vec<Fused> {
    let mut by_chunk: HashMap<ChunkId, Scores> = HashMap::with_capacity(legs.lexical.len() + legs.vector.len());
    for (at, hit) in legs.lexical.iter().enumerate() {
        let scores = by_chunk.entry(hit.chunk).or_default();
        scores.lexical = Some(hit.score);
        scores.lexical_rank = Some(at + 1);
    }
    for (at, hit) in legs.vector.iter().enumerate() {
        let scores = by_chunk.entry(hit.chunk).or_default();
        scores.vector = Some(hit.score);
        scores.vector_rank = Some(at + 1);
    }
    let mut fused: Vec<Fused> = by_chunk
        .into_iter()
        .map(|(chunk, mut scores)| {
            scores.fused = score(chunk, &scores);
            Fused { chunk, scores }
        })
        .collect();
    // Ties go to the smaller id, so the order never wavers.
    fused.sort_by(|a, b| b.scores.fused.total_cmp(&a.scores.fused).then(a.chunk.cmp(&b.chunk)));
    fused
}

/// Z-scores: each leg's scores are centred and scaled by its own list's statistics, since BM25 and cosine have no
/// common unit. A hit that one leg lacks gets that leg's lowest score; a leg that yielded fewer than the `asked` ones
/// knows of nothing else, so there the lowest score is 0 and counts among its statistics.
struct Scales {
    lexical: Option<Scale>,
    vector: Option<Scale>,
    covered: Scale,
}

impl Scales {
    /// Of the legs of all collections together.
    fn of(all: &[Legs<'_>]) -> Self {
        let scale = |leg: for<'a> fn(&Legs<'a>) -> &'a [Hit]| {
            let mut scores: Vec<f32> = all.iter().flat_map(leg).map(|hit| hit.score).collect();
            let found = !scores.is_empty();
            if all.iter().any(|legs| leg(legs).len() < legs.asked) {
                scores.push(0.0);
            }
            found.then(|| Scale::of(scores))
        };
        Self {
            lexical: scale(|legs| legs.lexical),
            vector: scale(|legs| legs.vector),
            covered: Scale::of(Vec::new()),
        }
    }

    fn of_one(legs: Legs<'_>, coverage: &Coverage) -> Self {
        Self {
            covered: Scale::of(coverage.values().copied().collect()),
            ..Self::of(&[legs])
        }
    }

    fn score(&self, fusion: &Fusion, coverage: Option<&f32>, scores: &Scores) -> f32 {
        match *fusion {
            Fusion::Convex {
                vector_weight,
                coverage_weight,
            } => {
                let [words, meaning, _, covered] = self.row(coverage, scores);
                mix(vector_weight, words, meaning) + coverage_weight as f32 * covered
            }
            Fusion::ReciprocalRank { k, vector_weight } => {
                let part = |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (k as f32 + rank as f32));
                mix(vector_weight, part(scores.lexical_rank), part(scores.vector_rank))
            }
            Fusion::Learned(weights) => {
                let weights = weights.to_array().map(|weight| weight as f32);
                let row = self.row(coverage, scores);
                row.iter().zip(weights).map(|(value, weight)| value * weight).sum()
            }
        }
    }

    /// What a fusion weighs of a candidate, in the order of `Weights`; 0 for a leg without hits.
    fn row(&self, coverage: Option<&f32>, scores: &Scores) -> [f32; 4] {
        let z = |scale: &Option<Scale>, score| scale.as_ref().map_or(0.0, |scale| scale.z(score));
        let lowest = self.lexical.as_ref().map(|scale| scale.lowest);
        [
            z(&self.lexical, scores.lexical),
            z(&self.vector, scores.vector),
            scores.lexical.or(lowest).unwrap_or_default().max(0.0).ln_1p(),
            self.covered.z(coverage.copied()),
        ]
    }
}

/// Mean, deviation and lowest of some values.
struct Scale {
    mean: f32,
    deviation: f32,
    lowest: f32,
}

impl Scale {
    fn of(scores: Vec<f32>) -> Self {
        let n = scores.len().max(1) as f32;
        let mean = scores.iter().sum::<f32>() / n;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / n;
        let lowest = scores.into_iter().reduce(f32::min).unwrap_or_default();
        Self {
            mean,
            deviation: variance.sqrt().max(1e-6),
            lowest,
        }
    }

    fn z(&self, score: Option<f32>) -> f32 {
        (score.unwrap_or(self.lowest) - self.mean) / self.deviation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Weights;
    use crate::types::DocumentId;
    use indexer::types::{ChunkContext, Metadata};

    fn id(n: u32) -> ChunkId {
        let metadata = Metadata::new();
        ChunkId::of(
            DocumentId::of("x"),
            n,
            "",
            &ChunkContext {
                metadata: &metadata,
                principals: &[],
            },
        )
    }

    fn hits(list: &[(u32, f32)]) -> Vec<Hit> {
        list.iter()
            .map(|(n, score)| Hit {
                chunk: id(*n),
                score: *score,
            })
            .collect()
    }

    fn order(fusion: Fusion, lexical: &[Hit], vector: &[Hit], asked: usize) -> Vec<ChunkId> {
        let legs = Legs { lexical, vector, asked };
        let fused = apply(&fusion, legs, &Coverage::new());
        fused.into_iter().map(|hit| hit.chunk).collect()
    }

    const LEARNED: Fusion = Fusion::Learned(Weights {
        lexical: 0.5,
        vector: 0.5,
        lexical_log: 0.0,
        coverage: 1.0,
    });

    fn reciprocal_rank(vector_weight: f64) -> Fusion {
        Fusion::ReciprocalRank { k: 20.0, vector_weight }
    }

    #[test]
    fn a_hit_of_both_legs_comes_first() {
        let lexical = hits(&[(1, 9.0), (2, 8.0), (3, 1.0)]);
        let vector = hits(&[(4, 0.9), (2, 0.8), (5, 0.1)]);
        for fusion in [Fusion::default(), reciprocal_rank(0.5), LEARNED] {
            let found = order(fusion, &lexical, &vector, 3);
            assert_eq!((found[0], found.len()), (id(2), 5));
        }
    }

    #[test]
    fn all_the_weight_on_a_leg_is_that_leg() {
        let lexical = hits(&[(1, 9.0), (2, 8.0), (3, 1.0)]);
        let vector = hits(&[(3, 0.9), (2, 0.8), (1, 0.1)]);
        for weighed in [|weight| Fusion::alone(weight > 0.0), reciprocal_rank] {
            assert_eq!(order(weighed(0.0), &lexical, &vector, 3), [1, 2, 3].map(id));
            assert_eq!(order(weighed(1.0), &lexical, &vector, 3), [3, 2, 1].map(id));
        }
    }

    #[test]
    fn one_leg_alone_keeps_its_order() {
        let lexical = hits(&[(7, 3.0), (8, 2.0), (9, 1.0)]);
        for fusion in [Fusion::default(), reciprocal_rank(0.5), LEARNED] {
            assert_eq!(order(fusion, &lexical, &[], 3), [7, 8, 9].map(id));
            assert_eq!(order(fusion, &[], &lexical, 3), [7, 8, 9].map(id));
        }
    }

    #[test]
    fn the_only_word_match_outweighs_a_slightly_better_cosine() {
        let lexical = hits(&[(9, 12.0)]);
        let vector = hits(&[(1, 0.80), (2, 0.79), (9, 0.78), (3, 0.60), (4, 0.55)]);
        assert_eq!(order(Fusion::default(), &lexical, &vector, 100)[0], id(9));
    }

    #[test]
    fn coverage_decides_between_equals() {
        let lexical = hits(&[(1, 1.0), (2, 1.0)]);
        let legs = Legs {
            lexical: &lexical,
            vector: &lexical,
            asked: 2,
        };
        for better in [1, 2] {
            let coverage = Coverage::from([(id(better), 1.0), (id(3 - better), 0.5)]);
            for fusion in [LEARNED, Fusion::default()] {
                assert_eq!(apply(&fusion, legs, &coverage)[0].chunk, id(better));
            }
            let row = rows(legs, &coverage)
                .into_iter()
                .find(|(chunk, _)| *chunk == id(better));
            let expected = [0.0, 0.0, 2.0_f32.ln(), 1.0];
            assert!(row.unwrap().1.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        assert_eq!(chunks(legs).len(), 2);
    }

    #[test]
    fn a_code_comes_first_and_a_name_gains_a_deviation() {
        let check = |held: &[(u32, usize, usize)], expected: [u32; 4]| {
            let hits = hits(&[(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)]);
            let legs = Legs {
                lexical: &hits,
                vector: &[],
                asked: 4,
            };
            let mut fused = apply(&Fusion::alone(false), legs, &Coverage::new());
            let held = held.iter().map(|(n, codes, names)| {
                let (codes, names) = (*codes, *names);
                (id(*n), Held { codes, names })
            });
            exact_first(&mut fused, &held.collect());
            let order: Vec<ChunkId> = fused.iter().map(|hit| hit.chunk).collect();
            assert_eq!(order, expected.map(id));
        };
        // Neighbours lie .894 deviations apart.
        check(&[], [1, 2, 3, 4]);
        check(&[(4, 2, 0)], [4, 1, 2, 3]);
        check(&[(4, 0, 1)], [1, 2, 3, 4]);
        check(&[(4, 0, 2)], [1, 2, 4, 3]);
        check(&[(4, 0, 4)], [1, 4, 2, 3]);
        check(&[(3, 1, 0), (4, 0, 9)], [3, 4, 1, 2]);
    }

    #[test]
    fn ties_go_to_the_smaller_id() {
        let lexical = hits(&[(1, 1.0), (2, 1.0), (3, 1.0)]);
        let found = order(Fusion::default(), &lexical, &[], 3);
        assert!(found.is_sorted(), "{found:?}");
    }

    #[test]
    fn scores_of_several_collections_compare() {
        let mine = (hits(&[(1, 5.0)]), hits(&[(1, 0.5)]));
        let other = (hits(&[]), hits(&[(2, 0.6), (3, 0.2), (4, 0.1), (5, 0.1)]));
        let legs = [&mine, &other].map(|(lexical, vector)| Legs {
            lexical,
            vector,
            asked: 100,
        });
        let scales = Scales::of(&legs);
        let best = |legs| {
            apply_on(&scales, &Fusion::default(), legs, &Coverage::new())[0]
                .scores
                .fused
        };
        // Alone, the nearest of four stands out more than the only one.
        assert!(best(legs[0]) > best(legs[1]), "the word is in one collection only");
    }
}
