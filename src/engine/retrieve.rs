//! Both legs at once, each with a deadline. A leg that fails or is late is a word in `degraded`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::fuse::{self, Fused};
use crate::engine::rerank::{Reranking, Subject};
use crate::error::{Error, Result};
use crate::gateway::{Embedder, TextKind};
use crate::index::Collection;
use crate::types::{ChunkId, Hit, Mode, Query, Step};

/// How many hits each leg yields before fusion.
pub const CANDIDATES: usize = 100;
/// A leg that takes longer is left out.
const LEG_DEADLINE: Duration = Duration::from_secs(5);

/// What the legs found, before fusion.
#[derive(Debug, Default)]
pub struct Candidates {
    /// BM25, best first.
    pub lexical: Vec<Hit>,
    /// Cosine, best first.
    pub vector: Vec<Hit>,
    /// Names of the legs that did not answer.
    pub degraded: Vec<String>,
    /// What each leg took.
    pub steps: Vec<Step>,
}

/// What one collection offers, best first, and how far its legs saw.
#[derive(Debug, Default)]
pub struct Retrieved {
    /// The merged hits of both legs, as the reranker ordered them.
    pub fused: Vec<Fused>,
    /// What the vector leg found.
    pub vector: Vec<ChunkId>,
    /// The last lexical score, when the leg may know more than it told.
    pub lowest: Option<f32>,
    /// Names of the legs that did not answer.
    pub degraded: Vec<String>,
    /// What each step took.
    pub steps: Vec<Step>,
}

/// Searches one collection: legs, fusion, reranking. How deep the page is changes nothing, or it would change the order.
pub async fn search(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    reranking: &Reranking,
    query: &Query,
) -> Result<Retrieved> {
    // Cosine alone keeps its order however many are asked for.
    let asked = match query.mode() {
        Mode::Vector => CANDIDATES.max(query.offset() + query.limit()),
        Mode::Hybrid | Mode::Lexical => CANDIDATES,
    };
    let mut candidates = candidates(collection, embedder, query, asked).await?;
    let started = Instant::now();
    let mut fused = fuse::convex(&candidates.lexical, &candidates.vector, fuse::VECTOR_WEIGHT, asked);
    let mut steps = candidates.steps;
    steps.push(Step {
        name: "fuse",
        took: started.elapsed(),
        count: fused.len(),
    });
    let subject = Subject {
        collection,
        embedder,
        query,
    };
    if let Some((step, outcome)) = reranking.apply(subject, &mut fused).await {
        steps.push(step);
        if let Err(error) = outcome {
            tracing::warn!(%error, "the reranker failed");
            candidates.degraded.push("rerank".to_owned());
        }
    }
    let full = candidates.lexical.len() == asked;
    Ok(Retrieved {
        fused,
        vector: candidates.vector.iter().map(|hit| hit.chunk).collect(),
        lowest: candidates.lexical.last().filter(|_| full).map(|hit| hit.score),
        degraded: candidates.degraded,
        steps,
    })
}

/// Asks both legs at once.
pub async fn candidates(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    query: &Query,
    k: usize,
) -> Result<Candidates> {
    let (lexical, vector) = futures::join!(
        leg(query.mode() != Mode::Vector, lexical_leg(collection, query, k)),
        leg(
            query.mode() != Mode::Lexical,
            vector_leg(collection, embedder, query, k)
        ),
    );
    let mut candidates = Candidates::default();
    let mut last_error = None;
    for (name, outcome) in [("lexical", lexical), ("vector", vector)] {
        match outcome {
            None => {}
            Some((Ok(hits), took)) => {
                candidates.steps.push(Step {
                    name,
                    took,
                    count: hits.len(),
                });
                if name == "lexical" {
                    candidates.lexical = hits;
                } else {
                    candidates.vector = hits;
                }
            }
            Some((Err(error), took)) => {
                tracing::warn!(leg = name, took_ms = took.as_millis() as u64, %error, "a leg failed");
                candidates.steps.push(Step { name, took, count: 0 });
                candidates.degraded.push(name.to_owned());
                last_error = Some(error);
            }
        }
    }
    let asked = if query.mode() == Mode::Hybrid { 2 } else { 1 };
    match last_error {
        // A half answer beats none; no answer at all is an error.
        Some(error) if candidates.degraded.len() == asked => Err(error),
        _ => Ok(candidates),
    }
}

async fn leg(wanted: bool, work: impl Future<Output = Result<Vec<Hit>>>) -> Option<(Result<Vec<Hit>>, Duration)> {
    if !wanted {
        return None;
    }
    let started = Instant::now();
    let late = || Error::Overloaded {
        detail: format!("no answer within {} s", LEG_DEADLINE.as_secs()),
        retry_after: Duration::from_secs(1),
    };
    let outcome = tokio::time::timeout(LEG_DEADLINE, work)
        .await
        .unwrap_or_else(|_| Err(late()));
    Some((outcome, started.elapsed()))
}

async fn lexical_leg(collection: &Arc<Collection>, query: &Query, k: usize) -> Result<Vec<Hit>> {
    let (collection, query) = (collection.clone(), query.clone());
    blocking(move || collection.lexical(query.text(), query.filter(), query.reader(), k)).await
}

async fn vector_leg(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    query: &Query,
    k: usize,
) -> Result<Vec<Hit>> {
    let mut vectors = embedder.embed(vec![query.text().to_owned()], TextKind::Query).await?;
    let vector = vectors
        .pop()
        .ok_or_else(|| Error::Internal("the embedder gave no vector".into()))?;
    collection.vector(vector, query.filter(), query.reader(), k).await
}

/// Runs CPU work off the async threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Internal(format!("a worker ended early: {error}"))),
    }
}

#[cfg(test)]
#[path = "retrieve_tests.rs"]
mod tests;
