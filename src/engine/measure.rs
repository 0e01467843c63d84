//! The figures of a ranked list and of two runs side by side, by their definitions. Pure and without chance.

use std::collections::{BTreeMap, BTreeSet};

/// A question with what is known of its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// Names it in reports.
    pub id: String,
    /// What is searched for.
    pub text: String,
    /// Grades of the documents that answer it, by URI; none means that no document does.
    pub wanted: BTreeMap<String, f64>,
    /// Words that the answering passage holds, when they are known.
    pub quote: Option<String>,
}

/// What one ranked list of documents is worth; each from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Normalised discounted cumulative gain (Järvelin, Kekäläinen 2002), linear gain, as `trec_eval` has it.
    pub ndcg_at_10: f64,
    /// Share of the relevant ones among the first 10.
    pub recall_at_10: f64,
    /// Share of the relevant ones among the first 100.
    pub recall_at_100: f64,
    /// 1 / rank of the first relevant one, 0 beyond rank 10.
    pub mrr_at_10: f64,
}

impl Figures {
    /// The figures of `ranked`, best first, each document once.
    pub fn of(ranked: &[impl AsRef<str>], wanted: &BTreeMap<String, f64>) -> Self {
        let grade = |id: &str| wanted.get(id).copied().unwrap_or_default();
        let first = ranked.iter().take(10).position(|id| grade(id.as_ref()) > 0.0);
        let mut best: Vec<f64> = wanted.values().copied().collect();
        best.sort_by(|a, b| b.total_cmp(a));
        let ideal = gain(best.into_iter());
        let got = gain(ranked.iter().map(|id| grade(id.as_ref())));
        Self {
            ndcg_at_10: if ideal > 0.0 { got / ideal } else { 0.0 },
            recall_at_10: recall(&ranked[..ranked.len().min(10)], wanted),
            recall_at_100: recall(&ranked[..ranked.len().min(100)], wanted),
            mrr_at_10: first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0)),
        }
    }
}

fn gain(grades: impl Iterator<Item = f64>) -> f64 {
    let discounted = grades
        .take(10)
        .enumerate()
        .map(|(at, grade)| grade / (at as f64 + 2.0).log2());
    discounted.sum()
}

fn recall(ranked: &[impl AsRef<str>], wanted: &BTreeMap<String, f64>) -> f64 {
    let relevant = wanted.iter().filter(|(_, grade)| **grade > 0.0).count();
    let ranked: BTreeSet<&str> = ranked.iter().map(AsRef::as_ref).collect();
    let found = ranked
        .iter()
        .filter(|id| wanted.get(**id).is_some_and(|grade| *grade > 0.0));
    if relevant == 0 {
        return 0.0;
    }
    found.count() as f64 / relevant as f64
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    // Of nothing it is 0; the sum of nothing is -0.
    (values.iter().sum::<f64>() + 0.0) / values.len().max(1) as f64
}

/// What lies between two runs on the same questions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean of `ours` less `theirs`.
    pub mean: f64,
    /// Lower end of the 95 % interval: percentiles of the paired bootstrap.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// How often chance alone gives such a difference or a larger one of either sign (paired randomisation test:
    /// the runs swap places on random questions; Smucker, Allan, Carterette 2007).
    pub p: f64,
}

/// Rounds of each of the two; the smallest p is 1 in this many.
const ROUNDS: usize = 10_000;
/// Any other would do; the same one makes the same answer.
const SEED: u64 = 42;

