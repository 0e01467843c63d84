//! The last stage: what is embedded is published as one, unless somebody came first.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexer::chunk;

use super::take::Ticket;
use super::{IngestRun, flow, hidden, stale};
use crate::engine::Engine;
use crate::engine::changes::Change;
use crate::engine::removals::Accepted;
use crate::error::Result;
use crate::index::{Collection, Replacement};
use crate::store::{ErrorKind, JobError};
use crate::types::{DocumentId, Reader};

/// A document that waits to be published.
pub(super) struct Ready {
    pub replacement: Replacement,
    pub ticket: Ticket,
    /// In bytes.
    pub weight: usize,
}

impl Ready {
    pub fn new(replacement: Replacement, ticket: Ticket) -> Self {
        let vectors = replacement.vectors.iter().map(|vector| size_of_val(&vector[..]));
        let tokens = replacement.tokens.iter().map(|tokens| size_of_val(&tokens[..]));
        // Its text stands in its chunks once more, and what was made of it is kept for others that say the same.
        let once = replacement.document.text.len() + vectors.sum::<usize>() + tokens.sum::<usize>();
        Self {
            replacement,
            ticket,
            weight: 2 * once,
        }
    }

    pub fn chunks(&self) -> usize {
        self.replacement.chunks.len()
    }

    fn error(&self, kind: ErrorKind, detail: String) -> JobError {
        let mut error = JobError::new(kind, &self.replacement.document.uri, detail);
        error.line = self.ticket.line;
        error
    }
}

impl IngestRun {
    /// Begins to publish all that is ready.
    pub(super) fn publish(&mut self) -> Result<()> {
        self.wished.keeps_collection()?;
        if let Some(outline) = &mut self.outline {
            outline.begin()?;
        }
        let weight = self.flow.ready_bytes();
        let publication = Publication {
            engine: self.engine.clone(),
            collection: self.collection.clone(),
            accepted: self.accepted.clone(),
            reader: self.reader.clone(),
            is_sourced: self.outline.is_some(),
            ready: std::mem::take(&mut self.flow.ready),
        };
        self.flow.since = None;
        self.flow.made.swap(0, 1);
        self.flow.publishing = Some((flow::begin(publication.publish()), weight));
        Ok(())
    }

    /// The index has what was being published.
    pub(super) fn published(&mut self, refused: Vec<JobError>) {
        self.flow.made[1].clear();
        for error in refused {
            self.record.add(error);
        }
    }

    /// Publishes what was embedded when the job ended.
    pub(super) async fn publish_rest(&mut self) -> Result<()> {
        loop {
            if let Some((task, _)) = self.flow.publishing.take() {
                let refused = task.await.unwrap_or_else(|_| Ok(Vec::new()))?;
                self.published(refused);
            }
            if self.flow.ready.is_empty() {
                return Ok(());
            }
            self.publish()?;
        }
    }
}

/// Documents that are published as one.
struct Publication {
    engine: Arc<Engine>,
    collection: Arc<Collection>,
    accepted: Arc<Accepted>,
    /// On whose behalf.
    reader: Reader,
    /// Whether they come from a source.
    is_sourced: bool,
    ready: Vec<Ready>,
}

impl Publication {
    /// In its turn; returns what was refused, and why.
    async fn publish(mut self) -> Result<Vec<JobError>> {
        let engine = Arc::clone(&self.engine);
        let _turn = engine.publishing().lock().await;
        let (accepted, name) = (&self.accepted, self.collection.name());
        let is_removed = |one: &mut Ready| accepted.is_removed(name, one.replacement.document.id);
        let removed: Vec<DocumentId> = self
            .ready
            .extract_if(.., is_removed)
            .map(|one| one.replacement.document.id)
            .collect();
        if !removed.is_empty() {
            // What was written of it since.
            engine.store().erase_documents(name, &removed).await?;
        }
        let mut refused = self.drop_hidden();
        refused.extend(self.drop_stale());
        // Only now: nobody changes a document while this is held.
        for at in 0..self.ready.len() {
            self.repatch(at)?;
        }
        let mut asked = Vec::with_capacity(self.ready.len());
        let mut batch = Vec::with_capacity(self.ready.len());
        for Ready {
            replacement, ticket, ..
        } in self.ready
        {
            asked.push((
                replacement.document.id,
                ticket.keys.into_iter().zip(ticket.sentences).collect(),
            ));
            batch.push(replacement);
        }
        // They go with their vectors; where this ends in between, the document is published again.
        let name = self.collection.name();
        engine.store().replace_sentences(name, &asked).await?;
        self.collection.publish(batch, Vec::new()).await?;
        Ok(refused)
    }

    /// Leaves out what replaces a document that was hidden from the one who sent it since it was looked at.
    fn drop_hidden(&mut self) -> Vec<JobError> {
        let is_hidden = |one: &mut Ready| self.collection.is_hidden(one.replacement.document.id, &self.reader);
        let refusal = |one: Ready| one.error(ErrorKind::Hidden, hidden(&one.replacement.document.uri));
        self.ready.extract_if(.., is_hidden).map(refusal).collect()
    }

    /// Leaves out what replaces another version than was expected: somebody else came first.
    fn drop_stale(&mut self) -> Vec<JobError> {
        let mut now: BTreeMap<DocumentId, String> = BTreeMap::new();
        let mut refused = Vec::new();
        let collection = &self.collection;
        self.ready.retain(|one| {
            let document = &one.replacement.document;
            let current = now.get(&document.id).cloned();
            let current = current.or_else(|| collection.version(document.id));
            if !one.ticket.expected.admits(current.as_deref()) {
                refused.push(one.error(ErrorKind::Version, stale(current.as_deref())));
                return false;
            }
            now.insert(document.id, document.fingerprint.clone());
            true
        });
        refused
    }

    /// What was changed of a document by hand, or of the one that it was moved from, stays when its source changes.
    fn repatch(&mut self, at: usize) -> Result<()> {
        // Who sends a document tells all that is to be known of it; a source knows nothing of what was changed here.
        if !self.is_sourced {
            return Ok(());
        }
        let Ready {
            replacement, ticket, ..
        } = &mut self.ready[at];
        let id = match &ticket.change {
            Change::Moved(from) => DocumentId::of(from),
            _ => replacement.document.id,
        };
        let before = self.collection.document(id, &Reader::Everything)?;
        if let Some(patched) = before.and_then(|before| before.patched) {
            replacement.document.patch(patched.patch);
            let chunks = std::mem::take(&mut replacement.chunks);
            let (chunking, sentences) = (self.engine.chunking(), &ticket.sentences);
            replacement.chunks = chunk::renamed(&replacement.document, chunks, chunking, sentences);
        }
        Ok(())
    }
}
