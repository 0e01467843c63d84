//! The order of the steps: `search` and `answer` read as the diagram in DESIGN.md, a line a step.

pub mod answer;
mod backup;
mod cache;
mod changes;
pub mod checks;
pub mod citations;
pub mod claims;
pub mod conflicts;
pub mod diversify;
pub mod duplicates;
pub mod evidence;
pub mod expand;
mod explain;
pub mod extractive;
mod facets;
pub mod facts;
pub mod fuse;
pub mod ingest;
mod jobs;
mod keep;
mod ledger;
pub mod measure;
pub mod memory;
pub mod pack;
mod parsers;
pub mod patch;
pub mod plan;
mod pool;
pub mod prompt;
mod quarantine;
pub mod recency;
pub mod record;
mod removals;
mod remove;
pub mod rerank;
pub mod retrieve;
mod room;
mod runs;
pub mod search;
pub mod sentences;
mod shelf;
mod shingles;
mod situate;
#[cfg(test)]
mod span_rounds;
pub mod suggest;
pub mod support;
pub mod trace;
pub mod tune;
pub mod views;
mod wishes;
mod writing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use futures::stream::BoxStream;
use indexer::chunk::Chunking;

use crate::config::Traces;
use crate::error::{Error, Result};
use crate::gateway::routes::Route;
use crate::gateway::{ChatModel, Embedder};
use crate::index::vectors::VectorStore;
use crate::store::{JobRecord, Store};
use crate::types::{Event, Expansion, Filter, Found, Message, Query, Reader};

pub use backup::Backup;
pub(crate) use ingest::Ground;
pub use ingest::{Feed, Indexing, Put, stale};
pub use parsers::Parsers;
pub use patch::Change;
pub use plan::Plan;
pub use views::{CollectionView, RouteView, TargetView, unfiled};
pub use wishes::Wish;

/// A question for an answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The reader's words.
    pub message: String,
    /// An earlier conversation to go on with.
    pub conversation: Option<String>,
    /// Earlier turns that the caller keeps itself; used when no conversation is named.
    pub history: Vec<Message>,
    /// Where to look; empty means `default`.
    pub collections: Vec<String>,
    /// Condition on metadata.
    pub filter: Filter,
    /// A route's name, `auto` or nothing.
    pub route: Option<String>,
    /// Other words that the route's model, or the first that there is, writes for the search.
    pub expand: Option<Expansion>,
    /// On whose behalf documents are read.
    pub reader: Reader,
    /// Whose conversation it is.
    pub owner: String,
    /// Whether the answer goes on for a while when nobody reads it, so that `follow` finds it whole.
    pub resumable: bool,
}

/// Dropping the last one of a run stops the model, unless the run is resumable.
pub type EventStream = BoxStream<'static, Event>;

/// Makes the vectors of a collection by name and dimension; none means the embedded engine.
pub type VectorFactory = Box<dyn Fn(&str, usize) -> Result<Arc<dyn VectorStore>> + Send + Sync>;

/// What the engine is made of; `app` puts it together.
pub struct Parts {
    /// Folder of the collections.
    pub data: PathBuf,
    /// The settings of buckets, by the names of their variables.
    pub buckets: BTreeMap<String, String>,
    /// Texts to vectors.
    pub embedder: Arc<dyn Embedder>,
    /// Conversations and jobs.
    pub store: Store,
    /// The declared routes.
    pub routes: Vec<Route>,
    /// A model for each available route, by its name.
    pub models: BTreeMap<String, Arc<dyn ChatModel>>,
    /// A vector server, when one is configured.
    pub vectors: Option<VectorFactory>,
    /// What moves the best candidates.
    pub reranking: Arc<rerank::Reranking>,
    /// Support below which an answer is declined.
    pub decline_below: f32,
    /// How documents are cut.
    pub chunking: Chunking,
    /// How it is kept how answers came about.
    pub traces: Traces,
    /// Where they are parsed.
    pub parsers: Parsers,
    /// Bytes of documents that may wait to be indexed, and as many that may be on their way into an index.
    pub in_flight_bytes: usize,
}

/// Search, answers and indexing over the open collections.
pub struct Engine {
    parts: Parts,
    most_collections: usize,
    cache: cache::SearchCache,
    runs: runs::Runs,
    shelf: RwLock<shelf::Shelf>,
    /// One indexing run at a time keeps the embedder free for searches.
    indexing: Arc<tokio::sync::Mutex<()>>,
    /// Batches and removals are published in turn, so that none brings back what another removed.
    publishing: tokio::sync::Mutex<()>,
    removals: removals::Removals,
    wishes: wishes::Wishes,
    /// Those that write sentences of chunks.
    writers: Arc<situate::Writers>,
    /// How jobs ended whose end could not be written down.
    unwritten: RwLock<BTreeMap<String, JobRecord>>,
    /// What may wait to be indexed, in KiB.
    queue: Arc<tokio::sync::Semaphore>,
    /// Two callers must not open one collection at once.
    opening: tokio::sync::Mutex<()>,
    tasks: tokio_util::task::TaskTracker,
    stopping: tokio_util::sync::CancellationToken,
}

impl Engine {
    /// Opens every collection in the data folder; those that do not open are told of, and are `Unavailable`.
    pub async fn open(parts: Parts) -> Result<Arc<Self>> {
        Self::bounded(parts, usize::MAX).await
    }

