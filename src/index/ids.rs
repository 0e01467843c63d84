//! Which chunk lies where in a segment, and where a chunk lies.

use std::sync::Arc;

use hashbrown::HashTable;
use tantivy::columnar::Column;
use tantivy::index::SegmentId;
use tantivy::{DocAddress, DocId, Searcher, SegmentReader};
use uuid::Uuid;

use super::lexical::{Snapshot, failed};
use crate::error::Result;
use crate::types::ChunkId;

/// The ids of a segment's chunks. A segment never changes, so neither do they.
///
/// Looking an id up in tantivy's dictionary of terms takes a hundred times as long, and a query looks up hundreds.
pub(super) struct Ids {
    segment: SegmentId,
    /// Nil for what is no chunk: the record of a document.
    chunks: Vec<Uuid>,
    places: HashTable<DocId>,
}

impl Ids {
    /// Those of every segment; what `before` has is taken over.
    pub fn of_all(searcher: &Searcher, before: &[Arc<Self>]) -> Result<Vec<Arc<Self>>> {
        let mut all = Vec::with_capacity(searcher.segment_readers().len());
        for segment in searcher.segment_readers() {
            let known = before.iter().find(|ids| ids.segment == segment.segment_id());
            all.push(match known {
                Some(ids) => Arc::clone(ids),
                None => Arc::new(Self::of(segment).map_err(failed)?),
            });
        }
        Ok(all)
    }

    fn of(segment: &SegmentReader) -> tantivy::Result<Self> {
        let columns = segment.fast_fields();
        let (high, low) = (columns.u64("high")?, columns.u64("low")?);
        let half = |column: &Column<u64>, document| column.first(document).unwrap_or_default();
        let documents = 0..segment.max_doc();
        let chunks: Vec<_> = documents
            .map(|document| Uuid::from_u64_pair(half(&high, document), half(&low, document)))
            .collect();
        let mut places = HashTable::with_capacity(chunks.len());
        for (id, document) in chunks.iter().zip(0..).filter(|(id, _)| !id.is_nil()) {
            places.insert_unique(hash(*id), document, |other: &DocId| hash(chunks[*other as usize]));
        }
        Ok(Self {
            segment: segment.segment_id(),
            chunks,
            places,
        })
    }

    /// The chunk at that place.
    pub fn id(&self, document: DocId) -> Option<ChunkId> {
        let id = self.chunks.get(document as usize)?;
        (!id.is_nil()).then_some(ChunkId(*id))
    }

    /// Where the chunk lies; also where it lay before it was replaced or removed.
    pub fn places(&self, chunk: ChunkId) -> impl Iterator<Item = DocId> {
        let places = self.places.iter_hash(hash(chunk.0)).copied();
        places.filter(move |place| self.chunks[*place as usize] == chunk.0)
    }
}

impl Snapshot {
    /// Where the chunk lies, if it exists.
    pub fn place(&self, chunk: ChunkId) -> Option<DocAddress> {
        let segments = self.searcher.segment_readers().iter().zip(&self.ids).zip(0..);
        let mut places = segments.flat_map(|((segment, ids), ordinal)| {
            let alive = ids.places(chunk).filter(|place| !segment.is_deleted(*place));
            alive.map(move |place| DocAddress::new(ordinal, place))
        });
        places.next()
    }

    /// The chunk at that place.
    pub fn id_at(&self, address: DocAddress) -> Option<ChunkId> {
        self.ids.get(address.segment_ord as usize)?.id(address.doc_id)
    }
}

/// Ids are digests, random enough by themselves.
fn hash(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    high ^ low.rotate_left(32)
}
