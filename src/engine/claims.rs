//! A claim, taken apart: its words, its clauses with their facts, and whether it denies. Pure.

use std::collections::BTreeSet;

use crate::engine::facts::{self, Fact, Facts};
use crate::index::analyse;

/// Fewer words than these are no claim that a mark can be found for.
const LEAST_WORDS: usize = 3;

/// A claim, taken apart.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub(super) text: &'a str,
    pub(super) words: BTreeSet<String>,
    pub(super) clauses: Vec<Clause>,
    pub(super) negated: bool,
}

/// What a part of a claim says.
#[derive(Clone, Debug)]
pub(super) struct Clause {
    pub words: BTreeSet<String>,
    pub facts: Facts,
    pub units: Vec<(String, String)>,
}

impl Clause {
    /// All facts of it.
    pub fn stated(&self) -> impl Iterator<Item = &Fact> {
        let Facts { numbers, dates, names } = &self.facts;
        numbers.iter().chain(dates).chain(names)
    }
}

impl<'a> Claim<'a> {
    /// Of `text`, a sentence without marks.
    pub fn of(text: &'a str) -> Self {
        let first = text.split(',').next().unwrap_or_default().trim().to_lowercase();
        // `No, shares cannot be sold` denies no more than what follows.
        let said = if ["no", "yes"].contains(&first.as_str()) {
            &text[first.len()..]
        } else {
            text
        };
        Self {
            text,
            words: words(text),
            clauses: clauses(text),
            negated: facts::is_negated(said),
        }
    }

    /// Whether it is long enough, or states enough, to be checked.
    pub fn is_checkable(&self) -> bool {
        self.words.len() >= LEAST_WORDS || self.clauses.iter().any(|clause| clause.stated().next().is_some())
    }
}

/// The clauses of a claim: what stands between commas and joining words.
fn clauses(text: &str) -> Vec<Clause> {
    let mut ends: Vec<usize> = Vec::new();
    for join in [", ", "; ", " and ", " but ", " while ", " which ", " because "] {
        ends.extend(text.match_indices(join).map(|(at, _)| at));
    }
    ends.push(text.len());
    ends.sort_unstable();
    let facts = facts::stated(text);
    let mut start = 0;
    let mut clauses = Vec::new();
    for end in ends {
        let part = &text[start..end];
        let own = facts::held(part);
        let here = |list: &[Fact]| list.iter().filter(|fact| own.contains(&fact.key)).cloned().collect();
        clauses.push(Clause {
            words: words(part),
            facts: Facts {
                numbers: here(&facts.numbers),
                dates: here(&facts.dates),
                names: here(&facts.names),
            },
            units: facts::units(part),
        });
        start = end;
    }
    clauses
}

/// The words of a text that tell something, as they are compared.
pub(super) fn words(text: &str) -> BTreeSet<String> {
    analyse::terms(text)
        .into_iter()
        .filter(|term| !term.stop)
        .map(|term| term.text)
        .collect()
}
