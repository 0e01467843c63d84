//! Changes of what is known of a document: its text is neither parsed nor embedded again.

use std::sync::Arc;

use indexer::chunk;

use crate::engine::Engine;
use crate::engine::views::no_document;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::index::{Collection, Replacement, Stored};
use crate::types::{Checked, DocumentId, Expected, Patch, Reader};

/// A change that somebody asked for.
#[derive(Clone, Debug)]
pub struct Change {
    /// Of which document.
    pub document: DocumentId,
    /// What becomes of it.
    pub patch: Patch,
    /// What must hold of its version.
    pub expected: Expected,
}

impl Engine {
    /// Changes a document in one step that readers see whole or not at all; returns its version then. Goes on to its
    /// end when the caller leaves.
    pub async fn patch_document(
        self: &Arc<Self>,
        collection: &str,
        change: Change,
        reader: &Reader,
    ) -> Result<Checked<String>> {
        let (engine, open, reader) = (self.clone(), self.collection(collection)?, reader.clone());
        let patching = self
            .tasks()
            .spawn(async move { engine.patch(&open, change, &reader).await });
        patching.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn patch(&self, open: &Arc<Collection>, change: Change, reader: &Reader) -> Result<Checked<String>> {
        let id = change.document;
        let _turn = self.publishing().lock().await;
        let place = open.clone();
        let stored = blocking(move || place.stored(id)).await?;
        let stored = stored.filter(|stored| reader.may_read(&stored.document.principals));
        let version = stored.as_ref().map(|stored| stored.document.fingerprint.clone());
        if !change.expected.admits(version.as_deref()) {
            return Ok(Checked::Stale(version));
        }
        let mut stored = stored.ok_or_else(|| no_document(open.name(), id))?;
        let before = stored.document.clone();
        stored.document.patch(change.patch);
        let now = &stored.document;
        if (&now.title, &now.metadata, &now.principals) == (&before.title, &before.metadata, &before.principals) {
            return Ok(Checked::Made(before.fingerprint));
        }
        indexer::facts::check(&now.metadata, &now.principals)
            .map_err(|fault| Error::bad_input(&fault.pointer, fault.detail))?;
        let version = now.fingerprint.clone();
        let sentences = self.store().sentences(open.name(), id).await?;
        let replacement = self.replacement(open, stored, (&before.title, &sentences)).await?;
        open.publish(vec![replacement], Vec::new()).await?;
        self.forget_answers();
        self.compact_later(Arc::clone(open));
        Ok(Checked::Made(version))
    }

    /// The document as it is to be published. What an older version of the program did not keep of it is embedded.
    async fn replacement(
        &self,
        open: &Arc<Collection>,
        stored: Stored,
        (title, sentences): (&str, &[Option<String>]),
    ) -> Result<Replacement> {
        let Stored { document, chunks, made } = stored;
        let (chunking, wants_tokens) = (self.chunking(), self.wants_tokens());
        let (mut vectors, mut tokens, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        for (chunk, kept) in chunks.iter().zip(made) {
            let whole = kept.filter(|(_, kept)| kept.tokens.is_some() || !wants_tokens);
            let (text, vector, own) = if let Some((text, kept)) = whole {
                (text, kept.vector, kept.tokens.unwrap_or_default())
            } else {
                let sentence = sentences.get(chunk.ordinal as usize).and_then(Option::as_ref);
                let text = chunk::situated(sentence, &chunk.text);
                let text = chunking.embedded(title, &chunk.heading_path, &text);
                let hash = indexer::fingerprint::text(&text);
                let one = self.embed_passages(open, vec![text]).await?.pop();
                let one = one.ok_or_else(|| Error::Internal("a chunk was not embedded".into()))?;
                (hash, one.vector, one.tokens)
            };
            vectors.push(vector);
            tokens.push(own);
            texts.push(text);
        }
        Ok(Replacement {
            chunks: chunk::renamed(&document, chunks, chunking, sentences),
            document,
            vectors,
            tokens: if wants_tokens { tokens } else { Vec::new() },
            texts,
        })
    }
}
