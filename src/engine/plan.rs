//! What indexing a folder would do, and how long it would take. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::chunk::Chunking;
use indexer::fingerprint;
use indexer::sources::{self, Entry};
use indexer::types::Chunk;

use crate::engine::Engine;
use crate::engine::changes::{Change, Known, is_drastic};
use crate::engine::ingest::{Folder, Outline};
use crate::error::Result;
use crate::gateway::TextKind;
use crate::index::work::blocking;
use crate::store::{ErrorKind, JobError};
use crate::types::collection_name;

/// Files of one ending that are parsed to tell how many chunks the others hold.
const SAMPLE: usize = 16;
/// How long that may take for all endings together.
const SAMPLING: Duration = Duration::from_secs(2);
/// Chunks that are embedded to tell how long the others take.
const EMBED: usize = 32;

/// What indexing a folder would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Documents in the folder.
    pub documents: usize,
    /// The new ones.
    pub added: Vec<String>,
    /// Those with another text than before.
    pub changed: Vec<String>,
    /// From where to where documents were moved.
    pub moved: Vec<(String, String)>,
    /// Those that are gone.
    pub deleted: Vec<String>,
    /// Those whose text is as before.
    pub unchanged: usize,
    /// Files that nothing can read, by the ending of their names.
    pub skipped: BTreeMap<String, u64>,
    /// Bytes of what is new, changed or moved.
    pub bytes: u64,
    /// About so many chunks would be embedded: those of what is new or changed.
    pub chunks: u64,
    /// About so long it would take.
    pub time: Duration,
    /// Whether so much would be deleted that it has to be allowed.
    pub needs_allow_deletes: bool,
    /// What cannot be read or taken.
    pub errors: Vec<JobError>,
}

/// What was found without parsing anything: the plan, and the files whose texts would be embedded.
struct Surveyed {
    plan: Plan,
    fresh: Vec<Entry>,
}

impl Engine {
    /// What `index_path` would do.
    pub async fn plan_path(self: &Arc<Self>, collection: &str, path: PathBuf) -> Result<Plan> {
        collection_name(collection)?;
        let known = match self.collection(collection) {
            Ok(open) => self.known(&open).await?,
            // It is made when something is indexed into it.
            Err(_) => Known::default(),
        };
        let (file, chunking) = (self.sources_file(collection), self.chunking());
        let began = Instant::now();
        let surveyed = blocking(move || survey(&path, file, known, chunking)).await?;
        let Surveyed { mut plan, fresh } = surveyed;
        plan.time += began.elapsed();
        let texts = plan.estimate(&fresh, self).await?;
        if !texts.is_empty() {
            let (began, count) = (Instant::now(), texts.len() as f64);
            self.embedder().embed(texts, TextKind::Passage).await?;
            plan.time += began.elapsed().mul_f64(plan.chunks as f64 / count);
        }
        Ok(plan)
    }
}

fn survey(path: &Path, file: PathBuf, mut known: Known, chunking: Chunking) -> Result<Surveyed> {
    let folder = Folder::walk(path, false)?;
    let mut outline = Outline::of(&folder, file)?;
    let entries = std::mem::take(&mut outline.entries);
    let gone = outline.gone();
    known.set_gone(gone.iter());
    let mut plan = Plan {
        documents: entries.len(),
        skipped: folder.source.unsupported(),
        ..Plan::default()
    };
    let mut fresh = Vec::new();
    for entry in entries {
        match outline.refusal(&entry.uri) {
            Some(refusal) => plan.errors.push(refusal),
            None => plan.look(entry, &mut known, chunking, &mut fresh),
        }
    }
    plan.errors.extend(folder.failures(&outline.before));
    // A run that could not look at everything deletes nothing.
    if folder.failures(&outline.before).is_empty() {
        let moved: BTreeSet<&String> = plan.moved.iter().map(|(from, _)| from).collect();
        plan.deleted = gone.iter().filter(|uri| !moved.contains(uri)).cloned().collect();
        let vanished = known.vanished(&gone, &outline.seen);
        plan.needs_allow_deletes = is_drastic(vanished, outline.before.len());
    }
    Ok(Surveyed { plan, fresh })
}

impl Plan {
    /// Finds out what the file is to the index; `fresh` are those whose texts would be embedded.
    fn look(&mut self, entry: Entry, known: &mut Known, chunking: Chunking, fresh: &mut Vec<Entry>) {
        let item = match sources::read(&entry) {
            Ok(item) => item,
            Err(error) => {
                let error = JobError::new(ErrorKind::Unreadable, entry.uri, error.to_string());
                return self.errors.push(error);
            }
        };
        let (change, _) = known.take(&item.uri, &fingerprint::of(&item, chunking));
        if change != Change::Unchanged {
            self.bytes += item.bytes.len() as u64;
        }
        match change {
            Change::Unchanged => self.unchanged += 1,
            Change::Moved(from) => self.moved.push((from, item.uri)),
            Change::Added => {
                self.added.push(item.uri);
                fresh.push(entry);
            }
            Change::Changed => {
                self.changed.push(item.uri);
                fresh.push(entry);
            }
        }
    }

    /// Parses some files of each ending to tell how many chunks all hold, and how long parsing takes; returns texts of
    /// some of the chunks.
    async fn estimate(&mut self, fresh: &[Entry], engine: &Engine) -> Result<Vec<String>> {
        let mut by_ending: BTreeMap<Option<String>, Vec<&Entry>> = BTreeMap::new();
        for entry in fresh {
            let ending = entry
                .path
                .extension()
                .map(|ending| ending.to_string_lossy().to_lowercase());
            by_ending.entry(ending).or_default().push(entry);
        }
        let (began, mut texts) = (Instant::now(), Vec::new());
        for entries in by_ending.values() {
            let mut sample = Sample::default();
            let step = entries.len().div_ceil(SAMPLE);
            let own = Instant::now();
            for entry in entries.iter().step_by(step) {
                if sample.bytes > 0 && began.elapsed() > SAMPLING {
                    break;
                }
                sample.add(entry, engine, &mut texts).await?;
            }
            let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
            let share = bytes as f64 / sample.bytes.max(1) as f64;
            self.chunks += (sample.chunks as f64 * share).round() as u64;
            self.time += own.elapsed().mul_f64(share.max(0.0));
        }
        let step = texts.len().div_ceil(EMBED).max(1);
        Ok(texts.into_iter().step_by(step).collect())
    }
}

/// What some files of one ending hold.
#[derive(Default)]
struct Sample {
    bytes: u64,
    chunks: u64,
}

impl Sample {
    async fn add(&mut self, entry: &Entry, engine: &Engine, texts: &mut Vec<String>) -> Result<()> {
        self.bytes += entry.size;
        let (entry, chunking) = (entry.clone(), engine.chunking());
        // What is wrong with a file is told by the run.
        let Ok(item) = blocking(move || Ok(sources::read(&entry))).await? else {
            return Ok(());
        };
        let Ok((document, chunks)) = engine.parsers().parse(item, String::new(), chunking).await? else {
            return Ok(());
        };
        self.chunks += chunks.len() as u64;
        let embedded = |chunk: &Chunk| chunking.embedded(&document.title, &chunk.heading_path, &chunk.text);
        texts.extend(chunks.iter().take(EMBED).map(embedded));
        Ok(())
    }
}
