//! A reader's words, filter and rights as one tantivy query. No text makes it fail.

use std::collections::BTreeSet;
use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, InvertedIndexRangeQuery, Occur, PhraseQuery,
    Query, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::lexical::Fields;
use super::{analyse, filter};
use crate::types::{Bounds, ChunkId, Filter, Reader};

/// A question of 32 KB would visit every posting; what comes after these words changes little.
const MAX_TERMS: usize = 256;
const MAX_IDENTIFIERS: usize = 32;
const MAX_PHRASES: usize = 8;

type Clause = (Occur, Box<dyn Query>);

/// The query, or `None` when `text` has no words.
pub(super) fn query(fields: Fields, text: &str, filter: &Filter, reader: &Reader) -> Option<Box<dyn Query>> {
    let words = words_query(fields, text)?;
    Some(within(fields, words, filter, reader))
}

/// What `filter` and `reader` admit, with words or not; records of documents are among it.
pub(super) fn admitted(fields: Fields, filter: &Filter, reader: &Reader) -> Box<dyn Query> {
    within(fields, Box::new(AllQuery), filter, reader)
}

/// Those of `chunks` that `filter` and `reader` admit.
pub(super) fn among(fields: Fields, chunks: &[ChunkId], filter: &Filter, reader: &Reader) -> Box<dyn Query> {
    let terms = chunks
        .iter()
        .map(|id| Term::from_field_text(fields.chunk, &id.to_string()));
    within(fields, silent(Box::new(TermSetQuery::new(terms))), filter, reader)
}

fn within(fields: Fields, query: Box<dyn Query>, filter: &Filter, reader: &Reader) -> Box<dyn Query> {
    let mut conditions: Vec<Clause> = Vec::new();
    if !filter.is_empty() {
        conditions.push((Occur::Must, silent(filter_query(fields, filter))));
    }
    conditions.extend(readable(fields, reader).map(|query| (Occur::Must, silent(query))));
    if conditions.is_empty() {
        return query;
    }
    conditions.push((Occur::Must, query));
    Box::new(BooleanQuery::new(conditions))
}

/// The chunks that `reader` may read; `None` when that is all of them.
pub(super) fn readable(fields: Fields, reader: &Reader) -> Option<Box<dyn Query>> {
    let names = filter::reader_words(reader)?;
    let terms = names.iter().map(|name| Term::from_field_text(fields.principals, name));
    Some(Box::new(TermSetQuery::new(terms)))
}

fn term_query(field: Field, text: &str, option: IndexRecordOption) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), option))
}

/// A condition: it decides, but adds nothing to the score.
fn silent(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}

/// What the reader's words ask for; `None` when there are none.
fn words_query(fields: Fields, text: &str) -> Option<Box<dyn Query>> {
    let freqs = IndexRecordOption::WithFreqs;
    let terms = analyse::terms(text);
    let mut distinct = BTreeSet::new();
    let kept = terms.iter().filter(|term| !term.stop && distinct.insert(&term.text));
    let mut any: Vec<Clause> = Vec::new();
    for term in kept.take(MAX_TERMS) {
        any.push((Occur::Should, term_query(fields.body, &term.text, freqs)));
    }
    if any.is_empty() {
        let words: BTreeSet<_> = analyse::words(text).into_iter().map(|(word, _)| word).collect();
        let words = words.iter().take(MAX_TERMS);
        any.extend(words.map(|word| (Occur::Should, term_query(fields.exact, word, freqs))));
    }
    let boost = 2.0 + any.len().min(MAX_IDENTIFIERS) as f32;
    for identifier in analyse::identifiers(text).iter().take(MAX_IDENTIFIERS) {
        let query = term_query(fields.exact, identifier, freqs);
        let boosted = BoostQuery::new(query, if is_code(identifier) { boost } else { 1.0 });
        any.push((Occur::Should, Box::new(boosted)));
    }
    if any.is_empty() {
        return None;
    }
    let phrases = analyse::quoted(text)
        .into_iter()
        .filter_map(|part| phrase(fields, part));
    let mut all: Vec<Clause> = phrases.take(MAX_PHRASES).map(|phrase| (Occur::Must, phrase)).collect();
    if all.is_empty() {
        return Some(Box::new(BooleanQuery::new(any)));
    }
    all.extend(any);
    Some(Box::new(BooleanQuery::new(all)))
}

