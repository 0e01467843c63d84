//! Items to published documents: fingerprint, parse, chunk, embed, publish, with a job that tells how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::chunk::Chunking;
use indexer::sources::FolderSource;
use indexer::types::{Chunk, Document, DocumentId, Item};
use indexer::{chunk, fingerprint, parse, sources};

use crate::engine::Engine;
use crate::engine::ledger::{Ledger, named_from, split};
use crate::engine::removals::Accepted;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::index::{Collection, Replacement};
use crate::store::{JobRecord, JobState};
use crate::types::Reader;

/// Chunks that are published as one.
const BATCH: usize = 256;
/// Chunks that are embedded as one: few enough that the job is seen to move.
const EMBED: usize = 64;
/// How often a job tells how far it is, at least while it goes from document to document.
const PULSE: Duration = Duration::from_millis(500);
/// Up to here a scan of the vectors is as quick as an index of them.
const SCAN: usize = 20_000;
/// How long one document may be parsed.
const PARSING: Duration = Duration::from_mins(2);

/// What a job works on.
enum Work {
    Items(Vec<Item>),
    Folder { root: PathBuf, source: FolderSource },
}

impl Work {
    /// Places in the queue, a KiB of memory each.
    fn weight(&self) -> u32 {
        match self {
            Self::Items(items) => items.iter().map(weight).sum(),
            Self::Folder { source, .. } => source.entries().len().min(1_024) as u32 + 1,
        }
    }
}

fn weight(item: &Item) -> u32 {
    let facts = serde_json::to_vec(&(&item.metadata, &item.principals)).map_or(0, |facts| facts.len());
    ((item.bytes.len() + facts) / 1024) as u32 + 1
}

impl Engine {
    /// Indexes items that a caller sent; returns the job's id at once. Nobody replaces what he may not read.
    pub async fn put(self: &Arc<Self>, collection: &str, items: Vec<Item>, reader: &Reader) -> Result<String> {
        if let Ok(open) = self.collection(collection)
            && let Some(item) = items
                .iter()
                .find(|item| open.is_hidden(DocumentId::of(&item.uri), reader))
        {
            return Err(Error::Forbidden(hidden(&item.uri)));
        }
        self.start(collection, ("put", reader.clone()), Work::Items(items))
            .await
    }

    /// Indexes a file or a folder; documents that are gone from it are removed. Returns the job's id at once.
    pub async fn index_path(self: &Arc<Self>, collection: &str, path: PathBuf) -> Result<String> {
        let walk = move || {
            let root = path.canonicalize().map_err(|error| {
                Error::bad_input(
                    "/path",
                    format!("cannot read `{}`: {error}; name a file or a folder", path.display()),
                )
            })?;
            let source = sources::folder(&root).map_err(|error| Error::bad_input("/path", error.to_string()))?;
            Ok(Work::Folder { root, source })
        };
        let work = blocking(walk).await?;
        self.start(collection, ("index", Reader::Everything), work).await
    }

