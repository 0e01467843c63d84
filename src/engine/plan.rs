//! What indexing a source would do, and how long it would take. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::chunk::Chunking;
use indexer::fingerprint;
use indexer::sources::{Before, Entry, Origin, Reading, Source};
use indexer::types::{Chunk, Item};
use tokio::runtime::Handle;

use crate::engine::Engine;
use crate::engine::changes::{Change, Known};
use crate::engine::ingest::{Ground, Outline, failed};
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

/// What indexing a source would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Documents in the source.
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
    /// What would be left out, by kind.
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

/// What was found without a model: the plan, and texts that tell how long embedding takes.
struct Surveyed {
    plan: Plan,
    texts: Vec<String>,
}

impl Engine {
    /// What `index` would do.
    pub async fn plan(self: &Arc<Self>, collection: &str, origin: Origin) -> Result<Plan> {
        collection_name(collection)?;
        let known = match self.collection(collection) {
            Ok(open) => {
                let situator = self.situator(open.name(), &open.settings());
                self.known(&open, situator.as_deref()).await?.0
            }
            // It is made when something is indexed into it.
            Err(_) => Known::default(),
        };
        let (engine, ground) = (Arc::clone(self), self.ground(collection));
        let began = Instant::now();
        let surveyed = blocking(move || Survey::of(engine, &origin, ground, known)).await?;
        let Surveyed { mut plan, texts } = surveyed;
        plan.time += began.elapsed();
        if !texts.is_empty() {
            let (began, count) = (Instant::now(), texts.len() as f64);
            self.embedder().embed(texts, TextKind::Passage).await?;
            plan.time += began.elapsed().mul_f64(plan.chunks as f64 / count);
        }
        Ok(plan)
    }
}

/// A look at everything that a source holds.
struct Survey {
    engine: Arc<Engine>,
    source: Box<dyn Source>,
    outline: Outline,
    known: Known,
    before: Before,
    chunking: Chunking,
    plan: Plan,
    /// Those whose texts would be embedded.
    fresh: Vec<Entry>,
}

impl Survey {
    fn of(engine: Arc<Engine>, origin: &Origin, ground: Ground, known: Known) -> Result<Surveyed> {
        let chunking = ground.chunking;
        let (source, outline) = Outline::open(origin, ground)?;
        let mut survey = Self {
            before: outline.before(&known),
            plan: Plan::default(),
            fresh: Vec::new(),
            engine,
            source,
            outline,
            known,
            chunking,
        };
        while !survey.part()? {}
        survey.settle();
        let texts = survey.estimate();
        let plan = survey.plan;
        Ok(Surveyed { plan, texts })
    }

    /// Looks at a part of the list; true after the last.
    fn part(&mut self) -> Result<bool> {
        let part = self.source.list(&self.before).map_err(|error| failed(&error))?;
        let (faults, kinds) = self.outline.list(&part);
        self.plan.errors.extend(faults);
        for (kind, count) in kinds {
            *self.plan.skipped.entry(kind).or_default() += count;
        }
        if part.last {
            self.known.set_gone(self.outline.gone().iter());
        }
        for entry in part.entries {
            self.look(entry);
        }
        Ok(part.last)
    }

    /// Finds out what an entry is to the index.
    fn look(&mut self, mut entry: Entry) {
        if let Some(refusal) = self.outline.refusal(&entry.uri) {
            self.plan.documents += 1;
            return self.plan.errors.push(refusal);
        }
        let tag = self.before.get(&entry.uri).and_then(Option::as_deref);
        if tag.is_some() && tag == entry.tag.as_deref() {
            self.plan.documents += 1;
            self.plan.unchanged += 1;
            return;
        }
        match self.source.read(&entry, tag) {
            Ok(Reading::Item(item, _)) => {
                if self.outline.rename(&entry, &item.uri) {
                    entry.size = item.bytes.len() as u64;
                    self.take(entry, item);
                }
            }
            Ok(Reading::Same) => {
                self.plan.documents += 1;
                self.plan.unchanged += 1;
            }
            Ok(Reading::Absent(kind)) => {
                self.outline.set_absent(&entry);
                *self.plan.skipped.entry(kind).or_default() += 1;
            }
            Err(error) => {
                self.plan.documents += 1;
                let error = JobError::new(ErrorKind::Unreadable, entry.uri, error.to_string());
                self.plan.errors.push(error);
            }
        }
    }

