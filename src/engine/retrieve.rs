//! Both legs at once, each with a deadline. A leg that fails or is late is a word in `degraded`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::fuse::{self, Fused};
use crate::error::{Error, Result};
use crate::gateway::{Embedder, TextKind};
use crate::index::Collection;
use crate::telemetry;
use crate::types::{Found, Hit, Mode, Passage, Query, Step};

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

/// Searches one collection: legs, fusion, texts. `depth` passages at most.
pub async fn search(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    query: &Query,
    depth: usize,
) -> Result<Found> {
    let asked = depth.max(CANDIDATES);
    let candidates = candidates(collection, embedder, query, asked).await?;
    let started = Instant::now();
    let mut fused = fuse::fuse(collection, query, &candidates, asked).await?;
    let total = fused.len();
    fused.truncate(depth);
    let mut trace = candidates.steps;
    trace.push(Step {
        name: "fuse",
        took: started.elapsed(),
        count: total,
    });
    let started = Instant::now();
    let passages = texts(collection, query, fused).await?;
    trace.push(Step {
        name: "passages",
        took: started.elapsed(),
        count: passages.len(),
    });
    for step in &trace {
        metrics::histogram!(telemetry::RETRIEVAL_DURATION, "stage" => step.name).record(step.took.as_secs_f64());
    }
    Ok(Found {
        passages,
        degraded: candidates.degraded,
        trace,
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

async fn texts(collection: &Arc<Collection>, query: &Query, fused: Vec<Fused>) -> Result<Vec<Passage>> {
    let (collection, query) = (collection.clone(), query.clone());
    blocking(move || {
        let hits: Vec<Hit> = fused
            .iter()
            .map(|hit| Hit {
                chunk: hit.chunk,
                score: hit.scores.fused,
            })
            .collect();
        let mut passages = collection.passages(&hits, query.text(), query.reader())?;
        for passage in &mut passages {
            if let Some(hit) = fused.iter().find(|hit| hit.chunk == passage.chunk.id) {
                passage.scores = hit.scores;
            }
        }
        Ok(passages)
    })
    .await
}

/// Runs CPU work off the async threads.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Internal(format!("a worker ended early: {error}"))),
    }
}