    async fn start(self: &Arc<Self>, collection: &str, (kind, reader): (&str, Reader), work: Work) -> Result<String> {
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
            accepted: self.removals.accept(),
            reader,
            parsed: Vec::new(),
            ready: Vec::new(),
            started: Instant::now(),
            told: Instant::now(),
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
    accepted: Accepted,
    /// On whose behalf documents are written.
    reader: Reader,
    parsed: Vec<Parsed>,
    ready: Vec<Replacement>,
    started: Instant,
    /// When the record was last written down.
    told: Instant,
}

/// A document that waits for its vectors.
struct Parsed {
    document: Document,
    chunks: Vec<Chunk>,
    is_new: bool,
}

impl IngestRun {
    async fn work(&mut self, work: Work) -> Result<()> {
        // Only now: the jobs before this one have changed them.
        self.fingerprints = self.collection.fingerprints().await?;
        if self.engine.wants_tokens() {
            let collection = self.collection.clone();
            for uri in blocking(move || collection.without_tokens()).await? {
                // Another print than any document's, so that it is indexed again.
                self.fingerprints.entry(uri).and_modify(String::clear);
            }
        }
        match work {
            Work::Items(items) => {
                self.record.documents = items.len() as u64;
                self.note().await?;
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
                format!(
                    "nothing here can be read; what is read: {}",
                    sources::FORMATS
                )
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

    /// Takes what was replaced off the disk, and lets the vector engine build its indexes where there is much to
    /// search.
    async fn tidy(&self) {
        let replaced = self.record.changed + self.record.deleted > 0;
        if replaced {
            self.engine.forget_answers();
        }
        if replaced && let Err(error) = self.collection.compact().await {
            tracing::warn!(collection = self.collection.name(), %error, "replaced texts stay on the disk for now");
        }
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
        // It may have come while this job waited. Who may not read it must not learn either whether it is the same.
        if self.collection.is_hidden(DocumentId::of(&item.uri), &self.reader) {
            self.record.add_error(item.uri.clone(), hidden(&item.uri));
            return self.tell().await;
        }
        let chunking = self.engine.chunking();
        let print = fingerprint::of(&item, chunking);
        let known = self.fingerprints.insert(item.uri.clone(), print.clone());
        if known.as_ref() == Some(&print) {
            self.record.unchanged += 1;
            return self.tell().await;
        }
        let uri = item.uri.clone();
        let parsed = blocking(move || {
            let parsed = parse::document(&item, &print).map_err(|error| error.to_string());
            Ok(parsed.map(|document| {
                let chunks = chunk::split(&document, chunking);
                (document, chunks)
            }))
        });
        let late = |_| Ok(Err(format!("it could not be read within {} s", PARSING.as_secs())));
        match (tokio::time::timeout(PARSING, parsed).await.unwrap_or_else(late)?, known) {
            (Ok((document, chunks)), known) => self.parsed.push(Parsed {
                document,
                chunks,
                is_new: known.is_none(),
            }),
            (Err(error), known) => {
                self.record.add_error(uri.clone(), error);
                self.fingerprints.remove(&uri);
                self.fingerprints.extend(known.map(|known| (uri, known)));
            }
        }
        if self.parsed.iter().map(|one| one.chunks.len()).sum::<usize>() >= EMBED {
            self.embed().await?;
        }
        if self.ready.iter().map(|one| one.chunks.len()).sum::<usize>() >= BATCH {
            self.flush().await?;
        }
        self.tell().await
    }

    /// Embeds what was parsed.
    async fn embed(&mut self) -> Result<()> {
        let parsed = std::mem::take(&mut self.parsed);
        let chunking = self.engine.chunking();
        let mut texts: Vec<String> = parsed.iter().flat_map(|one| texts(one, chunking)).collect();
        let mut indexed = Vec::with_capacity(texts.len());
        while !texts.is_empty() {
            let rest = texts.split_off(texts.len().min(EMBED));
            let some = std::mem::replace(&mut texts, rest);
            self.record.chunks += some.len() as u64;
            indexed.extend(self.engine.embed_passages(&self.collection, some).await?);
            self.tell().await?;
        }
        let mut indexed = indexed.into_iter();
        for one in parsed {
            if one.is_new {
                self.record.added += 1;
            } else {
                self.record.changed += 1;
            }
            let own = indexed.by_ref().take(one.chunks.len());
            let (vectors, tokens) = own.map(|one| (one.vector, one.tokens)).unzip();
            self.ready.push(Replacement {
                vectors,
                tokens: if self.engine.wants_tokens() { tokens } else { Vec::new() },
                document: one.document,
                chunks: one.chunks,
            });
        }
        self.note().await
    }

    /// Embeds and publishes all that waits.
    async fn flush(&mut self) -> Result<()> {
        self.embed().await?;
        let mut ready = std::mem::take(&mut self.ready);
        if ready.is_empty() {
            return Ok(());
        }
        let _turn = self.engine.publishing().lock().await;
        let name = self.collection.name();
        ready.retain(|one| !self.accepted.is_removed(name, one.document.id));
        self.collection.publish(ready, Vec::new()).await
    }

    /// Writes the record down when that was some time ago.
    async fn tell(&mut self) -> Result<()> {
        if self.told.elapsed() < PULSE {
            return Ok(());
        }
        self.note().await
    }

    async fn note(&mut self) -> Result<()> {
        self.told = Instant::now();
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
            self.engine.remember(self.record.clone());
        }
    }
}

fn hidden(uri: &str) -> String {
    format!("the document `{uri}` may not be replaced with this key; give yours another name")
}

fn texts(parsed: &Parsed, chunking: Chunking) -> impl Iterator<Item = String> + '_ {
    let title = &parsed.document.title;
    let chunks = parsed.chunks.iter();
    chunks.map(move |chunk| chunking.embedded(title, &chunk.heading_path, &chunk.text))
}
