//! Text to terms: the one analyser for indexing, searching and highlighting. Pure.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use tantivy::tokenizer::{AsciiFoldingFilter, Language, LowerCaser, RawTokenizer, Stemmer, TextAnalyzer};
use unicode_segmentation::UnicodeSegmentation;

/// Longer words and identifiers are not indexed: nobody types them.
const MAX_TERM_BYTES: usize = 256;

/// English words that say nothing about the topic.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in",
    "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our", "she", "should", "so", "some", "such",
    "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "us", "was", "we",
    "were", "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your",
];

/// A word as the body field knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Lower case, folded to ASCII, stemmed.
    pub text: String,
    /// Byte range of the word in the text.
    pub range: Range<usize>,
    /// Whether it is a stop word, which the body field leaves out.
    pub stop: bool,
}

/// The terms of `text` in their order; stop words are kept and marked.
pub fn terms(text: &str) -> Vec<Term> {
    let mut stemmer = STEMMER.clone();
    let found = words(text).into_iter().map(|(word, range)| Term {
        stop: STOP_WORDS.binary_search(&word.as_str()).is_ok(),
        text: first_token(&mut stemmer, &word),
        range,
    });
    found.collect()
}

/// The words of `text`, lower case and folded to ASCII but not stemmed, with their byte ranges.
pub fn words(text: &str) -> Vec<(String, Range<usize>)> {
    let mut folder = FOLDER.clone();
    let mut words = Vec::new();
    for (start, word) in text.unicode_word_indices() {
        for (inner, part) in parts(word) {
            if part.len() > MAX_TERM_BYTES {
                continue;
            }
            let plain = first_token(&mut folder, part);
            if !plain.is_empty() {
                let start = start + inner;
                words.push((plain, start..start + part.len()));
            }
        }
    }
    words
}

/// Whether a word, as `words` gives it, says nothing about the topic.
pub fn is_stop(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Names and numbers that are looked for verbatim, lower case, each once, in their order.
///
/// They have a digit or one of `_`, `::`, `.`, `-`, `/` inside and at least 3 bytes: `ERR_0042`, `chart::reproject`,
/// `v3.4.1`, `/v1/x`.
pub fn identifiers(text: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (identifier, _) in identifier_ranges(text) {
        if seen.insert(identifier.clone()) {
            found.push(identifier);
        }
    }
    found
}

/// The identifiers of `text` with their byte ranges.
pub fn identifier_ranges(text: &str) -> Vec<(String, Range<usize>)> {
    let inside = |c: char| c.is_alphanumeric() || "_:.-/".contains(c);
    let mut found = Vec::new();
    for piece in text.split(|c| !inside(c)) {
        let core = piece.trim_end_matches(['.', ':', '-', '/']);
        let core = core.trim_start_matches(['.', ':', '-']);
        let marked = core.contains(|c: char| c.is_numeric() || "_.-/".contains(c)) || core.contains("::");
        let named = core.contains(char::is_alphanumeric);
        if (3..=MAX_TERM_BYTES).contains(&core.len()) && marked && named {
            let start = core.as_ptr() as usize - text.as_ptr() as usize;
            found.push((core.to_lowercase(), start..start + core.len()));
        }
    }
    found
}

/// What is between quotation marks; a mark without its partner quotes nothing.
pub fn quoted(text: &str) -> Vec<&str> {
    let pieces: Vec<&str> = text.split(['"', '\u{201c}', '\u{201d}']).collect();
    let closed = (pieces.len() - 1) / 2;
    pieces.into_iter().skip(1).step_by(2).take(closed).collect()
}

/// The terms of a query that highlights mark: all but stop words, or those when there is nothing else.
pub fn wanted(query: &str) -> BTreeSet<String> {
    let terms = terms(query);
    let only_stops = terms.iter().all(|term| term.stop);
    let kept = terms.into_iter().filter(|term| only_stops || !term.stop);
    kept.map(|term| term.text).collect()
}

/// The byte ranges of `text` whose terms are wanted.
pub fn highlights(text: &str, wanted: &BTreeSet<String>) -> Vec<Range<usize>> {
    let found = terms(text).into_iter().filter(|term| wanted.contains(&term.text));
    found.map(|term| term.range).collect()
}

static FOLDER: LazyLock<TextAnalyzer> = LazyLock::new(|| {
    TextAnalyzer::builder(RawTokenizer::default())
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
});

static STEMMER: LazyLock<TextAnalyzer> = LazyLock::new(|| {
    TextAnalyzer::builder(RawTokenizer::default())
        .filter(Stemmer::new(Language::English))
        .build()
});

fn first_token(analyser: &mut TextAnalyzer, word: &str) -> String {
    let mut stream = analyser.token_stream(word);
    if stream.advance() {
        std::mem::take(&mut stream.token_mut().text)
    } else {
        String::new()
    }
}

/// Unicode keeps `a_b`, `a:b` and `a.b` whole; a reader looks for either half. Numbers such as `3.4` stay whole.
fn parts(word: &str) -> Vec<(usize, &str)> {
    let bytes = word.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let cuts = match byte {
            b'_' | b':' => true,
            b'.' => !(digit(at.checked_sub(1)) && digit(Some(at + 1))),
            _ => false,
        };
        if cuts {
            parts.push((start, &word[start..at]));
            start = at + 1;
        }
    }
    parts.push((start, &word[start..]));
    parts.retain(|(_, part)| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn terms_are_stemmed_and_folded_and_know_their_place() {
        let check = |text: &str, expected: &[(&str, &str, bool)]| {
            let found = terms(text);
            let seen: Vec<_> = found
                .iter()
                .map(|term| (term.text.as_str(), &text[term.range.clone()], term.stop))
                .collect();
            assert_eq!(seen, expected, "{text}");
        };
        check("The Charts", &[("the", "The", true), ("chart", "Charts", false)]);
        check("Caf\u{e9}s", &[("cafe", "Caf\u{e9}s", false)]);
        check(
            "chart::load_all",
            &[("chart", "chart", false), ("load", "load", false), ("all", "all", true)],
        );
        check("v3.4.1", &[("v3.4.1", "v3.4.1", false)]);
        check("", &[]);
    }

    #[test]
    fn identifiers_are_found_whole() {
        let check = |text: &str, expected: &[&str]| assert_eq!(identifiers(text), expected, "{text}");
        check("what is ERR_0042?", &["err_0042"]);
        check("call chart::reproject() now.", &["chart::reproject"]);
        check("(v3.4.1), HMI-7731-B; 0x1F", &["v3.4.1", "hmi-7731-b", "0x1f"]);
        check("GET /v1/x", &["/v1/x"]);
        check("plain words. And: more", &[]);
        check("ERR_1 err_1", &["err_1"]);
        check("... --- // _ ::", &[]);
    }

    #[test]
    fn quotes_need_a_partner() {
        let check = |text: &str, expected: &[&str]| assert_eq!(quoted(text), expected, "{text}");
        check("a \"b c\" d", &["b c"]);
        check("5\" pipe", &[]);
        check("\"a\" \"b\" \"c", &["a", "b"]);
    }
}
