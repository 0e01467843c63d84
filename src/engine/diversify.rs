//! Maximal marginal relevance: what is like a better passage falls back (Carbonell and Goldstein 1998). Pure.

use crate::engine::shingles::Shingles;

/// The new order of `texts`, best first, with what decided it: (1 - diversity) x relevance - diversity x likeness to the
/// nearest of those before. Relevance is the score on the way from the worst, 0, to the best, 1; likeness is the share of
/// common words.
pub fn order(scores: &[f32], texts: &[&str], diversity: f32) -> Vec<(usize, f32)> {
    let words: Vec<Shingles> = texts.iter().map(|text| Shingles::of(text, 1)).collect();
    let relevance = relevance(scores);
    let mut likeness = vec![0.0_f32; texts.len()];
    let mut left: Vec<usize> = (0..texts.len()).collect();
    let mut order = Vec::with_capacity(texts.len());
    while !left.is_empty() {
        let gain = |at: usize| (1.0 - diversity) * relevance[at] - diversity * likeness[at];
        let mut best = 0;
        for place in 1..left.len() {
            // Ties go to the one that was before.
            if gain(left[place]) > gain(left[best]) {
                best = place;
            }
        }
        let chosen = left.remove(best);
        order.push((chosen, gain(chosen)));
        for at in &left {
            likeness[*at] = likeness[*at].max(words[*at].likeness(&words[chosen]));
        }
    }
    order
}

/// Scores on the way from the worst, 0, to the best, 1; all 1 where they are equal.
pub fn relevance(scores: &[f32]) -> Vec<f32> {
    let (low, high) = scores
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), score| {
            (low.min(*score), high.max(*score))
        });
    let spread = high - low;
    let share = |score: &f32| if spread > 0.0 { (score - low) / spread } else { 1.0 };
    scores.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &[f32], texts: &[&str], diversity: f32, expected: &[usize]) {
        let found: Vec<usize> = order(scores, texts, diversity).into_iter().map(|(at, _)| at).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_said_already_falls_back() {
        let texts = ["paid leave for staff", "paid leave for staff", "backup at night"];
        check(&[3.0, 2.9, 2.5], &texts, 0.5, &[0, 2, 1]);
        check(&[3.0, 2.9, 2.5], &texts, 0.0, &[0, 1, 2]);
        check(&[3.0, 2.9, -9.0], &texts, 0.2, &[0, 1, 2]);
        check(&[1.0, 1.0, 1.0], &texts, 0.1, &[0, 2, 1]);
        check(&[], &[], 0.5, &[]);
    }
}
