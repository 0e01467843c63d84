//! Equal searches over the same state of their collections are made once: later ones are answered from memory, those
//! that come meanwhile wait for the first.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use crate::engine::Engine;
use crate::engine::search::Search;
use crate::error::{Error, Result};
use crate::telemetry;
use crate::types::{Found, Passage, Query};

/// About how much memory answers may take.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Answers of an earlier state are never asked for again.
const IDLE: Duration = Duration::from_mins(10);

/// The answers of earlier searches.
pub(super) struct SearchCache(Cache<Key, Arc<Found>>);

/// All that decides an answer: the checked query with its reader, and the state of each collection.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    query: String,
    generations: Vec<u64>,
}

/// What is given to all who wait, but not kept.
enum NotKept {
    Failed(Error),
    Degraded(Found),
}

impl SearchCache {
    /// An empty cache.
    pub fn new() -> Self {
        let weight = |key: &Key, found: &Arc<Found>| {
            let bytes = key.query.len() + found.passages.iter().map(weight).sum::<usize>() + 1_024;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(MAX_BYTES).time_to_idle(IDLE);
        Self(cache.weigher(weight).build())
    }

    /// Holds nothing any more: what was removed is to be found nowhere.
    pub fn clear(&self) {
        self.0.invalidate_all();
    }

    /// The answer to `query`, from memory or made now.
    pub async fn search(&self, engine: &Engine, query: &Query) -> Result<Found> {
        if query.options().explain {
            // The times of another search explain nothing.
            return Search::new(engine, query)?.run().await;
        }
        let mut generations = Vec::with_capacity(query.collections().len());
        for name in query.collections() {
            // Read before the search: what changes meanwhile is kept under a state that nobody asks for again.
            generations.push(engine.collection(name)?.generation());
        }
        let key = Key {
            // Everything that is in a query is in its debug form.
            query: format!("{query:?}"),
            generations,
        };
        let made = async {
            let found = match Search::new(engine, query) {
                Ok(search) => search.run().await,
                Err(error) => Err(error),
            };
            match found {
                Ok(found) if found.degraded.is_empty() => Ok(Arc::new(found)),
                Ok(found) => Err(NotKept::Degraded(found)),
                Err(error) => Err(NotKept::Failed(error)),
            }
        };
        let (outcome, answer) = match self.0.entry(key).or_try_insert_with(made).await {
            Ok(entry) if entry.is_fresh() => ("miss", Ok(entry.into_value())),
            Ok(entry) => ("hit", Ok(entry.into_value())),
            Err(not_kept) => ("not_kept", Err(not_kept)),
        };
        metrics::counter!(telemetry::SEARCH_CACHE, "outcome" => outcome).increment(1);
        match answer {
            Ok(found) => Ok(Found::clone(&found)),
            Err(not_kept) => match &*not_kept {
                NotKept::Failed(error) => Err(error.clone()),
                NotKept::Degraded(found) => Ok(found.clone()),
            },
        }
    }
}

/// About how many bytes a passage takes.
fn weight(passage: &Passage) -> usize {
    let display = &passage.display;
    let around = [&display.before, &display.after].into_iter().flatten();
    let around: usize = around.map(|stretch| stretch.text.len()).sum();
    let more: usize = display.group.iter().flat_map(|group| &group.more).map(weight).sum();
    passage.chunk.text.len() + around + more + 2_048
}
