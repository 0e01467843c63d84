//! What stands in for the embedding model and the vectors where the rest is measured.

use std::path::PathBuf;

use futures::future::{BoxFuture, ready};
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use portolan::index::Sketch;
use portolan::index::vectors::{Point, VectorStore};
use portolan::types::{ChunkId, Filter, Hit, Reader};

const DIMENSION: usize = 384;

/// Costs nothing: every text has a vector of its length.
pub struct Free;

impl Embedder for Free {
    fn name(&self) -> &'static str {
        "free"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        let vector = |text: &String| {
            let mut vector = vec![0.0; DIMENSION];
            vector[text.len() % DIMENSION] = 1.0;
            vector
        };
        Box::pin(ready(Ok(texts.iter().map(vector).collect())))
    }
}

/// Keeps nothing.
pub struct NoVectors;

impl VectorStore for NoVectors {
    fn upsert(&self, _: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn remove(&self, _: Vec<ChunkId>) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn search<'a>(&'a self, _: Vec<f32>, _: &'a Filter, _: &'a Reader, _: usize) -> BoxFuture<'a, Result<Vec<Hit>>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn keeps_tokens(&self) -> bool {
        false
    }

    fn differences(&self, _: Vec<Sketch>, _: Vec<ChunkId>) -> BoxFuture<'_, Result<Vec<Option<Vec<u32>>>>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn copy_to(&self, _: PathBuf) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn optimize(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn compact(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}
