//! Looks at hits of the vector leg: whether they keep what the words demand, and which identifiers they hold.

use std::collections::BTreeMap;

use tantivy::query::{EnableScoring, Query, Scorer};
use tantivy::{DocId, SegmentReader};

use super::ask;
use super::asked::{Asked, Code};
use super::ids::Ids;
use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::ChunkId;

/// What a chunk holds of the identifiers that are asked for: 2 for one verbatim, 1 for its words in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Of those that cannot be anything else, such as `ERR_0042`.
    pub codes: usize,
    /// Of those that few texts have, such as `FB-30` and `BrokerLagHigh`.
    pub names: usize,
}

/// Those of `chunks` that hold every phrase and nothing excluded; for each, how much it holds of the identifiers.
pub(super) fn confirm(snapshot: &Snapshot, asked: &Asked, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, Held>> {
    let must: Vec<_> = ask::phrases(snapshot.fields, asked).collect();
    let without: Vec<_> = ask::without(snapshot.fields, asked).into_iter().collect();
    let queries = |codes: &[Code]| -> Vec<Box<dyn Query>> {
        let both = codes.iter().flat_map(|code| ask::code_queries(snapshot.fields, code));
        both.collect()
    };
    let (codes, names) = (queries(&asked.codes), queries(&asked.names));
    let mut confirmed = BTreeMap::new();
    for (segment, ids) in snapshot.searcher.segment_readers().iter().zip(&snapshot.ids) {
        let places = places(segment, ids, chunks);
        if places.is_empty() {
            continue;
        }
        let scorers = |queries: &[Box<dyn Query>]| -> Result<Vec<Box<dyn Scorer>>> {
            queries
                .iter()
                .map(|query| scorer(snapshot, segment, &**query))
                .collect()
        };
        let (mut must, mut without) = (scorers(&must)?, scorers(&without)?);
        let (mut codes, mut names) = (scorers(&codes)?, scorers(&names)?);
        for (document, chunk) in places {
            let holds = |scorer: &mut Box<dyn Scorer>| holds(scorer.as_mut(), document);
            if !must.iter_mut().all(holds) || without.iter_mut().any(holds) {
                continue;
            }
            let count = |scorers: &mut Vec<Box<dyn Scorer>>| scorers.iter_mut().map(holds).filter(|held| *held).count();
            let (codes, names) = (count(&mut codes), count(&mut names));
            confirmed.insert(chunk, Held { codes, names });
        }
    }
    Ok(confirmed)
}

/// Where the chunks lie in `segment`, in the order of the segment.
pub(super) fn places(segment: &SegmentReader, ids: &Ids, chunks: &[ChunkId]) -> Vec<(DocId, ChunkId)> {
    let mut places = Vec::new();
    for chunk in chunks {
        let alive = ids.places(*chunk).filter(|place| !segment.is_deleted(*place));
        places.extend(alive.map(|place| (place, *chunk)));
    }
    places.sort_unstable();
    places
}

fn scorer(snapshot: &Snapshot, segment: &SegmentReader, query: &dyn Query) -> Result<Box<dyn Scorer>> {
    let weight = query.weight(EnableScoring::disabled_from_searcher(&snapshot.searcher));
    weight.and_then(|weight| weight.scorer(segment, 1.0)).map_err(failed)
}

fn holds(scorer: &mut dyn Scorer, document: DocId) -> bool {
    if scorer.doc() < document {
        scorer.seek(document);
    }
    scorer.doc() == document
}
