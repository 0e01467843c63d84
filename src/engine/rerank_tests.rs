//! `MaxSim` against its float form, and what mixing does to an order.

use uuid::Uuid;

use super::*;
use crate::types::Scores;

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % 2_001) as f32 / 1_000.0 - 1.0
    }

    fn tokens(&mut self, count: usize, width: usize) -> Vec<Vec<f32>> {
        let mut token = || {
            let raw: Vec<f32> = (0..width).map(|_| self.next()).collect();
            let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
            raw.into_iter().map(|value| value / length).collect()
        };
        (0..count).map(|_| token()).collect()
    }
}

fn bytes(tokens: &[Vec<f32>]) -> Vec<u8> {
    let numbers = tokens.iter().flatten();
    numbers.map(|value| (value * 127.0).round() as i8 as u8).collect()
}

/// The definition, in floats.
fn exact(query: &[Vec<f32>], passage: &[Vec<f32>]) -> f32 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let best = |asked: &Vec<f32>| {
        passage
            .iter()
            .map(|token| product(asked, token))
            .fold(f32::MIN, f32::max)
    };
    query.iter().map(best).sum::<f32>() / query.len() as f32
}

fn far() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

#[test]
fn eight_bits_give_the_scores_and_the_order_of_floats() {
    for width in [32, 64, 384] {
        let mut numbers = Numbers(7);
        let query = numbers.tokens(9, width);
        let passages: Vec<Vec<Vec<f32>>> = (0..60).map(|n| numbers.tokens(1 + n * 3, width)).collect();
        let comparison = Comparison {
            width,
            query: bytes(&query),
            passages: passages.iter().map(|passage| Some(bytes(passage))).collect(),
        };
        let got: Vec<f32> = max_sims(&comparison, far()).unwrap().into_iter().flatten().collect();
        let wanted: Vec<f32> = passages.iter().map(|passage| exact(&query, passage)).collect();
        for (got, wanted) in got.iter().zip(&wanted) {
            assert!((got - wanted).abs() < 0.005, "{width}: {got}, not {wanted}");
        }
        for (left, right) in (0..60).flat_map(|left| (0..60).map(move |right| (left, right))) {
            if wanted[left] > wanted[right] + 0.005 {
                assert!(got[left] > got[right], "{width}: {left} before {right}");
            }
        }
    }
}

#[test]
fn the_same_tokens_have_the_score_one_and_opposite_ones_minus_one() {
    let token = vec![vec![0.5; 4].into_iter().chain(vec![0.0; 28]).collect::<Vec<f32>>()];
    let opposite: Vec<Vec<f32>> = vec![token[0].iter().map(|value| -value).collect()];
    let comparison = Comparison {
        width: 32,
        query: bytes(&token),
        passages: vec![Some(bytes(&token)), Some(bytes(&opposite)), Some(Vec::new()), None],
    };
    let scores = max_sims(&comparison, far()).unwrap();
    assert!((scores[0].unwrap() - 1.0).abs() < 0.02 && (scores[1].unwrap() + 1.0).abs() < 0.02);
    assert_eq!(scores[2..], [None, None]);
    let nothing = Comparison {
        query: Vec::new(),
        ..comparison
    };
    assert_eq!(max_sims(&nothing, far()).unwrap(), [None; 4]);
}

#[test]
fn a_deadline_that_has_passed_ends_it() {
    let comparison = Comparison {
        width: 32,
        query: vec![1; 32],
        passages: vec![Some(vec![1; 32])],
    };
    let past = Instant::now() - Duration::from_secs(1);
    assert_eq!(max_sims(&comparison, past), None);
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

/// The order after mixing, as ranks before it.
fn check(before: &[f32], scores: &[Option<f32>], weight: f32, expected: &[usize]) -> Vec<Fused> {
    let mut list = fused(before);
    mix(&mut list, scores, weight);
    let order: Vec<usize> = list.iter().map(|hit| hit.chunk.0.as_u128() as usize).collect();
    assert_eq!(order, expected, "{before:?} {scores:?} {weight}");
    list
}

#[test]
fn the_weight_decides_between_both_orders() {
    let (before, scores) = ([4.0, 3.0, 2.0, 1.0], [Some(0.1), Some(0.2), Some(0.3), Some(0.9)]);
    check(&before, &scores, 0.0, &[0, 1, 2, 3]);
    check(&before, &scores, 1.0, &[3, 2, 1, 0]);
    let mixed = check(&before, &scores, 0.6, &[3, 0, 1, 2]);
    let ranks = |hit: &Fused| (hit.scores.fused_rank, hit.scores.rerank_rank);
    assert_eq!(ranks(&mixed[0]), (Some(4), Some(1)));
    assert_eq!(mixed[0].scores.rerank, Some(0.9));
}

#[test]
fn what_was_not_judged_keeps_its_score() {
    let scores = [Some(0.1), None, Some(0.9)];
    let mixed = check(&[3.0, 2.5, 1.0, 0.5], &scores, 1.0, &[2, 1, 0, 3]);
    let kept: Vec<f32> = mixed.iter().map(|hit| hit.scores.fused).collect();
    assert_eq!(
        (kept[1].to_bits(), kept[3].to_bits()),
        (2.5_f32.to_bits(), 0.5_f32.to_bits())
    );
    // The unit of the fusion stays: mean and spread of those that were judged are what they were.
    assert!((kept[0] - 3.0).abs() < 1e-5 && (kept[2] - 1.0).abs() < 1e-5, "{kept:?}");
}

#[test]
fn judgements_that_tell_nothing_apart_change_nothing() {
    check(&[1.0, 2.0, 3.0], &[Some(0.5), Some(0.5), Some(0.5)], 1.0, &[2, 1, 0]);
    check(&[3.0, 2.0, 1.0], &[None, None, None], 1.0, &[0, 1, 2]);
    check(&[3.0, 2.0, 1.0], &[Some(0.5)], 0.9, &[0, 1, 2]);
    check(&[], &[], 1.0, &[]);
}
