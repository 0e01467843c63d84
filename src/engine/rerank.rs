//! Moves the best candidates: by late interaction over the token vectors that the index keeps, or by a model that
//! reads them. What is late or fails leaves the order as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::fuse::Fused;
use crate::error::{Error, Result};
use crate::gateway::{Embedded, Embedder, Reranker, TextKind};
use crate::index::work::blocking;
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

/// What late interaction thinks of chunks, whoever is among the first.
#[derive(Clone, Debug, Default)]
pub struct Opinions {
    /// By chunk.
    pub scores: BTreeMap<ChunkId, f32>,
    /// Its share, as in `Reranking`.
    pub weight: f32,
}

/// What became of the candidates.
#[derive(Debug)]
pub struct Judged {
    /// Time, and how many got a score.
    pub step: Step,
    /// How many of those that were looked at got none, most often for want of tokens.
    pub missing: usize,
    /// Why there are no scores.
    pub outcome: Result<()>,
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

    /// Judges the first of `fused`; nothing when there was nothing to do. What is late or fails leaves them as they were.
    pub async fn apply(&self, subject: Subject<'_>, fused: &mut [Fused]) -> Option<Judged> {
        // One leg alone was asked for so that its own order is seen.
        let hybrid = subject.mode == Mode::Hybrid;
        if matches!(self.kind, Kind::Nothing) || !hybrid || fused.is_empty() || subject.asked.text.is_empty() {
            return None;
        }
        let started = Instant::now();
        let chunks: Vec<ChunkId> = fused.iter().take(CANDIDATES).map(|hit| hit.chunk).collect();
        let looked_at = chunks.len();
        let late = || Error::Overloaded {
            detail: format!("no answer within {} ms", self.budget.as_millis()),
            retry_after: Duration::from_secs(1),
        };
        let scores = tokio::time::timeout(self.budget, self.scores(subject, chunks, started + self.budget));
        let scores = scores.await.unwrap_or_else(|_| Err(late()));
        let judged = scores.as_ref().map_or(0, |scores| scores.iter().flatten().count());
        let outcome = scores.map(|scores| mix(fused, &scores, self.weight));
        Some(Judged {
            missing: if outcome.is_ok() { looked_at - judged } else { looked_at },
            outcome,
            step: Step {
                name: "rerank",
                took: started.elapsed(),
                count: judged,
            },
        })
    }

    /// What late interaction thinks of `chunks`, however long it takes; nothing of another kind, since a model that reads
    /// takes seconds or money for each question.
    pub async fn opinions(&self, subject: Subject<'_>, chunks: Vec<ChunkId>) -> Result<Opinions> {
        if !matches!(self.kind, Kind::LateInteraction) || subject.asked.text.is_empty() {
            return Ok(Opinions::default());
        }
        let scores = late_interaction(subject, chunks.clone(), None).await?;
        let scores = chunks.into_iter().zip(scores);
        Ok(Opinions {
            scores: scores.filter_map(|(chunk, score)| Some((chunk, score?))).collect(),
            weight: self.weight,
        })
    }

    async fn scores(&self, subject: Subject<'_>, chunks: Vec<ChunkId>, deadline: Instant) -> Result<Vec<Option<f32>>> {
        match &self.kind {
            Kind::Nothing => Ok(Vec::new()),
            Kind::LateInteraction => late_interaction(subject, chunks, Some(deadline)).await,
            Kind::Model(model) => read(model, subject, chunks).await,
        }
    }
}

/// A chunk's vector, and its tokens as the index keeps them; none where nothing compares them.
pub(super) struct Indexed {
    pub vector: Vec<f32>,
    pub tokens: Vec<Sketch>,
}

impl Engine {
    /// Whether documents without tokens are to be indexed again.
    pub(super) fn wants_tokens(&self) -> bool {
        matches!(self.parts.reranking.kind, Kind::LateInteraction)
    }

    /// Embeds passages of `collection`.
    pub(super) async fn embed_passages(
        &self,
        collection: &Arc<Collection>,
        texts: Vec<String>,
    ) -> Result<Vec<Indexed>> {
        if !self.wants_tokens() {
            let vectors = self.embedder().embed(texts, TextKind::Passage).await?.into_iter();
            let plain = |vector| Indexed {
                vector,
                tokens: Vec::new(),
            };
            return Ok(vectors.map(plain).collect());
        }
        let (embedded, collection) = (
            self.embedder().embed_tokens(texts, TextKind::Passage).await?,
            Arc::clone(collection),
        );
        // At once: as numbers they take fifty times as much.
        let sketched = move |one: Embedded| Indexed {
            tokens: collection.sketches(&one.tokens),
            vector: one.vector,
        };
        blocking(move || Ok(embedded.into_iter().map(sketched).collect())).await
    }
}

async fn late_interaction(
    subject: Subject<'_>,
    chunks: Vec<ChunkId>,
    deadline: Option<Instant>,
) -> Result<Vec<Option<f32>>> {
    if !subject.collection.has_tokens() {
        return Ok(vec![None; chunks.len()]);
    }
    let text = subject.asked.text.clone();
    // The vector leg has asked for the same, so it is at hand.
    let embedded = subject.embedder.embed_tokens(vec![text], TextKind::Query).await?;
    let tokens = embedded.into_iter().next().unwrap_or_default().tokens;
    let collection = subject.collection.clone();
    if collection.compares_elsewhere() {
        let differences = collection.differences(&tokens, &chunks).await?.into_iter();
        return Ok(differences.map(|one| mean_cosine(&one?)).collect());
    }
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
pub fn max_sims(comparison: &Comparison, deadline: Option<Instant>) -> Option<Vec<Option<f32>>> {
    let mut scores = Vec::with_capacity(comparison.passages.len());
    for passage in &comparison.passages {
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return None;
        }
        scores.push(passage.as_ref().and_then(|passage| max_sim(&comparison.query, passage)));
    }
    Some(scores)
}

fn max_sim(query: &[Sketch], passage: &[Sketch]) -> Option<f32> {
    if passage.is_empty() {
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
    mean_cosine(&nearest)
}

/// What so many differing bits tell of each token of a question; none of a question without tokens.
fn mean_cosine(differing: &[u32]) -> Option<f32> {
    let cosine = |differing: &u32| (std::f32::consts::PI * *differing as f32 / BITS as f32).cos();
    let sum = differing.iter().map(cosine).sum::<f32>();
    (!differing.is_empty()).then(|| sum / differing.len() as f32)
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

/// The order of a search, when the reranker thinks `opinions`.
pub fn reorder(fused: &mut [Fused], opinions: &Opinions) {
    let first = fused.iter().take(CANDIDATES);
    let scores: Vec<Option<f32>> = first.map(|hit| opinions.scores.get(&hit.chunk).copied()).collect();
    mix(fused, &scores, opinions.weight);
    let score = |hit: &Fused| hit.scores.reranked.unwrap_or(hit.scores.fused);
    // As the pool has it.
    fused.sort_by(|a, b| {
        let exact = b.scores.exact.cmp(&a.scores.exact);
        exact.then(score(b).total_cmp(&score(a))).then(a.chunk.cmp(&b.chunk))
    });
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
