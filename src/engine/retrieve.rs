//! Both legs, each with a deadline for what it waits for: an embedder, a server. A leg that fails or is late is a word
//! in `degraded`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::expand::{self, Expander};
use crate::engine::fuse::{self, Fused, Legs};
use crate::engine::rerank::{Reranking, Subject};
use crate::error::{Error, Result};
use crate::gateway::{Embedder, TextKind};
use crate::index::work::blocking;
use crate::index::{Asked, Collection, Held};
use crate::types::{ChunkId, Hit, MAX_LIMIT, MAX_OFFSET, Mode, Query, Step};

/// How many hits each leg yields before fusion.
pub const CANDIDATES: usize = 100;
/// So many times more are asked of the vector leg where some of its hits will be dropped.
const SPARE: usize = 4;
/// A leg that takes longer is left out.
const LEG_DEADLINE: Duration = Duration::from_secs(5);

/// What the legs found, before fusion.
#[derive(Debug)]
pub struct Candidates {
    /// What the query means to the collection.
    pub asked: Arc<Asked>,
    /// BM25, best first.
    pub lexical: Vec<Hit>,
    /// Cosine, best first.
    pub vector: Vec<Hit>,
    /// Names of the legs that did not answer.
    pub degraded: Vec<String>,
    /// What each leg took.
    pub steps: Vec<Step>,
    /// How much each of the hits holds of the identifiers that were asked for; empty when there were none.
    pub held: BTreeMap<ChunkId, Held>,
    /// What only a model's other words found.
    pub also: Vec<ChunkId>,
}

/// What a search is made with.
pub struct Tools<'a> {
    /// Makes the vector of the query.
    pub embedder: &'a Arc<dyn Embedder>,
    /// Moves the best candidates.
    pub reranking: &'a Reranking,
    /// Writes other words for the query, when that is asked for.
    pub expander: Option<&'a Expander>,
}

/// What one collection offers, best first, and how far its legs saw.
#[derive(Debug)]
pub struct Retrieved {
    /// The query as the collection understands it.
    pub asked: Arc<Asked>,
    /// The merged hits of both legs, with what the reranker thinks of them.
    pub fused: Vec<Fused>,
    /// What the vector leg found, and what only other words found.
    pub vector: Vec<ChunkId>,
    /// The last lexical score, when the leg may know more than it told.
    pub lowest: Option<f32>,
    /// Names of the legs that did not answer.
    pub degraded: Vec<String>,
    /// What each step took.
    pub steps: Vec<Step>,
    /// Candidates that the reranker looked at and could not judge.
    pub unjudged: usize,
}

/// Searches each of the collections: legs, fusion, reranking. How deep the page is changes nothing, or it would change
/// the order.
pub async fn search(collections: &[Arc<Collection>], tools: &Tools<'_>, query: &Query) -> Result<Vec<Retrieved>> {
    let Tools {
        embedder, reranking, ..
    } = *tools;
    // Cosine alone keeps its order however many are asked for.
    let asked = match query.mode() {
        Mode::Vector if query.offset() + query.limit() > CANDIDATES => MAX_OFFSET + MAX_LIMIT,
        Mode::Hybrid | Mode::Lexical | Mode::Vector => CANDIDATES,
    };
    let legs = collections.iter().map(|one| candidates(one, embedder, query, asked));
    let legs = futures::future::try_join_all(legs);
    // The model writes while the legs search.
    let (found, expanded) = futures::join!(legs, expand::ask(tools.expander, query));
    let mut found: Vec<_> = collections.iter().cloned().zip(found?).collect();
    let started = Instant::now();
    let (mut fused, floor) = fuse::fuse(&found, asked).await?;
    let took = started.elapsed();
    if let Some(expanded) = expanded {
        expand::widen((&mut found, &mut fused, floor), expanded, (embedder, query)).await;
    }
    for ((_, candidates), fused) in found.iter_mut().zip(&mut fused) {
        fuse::exact_first(fused, &candidates.held);
        candidates.steps.push(Step {
            name: "fuse",
            took,
            count: fused.len(),
        });
    }
    let ranked = found
        .into_iter()
        .zip(fused)
        .map(|((collection, candidates), fused)| async move {
            let question = candidates.asked.clone();
            let subject = Subject {
                collection: &collection,
                embedder,
                asked: &question,
                mode: query.mode(),
            };
            rerank(subject, reranking, fused, candidates, asked).await
        });
    Ok(futures::future::join_all(ranked).await)
}

async fn rerank(
    subject: Subject<'_>,
    reranking: &Reranking,
    mut fused: Vec<Fused>,
    mut candidates: Candidates,
    asked: usize,
) -> Retrieved {
    let mut unjudged = 0;
    if let Some(judged) = reranking.apply(subject, &mut fused).await {
        candidates.steps.push(judged.step);
        unjudged = judged.missing;
        if let Err(error) = judged.outcome {
            tracing::warn!(%error, "the reranker failed");
            candidates.degraded.push("rerank".to_owned());
        }
    }
    let full = candidates.lexical.len() == asked;
    Retrieved {
        fused,
        asked: candidates.asked,
        vector: candidates
            .vector
            .iter()
            .map(|hit| hit.chunk)
            .chain(candidates.also)
            .collect(),
        lowest: candidates.lexical.last().filter(|_| full).map(|hit| hit.score),
        degraded: candidates.degraded,
        steps: candidates.steps,
        unjudged,
    }
}

