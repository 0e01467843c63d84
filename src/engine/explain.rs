//! Why a candidate is not on the page. What the reader may not read is not named, not even counted.

use crate::engine::pool::{Pool, Searched};
use crate::error::Result;
use crate::index::filter;
use crate::types::{ChunkId, Dropped, Passage, Query};

/// Dropped candidates that are told.
const MAX_DROPPED: usize = 200;

/// The candidates that `query` lost; `unfiltered` are those without its filter.
pub(super) fn dropped(
    pool: &Pool,
    unfiltered: Option<&Pool>,
    passages: &[Passage],
    query: &Query,
) -> Result<Vec<Dropped>> {
    let end = query.offset() + query.limit();
    let mut dropped = Vec::new();
    for (_, chunk, kept) in &pool.folded {
        dropped.push(lost("duplicate", *chunk, Some(*kept)));
    }
    for chunk in pool.fallen("diversity", end) {
        dropped.push(lost("diversity", chunk, None));
    }
    for (of, place) in pool.searched.iter().enumerate() {
        if query.options().group_size.is_some() {
            dropped.extend(crowded_out(place, pool.of(of), passages, query)?);
        }
        if let Some(unfiltered) = unfiltered {
            dropped.extend(refused(place, unfiltered.of(of), query)?.into_iter().take(end));
        }
    }
    dropped.truncate(MAX_DROPPED);
    Ok(dropped)
}

fn lost(step: &'static str, chunk: ChunkId, kept: Option<ChunkId>) -> Dropped {
    Dropped { chunk, step, kept }
}

/// Candidates of a document on the page for which its group has no room.
fn crowded_out(
    place: &Searched,
    candidates: Vec<ChunkId>,
    passages: &[Passage],
    query: &Query,
) -> Result<Vec<Dropped>> {
    let owners = place.collection.owners(&candidates, query.reader())?;
    let mut dropped = Vec::new();
    for chunk in candidates {
        let document = owners.get(&chunk).map(|card| card.id);
        let own =
            |passage: &&Passage| passage.collection == place.collection.name() && Some(passage.document.id) == document;
        let Some(best) = passages.iter().find(own) else {
            continue;
        };
        let more = best.display.group.iter().flat_map(|group| &group.more);
        if std::iter::once(best)
            .chain(more)
            .all(|passage| passage.chunk.id != chunk)
        {
            dropped.push(lost("group", chunk, Some(best.chunk.id)));
        }
    }
    Ok(dropped)
}

/// Those of `candidates` whose document does not fit the filter.
fn refused(place: &Searched, candidates: Vec<ChunkId>, query: &Query) -> Result<Vec<Dropped>> {
    let owners = place.collection.owners(&candidates, query.reader())?;
    let fits = |chunk: &ChunkId| {
        let card = owners.get(chunk);
        card.is_none_or(|card| filter::matches(query.filter(), &card.metadata))
    };
    let refused = candidates.into_iter().filter(|chunk| !fits(chunk));
    Ok(refused.map(|chunk| lost("filter", chunk, None)).collect())
}
