//! The seam to the vector engine. Ids are content-addressed, so an upsert never changes what a reader uses.

use std::path::PathBuf;

use futures::future::BoxFuture;

use crate::error::Result;
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

/// A chunk's vector and what filters need.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The chunk, and the point's id.
    pub chunk: ChunkId,
    /// Of the collection's dimension, length 1.
    pub vector: Vec<f32>,
    /// The document's facts.
    pub metadata: Metadata,
    /// Who may read it; empty means everyone.
    pub principals: Vec<String>,
}

/// One collection's vectors.
pub trait VectorStore: Send + Sync {
    /// Adds points; durable after `flush`.
    fn upsert(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>>;
    /// Removes points; unknown ids are no error.
    fn remove(&self, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<()>>;
    /// The `k` nearest by cosine that `filter` and `reader` admit; best first, ties by id.
    fn search<'a>(
        &'a self,
        vector: Vec<f32>,
        filter: &'a Filter,
        reader: &'a Reader,
        k: usize,
    ) -> BoxFuture<'a, Result<Vec<Hit>>>;
    /// Every id, for the sweep.
    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>>;
    /// Makes all earlier writes durable.
    fn flush(&self) -> BoxFuture<'_, Result<()>>;
    /// Builds indexes and merges segments where that pays; may take minutes, searches go on.
    fn optimize(&self) -> BoxFuture<'_, Result<()>>;
    /// Copies all of them into `folder`, where they lie in files of ours; a server has backups of its own.
    fn copy_to(&self, folder: PathBuf) -> BoxFuture<'_, Result<()>>;
    /// Takes removed points off the disk where that takes no more than a moment.
    fn compact(&self) -> BoxFuture<'_, Result<()>>;
}
