//! What is asked, as tantivy queries.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, ExistsQuery, InvertedIndexRangeQuery, Occur,
    PhraseQuery, Query, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::asked::{Asked, Code};
use super::filter;
use super::lexical::Fields;
use crate::types::{Bounds, ChunkId, Filter, Reader};

type Clause = (Occur, Box<dyn Query>);

/// The query, or `None` when there are no words. Where everything is public, `reader` is `Everything`.
pub(super) fn query(fields: Fields, asked: &Asked, reader: &Reader) -> Option<Box<dyn Query>> {
    let conditions = conditions(fields, asked, reader);
    let words = words(fields, asked);
    match words {
        // Only words: tantivy answers by skipping blocks.
        Some(words) if conditions.is_empty() => Some(words),
        None if asked.phrases.is_empty() && !asked.lists => None,
        words => {
            // A document's own record is no passage.
            let every = || silent(Box::new(ExistsQuery::new("high".to_owned(), false)));
            let mut clauses = vec![(Occur::Must, words.unwrap_or_else(every))];
            clauses.extend(conditions);
            Some(Box::new(BooleanQuery::new(clauses)))
        }
    }
}

/// The same for passages with an identifier only; `None` when there is no identifier.
pub(super) fn with_code(fields: Fields, asked: &Asked, reader: &Reader) -> Option<Box<dyn Query>> {
    let mut any = Vec::new();
    for code in asked.verbatim() {
        any.extend(code_queries(fields, code).map(|query| (Occur::Should, query)));
    }
    if any.is_empty() {
        return None;
    }
    let mut clauses = vec![(Occur::Must, silent(Box::new(BooleanQuery::new(any))))];
    clauses.extend(words(fields, asked).map(|words| (Occur::Should, words)));
    clauses.extend(conditions(fields, asked, reader));
    Some(Box::new(BooleanQuery::new(clauses)))
}

/// The identifier verbatim, and its words in their order.
pub(super) fn code_queries(fields: Fields, code: &Code) -> [Box<dyn Query>; 2] {
    let verbatim = term_query(fields.exact, &code.identifier, IndexRecordOption::WithFreqs);
    [verbatim, phrase(fields, &code.words)]
}

/// What every passage holds.
pub(super) fn phrases(fields: Fields, asked: &Asked) -> impl Iterator<Item = Box<dyn Query>> {
    asked.phrases.iter().map(move |words| phrase(fields, words))
}

/// What no passage holds; `None` when nothing is excluded.
pub(super) fn without(fields: Fields, asked: &Asked) -> Option<Box<dyn Query>> {
    let mut any: Vec<Clause> = Vec::with_capacity(2 * asked.without.len() + 1);
    for words in &asked.without {
        // Twice: tantivy 0.27 asks a lone excluded phrase for places that it has passed, which breaks it (a debug
        // assertion); a union may be asked.
        any.push((Occur::Should, phrase(fields, words)));
        any.push((Occur::Should, phrase(fields, words)));
    }
    if !asked.without_words.is_empty() {
        let terms = asked.without_words.iter();
        let terms = terms.map(|word| Term::from_field_text(fields.exact, word));
        any.push((Occur::Should, Box::new(TermSetQuery::new(terms))));
    }
    (!any.is_empty()).then(|| -> Box<dyn Query> { Box::new(BooleanQuery::new(any)) })
}

/// What the conditions of `asked` admit, whatever its words are.
pub(super) fn admitted(fields: Fields, asked: &Asked, reader: &Reader) -> Box<dyn Query> {
    let mut clauses: Vec<Clause> = vec![(Occur::Must, Box::new(AllQuery))];
    clauses.extend(conditions(fields, asked, reader));
    Box::new(BooleanQuery::new(clauses))
}

/// Those of `chunks` that `filter` and `reader` admit.
pub(super) fn among(fields: Fields, chunks: &[ChunkId], filter: &Filter, reader: &Reader) -> Box<dyn Query> {
    let terms = chunks
        .iter()
        .map(|id| Term::from_field_text(fields.chunk, &id.to_string()));
    let mut clauses = vec![(Occur::Must, silent(Box::new(TermSetQuery::new(terms))))];
    if !filter.is_empty() {
        clauses.push((Occur::Must, silent(filter_query(fields, filter))));
    }
    clauses.extend(readable(fields, reader).map(|query| (Occur::Must, silent(query))));
    Box::new(BooleanQuery::new(clauses))
}

/// The chunks that `reader` may read; `None` when that is all of them.
pub(super) fn readable(fields: Fields, reader: &Reader) -> Option<Box<dyn Query>> {
    let names = filter::reader_words(reader)?;
    let terms = names.iter().map(|name| Term::from_field_text(fields.principals, name));
    Some(Box::new(TermSetQuery::new(terms)))
}

fn conditions(fields: Fields, asked: &Asked, reader: &Reader) -> Vec<Clause> {
    let mut conditions: Vec<Clause> = Vec::new();
    if !asked.filter.is_empty() {
        conditions.push((Occur::Must, silent(filter_query(fields, &asked.filter))));
    }
    conditions.extend(readable(fields, reader).map(|query| (Occur::Must, silent(query))));
    conditions.extend(phrases(fields, asked).map(|phrase| (Occur::Must, phrase)));
    conditions.extend(without(fields, asked).map(|without| (Occur::MustNot, without)));
    conditions
}

/// What adds to the score; `None` when there are no words.
fn words(fields: Fields, asked: &Asked) -> Option<Box<dyn Query>> {
    let mut any: Vec<Clause> = Vec::with_capacity(asked.terms.len() + asked.synonyms.len());
    for term in &asked.terms {
        let query = term_query(term.field, &term.text, IndexRecordOption::WithFreqs);
        any.push((Occur::Should, Box::new(BoostQuery::new(query, term.weight))));
    }
    for (words, weight) in &asked.synonyms {
        any.push((Occur::Should, Box::new(BoostQuery::new(phrase(fields, words), *weight))));
    }
    (!any.is_empty()).then(|| -> Box<dyn Query> { Box::new(BooleanQuery::new(any)) })
}

fn term_query(field: Field, text: &str, option: IndexRecordOption) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), option))
}

/// A condition: it decides, but adds nothing to the score.
fn silent(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}

fn phrase(fields: Fields, words: &[String]) -> Box<dyn Query> {
    let mut terms: Vec<_> = words
        .iter()
        .map(|word| Term::from_field_text(fields.exact, word))
        .collect();
    match terms.len() {
        0 => Box::new(EmptyQuery),
        1 => Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::WithFreqs)),
        _ => Box::new(PhraseQuery::new(terms)),
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