/// Compares two runs, question by question.
pub fn compare(ours: &[f64], theirs: &[f64]) -> Difference {
    let apart: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
    let mean = mean(&apart);
    // Sums in another order differ in their last bits.
    if apart.iter().all(|each| each.abs() < 1e-12) {
        return Difference {
            mean,
            low: 0.0,
            high: 0.0,
            p: 1.0,
        };
    }
    let mut chance = Chance(SEED);
    let n = apart.len();
    let mut means: Vec<f64> = Vec::with_capacity(ROUNDS);
    let mut as_far = 1;
    for _ in 0..ROUNDS {
        let drawn: f64 = (0..n).map(|_| apart[chance.below(n)]).sum();
        means.push(drawn / n as f64);
        let swapped: f64 = apart
            .iter()
            .map(|each| if chance.next() >> 63 == 0 { *each } else { -each })
            .sum();
        as_far += usize::from(swapped.abs() / n as f64 + 1e-12 >= mean.abs());
    }
    means.sort_by(f64::total_cmp);
    Difference {
        mean,
        low: means[ROUNDS / 40],
        high: means[ROUNDS - 1 - ROUNDS / 40],
        p: as_far as f64 / (ROUNDS + 1) as f64,
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(list: &[(&str, f64)]) -> BTreeMap<String, f64> {
        list.iter().map(|(id, grade)| ((*id).to_owned(), *grade)).collect()
    }

    #[test]
    fn figures_follow_their_definitions() {
        let both = wanted(&[("a", 1.0), ("b", 1.0)]);
        let check = |ranked: &[&str], wanted: &BTreeMap<String, f64>, expected: [f64; 4]| {
            let found = Figures::of(ranked, wanted);
            let found = [
                found.ndcg_at_10,
                found.recall_at_10,
                found.recall_at_100,
                found.mrr_at_10,
            ];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{ranked:?}: {found} is not {expected}");
            }
        };
        check(&["a", "b"], &both, [1.0, 1.0, 1.0, 1.0]);
        check(&["x", "a"], &both, [0.6309 / 1.6309, 0.5, 0.5, 0.5]);
        check(&[], &both, [0.0; 4]);
        check(&["a"], &wanted(&[]), [0.0; 4]);
        check(
            &["b", "a"],
            &wanted(&[("a", 2.0), ("b", 1.0)]),
            [(1.0 + 2.0 * 0.6309) / (2.0 + 0.6309), 1.0, 1.0, 1.0],
        );
        let late: Vec<String> = (0..11)
            .map(|at| if at == 10 { "a".into() } else { format!("x{at}") })
            .collect();
        let late: Vec<&str> = late.iter().map(String::as_str).collect();
        check(&late, &both, [0.0, 0.0, 0.5, 0.0]);
    }

    #[test]
    fn a_clear_difference_is_told_from_chance() {
        let theirs: Vec<f64> = (0..60).map(|at| f64::from(at % 7) / 7.0).collect();
        let better: Vec<f64> = theirs.iter().map(|each| each + 0.1).collect();
        let found = compare(&better, &theirs);
        assert!((found.mean - 0.1).abs() < 1e-9 && found.p < 0.001, "{found:?}");
        assert!(
            (found.low - 0.1).abs() < 1e-9 && (found.high - 0.1).abs() < 1e-9,
            "{found:?}"
        );
        // As many up as down.
        let mixed: Vec<f64> = theirs
            .iter()
            .enumerate()
            .map(|(at, each)| each + if at % 2 == 0 { 0.1 } else { -0.1 })
            .collect();
        let found = compare(&mixed, &theirs);
        assert!(found.p > 0.9 && found.low < 0.0 && found.high > 0.0, "{found:?}");
        assert!((compare(&theirs, &theirs).p - 1.0).abs() < 1e-9);
        assert!((compare(&[], &[]).p - 1.0).abs() < 1e-9);
        // The reverse comparison is the mirror image.
        assert!((compare(&theirs, &better).mean + 0.1).abs() < 1e-9);
        assert_eq!(compare(&better, &theirs), compare(&better, &theirs));
    }

    #[test]
    fn p_is_that_of_the_exact_test() {
        // All five differ the same way: 2 of 32 swaps are as far.
        let found = compare(&[1.0; 5], &[0.0; 5]);
        assert!((found.p - 2.0 / 32.0).abs() < 0.01, "{found:?}");
    }
}
