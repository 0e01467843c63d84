//! The collection's own words: whether a reader may know one, which are near it, which begin with it.
//!
//! A word that stands only in documents which the reader may not read, or which are gone, does not exist for him.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use tantivy::query::{BooleanQuery, EnableScoring, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{DocSet, TERMINATED, Term};

use super::analyse::Word;
use super::filter;
use super::language::Language;
use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::Reader;

/// Near words that stand for a mistyped one.
const MOST_NEAR: usize = 3;
/// Words that stand for a beginning.
const MOST_COMPLETIONS: usize = 12;
/// Words that begin like an excluded one and may be forms of it.
const MOST_FORMS: usize = 256;
/// Letters of the shortest word whose forms are excluded with it.
const SHORTEST_WITH_FORMS: usize = 3;
/// Looked at for each word that is kept: stop words and numbers drop out.
const SPARE: usize = 4;

/// The words of one commit as one reader may know them.
pub(super) struct Vocabulary<'a> {
    snapshot: &'a Snapshot,
    reader: &'a Reader,
}

/// A word of the collection that stands for what was typed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// Unstemmed, folded.
    pub word: String,
    /// More than 0 and at most 1: the most common one has 1.
    pub weight: f32,
}

impl<'a> Vocabulary<'a> {
    /// What `reader` may know of `snapshot`.
    pub fn new(snapshot: &'a Snapshot, reader: &'a Reader) -> Self {
        Self { snapshot, reader }
    }

    /// Whether any chunk that the reader may read has the term.
    pub fn holds(&self, field: Field, text: &str) -> Result<bool> {
        Ok(self.count(field, text)? > 0)
    }

    /// How many chunks have the term, or had it and are deleted; 0 where the reader may read none of them.
    pub fn count(&self, field: Field, text: &str) -> Result<u64> {
        let term = Term::from_field_text(field, text);
        let count = self.snapshot.searcher.doc_freq(&term).map_err(failed)?;
        let principals = filter::reader_words(self.snapshot.reader(self.reader));
        if count == 0 || (principals.is_none() && count > self.snapshot.deleted()) {
            return Ok(count);
        }
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let any = self.any(Box::new(query), principals)?;
        Ok(if any { count } else { 0 })
    }

    /// Whether a document that the reader may read has the metadata field.
    pub fn is_field(&self, name: &str) -> bool {
        self.holds(self.snapshot.fields.facts, &filter::fact_exists(name))
            .unwrap_or(false)
    }

