//! How many tokens a text costs a model: exact where the encoding is public, otherwise rather too many than too few.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use moka::sync::Cache;
use tiktoken_rs::o200k_base_singleton;

/// Texts whose counts are kept: passages come up again and again.
const KEPT: u64 = 100_000;
/// Shorter texts are counted sooner than looked up.
const SHORT: usize = 100;

/// Loads the encoding; the first count would wait for it.
pub fn warm_up() {
    o200k_base_singleton();
}

/// Tokens of `text` for `model`, such as `gpt-4o-mini` or `openai/gpt-4o-mini`.
/// The first call loads the encoding, which takes some hundred milliseconds, and a passage takes about one.
pub fn count(model: &str, text: &str) -> usize {
    let tokens = known(text);
    if counts_as_o200k(model) {
        return tokens;
    }
    // Smaller vocabularies cut finer: 15 % more, rounded up, keeps a prompt inside its window.
    (tokens * 115).div_ceil(100)
}

fn known(text: &str) -> usize {
    static COUNTS: LazyLock<Cache<(u64, usize), u32>> = LazyLock::new(|| Cache::new(KEPT));
    let count = || o200k_base_singleton().count_ordinary(text);
    if text.len() < SHORT {
        return count();
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    COUNTS.get_with((hasher.finish(), text.len()), || count() as u32) as usize
}

/// Whether the model's own encoding is the one we count with.
fn counts_as_o200k(model: &str) -> bool {
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
    fn special_marks_in_a_text_are_plain_text() {
        assert!(count("gpt-4o", "<|endoftext|>") > 1);
    }
}
