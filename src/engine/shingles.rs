//! Texts as sets of what they are made of, to tell how alike two are. Pure.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use unicode_segmentation::UnicodeSegmentation;

/// The runs of `length` words of a text, by their hashes, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shingles(Vec<u64>);

impl Shingles {
    /// Of `text`; one that is shorter than `length` words is a single run.
    pub fn of(text: &str, length: usize) -> Self {
        let words: Vec<u64> = text.unicode_words().map(|word| hash(&word.to_lowercase())).collect();
        let runs = words.windows(length.min(words.len()).max(1));
        let mut hashes: Vec<u64> = runs.map(|run| hash(&run)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        Self(hashes)
    }

    /// Jaccard's measure: what both have, as a share of what either has; 0 where one has nothing.
    pub fn likeness(&self, other: &Self) -> f32 {
        let (mut left, mut right, mut both) = (0, 0, 0);
        while left < self.0.len() && right < other.0.len() {
            let (one, two) = (self.0[left], other.0[right]);
            both += usize::from(one == two);
            left += usize::from(one <= two);
            right += usize::from(two <= one);
        }
        if both == 0 {
            return 0.0;
        }
        both as f32 / (self.0.len() + other.0.len() - both) as f32
    }
}

/// The words of a text that have a digit: what must not be taken for something else.
pub fn numbers(text: &str) -> BTreeSet<&str> {
    let words = text.unicode_words();
    words.filter(|word| word.contains(|c: char| c.is_numeric())).collect()
}

/// The same in every run of the program.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_the_shared_part() {
        let check = |left: &str, right: &str, length: usize, expected: f32| {
            let (left, right) = (Shingles::of(left, length), Shingles::of(right, length));
            assert!(
                (left.likeness(&right) - expected).abs() < 1e-6,
                "{}",
                left.likeness(&right)
            );
            assert!((left.likeness(&right) - right.likeness(&left)).abs() < 1e-6);
        };
        check("a b c", "A, b: C!", 1, 1.0);
        check("a b c", "a b d", 1, 0.5);
        check("a b c d", "a b c e", 3, 1.0 / 3.0);
        check("a b", "a b", 3, 1.0);
        check("", "", 1, 0.0);
        check("a", "", 3, 0.0);
    }

    #[test]
    fn numbers_are_told_apart() {
        assert_eq!(numbers("27 days, ERR_42 and v1.2"), ["27", "ERR_42", "v1.2"].into());
    }
}
