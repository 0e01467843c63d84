//! What a job finds when its turn comes: the documents that there are, and what is set for their collection.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::IngestRun;
use crate::engine::Engine;
use crate::engine::changes::Known;
use crate::engine::situate::Situator;
use crate::error::Result;
use crate::index::Collection;
use crate::index::work::blocking;
use crate::store::SentenceRecord;
use crate::types::DocumentId;

impl Engine {
    /// What there is in a collection, as a run finds it, and of how many chunks sentences are missing that nobody can be asked
    /// for now.
    pub(in crate::engine) async fn known(
        &self,
        collection: &Arc<Collection>,
        situator: Option<&Situator>,
    ) -> Result<(Known, u64)> {
        let prints = collection.fingerprints().await?;
        let mut again = BTreeSet::new();
        if self.wants_tokens() {
            let collection = collection.clone();
            again = blocking(move || collection.without_tokens()).await?;
        }
        let Some(situator) = situator else {
            return Ok((Known::new(prints, again, BTreeSet::new()), 0));
        };
        let without = self.store().without_sentences(collection.name()).await?;
        if without.is_empty() {
            return Ok((Known::new(prints, again, BTreeSet::new()), 0));
        }
        // To read them again would change nothing.
        if situator.fault().is_some() {
            return Ok((Known::new(prints, again, BTreeSet::new()), without.values().sum()));
        }
        blocking(move || {
            let lacks = |uri: &&String| without.contains_key(&DocumentId::of(uri).to_string());
            let lacking = prints.keys().filter(lacks).cloned().collect();
            Ok((Known::new(prints, again, lacking), 0))
        })
        .await
    }
}

impl IngestRun {
    /// What there is in the collection, and what is set for it: only in its turn, since the jobs before may change both.
    /// Returns of how many chunks sentences are missing that nobody can be asked for now.
    pub(super) async fn learn(&mut self) -> Result<u64> {
        let collection = Arc::clone(&self.collection);
        let filled = async {
            collection.send_again().await;
            Ok(())
        };
        // That may take long, and goes on at the next run where it ends.
        self.wished.unless_stopped(filled).await?;
        let settings = collection.settings();
        self.chunking = self.engine.chunking_of(&settings);
        self.situator = self.engine.situator(collection.name(), &settings);
        if self.engine.writers.is_unswept(collection.name()) {
            self.forget_strays().await?;
        }
        let (known, missing) = self.engine.known(&collection, self.situator.as_deref()).await?;
        self.known = known;
        self.record.context_sentences = self.situator.as_ref().map(|situator| SentenceRecord {
            fault: situator.fault().filter(|_| missing > 0).map(|fault| fault.to_string()),
            ..SentenceRecord::default()
        });
        Ok(missing)
    }

    /// Forgets sentences of documents that never came to be.
    pub(super) async fn forget_strays(&self) -> Result<()> {
        let engine = Arc::clone(&self.engine);
        // Sentences are kept right before their document is published.
        let _turn = engine.publishing().lock().await;
        let collection = &self.collection;
        let holds = |document| collection.holds(document);
        engine.store().retain_sentences(collection.name(), holds).await
    }
}