/// `ERR_0042` is what the reader came for, whatever else is said; `well-known`, `2025` and `IL-6` are words among
/// others: weighing them as codes costs a point of nDCG on `SciFact`.
fn is_code(identifier: &str) -> bool {
    let digits = identifier.chars().filter(char::is_ascii_digit).count();
    let joined = identifier.contains(['-', '.', '/']) && identifier.contains(char::is_alphabetic);
    identifier.contains('_') || identifier.contains("::") || (joined && digits >= 3)
}

fn phrase(fields: Fields, text: &str) -> Option<Box<dyn Query>> {
    let words = analyse::words(text).into_iter().take(MAX_TERMS);
    let mut terms: Vec<_> = words
        .map(|(word, _)| Term::from_field_text(fields.exact, &word))
        .collect();
    match terms.len() {
        0 => None,
        1 => Some(Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::WithFreqs))),
        _ => Some(Box::new(PhraseQuery::new(terms))),
    }
}

fn filter_query(fields: Fields, filter: &Filter) -> Box<dyn Query> {
    let all = |parts: &[Filter], occur| -> Vec<Clause> {
        parts.iter().map(|part| (occur, filter_query(fields, part))).collect()
    };
    match filter {
        Filter::All(parts) if parts.is_empty() => Box::new(AllQuery),
        Filter::All(parts) => Box::new(BooleanQuery::new(all(parts, Occur::Must))),
        Filter::Any(parts) if parts.is_empty() => Box::new(EmptyQuery),
        Filter::Any(parts) => Box::new(BooleanQuery::new(all(parts, Occur::Should))),
        Filter::Not(part) => Box::new(BooleanQuery::new(vec![
            (Occur::Must, Box::new(AllQuery)),
            (Occur::MustNot, filter_query(fields, part)),
        ])),
        Filter::In(field, wanted) => {
            let words = wanted.iter().filter_map(|value| filter::fact(field, value));
            let terms: Vec<_> = words.map(|word| Term::from_field_text(fields.facts, &word)).collect();
            if terms.is_empty() {
                return Box::new(EmptyQuery);
            }
            Box::new(TermSetQuery::new(terms))
        }
        Filter::Range(field, bounds) if !filter::is_open(bounds) => range(fields, field, bounds),
        Filter::Range(field, _) | Filter::Exists(field) => {
            term_query(fields.facts, &filter::fact_exists(field), IndexRecordOption::Basic)
        }
    }
}

fn range(fields: Fields, field: &str, bounds: &Bounds) -> Box<dyn Query> {
    let Some((first, last)) = filter::fact_limits(field, bounds) else {
        return Box::new(EmptyQuery);
    };
    let word = |value: &Option<serde_json::Value>| value.as_ref().and_then(|value| filter::fact(field, value));
    // At equal words the exclusive end is the narrower one.
    let lower = [(Some(first), 0), (word(&bounds.gte), 0), (word(&bounds.gt), 1)];
    let lower = lower
        .into_iter()
        .filter_map(|(word, strict)| Some((word?, strict)))
        .max();
    let upper = [(Some(last), 0), (word(&bounds.lte), 1), (word(&bounds.lt), 0)];
    let upper = upper.into_iter().filter_map(|(word, loose)| Some((word?, loose))).min();
    let (Some((low, strict)), Some((high, loose))) = (lower, upper) else {
        return Box::new(EmptyQuery);
    };
    if low > high || (low == high && (strict == 1 || loose == 0)) {
        return Box::new(EmptyQuery);
    }
    let end = |word: &str, included: bool| {
        let term = Term::from_field_text(fields.facts, word);
        if included {
            Bound::Included(term)
        } else {
            Bound::Excluded(term)
        }
    };
    Box::new(InvertedIndexRangeQuery::new(
        end(&low, strict == 0),
        end(&high, loose == 1),
    ))
}
