//! What the index knows of candidates beside their scores, without loading their texts.

use std::collections::{BTreeMap, BTreeSet};

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, SegmentReader, TERMINATED, Term};

use super::analyse;
use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::ChunkId;

/// Words of a question that are looked at.
const MAX_TERMS: usize = 32;

/// What is known of one candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clues {
    /// Share of the question's words that it holds, each by its idf.
    pub coverage: f32,
    /// Logarithm of its length in words.
    pub length: f32,
}

/// The clues of those `chunks` that exist, for the question `text`.
pub(super) fn clues(snapshot: &Snapshot, text: &str, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, Clues>> {
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
        if places.is_empty() {
            continue;
        }
        let lengths = segment.get_fieldnorms_reader(snapshot.fields.body).map_err(failed)?;
        let index = segment.inverted_index(snapshot.fields.body).map_err(failed)?;
        let mut covered = vec![0.0; places.len()];
        for (term, idf) in &terms {
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic).map_err(failed)? else {
                continue;
            };
            for ((place, _), covered) in places.iter().zip(&mut covered) {
                if postings.doc() < *place {
                    postings.seek(*place);
                }
                if postings.doc() == *place {
                    *covered += idf;
                }
            }
        }
        for ((place, chunk), covered) in places.into_iter().zip(covered) {
            let clues = Clues {
                coverage: if whole > 0.0 { covered / whole } else { 0.0 },
                length: (1.0 + lengths.fieldnorm(place) as f32).ln(),
            };
            found.insert(chunk, clues);
        }
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
