//! How much of a question each candidate holds, without loading its text.

use std::collections::{BTreeMap, BTreeSet};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED, Term};

use super::analyse;
use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::ChunkId;

/// Words of a question that are looked at.
const MAX_TERMS: usize = 32;

/// For each of `chunks` that exists the share of the words of `text` that it holds, each word by its idf.
pub(super) fn coverage(snapshot: &Snapshot, text: &str, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, f32>> {
    let words = analyse::terms(text).into_iter().filter(|term| !term.stop);
    let words: BTreeSet<String> = words.map(|term| term.text).collect();
    let mut terms = Vec::new();
    for word in words.iter().take(MAX_TERMS) {
        terms.push((Term::from_field_text(snapshot.fields.body, word), snapshot.idf(word)));
    }
    let whole: f32 = terms.iter().map(|(_, idf)| idf).sum();
    let mut found = BTreeMap::new();
    for segment in snapshot.searcher.segment_readers() {
        let places = places(snapshot, segment, chunks)?;
        let mut covered = vec![0.0; places.len()];
        let index = segment.inverted_index(snapshot.fields.body).map_err(failed)?;
        for (term, idf) in terms.iter().filter(|_| !places.is_empty()) {
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic).map_err(failed)? else {
                continue;
            };
            for ((place, _), covered) in places.iter().zip(&mut covered) {
                if postings.doc() < *place {
                    postings.seek(*place);
                }
                if postings.doc() == *place {
                    *covered += idf / whole;
                }
            }
        }
        found.extend(places.into_iter().map(|(_, chunk)| chunk).zip(covered));
    }
    Ok(found)
}

/// Where the chunks lie in `segment`, in the order of the segment.
fn places(snapshot: &Snapshot, segment: &SegmentReader, chunks: &[ChunkId]) -> Result<Vec<(DocId, ChunkId)>> {
    let index = segment.inverted_index(snapshot.fields.chunk).map_err(failed)?;
    let mut places = Vec::new();
    for chunk in chunks {
        let term = Term::from_field_text(snapshot.fields.chunk, &chunk.to_string());
        let Some(mut found) = index.read_postings(&term, IndexRecordOption::Basic).map_err(failed)? else {
            continue;
        };
        while found.doc() != TERMINATED {
            if !segment.is_deleted(found.doc()) {
                places.push((found.doc(), *chunk));
            }
            found.advance();
        }
    }
    places.sort_unstable();
    Ok(places)
}
