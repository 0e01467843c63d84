//! The seam to the vector engine. Ids are content-addressed, so an upsert never changes what a reader uses.

use std::path::PathBuf;

use futures::future::BoxFuture;

use super::tokens::Sketch;
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
    /// What late interaction compares; empty where the engine keeps none.
    pub tokens: Vec<Sketch>,
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
    /// Whether it keeps the tokens, too, and they are to be compared there.
    fn keeps_tokens(&self) -> bool;
    /// For each of `chunks` in how many bits each token of the question differs from the chunk's nearest; none for
    /// chunks without tokens there.
    fn differences(&self, question: Vec<Sketch>, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<Vec<Option<Vec<u32>>>>>;
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