/// Understands the query and asks both legs at once.
pub async fn candidates(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    query: &Query,
    k: usize,
) -> Result<Candidates> {
    let started = Instant::now();
    let asked = understand(collection, query).await?;
    let mut candidates = Candidates::new(asked.clone(), started.elapsed());
    if asked.text.is_empty() {
        return Ok(candidates);
    }
    // The vector leg first: it waits for the embedder or a server, and the words are looked up meanwhile.
    let (vector, lexical) = futures::join!(
        leg(
            query.mode() != Mode::Lexical,
            vector_leg(collection, embedder, &asked, k)
        ),
        leg(query.mode() != Mode::Vector, lexical_leg(collection, &asked, k)),
    );
    candidates.gather([("lexical", lexical), ("vector", vector)])?;
    if asked.is_strict() {
        hold(collection, &mut candidates).await?;
        candidates.vector.truncate(k);
    }
    Ok(candidates)
}

type Outcome = (Result<Vec<Hit>>, Duration);

impl Candidates {
    fn new(asked: Arc<Asked>, took: Duration) -> Self {
        let count = asked.corrections.len();
        Self {
            asked,
            lexical: Vec::new(),
            vector: Vec::new(),
            degraded: Vec::new(),
            steps: vec![Step {
                name: "understand",
                took,
                count,
            }],
            held: BTreeMap::new(),
            also: Vec::new(),
        }
    }

    /// What the legs found when each was asked for `asked` hits.
    pub fn legs(&self, asked: usize) -> Legs<'_> {
        Legs {
            lexical: &self.lexical,
            vector: &self.vector,
            asked,
        }
    }

    /// Takes what the legs answered. A half answer beats none; no answer at all is an error.
    fn gather(&mut self, outcomes: [(&'static str, Option<Outcome>); 2]) -> Result<()> {
        let (mut answered, mut last_error) = (false, None);
        for (name, outcome) in outcomes {
            let Some((outcome, took)) = outcome else { continue };
            let hits = outcome.unwrap_or_else(|error| {
                tracing::warn!(leg = name, took_ms = took.as_millis() as u64, %error, "a leg failed");
                self.degraded.push(name.to_owned());
                last_error = Some(error);
                Vec::new()
            });
            answered |= !self.degraded.iter().any(|leg| leg == name);
            let count = hits.len();
            self.steps.push(Step { name, took, count });
            if name == "lexical" {
                self.lexical = hits;
            } else {
                self.vector = hits;
            }
        }
        match last_error {
            Some(error) if !answered => Err(error),
            _ => Ok(()),
        }
    }
}

async fn understand(collection: &Arc<Collection>, query: &Query) -> Result<Arc<Asked>> {
    let (collection, query) = (collection.clone(), query.clone());
    blocking(move || collection.understand(&query).map(Arc::new)).await
}

/// Words demand more of a hit than being near: what the vector leg found must hold it too.
async fn hold(collection: &Arc<Collection>, candidates: &mut Candidates) -> Result<()> {
    let (collection, asked) = (collection.clone(), candidates.asked.clone());
    let hits = candidates.lexical.iter().chain(&candidates.vector);
    let chunks: BTreeSet<ChunkId> = hits.map(|hit| hit.chunk).collect();
    let chunks: Vec<ChunkId> = chunks.into_iter().collect();
    candidates.held = blocking(move || collection.confirm(&asked, &chunks)).await?;
    candidates.vector.retain(|hit| candidates.held.contains_key(&hit.chunk));
    Ok(())
}

async fn leg(wanted: bool, work: impl Future<Output = Result<Vec<Hit>>>) -> Option<Outcome> {
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

async fn lexical_leg(collection: &Arc<Collection>, asked: &Arc<Asked>, k: usize) -> Result<Vec<Hit>> {
    let (collection, asked) = (collection.clone(), asked.clone());
    blocking(move || collection.lexical(&asked, k)).await
}

async fn vector_leg(
    collection: &Arc<Collection>,
    embedder: &Arc<dyn Embedder>,
    asked: &Asked,
    k: usize,
) -> Result<Vec<Hit>> {
    let k = if asked.is_demanding() { k * SPARE } else { k };
    let mut vectors = embedder.embed(vec![asked.text.clone()], TextKind::Query).await?;
    let vector = vectors
        .pop()
        .ok_or_else(|| Error::Internal("the embedder gave no vector".into()))?;
    collection.vector(vector, &asked.filter, &asked.reader, k).await
}

#[cfg(test)]
#[path = "retrieve_tests.rs"]
mod tests;
