//! How many tokens a text costs a model: exact where the encoding is public, otherwise rather too many than too few.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use moka::sync::Cache;
use tiktoken_rs::o200k_base_singleton;

/// Texts whose counts are kept: passages come up again and again.
const KEPT: u64 = 100_000;
/// Shorter texts are counted sooner than looked up.
const SHORT: usize = 100;

/// Over a long stretch of one kind the encoder takes the square of its length, or gives up with a panic: it gets slices.
const SLICE_BYTES: usize = 2 * 1024;

/// Loads the encoding; the first count would wait for it.
pub fn warm_up() {
    o200k_base_singleton();
}

/// Tokens of `text` for `model`, such as `gpt-4o-mini` or `openai/gpt-4o-mini`.
/// The first call loads the encoding, which takes some hundred milliseconds, and a passage takes about one.
pub fn count(model: &str, text: &str) -> usize {
    let tokens = known(text);
    if is_exact(model) {
        return tokens;
    }
    // Smaller vocabularies cut finer: 15 % more, rounded up, keeps a prompt inside its window.
    (tokens * 115).div_ceil(100)
}

fn known(text: &str) -> usize {
    static COUNTS: LazyLock<Cache<(u64, usize), u32>> = LazyLock::new(|| Cache::new(KEPT));
    let count = || {
        slices(text)
            .map(|slice| o200k_base_singleton().count_ordinary(slice))
            .sum()
    };
    if text.len() < SHORT {
        return count();
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    COUNTS.get_with((hasher.finish(), text.len()), || count() as u32) as usize
}

/// Cut where a word begins, if there is one: the space before a word belongs to its token.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let window = &rest[..rest.floor_char_boundary(SLICE_BYTES)];
        let space = window.rfind(' ').filter(|at| *at > 0 && window.len() < rest.len());
        let slice;
        (slice, rest) = rest.split_at(space.unwrap_or(window.len()));
        Some(slice).filter(|slice| !slice.is_empty())
    })
}

/// Whether the model's own encoding is the one we count with.
pub fn is_exact(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let mut letters = name.bytes();
    let reasoning = letters.next() == Some(b'o') && letters.next().is_some_and(|byte| byte.is_ascii_digit());
    name.starts_with("gpt-") || reasoning
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(model: &str, text: &str, expected: usize) {
        assert_eq!(count(model, text), expected, "{model}: {text:?}");
    }

    #[test]
    fn public_encodings_are_exact_and_others_over_estimated() {
        check("gpt-4o-mini", "", 0);
        check("gpt-4o-mini", "hello world", 2);
        check("openai/gpt-4o", "hello world", 2);
        check("o3-mini", "hello world", 2);
        check("qwen2.5-coder-1.5b-instruct", "hello world", 3);
        check("olmo-2", "hello world", 3);
        check(
            "other",
            &"hello world".repeat(100),
            count("gpt-4o", &"hello world".repeat(100)) * 115 / 100,
        );
    }

    #[test]
    fn long_texts_are_counted_in_slices() {
        for text in [" ", "a", "é\u{1f600}", "two words "] {
            let text = text.repeat(1_000_000 / text.len());
            let slices: Vec<&str> = slices(&text).collect();
            assert_eq!(slices.concat(), text);
            assert!(
                slices.iter().all(|slice| slice.len() <= SLICE_BYTES),
                "{}",
                slices.len()
            );
        }
        let words = "some words that tell nothing ".repeat(200);
        assert_eq!(count("gpt-4o", &words), o200k_base_singleton().count_ordinary(&words));
    }

    #[test]
    fn special_marks_in_a_text_are_plain_text() {
        assert!(count("gpt-4o", "<|endoftext|>") > 1);
    }
}
