//! Documents that go: one, or all that a filter names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::Engine;
use crate::engine::views::no_document;
use crate::error::{Error, Result};
use crate::index::Collection;
use crate::types::{Checked, DocumentCard, DocumentId, Expected, Filter, Reader};

impl Engine {
    /// Removes a document, its vectors and what was cited of it, if its version is the expected one. Goes on to its end
    /// when the caller leaves; jobs that were accepted before do not bring it back. Its text leaves the disk soon after.
    pub async fn remove_document(
        self: &Arc<Self>,
        collection: &str,
        (id, expected): (DocumentId, Expected),
        reader: &Reader,
    ) -> Result<Checked<()>> {
        let (engine, open, reader) = (self.clone(), self.collection(collection)?, reader.clone());
        let removal = self.tasks().spawn(async move {
            let turn = engine.publishing().lock().await;
            // Only now: it may have been hidden while this waited.
            if open.is_hidden(id, &reader) {
                return Err(no_document(open.name(), id));
            }
            let version = open.version(id);
            if !expected.admits(version.as_deref()) {
                return Ok((Checked::Stale(version), true));
            }
            let held = open.holds(id);
            // Also when it is gone already: the process may have died between the two steps.
            engine.remove(&open, vec![id]).await?;
            drop(turn);
            Ok::<_, Error>((Checked::Made(()), held))
        });
        match removal.await.map_err(|error| Error::Internal(error.to_string()))?? {
            (checked, true) => Ok(checked),
            (_, false) => Err(no_document(collection, id)),
        }
    }

    /// Removes the documents that `filter` names and `reader` may read, like one; returns them.
    pub async fn remove_matching(
        self: &Arc<Self>,
        collection: &str,
        filter: Filter,
        reader: &Reader,
    ) -> Result<Vec<Arc<DocumentCard>>> {
        let (engine, open, reader) = (self.clone(), self.collection(collection)?, reader.clone());
        let removal = self.tasks().spawn(async move {
            let _turn = engine.publishing().lock().await;
            // Only now: what comes to match meanwhile goes, too, and what no longer matches stays.
            let cards = open.matching(&filter, &reader);
            engine.remove(&open, cards.iter().map(|card| card.id).collect()).await?;
            Ok::<_, Error>(cards)
        });
        removal.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    /// Erases what is quoted of documents that are gone: the process may have died after they left the index. Of a
    /// collection that is not open nobody can tell what it holds.
    pub(super) async fn finish_removals(&self) -> Result<()> {
        let mut gone: BTreeMap<String, Vec<DocumentId>> = BTreeMap::new();
        for (name, document) in self.store().quoted().await? {
            if self.collection(&name).is_ok_and(|open| !open.holds(document)) {
                gone.entry(name).or_default().push(document);
            }
        }
        for (name, documents) in gone {
            self.store().erase_documents(&name, &documents).await?;
        }
        Ok(())
    }

    /// The documents that `filter` names and `reader` may read, by URI.
    pub fn matching(&self, collection: &str, filter: &Filter, reader: &Reader) -> Result<Vec<Arc<DocumentCard>>> {
        Ok(self.collection(collection)?.matching(filter, reader))
    }

    /// In its turn to publish.
    async fn remove(&self, open: &Arc<Collection>, documents: Vec<DocumentId>) -> Result<()> {
        for id in &documents {
            self.removals.note(open.name(), *id);
        }
        if documents.is_empty() {
            return Ok(());
        }
        let held = documents.iter().any(|id| open.holds(*id));
        if held {
            open.publish(Vec::new(), documents.clone()).await?;
        }
        self.forget_answers();
        self.store().erase_documents(open.name(), &documents).await?;
        if held {
            self.compact_later(Arc::clone(open));
        }
        Ok(())
    }
}
