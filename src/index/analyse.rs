//! Text to terms, the same way for indexing, searching, highlighting and checking.

use std::ops::Range;
use std::sync::OnceLock;

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, Stemmer, StopWordFilter, TextAnalyzer, Token, TokenStream, Tokenizer,
};
use unicode_segmentation::UnicodeSegmentation;

/// Changes when the terms of a text change; the index names it.
pub const ANALYSER: &str = "unicode-english-1";
/// Name of the analyser of `body` in tantivy.
pub const BODY: &str = "portolan_body";
/// Name of the analyser of `exact` in tantivy.
pub const EXACT: &str = "portolan_exact";
/// Lucene's English stop words.
const STOP: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// One term of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Lower case, folded, stemmed.
    pub text: String,
    /// Byte range of the word.
    pub range: Range<usize>,
    /// Whether it is too common to be searched for.
    pub stop: bool,
}

/// The terms of a text; stop words are kept and marked.
pub fn terms(text: &str) -> Vec<Term> {
    static ANALYSER: OnceLock<TextAnalyzer> = OnceLock::new();
    let mut analyser = ANALYSER.get_or_init(|| stemmed().build()).clone();
    let mut stream = analyser.token_stream(text);
    let mut terms = Vec::new();
    while stream.advance() {
        let token = stream.token();
        let range = token.offset_from..token.offset_to;
        let stop = STOP.contains(&text[range.clone()].to_lowercase().as_str());
        terms.push(Term {
            text: token.text.clone(),
            range,
            stop,
        });
    }
    terms
}

/// Words that must match to the letter: codes, versions, part numbers, qualified names. Lower case.
pub fn identifiers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = exact_words(text)
        .map(|(_, word)| word.to_lowercase())
        .filter(|word| word.len() >= 3 && is_identifier(word))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn is_identifier(word: &str) -> bool {
    let has_letter = word.chars().any(char::is_alphabetic);
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    word.contains('_') || word.contains("::") || (has_letter && has_digit)
}

/// The analyser of `body`: Unicode words, lower case, ASCII folding, English stop words, Snowball stems.
pub fn body() -> TextAnalyzer {
    let words = TextAnalyzer::builder(Words)
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter);
    words
        .filter(StopWordFilter::remove(STOP.iter().map(|word| (*word).to_owned())))
        .filter(Stemmer::new(Language::English))
        .build()
}

/// The analyser of `exact`: words as they are written, in lower case; codes stay whole.
pub fn exact() -> TextAnalyzer {
    TextAnalyzer::builder(Verbatim).filter(LowerCaser).build()
}

fn stemmed() -> tantivy::tokenizer::TextAnalyzerBuilder<impl Tokenizer> {
    TextAnalyzer::builder(Words)
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(Stemmer::new(Language::English))
}

/// Words between Unicode word boundaries (UAX 29).
#[derive(Clone, Default)]
struct Words;

impl Tokenizer for Words {
    type TokenStream<'a> = Tokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens {
        Tokens::new(text.unicode_word_indices())
    }
}

/// Words between white space and brackets, without the punctuation around them.
#[derive(Clone, Default)]
struct Verbatim;

impl Tokenizer for Verbatim {
    type TokenStream<'a> = Tokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens {
        Tokens::new(exact_words(text))
    }
}

fn exact_words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let parts = text.split(|c: char| c.is_whitespace() || "()[]{}<>|,;\"`'/=".contains(c));
    parts.filter_map(move |part| {
        let word = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        (!word.is_empty()).then_some((at, word))
    })
}

/// Longer words are no words.
const LONGEST: usize = 256;

struct Tokens {
    tokens: std::vec::IntoIter<Token>,
    current: Token,
}

impl Tokens {
    fn new<'a>(words: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let tokens: Vec<Token> = words
            .filter(|(_, word)| word.len() <= LONGEST)
            .enumerate()
            .map(|(position, (at, word))| Token {
                offset_from: at,
                offset_to: at + word.len(),
                position,
                text: word.to_owned(),
                position_length: 1,
            })
            .collect();
        Self {
            tokens: tokens.into_iter(),
            current: Token::default(),
        }
    }
}

impl TokenStream for Tokens {
    fn advance(&mut self) -> bool {
        match self.tokens.next() {
            Some(token) => {
                self.current = token;
                true
            }
            None => false,
        }
    }

    fn token(&self) -> &Token {
        &self.current
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_stemmed_and_located() {
        let text = "The Cafés are RUNNING";
        let found: Vec<(String, &str, bool)> = terms(text)
            .into_iter()
            .map(|term| (term.text, &text[term.range], term.stop))
            .collect();
        let expected = [
            ("the", "The", true),
            ("cafe", "Cafés", false),
            ("are", "are", true),
            ("run", "RUNNING", false),
        ];
        let found: Vec<(&str, &str, bool)> = found.iter().map(|(a, b, c)| (a.as_str(), *b, *c)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn identifiers_stay_whole() {
        let found = identifiers("Is ERR_0042 in chart::reproject(v3.4.1) for HMI-7731-B, or 2025?");
        assert_eq!(found, ["chart::reproject", "err_0042", "hmi-7731-b", "v3.4.1"]);
    }
}
