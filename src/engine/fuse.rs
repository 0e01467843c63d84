//! Two ranked lists to one. Pure: ids and scores in, ids and scores out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::types::{ChunkId, Hit, Scores};

/// Weight of the vector leg in the convex mix; chosen on `SciFact`, see docs/quality.md.
pub const VECTOR_WEIGHT: f32 = 0.5;

/// A fused hit with the scores of each leg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused {
    /// What was found.
    pub chunk: ChunkId,
    /// How each leg saw it; `fused` decides the order.
    pub scores: Scores,
}

/// Convex mix of z-scores: each leg's scores are centred and scaled by its own list's statistics, since BM25 and
/// cosine have no common unit. A hit that one leg lacks gets that leg's lowest score; a leg that yielded fewer than
/// the `asked` ones knows of nothing else, so there the lowest score is 0 and counts among its statistics.
pub fn convex(lexical: &[Hit], vector: &[Hit], vector_weight: f32, asked: usize) -> Vec<Fused> {
    let (lexical_scale, vector_scale) = (Scale::of(lexical, asked), Scale::of(vector, asked));
    merge(lexical, vector, |scores| {
        let words = if lexical.is_empty() {
            0.0
        } else {
            lexical_scale.z(scores.lexical)
        };
        let meaning = if vector.is_empty() {
            0.0
        } else {
            vector_scale.z(scores.vector)
        };
        (1.0 - vector_weight) * words + vector_weight * meaning
    })
}

/// Reciprocal rank fusion: the sum of 1 / (k + rank) over the legs (Cormack, Clarke, Büttcher 2009).
pub fn reciprocal_rank(lexical: &[Hit], vector: &[Hit], k: f32) -> Vec<Fused> {
    let part = |rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (k + rank as f32));
    merge(lexical, vector, |scores| {
        part(scores.lexical_rank) + part(scores.vector_rank)
    })
}

/// Puts what holds an identifier that was asked for before what does not; `held` tells how much of them.
pub fn exact_first(fused: &mut [Fused], held: &BTreeMap<ChunkId, usize>) {
    for hit in fused.iter_mut() {
        hit.scores.exact = held.get(&hit.chunk).copied().unwrap_or(0);
    }
    // Stable: among equals the order of the fusion stays.
    fused.sort_by_key(|hit| Reverse(hit.scores.exact));
}

fn merge(lexical: &[Hit], vector: &[Hit], score: impl Fn(&Scores) -> f32) -> Vec<Fused> {
    let mut by_chunk: HashMap<ChunkId, Scores> = HashMap::with_capacity(lexical.len() + vector.len());
    for (at, hit) in lexical.iter().enumerate() {
        let scores = by_chunk.entry(hit.chunk).or_default();
        scores.lexical = Some(hit.score);
        scores.lexical_rank = Some(at + 1);
    }
    for (at, hit) in vector.iter().enumerate() {
        let scores = by_chunk.entry(hit.chunk).or_default();
        scores.vector = Some(hit.score);
        scores.vector_rank = Some(at + 1);
    }
    let mut fused: Vec<Fused> = by_chunk
        .into_iter()
        .map(|(chunk, mut scores)| {
            scores.fused = score(&scores);
            Fused { chunk, scores }
        })
        .collect();
    // Ties go to the smaller id, so the order never wavers.
    fused.sort_by(|a, b| b.scores.fused.total_cmp(&a.scores.fused).then(a.chunk.cmp(&b.chunk)));
    fused
}

/// Mean, deviation and lowest of a list's scores.
struct Scale {
    mean: f32,
    deviation: f32,
    lowest: f32,
}

impl Scale {
    fn of(hits: &[Hit], asked: usize) -> Self {
        let mut scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
        if scores.len() < asked {
            scores.push(0.0);
        }
        let n = scores.len().max(1) as f32;
        let mean = scores.iter().sum::<f32>() / n;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f32>() / n;
        let lowest = scores.iter().copied().fold(f32::INFINITY, f32::min);
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

    #[test]
    fn a_hit_of_both_legs_comes_first() {
        let lexical = hits(&[(1, 9.0), (2, 8.0), (3, 1.0)]);
        let vector = hits(&[(4, 0.9), (2, 0.8), (5, 0.1)]);
        for fused in [
            convex(&lexical, &vector, 0.5, 3),
            reciprocal_rank(&lexical, &vector, 20.0),
        ] {
            assert_eq!(fused[0].chunk, id(2));
            assert_eq!(fused.len(), 5);
        }
    }

    #[test]
    fn one_leg_alone_keeps_its_order() {
        let lexical = hits(&[(7, 3.0), (8, 2.0), (9, 1.0)]);
        let order: Vec<ChunkId> = convex(&lexical, &[], 0.5, 3).iter().map(|hit| hit.chunk).collect();
        assert_eq!(order, vec![id(7), id(8), id(9)]);
    }

    #[test]
    fn the_only_word_match_outweighs_a_slightly_better_cosine() {
        let lexical = hits(&[(9, 12.0)]);
        let vector = hits(&[(1, 0.80), (2, 0.79), (9, 0.78), (3, 0.60), (4, 0.55)]);
        assert_eq!(convex(&lexical, &vector, 0.5, 100)[0].chunk, id(9));
    }

    #[test]
    fn ties_go_to_the_smaller_id() {
        let lexical = hits(&[(1, 1.0), (2, 1.0), (3, 1.0)]);
        let order: Vec<ChunkId> = convex(&lexical, &[], 0.5, 3).iter().map(|hit| hit.chunk).collect();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(order, sorted);
    }
}