    /// Words within one change of letters, or two of a word of eight letters; none for a short word.
    ///
    /// A changed pair of neighbours is one change (Damerau). Who makes two rarely makes one in the first letter.
    pub fn near(&self, word: &str) -> Result<Vec<Known>> {
        let farthest = match word.chars().count() {
            0..=3 => 0,
            4..=7 => 1,
            _ => 2,
        };
        for distance in 1..=farthest {
            let term = Term::from_field_text(self.snapshot.fields.exact, word);
            let found = self.matching(&FuzzyTermQuery::new(term, distance, true), word, distance)?;
            let found = self.known(found, MOST_NEAR)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// The most common words that begin like `prefix`; when there are none, those that begin nearly like it.
    pub fn completions(&self, prefix: &str, stop: &dyn Fn(&str) -> bool) -> Result<Vec<Known>> {
        let mut found = self.snapshot.beginning(prefix, MOST_COMPLETIONS * SPARE)?;
        if found.is_empty() && prefix.chars().count() > 3 {
            let term = Term::from_field_text(self.snapshot.fields.exact, prefix);
            found = self.matching(&FuzzyTermQuery::new_prefix(term, 1, true), prefix, 2)?;
        }
        found.retain(|(word, _)| !stop(word));
        self.known(found, MOST_COMPLETIONS)
    }

    /// Words that begin with `word` and have its stem: `passwords` for `password`.
    pub fn forms(&self, word: &str, languages: &[Language]) -> Result<Vec<String>> {
        if word.chars().count() < SHORTEST_WITH_FORMS {
            return Ok(Vec::new());
        }
        let mut stemmers: Vec<_> = languages.iter().map(|language| language.stemmer()).collect();
        let mut stems = |word: &str| -> Vec<String> {
            let word = Word::folded(word.to_owned());
            stemmers.iter_mut().map(|stemmer| stemmer.stem(&word)).collect()
        };
        let own = stems(word);
        let mut forms = Vec::new();
        for (form, _) in self.snapshot.beginning(word, MOST_FORMS)? {
            if stems(&form).iter().zip(&own).any(|(theirs, own)| theirs == own) {
                forms.push(form);
            }
        }
        Ok(forms)
    }

    /// The words that the automaton of `fuzzy` takes, with their counts.
    fn matching(&self, fuzzy: &FuzzyTermQuery, typed: &str, distance: u8) -> Result<Vec<(String, u64)>> {
        let automaton = fuzzy.automaton().map_err(failed)?;
        let first = typed.chars().next().map_or(0, char::len_utf8);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for segment in self.snapshot.searcher.segment_readers() {
            let index = segment.inverted_index(self.snapshot.fields.exact).map_err(failed)?;
            let mut builder = index.terms().search(&automaton);
            if distance > 1 {
                let end = [&typed.as_bytes()[..first], &[0xff]].concat();
                builder = builder.ge(&typed.as_bytes()[..first]).lt(end);
            }
            let mut stream = builder.into_stream().map_err(failed)?;
            while stream.advance() {
                if let Ok(word) = std::str::from_utf8(stream.key())
                    && word.chars().all(char::is_alphabetic)
                {
                    *counts.entry(word.to_owned()).or_default() += u64::from(stream.value().doc_freq);
                }
            }
        }
        Ok(counts.into_iter().collect())
    }

    /// The `most` frequent of `found` that exist for the reader.
    fn known(&self, mut found: Vec<(String, u64)>, most: usize) -> Result<Vec<Known>> {
        found.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        let mut known = Vec::new();
        let mut highest = 0;
        for (word, count) in found.into_iter().take(most * SPARE) {
            if known.len() == most {
                break;
            }
            if self.holds(self.snapshot.fields.exact, &word)? {
                highest = highest.max(count);
                // A rare word is worth more in a chunk, but less as a guess.
                let weight = (count as f32 / highest as f32).sqrt();
                known.push(Known { word, weight });
            }
        }
        Ok(known)
    }

    fn any(&self, query: Box<dyn Query>, principals: Option<Vec<String>>) -> Result<bool> {
        let mut clauses = vec![(Occur::Must, query)];
        if let Some(names) = principals {
            let one = |name: &String| -> (Occur, Box<dyn Query>) {
                let term = Term::from_field_text(self.snapshot.fields.principals, name);
                (Occur::Should, Box::new(TermQuery::new(term, IndexRecordOption::Basic)))
            };
            clauses.push((
                Occur::Must,
                Box::new(BooleanQuery::new(names.iter().map(one).collect())),
            ));
        }
        let searcher = &self.snapshot.searcher;
        let weight = BooleanQuery::new(clauses)
            .weight(EnableScoring::disabled_from_searcher(searcher))
            .map_err(failed)?;
        for segment in searcher.segment_readers() {
            let mut found = weight.scorer(segment, 1.0).map_err(failed)?;
            while found.doc() != TERMINATED {
                if segment.alive_bitset().is_none_or(|alive| alive.is_alive(found.doc())) {
                    return Ok(true);
                }
                found.advance();
            }
        }
        Ok(false)
    }
}

impl Snapshot {
    /// The `most` frequent words and identifiers that begin with `prefix`, with their counts; stop words among them.
    fn beginning(&self, prefix: &str, most: usize) -> Result<Vec<(String, u64)>> {
        let end = [prefix.as_bytes(), &[0xff]].concat();
        let indexes: tantivy::Result<Vec<_>> = self
            .searcher
            .segment_readers()
            .iter()
            .map(|segment| segment.inverted_index(self.fields.exact))
            .collect();
        let indexes = indexes.map_err(failed)?;
        let mut streams = Vec::with_capacity(indexes.len());
        for index in &indexes {
            let range = index.terms().range().ge(prefix).lt(&end);
            streams.push(range.into_stream().map_err(failed)?);
        }
        let mut merger = TermMerger::new(streams);
        let mut best: BinaryHeap<Reverse<(u64, Reverse<String>)>> = BinaryHeap::new();
        while merger.advance() {
            let infos = merger.current_segment_ords_and_term_infos();
            let count: u64 = infos.map(|(_, info)| u64::from(info.doc_freq)).sum();
            let full = best.len() == most;
            if full && best.peek().is_some_and(|Reverse((least, _))| count <= *least) {
                continue;
            }
            if let Ok(word) = std::str::from_utf8(merger.key()) {
                if full {
                    best.pop();
                }
                best.push(Reverse((count, Reverse(word.to_owned()))));
            }
        }
        Ok(best
            .into_iter()
            .map(|Reverse((count, Reverse(word)))| (word, count))
            .collect())
    }
}
