//! Passages that say the same thing twice. Pure.

use crate::engine::shingles::{Shingles, numbers};

/// Words of a run that is compared.
const RUN: usize = 3;
/// From this share of common runs on, two texts are one.
const ALIKE: f32 = 0.8;

/// For each text the earlier one that says the same, if there is one; that one has none itself.
///
/// Texts that differ in a number are never the same: last year's policy must not stand for this year's.
pub fn of(texts: &[&str]) -> Vec<Option<usize>> {
    let read = texts.iter().map(|text| (Shingles::of(text, RUN), numbers(text)));
    let read: Vec<_> = read.collect();
    let mut found: Vec<Option<usize>> = Vec::with_capacity(texts.len());
    for (at, (shingles, numbers)) in read.iter().enumerate() {
        let same = |earlier: &usize| {
            let (other, others) = &read[*earlier];
            found[*earlier].is_none() && numbers == others && shingles.likeness(other) >= ALIKE
        };
        let earlier = (0..at).find(same);
        found.push(earlier);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_one_stands_for_the_later() {
        let long = "every employee has days of paid leave a year and may carry some of them into the next year";
        let nearly = format!("{long} too");
        let other = "copies are kept for a month and then thrown away by the harbour office";
        let check = |texts: &[&str], expected: &[Option<usize>]| assert_eq!(of(texts), expected, "{texts:?}");
        check(&[long, other, &nearly, long], &[None, None, Some(0), Some(0)]);
        check(&[], &[]);
        check(&["", ""], &[None, None]);
        check(&["the same", "The same."], &[None, Some(0)]);
    }

    #[test]
    fn a_different_number_is_a_different_text() {
        let of_year =
            |days: u32| format!("Every employee who works full time at this company has {days} days of paid leave");
        let (old, new) = (of_year(27), of_year(28));
        assert_eq!(of(&[&old, &new, &old]), [None, None, Some(0)]);
    }
}
