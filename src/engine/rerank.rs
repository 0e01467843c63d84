//! Moves the best candidates: by late interaction over the token vectors that the index keeps, or by a model that
//! reads them. What is late or fails leaves the order as it was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::fuse::Fused;
use crate::engine::retrieve::blocking;
use crate::error::{Error, Result};
use crate::gateway::{Embedder, Reranker, TextKind};
use crate::index::{Asked, BITS, Collection, Comparison, Sketch};
use crate::types::{Chunk, ChunkId, Hit, Mode, Step};

/// Candidates that are looked at.
pub const CANDIDATES: usize = 50;

/// What reranks, how much it counts and how long it may take.
pub struct Reranking {
    /// What reranks.
    pub kind: Kind,
    /// Its share of a candidate's score, 0 to 1; the rest is what the fusion gave.
    pub weight: f32,
    /// After this the fused order stays.
    pub budget: Duration,
}

/// What reranks.
#[derive(Clone)]
pub enum Kind {
    /// Nothing.
    Nothing,
    /// The embedder's own token vectors.
    LateInteraction,
    /// A model that reads question and passage.
    Model(Arc<dyn Reranker>),
}

/// Where and what for.
pub struct Subject<'a> {
    /// The collection of the candidates.
    pub collection: &'a Arc<Collection>,
    /// Knows the question's tokens.
    pub embedder: &'a Arc<dyn Embedder>,
    /// The question as the collection understands it.
    pub asked: &'a Arc<Asked>,
    /// The legs.
    pub mode: Mode,
}

impl Reranking {
    /// No reranking.
    pub fn nothing() -> Self {
        Self {
            kind: Kind::Nothing,
            weight: 0.0,
            budget: Duration::ZERO,
        }
    }

    /// Judges the first of `fused`, best first. Tells what it took and whether it failed; nothing when there was nothing to do.
    pub async fn apply(&self, subject: Subject<'_>, fused: &mut [Fused]) -> Option<(Step, Result<()>)> {
        // One leg alone was asked for so that its own order is seen.
        let hybrid = subject.mode == Mode::Hybrid;
        if matches!(self.kind, Kind::Nothing) || !hybrid || fused.is_empty() || subject.asked.text.is_empty() {
            return None;
        }
        let started = Instant::now();
        let chunks = fused.iter().take(CANDIDATES).map(|hit| hit.chunk).collect();
        let late = || Error::Overloaded {
            detail: format!("no answer within {} ms", self.budget.as_millis()),
            retry_after: Duration::from_secs(1),
        };
        let scores = tokio::time::timeout(self.budget, self.scores(subject, chunks, started + self.budget));
        let scores = scores.await.unwrap_or_else(|_| Err(late()));
        let mut step = Step {
            name: "rerank",
            took: started.elapsed(),
            count: 0,
        };
        let outcome = scores.map(|scores| {
            step.count = scores.iter().flatten().count();
            mix(fused, &scores, self.weight);
        });
        Some((step, outcome))
    }

    async fn scores(&self, subject: Subject<'_>, chunks: Vec<ChunkId>, deadline: Instant) -> Result<Vec<Option<f32>>> {
        match &self.kind {
            Kind::Nothing => Ok(Vec::new()),
            Kind::LateInteraction => late_interaction(subject, chunks, deadline).await,
            Kind::Model(model) => read(model, subject, chunks).await,
        }
    }
}

impl Engine {
    /// The vectors of `texts`. Their tokens are kept at once if they are needed: they take a hundred times as much.
    pub(super) async fn embed_passages(
        &self,
        collection: &Arc<Collection>,
        chunks: &[ChunkId],
        texts: Vec<String>,
    ) -> Result<Vec<Vec<f32>>> {
        if !matches!(self.parts.reranking.kind, Kind::LateInteraction) {
            return self.embedder().embed(texts, TextKind::Passage).await;
        }
        let embedded = self.embedder().embed_tokens(texts, TextKind::Passage).await?;
        let (mut vectors, mut tokens) = (Vec::with_capacity(chunks.len()), Vec::with_capacity(chunks.len()));
        for (chunk, one) in chunks.iter().zip(embedded) {
            vectors.push(one.vector);
            tokens.push((*chunk, one.tokens));
        }
        collection.keep_tokens(tokens).await?;
        Ok(vectors)
    }
}

