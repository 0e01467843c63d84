//! A run over a folder: what it holds, what came from it before, and what follows from the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexer::sources::{self, Entry, FolderSource};

use super::IngestRun;
use crate::engine::changes::is_drastic;
use crate::engine::ledger::{Ledger, named_from, split};
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::store::{ErrorKind, JobError};
use crate::types::DocumentId;

/// A folder or a file that was walked.
pub(in crate::engine) struct Folder {
    /// Where it is.
    pub root: PathBuf,
    /// What it holds.
    pub source: FolderSource,
    /// Whether any share of its documents may vanish.
    pub allow_deletes: bool,
}

impl Folder {
    /// Walks `path`; computes, so call it from a blocking thread.
    pub fn walk(path: &Path, allow_deletes: bool) -> Result<Self> {
        let root = path.canonicalize().map_err(|error| {
            Error::bad_input(
                "/path",
                format!("cannot read `{}`: {error}; name a file or a folder", path.display()),
            )
        })?;
        let source = sources::folder(&root).map_err(|error| Error::bad_input("/path", error.to_string()))?;
        Ok(Self {
            root,
            source,
            allow_deletes,
        })
    }

    /// Why nothing may be deleted: a document that could not be looked at is not a deleted one.
    pub fn failures(&self, before: &BTreeSet<String>) -> Vec<JobError> {
        let unreadable = |failure: &sources::Skipped| {
            let uri = failure.path.display().to_string();
            JobError::new(ErrorKind::Unreadable, uri, failure.reason.clone())
        };
        let mut failures: Vec<JobError> = self.source.failures().map(unreadable).collect();
        if self.source.entries().is_empty() {
            let detail = if before.is_empty() {
                format!("nothing here can be read; what is read: {}", sources::FORMATS)
            } else {
                let count = before.len();
                format!("the folder is empty and {count} documents came from it; nothing was deleted")
            };
            failures.push(JobError::new(ErrorKind::Empty, "", detail));
        }
        failures
    }
}

/// What a folder holds beside what the ledger knows of it.
pub(in crate::engine) struct Outline {
    file: PathBuf,
    ledger: Ledger,
    key: String,
    /// What there is to read, by its name in the collection.
    pub entries: Vec<Entry>,
    /// The names of the entries.
    pub seen: BTreeSet<String>,
    /// What came from here before.
    pub before: BTreeSet<String>,
    /// Of the same source, but of another part than is indexed now.
    others: BTreeSet<String>,
    /// The names that other sources hold, and which.
    taken: BTreeMap<String, String>,
}

impl Outline {
    /// Compares `folder` with the list of sources in `file`.
    pub fn of(folder: &Folder, file: PathBuf) -> Result<Self> {
        let ledger = Ledger::read(&file)?;
        let home = ledger.home(&folder.root);
        let key = home.display().to_string();
        let taken = ledger.taken(&key);
        let entries = named_from(home, folder.source.entries());
        let part = sources::relative(home, &folder.root).unwrap_or_default();
        // Of a part of an indexed folder, only what came from that part may go.
        let (before, others) = split(ledger.of(&key), &part);
        Ok(Self {
            seen: entries.iter().map(|entry| entry.uri.clone()).collect(),
            file,
            ledger,
            key,
            entries,
            before,
            others,
            taken,
        })
    }

    /// What came from here and is here no more.
    pub fn gone(&self) -> Vec<String> {
        let gone = self.before.difference(&self.seen);
        gone.filter(|uri| !self.taken.contains_key(*uri)).cloned().collect()
    }

    /// Why the entry of that name cannot be taken.
    pub fn refusal(&self, uri: &str) -> Option<JobError> {
        let other = self.taken.get(uri)?;
        let detail = format!("it already came from `{other}`; index one of the two into another collection");
        Some(JobError::new(ErrorKind::Taken, uri, detail))
    }

    fn own(&self) -> BTreeSet<String> {
        let own = self.seen.iter().filter(|uri| !self.taken.contains_key(*uri));
        own.cloned().collect()
    }

    /// Writes down all that may come to be, so that a crash forgets no document of this source.
    fn begin(&mut self) -> Result<()> {
        let all = &(&self.before | &self.others) | &self.own();
        self.ledger.set(&self.key, &all, &self.file)
    }

    /// Writes down what there is once the rest is deleted.
    fn end(&mut self) -> Result<()> {
        let all = &self.others | &self.own();
        self.ledger.set(&self.key, &all, &self.file)
    }
}

impl IngestRun {
    pub(super) async fn folder(&mut self, folder: &Folder) -> Result<()> {
        let file = self.engine.sources_file(self.collection.name());
        let mut outline = Outline::of(folder, file)?;
        let entries = std::mem::take(&mut outline.entries);
        let gone = outline.gone();
        self.known.set_gone(gone.iter());
        self.record.documents = entries.len() as u64;
        self.record.bytes = entries.iter().map(|entry| entry.size).sum();
        self.record.skipped = folder.source.unsupported();
        self.note().await?;
        outline.begin()?;
        for entry in entries {
            if let Some(refusal) = outline.refusal(&entry.uri) {
                self.record.add(refusal);
                self.done(entry.size).await?;
                continue;
            }
            let (uri, size) = (entry.uri.clone(), entry.size);
            match blocking(move || Ok(sources::read(&entry))).await? {
                Ok(item) => self.take(item).await?,
                Err(error) => {
                    self.record.add_error(ErrorKind::Unreadable, uri, error.to_string());
                    self.done(size).await?;
                }
            }
        }
        self.flush().await?;
        let failures = folder.failures(&outline.before);
        let whole = failures.is_empty();
        for failure in failures {
            self.record.add(failure);
        }
        if whole {
            self.guard(folder, &outline, &gone)?;
            self.remove(&gone).await?;
            outline.end()?;
        }
        Ok(())
    }

    /// Stops the job where more would vanish than anybody may have meant.
    fn guard(&self, folder: &Folder, outline: &Outline, gone: &[String]) -> Result<()> {
        let (vanished, before) = (self.known.vanished(gone, &outline.seen), outline.before.len());
        if folder.allow_deletes || !is_drastic(vanished, before) {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "{vanished} of {before} documents are gone from the folder, so nothing was deleted; \
             if they are to go, index it again with `--allow-deletes`"
        )))
    }

    async fn remove(&mut self, gone: &[String]) -> Result<()> {
        let gone: Vec<DocumentId> = gone.iter().map(|uri| DocumentId::of(uri)).collect();
        self.record.deleted = (gone.len() as u64).saturating_sub(self.record.moved);
        if gone.is_empty() {
            return Ok(());
        }
        // So that a backup has both what was removed and what was cited of it, or neither.
        let engine = std::sync::Arc::clone(&self.engine);
        let _turn = engine.publishing().lock().await;
        self.collection.publish(Vec::new(), gone.clone()).await?;
        let store = self.engine.store();
        store.erase_documents(self.collection.name(), &gone).await?;
        Ok(())
    }
}
