//! Items to published documents: fingerprint, parse, chunk, embed, publish, with a job that tells how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use indexer::sources::{Entry, FolderSource};
use indexer::types::{Chunk, Document, DocumentId, Item};
use indexer::{chunk, fingerprint, parse, sources};

use crate::engine::Engine;
use crate::engine::retrieve::blocking;
use crate::error::{Error, Result};
use crate::gateway::TextKind;
use crate::index::{Collection, Replacement};
use crate::store::{JobRecord, JobState};

/// Chunks that are embedded and published as one.
const BATCH: usize = 256;

/// What a job works on.
enum Work {
    Items(Vec<Item>),
    Folder { root: PathBuf, source: FolderSource },
}

impl Engine {
    /// Indexes items that a caller sent; returns the job's id at once.
    pub async fn put(self: &Arc<Self>, collection: &str, items: Vec<Item>) -> Result<String> {
        self.start(collection, "put", Work::Items(items)).await
    }

    /// Indexes a file or a folder; documents that are gone from it are removed. Returns the job's id at once.
    pub async fn index_path(self: &Arc<Self>, collection: &str, path: PathBuf) -> Result<String> {
        let root = path.canonicalize().map_err(|error| {
            Error::bad_input(
                "/path",
                format!("cannot read `{}`: {error}; name a file or a folder", path.display()),
            )
        })?;
        let source = sources::folder(&root).map_err(|error| Error::bad_input("/path", error.to_string()))?;
        self.start(collection, "index", Work::Folder { root, source }).await
    }

    async fn start(self: &Arc<Self>, collection: &str, kind: &str, work: Work) -> Result<String> {
        let collection = self.open_collection(collection).await?;
        let job = self.store().start_job(kind, collection.name()).await?;
        let record = JobRecord {
            id: job.clone(),
            collection: collection.name().to_owned(),
            ..JobRecord::default()
        };
        let mut run = IngestRun {
            engine: self.clone(),
            fingerprints: collection.fingerprints()?,
            collection,
            record,
            batch: Vec::new(),
            started: Instant::now(),
        };
        self.tasks().spawn(async move {
            let _one = run.engine.indexing().clone().lock_owned().await;
            let outcome = run.work(work).await;
            run.end(outcome).await;
        });
        Ok(job)
    }
}

/// One job under way.
struct IngestRun {
    engine: Arc<Engine>,
    collection: Arc<Collection>,
    fingerprints: BTreeMap<String, String>,
    record: JobRecord,
    batch: Vec<(Document, Vec<Chunk>)>,
    started: Instant,
}

impl IngestRun {
    async fn work(&mut self, work: Work) -> Result<()> {
        match work {
            Work::Items(items) => {
                self.record.documents = items.len() as u64;
                for item in items {
                    self.take(item).await?;
                }
                self.flush().await
            }
            Work::Folder { root, source } => self.folder(&root, source.entries()).await,
        }
    }

    async fn folder(&mut self, root: &Path, entries: Vec<Entry>) -> Result<()> {
        self.record.documents = entries.len() as u64;
        let place = self
            .engine
            .collection_folder(self.collection.name())
            .join("sources.json");
        let seen: BTreeSet<String> = entries.iter().map(|entry| entry.uri.clone()).collect();
        let mut ledger = read_ledger(&place)?;
        let key = root.display().to_string();
        let before = ledger.get(&key).cloned().unwrap_or_default();
        // Written first with all that may come to be, so that a crash forgets no document of this source.
        ledger.insert(key.clone(), before.union(&seen).cloned().collect());
        write_ledger(&place, &ledger)?;
        for entry in entries {
            let uri = entry.uri.clone();
            match blocking(move || Ok(sources::read(&entry))).await? {
                Ok(item) => self.take(item).await?,
                Err(error) => self.record.add_error(uri, error.to_string()),
            }
        }
        self.flush().await?;
        let gone: Vec<DocumentId> = before.difference(&seen).map(|uri| DocumentId::of(uri)).collect();
        self.collection.publish(Vec::new(), gone.clone()).await?;
        for document in &gone {
            self.engine.store().erase_document(*document).await?;
        }
        self.record.deleted = gone.len() as u64;
        ledger.insert(key, seen);
        write_ledger(&place, &ledger)
    }

    /// Parses one item when it is new or changed.
    async fn take(&mut self, item: Item) -> Result<()> {
        let print = fingerprint::of(&item);
        match self.fingerprints.insert(item.uri.clone(), print.clone()) {
            Some(known) if known == print => {
                self.record.unchanged += 1;
                return Ok(());
            }
            Some(_) => self.record.changed += 1,
            None => self.record.added += 1,
        }
        let uri = item.uri.clone();
        let parsed = blocking(move || {
            Ok(parse::document(&item, &print).map(|document| {
                let chunks = chunk::split(&document);
                (document, chunks)
            }))
        });
        match parsed.await? {
            Ok(parsed) => self.batch.push(parsed),
            Err(error) => self.record.add_error(uri, error.to_string()),
        }
        if self.batch.iter().map(|(_, chunks)| chunks.len()).sum::<usize>() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    /// Embeds and publishes what was parsed.
    async fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = batch
            .iter()
            .flat_map(|(document, chunks)| {
                chunks
                    .iter()
                    .map(|chunk| Chunk::embedded_text(&document.title, &chunk.heading_path, &chunk.text))
            })
            .collect();
        self.record.chunks += texts.len() as u64;
        let mut vectors = self
            .engine
            .embedder()
            .embed(texts, TextKind::Passage)
            .await?
            .into_iter();
        let replacements = batch
            .into_iter()
            .map(|(document, chunks)| {
                let vectors = vectors.by_ref().take(chunks.len()).collect();
                Replacement {
                    document,
                    chunks,
                    vectors,
                }
            })
            .collect();
        self.collection.publish(replacements, Vec::new()).await?;
        self.note().await
    }

    async fn note(&mut self) -> Result<()> {
        self.record.took_ms = self.started.elapsed().as_millis() as u64;
        self.engine.store().update_job(&self.record.id, &self.record).await
    }

    async fn end(&mut self, outcome: Result<()>) {
        self.record.state = if outcome.is_ok() {
            JobState::Done
        } else {
            JobState::Failed
        };
        if let Err(error) = outcome {
            tracing::error!(job = self.record.id, %error, "indexing failed");
            self.record.add_error("", error.to_string());
        }
        if let Err(error) = self.note().await {
            tracing::error!(job = self.record.id, %error, "the end of a job could not be written down");
        }
    }
}

/// Which documents came from which folder, so that deletions follow their own source.
type Ledger = BTreeMap<String, BTreeSet<String>>;

fn read_ledger(file: &Path) -> Result<Ledger> {
    match std::fs::read(file) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|error| Error::storage("the list of sources is broken", error))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::new()),
        Err(error) => Err(Error::storage("cannot read the list of sources", error)),
    }
}

fn write_ledger(file: &Path, ledger: &Ledger) -> Result<()> {
    let bytes = serde_json::to_vec(ledger).map_err(|error| Error::Internal(error.to_string()))?;
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, bytes)
        .and_then(|()| std::fs::rename(&fresh, file))
        .map_err(|error| Error::storage("cannot write the list of sources", error))
}