    fn take(&mut self, entry: Entry, item: Item) {
        self.plan.documents += 1;
        if let Some(refusal) = self.outline.refusal(&item.uri) {
            return self.plan.errors.push(refusal);
        }
        let (change, _) = self.known.take(&item.uri, &fingerprint::of(&item, self.chunking));
        if change != Change::Unchanged {
            self.plan.bytes += item.bytes.len() as u64;
        }
        match change {
            Change::Unchanged => self.plan.unchanged += 1,
            Change::Moved(from) => self.plan.moved.push((from, item.uri)),
            Change::Added => {
                self.plan.added.push(item.uri);
                self.fresh.push(entry);
            }
            Change::Changed | Change::Lacking => {
                self.plan.changed.push(item.uri);
                self.fresh.push(entry);
            }
        }
    }

    /// Tells what is gone; a run that could not look at everything deletes nothing.
    fn settle(&mut self) {
        let (partial, reason) = self.outline.is_partial();
        self.plan.errors.extend(reason);
        if partial {
            return;
        }
        let gone = self.outline.gone();
        let moved: BTreeSet<&String> = self.plan.moved.iter().map(|(from, _)| from).collect();
        self.plan.deleted = gone.iter().filter(|uri| !moved.contains(uri)).cloned().collect();
        self.plan.needs_allow_deletes = self.outline.drastic(&self.known, &gone).is_some();
    }

    /// Parses some files of each ending to tell how many chunks all hold, and how long parsing takes; returns texts of
    /// some of the chunks.
    fn estimate(&mut self) -> Vec<String> {
        let mut by_ending: BTreeMap<Option<String>, Vec<Entry>> = BTreeMap::new();
        for entry in std::mem::take(&mut self.fresh) {
            let ending = Path::new(&entry.uri).extension();
            let ending = ending.map(|ending| ending.to_string_lossy().to_lowercase());
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
                // What is wrong with it is told by the run.
                if let Ok(Reading::Item(item, _)) = self.source.read(entry, None) {
                    sample.add(item, &self.engine, &mut texts);
                }
            }
            let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
            let share = bytes as f64 / sample.bytes.max(1) as f64;
            self.plan.chunks += (sample.chunks as f64 * share).round() as u64;
            self.plan.time += own.elapsed().mul_f64(share.max(0.0));
        }
        let step = texts.len().div_ceil(EMBED).max(1);
        texts.into_iter().step_by(step).collect()
    }
}

/// What some files of one ending hold.
#[derive(Default)]
struct Sample {
    bytes: u64,
    chunks: u64,
}

impl Sample {
    fn add(&mut self, item: Item, engine: &Engine, texts: &mut Vec<String>) {
        self.bytes += item.bytes.len() as u64;
        let chunking = engine.chunking();
        let parsing = engine.parsers().parse(item, String::new(), chunking);
        // On a thread that may wait, but not for long. What is wrong with the item is told by the run.
        let parsing = async { tokio::time::timeout(SAMPLING, parsing).await };
        let Ok(Ok(Ok((document, chunks)))) = Handle::current().block_on(parsing) else {
            return;
        };
        self.chunks += chunks.len() as u64;
        let embedded = |chunk: &Chunk| chunking.embedded(&document.title, &chunk.heading_path, &chunk.text);
        texts.extend(chunks.iter().take(EMBED).map(embedded));
    }
}