async fn late_interaction(subject: Subject<'_>, chunks: Vec<ChunkId>, deadline: Instant) -> Result<Vec<Option<f32>>> {
    if !subject.collection.has_tokens() {
        return Ok(vec![None; chunks.len()]);
    }
    let text = subject.asked.text.clone();
    // The vector leg has asked for the same, so it is at hand.
    let embedded = subject.embedder.embed_tokens(vec![text], TextKind::Query).await?;
    let tokens = embedded.into_iter().next().unwrap_or_default().tokens;
    let collection = subject.collection.clone();
    blocking(move || {
        let comparison = collection.compare(&tokens, &chunks)?;
        max_sims(&comparison, deadline).ok_or_else(|| Error::Internal("the comparison took too long".into()))
    })
    .await
}

/// Sends the passages that the reader may read.
async fn read(model: &Arc<dyn Reranker>, subject: Subject<'_>, chunks: Vec<ChunkId>) -> Result<Vec<Option<f32>>> {
    let (collection, asked) = (subject.collection.clone(), subject.asked.clone());
    let hits: Vec<Hit> = chunks
        .iter()
        .map(|chunk| Hit {
            chunk: *chunk,
            score: 0.0,
        })
        .collect();
    let passages = blocking(move || collection.passages(&hits, &asked.marks, &asked.reader)).await?;
    let text = |passage: &crate::types::Passage| {
        Chunk::embedded_text(
            &passage.document.title,
            &passage.chunk.heading_path,
            &passage.chunk.text,
        )
    };
    let texts: Vec<String> = passages.iter().map(text).collect();
    let scores = model.scores(subject.asked.text.clone(), texts).await?;
    if scores.len() != passages.len() {
        return Err(Error::Internal(format!(
            "{} scores for {} passages",
            scores.len(),
            passages.len()
        )));
    }
    let score = |chunk| {
        let at = passages.iter().position(|passage| passage.chunk.id == chunk)?;
        Some(scores[at])
    };
    Ok(chunks.into_iter().map(score).collect())
}

/// `MaxSim` of each passage (Khattab, Zaharia 2020): for each token of the question the best cosine with a token of the
/// passage, and the mean of these. None when the deadline has passed.
pub fn max_sims(comparison: &Comparison, deadline: Instant) -> Option<Vec<Option<f32>>> {
    let mut scores = Vec::with_capacity(comparison.passages.len());
    for passage in &comparison.passages {
        if Instant::now() > deadline {
            return None;
        }
        scores.push(passage.as_ref().and_then(|passage| max_sim(&comparison.query, passage)));
    }
    Some(scores)
}

fn max_sim(query: &[Sketch], passage: &[Sketch]) -> Option<f32> {
    if query.is_empty() || passage.is_empty() {
        return None;
    }
    let mut nearest = vec![u32::MAX; query.len()];
    for token in passage {
        for (nearest, asked) in nearest.iter_mut().zip(query) {
            let differing: u32 = asked
                .iter()
                .zip(token)
                .map(|(asked, token)| (asked ^ token).count_ones())
                .sum();
            *nearest = differing.min(*nearest);
        }
    }
    let cosine = |differing: u32| (std::f32::consts::PI * differing as f32 / BITS as f32).cos();
    Some(nearest.into_iter().map(cosine).sum::<f32>() / query.len() as f32)
}

/// Mixes the reranker's `scores` of the first of `fused` with their own, both as z-scores over those that were judged.
/// What was not judged keeps its own, so the result is in the unit of fused scores.
pub fn mix(fused: &mut [Fused], scores: &[Option<f32>], weight: f32) {
    let judged: Vec<(f32, f32)> = fused
        .iter()
        .zip(scores)
        .filter_map(|(hit, score)| Some((hit.scores.fused, (*score)?)))
        .collect();
    let before = Spread::of(judged.iter().map(|(fused, _)| *fused));
    let after = Spread::of(judged.iter().map(|(_, score)| *score));
    for (hit, score) in fused.iter_mut().zip(scores) {
        if let Some(score) = score {
            hit.scores.rerank = Some(*score);
            if after.deviation < 1e-6 {
                // It tells nothing from nothing.
                continue;
            }
            let same = before.mean + before.deviation * (*score - after.mean) / after.deviation;
            hit.scores.reranked = Some(hit.scores.fused + weight * (same - hit.scores.fused));
        }
    }
}

struct Spread {
    mean: f32,
    deviation: f32,
}

impl Spread {
    fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let n = values.clone().count().max(1) as f32;
        let mean = values.clone().sum::<f32>() / n;
        let variance = values.map(|value| (value - mean).powi(2)).sum::<f32>() / n;
        Self {
            mean,
            deviation: variance.sqrt(),
        }
    }
}

#[cfg(test)]
#[path = "rerank_tests.rs"]
mod tests;
