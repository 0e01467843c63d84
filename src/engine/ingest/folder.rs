//! The documents of a folder: what is new in it is taken, what is gone from it is removed.

use std::collections::BTreeSet;
use std::path::Path;

use indexer::sources::{self, FolderSource};
use indexer::types::DocumentId;

use super::IngestRun;
use crate::engine::ledger::{Ledger, named_from, split};
use crate::error::Result;
use crate::index::work::blocking;

impl IngestRun {
    pub(super) async fn folder(&mut self, root: &Path, source: &FolderSource) -> Result<()> {
        let file = self
            .engine
            .collection_folder(self.collection.name())
            .join("sources.json");
        let mut ledger = Ledger::read(&file)?;
        let home = ledger.home(root);
        let key = home.display().to_string();
        let taken = ledger.taken(&key);
        let entries = named_from(home, source.entries());
        self.record.documents = entries.len() as u64;
        self.record.skipped = source.unsupported();
        self.note().await?;
        let seen: BTreeSet<String> = entries.iter().map(|entry| entry.uri.clone()).collect();
        // Of a part of an indexed folder, only what came from that part may go.
        let (before, others) = split(ledger.of(&key), &sources::relative(home, root).unwrap_or_default());
        // Written first with all that may come to be, so that a crash forgets no document of this source.
        let own: BTreeSet<String> = seen.iter().filter(|uri| !taken.contains_key(*uri)).cloned().collect();
        ledger.set(&key, &(&(&before | &others) | &own), &file)?;
        for entry in entries {
            if let Some(other) = taken.get(&entry.uri) {
                let detail = format!("it already came from `{other}`; index one of the two into another collection");
                self.record.add_error(entry.uri, detail);
                continue;
            }
            let uri = entry.uri.clone();
            match blocking(move || Ok(sources::read(&entry))).await? {
                Ok(item) => self.take(item).await?,
                Err(error) => self.record.add_error(uri, error.to_string()),
            }
        }
        self.flush().await?;
        if self.may_delete(source, &before) {
            self.remove(before.difference(&seen).filter(|uri| !taken.contains_key(*uri)))
                .await?;
            ledger.set(&key, &(&others | &own), &file)?;
        }
        Ok(())
    }

    /// A document that could not be looked at is not a deleted one.
    fn may_delete(&mut self, source: &FolderSource, before: &BTreeSet<String>) -> bool {
        let mut whole = true;
        for failure in source.failures() {
            self.record
                .add_error(failure.path.display().to_string(), failure.reason.clone());
            whole = false;
        }
        if source.entries().is_empty() {
            let detail = if before.is_empty() {
                format!("nothing here can be read; what is read: {}", sources::FORMATS)
            } else {
                let count = before.len();
                format!("the folder is empty and {count} documents came from it; nothing was deleted")
            };
            self.record.add_error("", detail);
            whole = false;
        }
        whole
    }

    async fn remove<'a>(&mut self, gone: impl Iterator<Item = &'a String>) -> Result<()> {
        let gone: Vec<DocumentId> = gone.map(|uri| DocumentId::of(uri)).collect();
        self.record.deleted = gone.len() as u64;
        if gone.is_empty() {
            return Ok(());
        }
        self.collection.publish(Vec::new(), gone.clone()).await?;
        for document in gone {
            self.engine
                .store()
                .erase_document(self.collection.name(), document)
                .await?;
        }
        Ok(())
    }
}
