//! Vectors and chunks held against each other: what nobody needs goes, what is lost is sent again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::publish::point;
use super::vectors::Point;
use super::{Collection, Incomplete};
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::types::{Document, DocumentId};

/// Documents that are sent again in one turn.
const PAGE: usize = 64;

impl Collection {
    /// Sweeps once. While the vectors fail it is put off: half an answer is better than none.
    pub(super) async fn swept(&self) -> Result<Option<&Incomplete>> {
        match self.incomplete.get_or_try_init(|| self.sweep()).await {
            Ok(incomplete) => Ok(Some(incomplete)),
            Err(error @ Error::Storage(_)) => {
                tracing::warn!(collection = %self.name, %error, "the vectors failed; they are swept when documents are indexed");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes the vectors that a crash or a failed removal left behind, and looks for lost ones.
    async fn sweep(&self) -> Result<Incomplete> {
        // Vectors of a commit that is under way are no orphans.
        let _turn = self.writer.turn().await;
        let mut incomplete = BTreeSet::new();
        let held: BTreeSet<_> = self.vectors.ids().await?.into_iter().collect();
        let alive: BTreeSet<_> = self.lexical.snapshot().ids().into_iter().collect();
        let orphans: Vec<_> = held.difference(&alive).copied().collect();
        // The commit order makes this impossible; a deleted folder or another Qdrant does not.
        let snapshot = self.lexical.snapshot();
        for id in alive.difference(&held) {
            incomplete.extend(snapshot.chunk(*id)?.map(|chunk| chunk.document));
        }
        if !incomplete.is_empty() {
            let documents = incomplete.len();
            tracing::warn!(collection = %self.name, documents, "documents without vectors; they are sent or indexed again at the next `portolan index`");
        }
        if !orphans.is_empty() {
            tracing::info!(collection = %self.name, orphans = orphans.len(), "removing vectors without a chunk");
            self.vectors.remove(orphans).await?;
            self.vectors.flush().await?;
        }
        Ok(Mutex::new(incomplete))
    }

    /// Sends what is kept here of documents whose vectors were lost, once, so that nobody embeds them again; the others stay
    /// incomplete. A server that was new, or another one, is filled so.
    pub async fn send_again(self: &Arc<Self>) {
        // Whoever reads fingerprints next is told of what is wrong.
        let Ok(Some(incomplete)) = self.swept().await else {
            return;
        };
        if let Err(error) = self.mended.get_or_try_init(|| self.send_all(incomplete)).await {
            tracing::warn!(collection = %self.name, %error, "lost vectors could not be sent again");
        }
    }

    async fn send_all(self: &Arc<Self>, incomplete: &Incomplete) -> Result<()> {
        let lost: Vec<DocumentId> = known(incomplete).iter().copied().collect();
        let mut whole = 0;
        for page in lost.chunks(PAGE) {
            let sent = self.send_page(page.to_vec()).await?;
            known(incomplete).retain(|id| !sent.contains(id));
            whole += sent.len();
        }
        if whole > 0 {
            tracing::info!(collection = %self.name, documents = whole, "lost vectors were sent again");
        }
        Ok(())
    }

    /// Which of the documents were sent.
    async fn send_page(self: &Arc<Self>, lost: Vec<DocumentId>) -> Result<Vec<DocumentId>> {
        // What is being replaced must not come back.
        let _turn = self.writer.turn().await;
        let mut sent = Vec::new();
        for id in lost {
            let collection = Arc::clone(self);
            if let Some(points) = blocking(move || collection.points(id)).await? {
                self.vectors.upsert(points).await?;
                sent.push(id);
            }
        }
        self.vectors.flush().await?;
        Ok(sent)
    }

    /// The points of a document that is kept whole; of one that is gone there are none.
    fn points(&self, id: DocumentId) -> Result<Option<Vec<Point>>> {
        let Some(stored) = self.stored(id)? else {
            return Ok(Some(Vec::new()));
        };
        let document: &Document = &stored.document;
        let mut points = Vec::with_capacity(stored.chunks.len());
        for (chunk, made) in stored.chunks.iter().zip(stored.made) {
            let Some((_, made)) = made else { return Ok(None) };
            let tokens = if self.vectors.keeps_tokens() { made.tokens } else { None };
            points.push(point(document, chunk.id, made.vector, tokens.unwrap_or_default()));
        }
        Ok(Some(points))
    }
}

fn known(incomplete: &Incomplete) -> std::sync::MutexGuard<'_, BTreeSet<DocumentId>> {
    incomplete.lock().unwrap_or_else(PoisonError::into_inner)
}
