//! `MaxSim` by its definition, and what mixing does to an order.

use uuid::Uuid;

use super::*;
use crate::types::Scores;

/// A sketch whose first bits are 1, this many.
fn sketch(ones: usize) -> Sketch {
    let mut sketch = Sketch::default();
    for bit in 0..ones {
        sketch[bit / 64] |= 1 << (bit % 64);
    }
    sketch
}

#[test]
fn each_token_of_the_question_counts_with_the_nearest_of_the_passage() {
    let comparison = Comparison {
        query: vec![sketch(0), sketch(256)],
        passages: vec![
            Some(vec![sketch(256), sketch(100), sketch(0)]),
            Some(vec![sketch(128)]),
            Some(vec![sketch(64), sketch(0)]),
            Some(Vec::new()),
            None,
        ],
    };
    let scores = max_sims(&comparison, None).unwrap();
    // The second token of the third passage is opposite; 192 bits are three quarters of the way to it.
    let expected = [1.0, 0.0, f32::midpoint(1.0, (0.75 * std::f32::consts::PI).cos())];
    for (score, expected) in scores.iter().zip(expected) {
        assert!((score.unwrap() - expected).abs() < 1e-6, "{scores:?}");
    }
    assert_eq!(scores[3..], [None, None]);
    let nothing = Comparison {
        query: Vec::new(),
        ..comparison
    };
    assert_eq!(max_sims(&nothing, None).unwrap(), [None; 5]);
}

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn vector(&mut self, dimension: usize) -> Vec<f32> {
        let mut number = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % 2_001) as f32 / 1_000.0 - 1.0
        };
        (0..dimension).map(|_| number()).collect()
    }
}

