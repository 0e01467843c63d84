//! The only writer. Vectors first, then one tantivy commit, then the stale vectors: a crash at any instruction
//! leaves the old state or the new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use tantivy::IndexWriter;

use crate::error::{Error, Result};
use crate::index::lexical::Lexical;
use crate::index::vectors::{Point, VectorStore};
use crate::types::{Chunk, ChunkId, Document, DocumentId};

/// A document's new version.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The parsed document.
    pub document: Document,
    /// Its chunks.
    pub chunks: Vec<Chunk>,
    /// A vector for each chunk.
    pub vectors: Vec<Vec<f32>>,
}

/// Holds the writer's lock for as long as the collection is open.
pub struct Publisher {
    writer: IndexWriter,
}

impl Publisher {
    /// A publisher around the collection's one writer.
    pub fn new(writer: IndexWriter) -> Self {
        Self { writer }
    }

    /// Publishes a batch; readers see all of it or nothing.
    pub async fn publish(
        &mut self,
        lexical: &Lexical,
        vectors: &Arc<dyn VectorStore>,
        batch: &[Replacement],
        removals: &[DocumentId],
    ) -> Result<()> {
        let kept: BTreeSet<ChunkId> = batch
            .iter()
            .flat_map(|replacement| &replacement.chunks)
            .map(|chunk| chunk.id)
            .collect();
        let before = chunks_before(lexical, batch, removals)?;
        let points: Vec<Point> = batch.iter().flat_map(points).collect();
        if !points.is_empty() {
            vectors.upsert(points).await?;
            vectors.flush().await?;
        }
        if let Err(error) = self.commit(lexical, batch, removals) {
            // What was staged must not ride along with the next commit.
            self.writer
                .rollback()
                .map_err(|error| Error::storage("cannot undo a failed commit", error))?;
            return Err(error);
        }
        let stale: Vec<ChunkId> = before.difference(&kept).copied().collect();
        if !stale.is_empty() {
            vectors.remove(stale).await?;
            vectors.flush().await?;
        }
        Ok(())
    }

    fn commit(&mut self, lexical: &Lexical, batch: &[Replacement], removals: &[DocumentId]) -> Result<()> {
        for id in removals {
            lexical.stage_removal(&self.writer, *id);
        }
        for replacement in batch {
            lexical.stage(&self.writer, &replacement.document, &replacement.chunks)?;
        }
        self.writer
            .commit()
            .map_err(|error| Error::storage("cannot commit the index", error))?;
        lexical.reload()
    }
}

/// Ids of the chunks that this batch replaces; made again from the stored documents, since ids are content.
fn chunks_before(lexical: &Lexical, batch: &[Replacement], removals: &[DocumentId]) -> Result<BTreeSet<ChunkId>> {
    let mut before = BTreeSet::new();
    for id in batch
        .iter()
        .map(|replacement| replacement.document.id)
        .chain(removals.iter().copied())
    {
        if let Some(document) = lexical.document(id)? {
            before.extend(indexer::chunk::split(&document).into_iter().map(|chunk| chunk.id));
        }
    }
    Ok(before)
}

fn points(replacement: &Replacement) -> impl Iterator<Item = Point> {
    replacement
        .chunks
        .iter()
        .zip(&replacement.vectors)
        .map(|(chunk, vector)| Point {
            chunk: chunk.id,
            vector: vector.clone(),
            metadata: replacement.document.metadata.clone(),
            principals: replacement.document.principals.clone(),
        })
}
