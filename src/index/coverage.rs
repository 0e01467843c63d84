//! How much of a question each candidate holds, without loading its text.

use std::collections::BTreeMap;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Term};

use super::asked::Asked;
use super::confirm::places;
use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::ChunkId;

/// Words of a question that are looked at.
const MAX_TERMS: usize = 32;

/// For each of `chunks` that exists the share of the words of `asked` that it holds, each word by its idf.
pub(super) fn coverage(snapshot: &Snapshot, asked: &Asked, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, f32>> {
    let mut terms = Vec::new();
    for word in asked.terms.iter().take(MAX_TERMS) {
        // What was not typed counts less; an identifier is one word among others here.
        let weight = word.weight.min(1.0) * snapshot.rarity(snapshot.having(word.field, &word.text));
        terms.push((word.field, Term::from_field_text(word.field, &word.text), weight));
    }
    let whole: f32 = terms.iter().map(|(_, _, weight)| weight).sum();
    let mut found = BTreeMap::new();
    for (segment, ids) in snapshot.searcher.segment_readers().iter().zip(&snapshot.ids) {
        let places = places(segment, ids, chunks);
        let mut covered = vec![0.0; places.len()];
        for (field, term, weight) in terms.iter().filter(|_| !places.is_empty()) {
            let index = segment.inverted_index(*field).map_err(failed)?;
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic).map_err(failed)? else {
                continue;
            };
            for ((place, _), covered) in places.iter().zip(&mut covered) {
                if postings.doc() < *place {
                    postings.seek(*place);
                }
                if postings.doc() == *place {
                    *covered += weight / whole;
                }
            }
        }
        found.extend(places.into_iter().map(|(_, chunk)| chunk).zip(covered));
    }
    Ok(found)
}