    /// The same; where there are `most_collections`, no other one is made.
    pub async fn bounded(parts: Parts, most_collections: usize) -> Result<Arc<Self>> {
        let engine = Self {
            most_collections,
            cache: cache::SearchCache::new(),
            runs: runs::Runs::new(),
            shelf: RwLock::default(),
            indexing: Arc::default(),
            publishing: tokio::sync::Mutex::default(),
            removals: removals::Removals::default(),
            wishes: wishes::Wishes::default(),
            writers: Arc::default(),
            unwritten: RwLock::default(),
            queue: Arc::new(tokio::sync::Semaphore::new(kib(parts.in_flight_bytes) as usize)),
            opening: tokio::sync::Mutex::default(),
            tasks: tokio_util::task::TaskTracker::new(),
            stopping: tokio_util::sync::CancellationToken::new(),
            parts,
        };
        engine.open_all().await?;
        engine.finish_removals().await?;
        engine.store().purge_traces(engine.parts.traces.keep_days).await?;
        Ok(Arc::new(engine))
    }

    /// Passages for a query, best first. Equal queries over the same state of their collections share one search.
    pub async fn search(&self, query: &Query) -> Result<Found> {
        self.cache.search(self, query).await
    }

    /// The events of an answer; an error means that nothing was sent.
    pub async fn answer(self: &Arc<Self>, ask: Ask) -> Result<EventStream> {
        self.answer_in(ask, ()).await
    }

    /// The same, with a place among the running answers that is given back when this one has ended, whether or not
    /// its reader has taken everything.
    pub async fn answer_in(self: &Arc<Self>, ask: Ask, place: impl Send + 'static) -> Result<EventStream> {
        answer::start(self, ask, place).await
    }

    /// A run of that owner's, under way or ended a while ago.
    pub(crate) fn run(&self, run: &str, owner: &str) -> Result<Arc<runs::Recording>> {
        self.runs.find(run, owner)
    }

    pub(crate) fn embedder(&self) -> &Arc<dyn Embedder> {
        &self.parts.embedder
    }

    pub(crate) fn store(&self) -> &Store {
        &self.parts.store
    }

    pub(crate) fn parsers(&self) -> &Parsers {
        &self.parts.parsers
    }

    /// What may wait to be indexed, in KiB.
    pub(crate) fn queue_kib(&self) -> u32 {
        kib(self.parts.in_flight_bytes)
    }

    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.parts.in_flight_bytes
    }

    pub(crate) fn chunking(&self) -> Chunking {
        self.parts.chunking
    }

    pub(crate) fn routes_list(&self) -> &[Route] {
        &self.parts.routes
    }

    /// Support below which an answer is declined: the strictest that one of `names` has set, or the configuration.
    pub(crate) fn decline_below(&self, names: &[String]) -> f32 {
        let of = |name: &String| {
            let set = self.collection(name).ok()?.settings().decline_below?;
            Some(set as f32)
        };
        let all = names.iter().map(|name| of(name).unwrap_or(self.parts.decline_below));
        all.reduce(f32::max).unwrap_or(self.parts.decline_below)
    }

    /// Ends running answers with `failed`; what was received is stored as incomplete.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    pub(crate) fn stopping(&self) -> &tokio_util::sync::CancellationToken {
        &self.stopping
    }

    pub(crate) fn queue(&self) -> &Arc<tokio::sync::Semaphore> {
        &self.queue
    }

    pub(crate) fn tasks(&self) -> &tokio_util::task::TaskTracker {
        &self.tasks
    }

    /// What sources of the collection stand on.
    pub(crate) fn ground(&self, collection: &str) -> Ground {
        Ground {
            ledger: self.collections_folder().join(collection).join("sources.json"),
            cache: self.parts.data.join("cache"),
            buckets: self.parts.buckets.clone(),
            chunking: self
                .collection(collection)
                .map_or(self.chunking(), |open| self.chunking_of(&open.settings())),
        }
    }

    pub(crate) fn quarantine_file(&self, collection: &str) -> PathBuf {
        self.collections_folder().join(collection).join("quarantine.json")
    }

    pub(crate) fn forget_answers(&self) {
        self.cache.clear();
        self.runs.forget();
    }

    fn runs(&self) -> &runs::Runs {
        &self.runs
    }

    pub(crate) fn publishing(&self) -> &tokio::sync::Mutex<()> {
        &self.publishing
    }

    pub(crate) fn indexing(&self) -> &Arc<tokio::sync::Mutex<()>> {
        &self.indexing
    }

    pub(crate) fn model(&self, route: &str) -> Result<&Arc<dyn ChatModel>> {
        self.parts
            .models
            .get(route)
            .ok_or_else(|| Error::Internal(format!("route `{route}` has no model")))
    }

    /// How rare an analysed word is in the first of `names`.
    pub(crate) fn idf(&self, names: &[String]) -> Box<dyn Fn(&str) -> f32 + Send + Sync> {
        match names.first().and_then(|name| self.collection(name).ok()) {
            Some(collection) => Box::new(move |word| collection.idf(word)),
            None => Box::new(|_| 1.0),
        }
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX).max(1)
}
