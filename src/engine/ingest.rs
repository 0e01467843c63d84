//! Items to published documents: fingerprint, parse, chunk, embed, publish, with a job that tells how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// Up to here a scan of the vectors is as quick as an index of them.
const SCAN: usize = 20_000;

/// What a job works on.
enum Work {
    Items(Vec<Item>),
    Folder { root: PathBuf, source: FolderSource },
}

impl Work {
    /// Places in the queue, a KiB of memory each.
    fn weight(&self) -> u32 {
        match self {
            Self::Items(items) => items.iter().map(|item| (item.bytes.len() / 1024) as u32 + 1).sum(),
            Self::Folder { source, .. } => source.entries().len().min(1_024) as u32 + 1,
        }
    }
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
        let place = self
            .queue()
            .clone()
            .try_acquire_many_owned(work.weight())
            .map_err(|_| Error::Overloaded {
                detail: "too much waits to be indexed; send it again later".into(),
                retry_after: Duration::from_secs(5),
            })?;
        let collection = self.open_collection(collection).await?;
        let job = self.store().start_job(kind, collection.name()).await?;
        let record = JobRecord {
            id: job.clone(),
            collection: collection.name().to_owned(),
            ..JobRecord::default()
        };
        let mut run = IngestRun {
            engine: self.clone(),
            fingerprints: BTreeMap::new(),
            collection,
            record,
            batch: Vec::new(),
            started: Instant::now(),
        };
        self.tasks().spawn(async move {
            let one = run.engine.indexing().clone().lock_owned().await;
            let outcome = run.work(work).await;
            run.end(outcome).await;
            drop((one, place));
            run.tidy().await;
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
        // Only now: the jobs before this one have changed them.
        self.fingerprints = self.collection.fingerprints()?;
        match work {
            Work::Items(items) => {
                self.record.documents = items.len() as u64;
                for item in items {
                    self.take(item).await?;
                }
                self.flush().await
            }
            Work::Folder { root, source } => self.folder(&root, &source).await,
        }
    }

    async fn folder(&mut self, root: &Path, source: &FolderSource) -> Result<()> {
        let file = self
            .engine
            .collection_folder(self.collection.name())
            .join("sources.json");
        let mut ledger = Ledger::read(&file)?;
        let key = root.display().to_string();
        let taken = ledger.taken(&key);
        let entries: Vec<Entry> = source.entries();
        self.record.documents = entries.len() as u64;
        let seen: BTreeSet<String> = entries.iter().map(|entry| entry.uri.clone()).collect();
        let before = ledger.of(&key);
        // Written first with all that may come to be, so that a crash forgets no document of this source.
        let own = seen.iter().filter(|uri| !taken.contains_key(*uri)).cloned().collect();
        ledger.set(&key, before.union(&own).cloned().collect(), &file)?;
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
            ledger.set(&key, own, &file)?;
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
        if source.entries().is_empty() && !before.is_empty() {
            let detail = format!(
                "the folder is empty and {} documents came from it; nothing was deleted",
                before.len()
            );
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

    /// Lets the vector engine build its indexes where there is much to search.
    async fn tidy(&self) {
        let changed = self.record.added + self.record.changed + self.record.deleted > 0;
        if changed
            && self.collection.statistics().chunks > SCAN
            && let Err(error) = self.collection.optimize().await
        {
            tracing::warn!(collection = self.collection.name(), %error, "the vectors were not optimised");
        }
    }

    /// Parses one item when it is new or changed.
    async fn take(&mut self, item: Item) -> Result<()> {
        let chunking = self.engine.chunking();
        let print = fingerprint::of(&item, chunking);
        let known = self.fingerprints.insert(item.uri.clone(), print.clone());
        if known.as_ref() == Some(&print) {
            self.record.unchanged += 1;
            return Ok(());
        }
        let uri = item.uri.clone();
        let parsed = blocking(move || {
            Ok(parse::document(&item, &print).map(|document| {
                let chunks = chunk::split(&document, chunking);
                (document, chunks)
            }))
        });
        match (parsed.await?, known) {
            (Ok(parsed), known) => {
                self.batch.push(parsed);
                if known.is_some() {
                    self.record.changed += 1;
                } else {
                    self.record.added += 1;
                }
            }
            (Err(error), known) => {
                self.record.add_error(uri.clone(), error.to_string());
                self.fingerprints.remove(&uri);
                self.fingerprints.extend(known.map(|known| (uri, known)));
            }
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
        let chunking = self.engine.chunking();
        let texts: Vec<String> = batch
            .iter()
            .flat_map(|(document, chunks)| {
                chunks
                    .iter()
                    .map(|chunk| chunking.embedded(&document.title, &chunk.heading_path, &chunk.text))
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
#[derive(Default, serde::Deserialize, serde::Serialize)]
struct Ledger(BTreeMap<String, BTreeSet<String>>);

impl Ledger {
    fn read(file: &Path) -> Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| Error::storage("the list of sources is broken", error))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::storage("cannot read the list of sources", error)),
        }
    }

    /// The documents that came from `key`.
    fn of(&self, key: &str) -> BTreeSet<String> {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// The documents of other folders that still exist, and which. A folder that was moved gives its documents up.
    fn taken(&self, key: &str) -> BTreeMap<String, String> {
        let others = self
            .0
            .iter()
            .filter(|(other, _)| *other != key && Path::new(other).exists());
        others
            .flat_map(|(other, uris)| uris.iter().map(|uri| (uri.clone(), other.clone())))
            .collect()
    }

    fn set(&mut self, key: &str, uris: BTreeSet<String>, file: &Path) -> Result<()> {
        self.0.insert(key.to_owned(), uris);
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Internal(error.to_string()))?;
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, bytes)
            .and_then(|()| std::fs::rename(&fresh, file))
            .map_err(|error| Error::storage("cannot write the list of sources", error))
    }
}
