//! The words that the analyser found on their way into tantivy: one text of them all, and the tokenizer that takes it
//! apart again. As tantivy's own `PreTokenizedString` they would go through JSON, which takes longer than finding them.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The tokenizer's name in the schema.
pub(super) const NAME: &str = "given";

/// Before a word at the next place; no word has control characters in it.
const NEXT: char = '\n';
/// Before a word at the place of the one before it.
const BESIDE: char = '\r';

/// Words in their order.
#[derive(Debug, Default)]
pub(super) struct Words(String);

impl Words {
    /// Adds a word at the next place.
    pub fn push(&mut self, word: &str) {
        self.0.push(NEXT);
        self.0.push_str(word);
    }

    /// Adds a word at the place of the last one.
    pub fn push_beside(&mut self, word: &str) {
        self.0.push(BESIDE);
        self.0.push_str(word);
    }

    /// All of them as one text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Takes `Words` apart.
#[derive(Clone, Default)]
pub(super) struct Given(Token);

/// What is left of them.
pub(super) struct Rest<'a> {
    text: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for Given {
    type TokenStream<'a> = Rest<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Rest<'a> {
        // The first word goes on from here to the first place.
        self.0.reset();
        Rest {
            text,
            token: &mut self.0,
        }
    }
}

impl TokenStream for Rest<'_> {
    fn advance(&mut self) -> bool {
        let mut signs = self.text.chars();
        let Some(sign) = signs.next() else { return false };
        let rest = signs.as_str();
        let end = rest.find([NEXT, BESIDE]).unwrap_or(rest.len());
        self.token.text.clear();
        self.token.text.push_str(&rest[..end]);
        if sign == NEXT {
            self.token.position = self.token.position.wrapping_add(1);
        }
        self.text = &rest[end..];
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_out_as_they_went_in() {
        let mut given = Given::default();
        let mut check = |words: &Words, expected: &[(&str, usize)]| {
            let mut stream = given.token_stream(words.text());
            let mut found = Vec::new();
            while stream.advance() {
                found.push((stream.token().text.clone(), stream.token().position));
            }
            let found: Vec<(&str, usize)> = found.iter().map(|(text, place)| (text.as_str(), *place)).collect();
            assert_eq!(found, expected);
        };
        check(&Words::default(), &[]);
        let mut words = Words::default();
        words.push("err_0042");
        words.push_beside("err");
        words.push("größe");
        words.push("");
        check(&words, &[("err_0042", 0), ("err", 0), ("größe", 1), ("", 2)]);
        check(&words, &[("err_0042", 0), ("err", 0), ("größe", 1), ("", 2)]);
    }
}
