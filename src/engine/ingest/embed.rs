//! Chunks to vectors: a text that is in the index already, wherever it stands, is not embedded again.

use std::collections::{HashMap, HashSet};

use indexer::fingerprint;

use super::{EMBED, IngestRun, texts};
use crate::engine::changes::Change;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::index::{Embedding, Replacement, Sketch, TextHash};

/// A text's vector, and what late interaction compares of it.
type Made = (Vec<f32>, Vec<Sketch>);

impl IngestRun {
    /// Embeds what was parsed.
    pub(super) async fn embed(&mut self) -> Result<()> {
        let parsed = std::mem::take(&mut self.parsed);
        let chunking = self.engine.chunking();
        let all: Vec<String> = parsed.iter().flat_map(|one| texts(one, chunking)).collect();
        let hashes: Vec<TextHash> = all.iter().map(|text| fingerprint::text(text)).collect();
        let made = self.made(all, &hashes).await?;
        let mut hashes = hashes.into_iter();
        for one in parsed {
            match one.change {
                Change::Added => self.record.added += 1,
                Change::Moved(_) => self.record.moved += 1,
                Change::Changed | Change::Unchanged => self.record.changed += 1,
            }
            self.record.bytes_done += one.bytes;
            let texts: Vec<TextHash> = hashes.by_ref().take(one.chunks.len()).collect();
            let of = |text| made.get(text).cloned();
            let own: Option<Vec<Made>> = texts.iter().map(of).collect();
            let own = own.ok_or_else(|| Error::Internal("a chunk was not embedded".into()))?;
            let (vectors, tokens) = own.into_iter().unzip();
            self.ready.push(Replacement {
                vectors,
                tokens: if self.engine.wants_tokens() { tokens } else { Vec::new() },
                texts,
                document: one.document,
                chunks: one.chunks,
            });
        }
        self.note().await
    }

    /// What is made of each of these texts, by the index or by the embedder.
    async fn made(&mut self, all: Vec<String>, hashes: &[TextHash]) -> Result<HashMap<TextHash, Made>> {
        let mut made = self.kept(hashes).await?;
        made.extend(self.waiting(hashes));
        let mut fresh = Vec::new();
        let mut asked = HashSet::new();
        for (hash, text) in hashes.iter().zip(all) {
            if !made.contains_key(hash) && asked.insert(*hash) {
                fresh.push((*hash, text));
            }
        }
        self.record.chunks += (hashes.len() - fresh.len()) as u64;
        while !fresh.is_empty() {
            self.wished.go().await?;
            let rest = fresh.split_off(fresh.len().min(EMBED));
            let (some, texts): (Vec<_>, Vec<_>) = std::mem::replace(&mut fresh, rest).into_iter().unzip();
            let embedding = self.engine.embed_passages(&self.collection, texts);
            let embedded = self.wished.unless_stopped(embedding).await?;
            self.record.chunks += some.len() as u64;
            self.record.embedded += some.len() as u64;
            let embedded = embedded.into_iter().map(|one| (one.vector, one.tokens));
            made.extend(some.into_iter().zip(embedded));
            self.tell().await?;
        }
        Ok(made)
    }

    /// What was made of these texts for documents that are still to be published.
    fn waiting(&self, hashes: &[TextHash]) -> Vec<(TextHash, Made)> {
        let asked: HashSet<&TextHash> = hashes.iter().collect();
        let mut found = Vec::new();
        for one in &self.ready {
            for (at, text) in one.texts.iter().enumerate().filter(|(_, text)| asked.contains(text)) {
                let tokens = one.tokens.get(at).cloned().unwrap_or_default();
                found.push((*text, (one.vectors[at].clone(), tokens)));
            }
        }
        found
    }

    /// What the index has of these texts.
    async fn kept(&self, hashes: &[TextHash]) -> Result<HashMap<TextHash, Made>> {
        let (collection, hashes) = (self.collection.clone(), hashes.to_vec());
        let wants_tokens = self.engine.wants_tokens();
        blocking(move || {
            let found = collection.embedded(&hashes)?.into_iter();
            let whole = |(hash, embedding): (TextHash, Option<Embedding>)| {
                let embedding = embedding?;
                let tokens = embedding.tokens.or((!wants_tokens).then(Vec::new))?;
                Some((hash, (embedding.vector, tokens)))
            };
            Ok(hashes.iter().copied().zip(found).filter_map(whole).collect())
        })
        .await
    }
}
