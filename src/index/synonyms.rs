//! Words and phrases that mean the same, as an operator lists them: found in a query, searched for beside it. Pure.

use std::collections::BTreeMap;

use super::analyse::{self, Word};
use super::language::Language;
use crate::error::{Error, Result};

/// The most groups, words of a group, and words of one of them.
const GROUPS: usize = 1_000;
const GROUP: usize = 32;
const WORDS: usize = 8;
/// Synonyms that one query takes.
const MOST: usize = 32;

/// Groups of words and phrases, found by their English stems, so that `resumes` is `resume`.
#[derive(Debug, Default)]
pub(super) struct Synonyms {
    groups: Vec<Vec<Vec<String>>>,
    /// By the stem of their first word: all stems, the group, the place in it.
    entries: BTreeMap<String, Vec<(Vec<String>, usize, usize)>>,
}

impl Synonyms {
    /// Of groups that `check` has passed.
    pub fn new(groups: &[Vec<String>]) -> Self {
        let mut made = Self::default();
        for group in groups {
            let mut phrases = Vec::with_capacity(group.len());
            for text in group {
                let words = analyse::words(text);
                let stems = stems(&words);
                if let Some(first) = stems.first() {
                    let place = (made.groups.len(), phrases.len());
                    let entries = made.entries.entry(first.clone()).or_default();
                    entries.push((stems, place.0, place.1));
                    phrases.push(words.into_iter().map(|word| word.text).collect());
                }
            }
            made.groups.push(phrases);
        }
        made
    }

    /// What means the same as parts of `words`.
    pub fn of(&self, words: &[Word]) -> Vec<&[String]> {
        let mut found: Vec<&[String]> = Vec::new();
        if self.entries.is_empty() {
            return found;
        }
        let stems = stems(words);
        for at in 0..stems.len() {
            for (phrase, group, place) in self.entries.get(&stems[at]).into_iter().flatten() {
                if !stems[at..].starts_with(phrase) {
                    continue;
                }
                let others = self.groups[*group].iter().enumerate();
                for (_, other) in others.filter(|(other, _)| other != place) {
                    if found.len() < MOST && !found.contains(&other.as_slice()) {
                        found.push(other);
                    }
                }
            }
        }
        found
    }

    /// Whether a synonym begins with the word.
    pub fn knows(&self, word: &str) -> bool {
        !self.entries.is_empty()
            && stems(&[Word::folded(word.to_owned())])
                .iter()
                .all(|stem| self.entries.contains_key(stem))
    }
}

fn stems(words: &[Word]) -> Vec<String> {
    let mut stemmer = Language::ENGLISH.stemmer();
    words.iter().map(|word| stemmer.stem(word)).collect()
}

/// Whether the groups can be used; `pointer` is where they stand.
pub(super) fn check(groups: &[Vec<String>], pointer: &str) -> Result<()> {
    if groups.len() > GROUPS {
        let detail = format!("{} groups are given; at most {GROUPS} are accepted", groups.len());
        return Err(Error::bad_input(pointer, detail));
    }
    for (at, group) in groups.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        if !(2..=GROUP).contains(&group.len()) {
            let detail = format!(
                "a group has 2 to {GROUP} words or phrases, this one has {}",
                group.len()
            );
            return Err(Error::bad_input(&pointer, detail));
        }
        for (inner, text) in group.iter().enumerate() {
            if !(1..=WORDS).contains(&analyse::words(text).len()) {
                let detail = format!("a synonym has 1 to {WORDS} words; `{text}` has none or more");
                return Err(Error::bad_input(&format!("{pointer}/{inner}"), detail));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(groups: &[&[&str]]) -> Vec<Vec<String>> {
        groups
            .iter()
            .map(|group| group.iter().map(ToString::to_string).collect())
            .collect()
    }

    #[test]
    fn synonyms_are_found_in_the_order_of_the_words() {
        let synonyms = Synonyms::new(&groups(&[
            &["cv", "resume", "curriculum vitae"],
            &["hr", "human resources"],
        ]));
        let check = |text: &str, expected: &[&str]| {
            let words = analyse::words(text);
            let found: Vec<_> = synonyms.of(&words).iter().map(|words| words.join(" ")).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("send the Resumes", &["cv", "curriculum vitae"]);
        check("a curriculum vitae for human resources", &["cv", "resume", "hr"]);
        check("human and other resources", &[]);
        check("", &[]);
        assert!(synonyms.knows("resume") && !synonyms.knows("letter"));
    }

    #[test]
    fn a_faulty_group_is_told_where() {
        let fault = |given: &[&[&str]], pointer: &str, words: &str| {
            let Err(Error::BadInput { faults, .. }) = check(&groups(given), "/synonyms") else {
                panic!("it was accepted");
            };
            assert_eq!(faults[0].pointer, pointer);
            assert!(faults[0].detail.contains(words), "{}", faults[0].detail);
        };
        fault(&[&["cv"]], "/synonyms/0", "2 to 32");
        fault(&[&["a", "b"], &["cv", "?"]], "/synonyms/1/1", "1 to 8 words");
        fault(&[&["a", "b c d e f g h i j"]], "/synonyms/0/1", "1 to 8 words");
        fault(&vec![["a", "b"].as_slice(); 1_001], "/synonyms", "at most 1000");
    }
}