fn product(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The definition, over the vectors themselves.
fn exact(query: &[Vec<f32>], passage: &[Vec<f32>]) -> f32 {
    let cosine = |a: &[f32], b: &[f32]| product(a, b) / (product(a, a) * product(b, b)).sqrt();
    let best = |asked: &Vec<f32>| passage.iter().map(|token| cosine(asked, token)).fold(-1.0, f32::max);
    query.iter().map(best).sum::<f32>() / query.len() as f32
}

#[tokio::test]
async fn sketches_keep_the_scores_and_the_order_of_the_vectors() {
    let mut numbers = Numbers(7);
    let query: Vec<Vec<f32>> = (0..8).map(|_| numbers.vector(384)).collect();
    // Each passage is nearer than the one before.
    let mut passage = |near: usize| -> Vec<Vec<f32>> {
        let shared = query
            .iter()
            .map(|asked| (asked, numbers.vector(384), near as f32 / 10.0));
        let mix = |(asked, other, near): (&Vec<f32>, Vec<f32>, f32)| -> Vec<f32> {
            asked
                .iter()
                .zip(other)
                .map(|(asked, other)| near * asked + (1.0 - near) * other)
                .collect()
        };
        shared.map(mix).collect()
    };
    let passages: Vec<Vec<Vec<f32>>> = (0..=10).map(&mut passage).collect();
    let folder = tempfile::tempdir().unwrap();
    let identity = crate::index::Identity::current("test", 384);
    let collection = Collection::open(folder.path(), "docs", identity, None).await.unwrap();
    let texts = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let mut document = crate::index::tests::replacement("a.md", &texts, 0);
    document.vectors = vec![vec![1.0; 384]; texts.len()];
    let sketches = passages.iter().map(|passage| collection.sketches(&passage.concat()));
    document.tokens = sketches.collect();
    let ids: Vec<ChunkId> = document.chunks.iter().map(|chunk| chunk.id).collect();
    collection.publish(vec![document], Vec::new()).await.unwrap();
    let comparison = collection.compare(&query.concat(), &ids).unwrap();
    let scores: Vec<f32> = max_sims(&comparison, None).unwrap().into_iter().flatten().collect();
    assert!(scores.is_sorted() && scores.len() == 11, "{scores:?}");
    for (score, passage) in scores.iter().zip(&passages) {
        let exact = exact(&query, passage);
        assert!((score - exact).abs() < 0.1, "{score}, not {exact}");
    }
}

#[test]
fn counting_bits_gives_exactly_what_products_of_signs_give() {
    let mut numbers = Numbers(11);
    let mut some = |count: usize| -> Vec<Sketch> {
        let bits = |numbers: &mut Numbers| {
            numbers
                .vector(64)
                .iter()
                .fold(0, |word, x| word << 1 | u64::from(*x > 0.0))
        };
        (0..count)
            .map(|_| std::array::from_fn(|_| bits(&mut numbers)))
            .collect()
    };
    let signs = |sketch: &Sketch| -> Vec<f32> {
        let sign = |at: usize| {
            if sketch[at / 64] >> (at % 64) & 1 == 1 {
                1.0
            } else {
                -1.0
            }
        };
        (0..BITS).map(sign).collect()
    };
    for (asked, tokens) in [(1, 1), (3, 2), (7, 5), (12, 31), (33, 64), (16, 164)] {
        let (query, passage) = (some(asked), some(tokens));
        let cosine = |asked: &Sketch| {
            let products = passage.iter().map(|token| product(&signs(asked), &signs(token)));
            let differing = (BITS as f32 - products.fold(f32::MIN, f32::max)) / 2.0;
            (std::f32::consts::PI * differing / BITS as f32).cos()
        };
        let expected = query.iter().map(cosine).sum::<f32>() / asked as f32;
        let comparison = Comparison {
            passages: vec![Some(passage.clone())],
            query,
        };
        let scores = max_sims(&comparison, None).unwrap();
        assert_eq!(scores[0].unwrap().to_bits(), expected.to_bits(), "{asked} x {tokens}");
    }
}

#[test]
fn a_deadline_that_has_passed_ends_it() {
    let comparison = Comparison {
        query: vec![sketch(1)],
        passages: vec![Some(vec![sketch(1)])],
    };
    let past = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
    assert_eq!(max_sims(&comparison, Some(past)), None);
}

fn fused(scores: &[f32]) -> Vec<Fused> {
    let hit = |(at, score): (usize, &f32)| Fused {
        chunk: ChunkId(Uuid::from_u128(at as u128)),
        scores: Scores {
            fused: *score,
            ..Scores::default()
        },
    };
    scores.iter().enumerate().map(hit).collect()
}

/// The order after mixing, as places before it, and the scores that make it.
fn check(before: &[f32], scores: &[Option<f32>], weight: f32, expected: &[usize]) -> Vec<f32> {
    let mut list = fused(before);
    mix(&mut list, scores, weight);
    let score = |hit: &Fused| hit.scores.reranked.unwrap_or(hit.scores.fused);
    list.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let order: Vec<usize> = list.iter().map(|hit| hit.chunk.0.as_u128() as usize).collect();
    assert_eq!(order, expected, "{before:?} {scores:?} {weight}");
    for hit in &list {
        let at = hit.chunk.0.as_u128() as usize;
        assert_eq!(hit.scores.rerank, scores.get(at).copied().flatten());
        assert_eq!(hit.scores.fused.to_bits(), before[at].to_bits());
    }
    list.iter().map(score).collect()
}

#[test]
fn the_weight_decides_between_both_orders() {
    let (before, scores) = ([4.0, 3.0, 2.0, 1.0], [Some(0.1), Some(0.2), Some(0.3), Some(0.9)]);
    check(&before, &scores, 0.0, &[0, 1, 2, 3]);
    check(&before, &scores, 0.6, &[3, 0, 1, 2]);
    check(&before, &scores, 1.0, &[3, 2, 1, 0]);
}

#[test]
fn what_was_not_judged_keeps_its_score() {
    let mixed = check(&[3.0, 2.5, 1.0, 0.5], &[Some(0.1), None, Some(0.9)], 1.0, &[2, 1, 0, 3]);
    // The unit of the fusion stays: mean and spread of those that were judged are what they were.
    for (got, expected) in mixed.iter().zip([3.0, 2.5, 1.0, 0.5]) {
        assert!((got - expected).abs() < 1e-5, "{mixed:?}");
    }
}

#[test]
fn judgements_that_tell_nothing_apart_change_nothing() {
    check(&[3.0, 2.0, 1.0], &[Some(0.5), Some(0.5), Some(0.5)], 0.5, &[0, 1, 2]);
    check(&[3.0, 2.0, 1.0], &[Some(0.5), Some(0.5), Some(0.5)], 1.0, &[0, 1, 2]);
    check(&[3.0, 2.0, 1.0], &[None, None, None], 1.0, &[0, 1, 2]);
    check(&[3.0, 2.0, 1.0], &[Some(0.5)], 0.9, &[0, 1, 2]);
    check(&[], &[], 1.0, &[]);
}

#[test]
fn an_identifier_stays_first_and_what_nobody_judged_stays_where_it_was() {
    let check = |exact: usize, judged: &[(usize, f32)], expected: &[u128]| {
        let mut list = fused(&[3.0, 2.0, 1.0]);
        list[0].scores.exact = exact;
        let opinion = |(at, score): &(usize, f32)| (list[*at].chunk, *score);
        let opinions = Opinions {
            scores: judged.iter().map(opinion).collect(),
            weight: 1.0,
        };
        reorder(&mut list, &opinions);
        let order: Vec<u128> = list.iter().map(|hit| hit.chunk.0.as_u128()).collect();
        assert_eq!(order, expected, "{exact} {judged:?}");
    };
    let reversed = [(0, 0.1), (1, 0.2), (2, 0.9)];
    check(0, &reversed, &[2, 1, 0]);
    check(2, &reversed, &[0, 2, 1]);
    check(0, &[], &[0, 1, 2]);
}
