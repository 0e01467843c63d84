//! One question with everything a fusion can look at, taken once; all fitting goes over these.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::engine::fuse::{self, Coverage, Fused, Legs};
use crate::engine::measure::{Figures, Judged};
use crate::engine::rerank::{self, Opinions, Subject};
use crate::engine::retrieve::{self, CANDIDATES};
use crate::engine::tune::logit::Choice;
use crate::error::Result;
use crate::index::work::blocking;
use crate::index::{Collection, Fusion, Held};
use crate::types::{ChunkId, Hit, Mode, Query, QueryInput, Reader};

/// A question and its candidates.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub question: Judged,
    pub lexical: Vec<Hit>,
    pub vector: Vec<Hit>,
    pub coverage: Coverage,
    /// How much each holds of the identifiers that were asked for.
    pub held: BTreeMap<ChunkId, Held>,
    /// What the reranker thinks of them.
    pub opinions: Opinions,
    /// The document of each candidate, by URI.
    pub documents: BTreeMap<ChunkId, String>,
    /// Candidates that answer: with the quote where one is known, otherwise any of a wanted document.
    pub relevant: BTreeSet<ChunkId>,
}

/// Asks both legs, and the reranker about all that they found: which of it comes to the front is up to a fusion.
pub(super) async fn take(engine: &Engine, collection: &Arc<Collection>, question: &Judged) -> Result<Sample> {
    let input = QueryInput {
        text: question.text.clone(),
        collections: vec![collection.name().to_owned()],
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything)?;
    let embedder = engine.embedder();
    let found = retrieve::candidates(collection, embedder, &query, CANDIDATES).await?;
    let subject = Subject {
        collection,
        embedder,
        asked: &found.asked,
        mode: Mode::Hybrid,
    };
    let chunks = fuse::chunks(found.legs(CANDIDATES));
    let opinions = engine.parts.reranking.opinions(subject, chunks).await?;
    let (collection, question) = (collection.clone(), question.clone());
    blocking(move || {
        let mut sample = Sample {
            question,
            lexical: found.lexical,
            vector: found.vector,
            coverage: Coverage::new(),
            held: found.held,
            opinions,
            documents: BTreeMap::new(),
            relevant: BTreeSet::new(),
        };
        let chunks = fuse::chunks(sample.legs());
        sample.coverage = collection.coverage(&found.asked, &chunks)?;
        let hits: Vec<Hit> = chunks.into_iter().map(|chunk| Hit { chunk, score: 0.0 }).collect();
        for passage in collection.passages(&hits, query.text(), query.reader())? {
            let Judged { wanted, quote, .. } = &sample.question;
            let text = one_spaced(&passage.chunk.text);
            let answers = quote.as_ref().is_none_or(|quote| text.contains(&one_spaced(quote)));
            if answers && wanted.get(&passage.document.uri).is_some_and(|grade| *grade > 0.0) {
                sample.relevant.insert(passage.chunk.id);
            }
            sample.documents.insert(passage.chunk.id, passage.document.uri.clone());
        }
        Ok(sample)
    })
    .await
}

impl Sample {
    fn legs(&self) -> Legs<'_> {
        Legs {
            lexical: &self.lexical,
            vector: &self.vector,
            asked: CANDIDATES,
        }
    }

    /// What `fusion` and the reranker make of it, best first.
    pub fn fused(&self, fusion: &Fusion) -> Vec<Fused> {
        let mut fused = fuse::apply(fusion, self.legs(), &self.coverage);
        fuse::exact_first(&mut fused, &self.held);
        rerank::reorder(&mut fused, &self.opinions);
        fused
    }

    /// nDCG@10 over documents of what `fusion` makes of it.
    pub fn worth(&self, fusion: &Fusion) -> f64 {
        self.ndcg(self.fused(fusion).iter().map(|hit| hit.chunk))
    }

    /// nDCG@10 of the words alone and of the vectors alone.
    pub fn legs_worth(&self) -> [f64; 2] {
        [&self.lexical, &self.vector].map(|leg| self.ndcg(leg.iter().map(|hit| hit.chunk)))
    }

    fn ndcg(&self, chunks: impl Iterator<Item = ChunkId>) -> f64 {
        let mut ranked: Vec<&str> = Vec::new();
        for chunk in chunks {
            if let Some(document) = self.documents.get(&chunk)
                && !ranked.contains(&document.as_str())
            {
                ranked.push(document);
            }
            if ranked.len() == 10 {
                break;
            }
        }
        Figures::of(&ranked, &self.question.wanted).ndcg_at_10
    }

    /// The candidates as the regression sees them.
    pub fn choice(&self) -> Choice {
        let rows = fuse::rows(self.legs(), &self.coverage);
        let relevant = rows
            .iter()
            .enumerate()
            .filter(|(_, (chunk, _))| self.relevant.contains(chunk));
        Choice {
            relevant: relevant.map(|(at, _)| at).collect(),
            rows: rows.iter().map(|(_, row)| row.map(f64::from).to_vec()).collect(),
        }
    }
}

fn one_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A number from the question's words; the same for the same words in any order of the questions.
pub(super) fn hash(salt: u64, text: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(salt.to_le_bytes());
    hasher.update(text.trim().to_lowercase());
    let digest = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
}

/// The half that a question belongs to: 0 or 1.
pub(super) fn half(salt: u64, text: &str) -> usize {
    (hash(salt, text) & 1) as usize
}
