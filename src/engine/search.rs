//! A search from the legs to the page, on one thread.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::expand::Expander;
use crate::engine::pool::{Pool, Searched};
use crate::engine::rerank::Reranking;
use crate::engine::retrieve::{self, Tools};
use crate::engine::{Engine, explain, facets};
use crate::error::Result;
use crate::gateway::Embedder;
use crate::index::matches::{Grouped, Matches, Matching, Ranked};
use crate::index::{Collection, directory, work};
use crate::telemetry;
use crate::types::{
    ChunkId, Found, Group, Hit, MAX_LIMIT, MAX_OFFSET, Mode, Page, Passage, Placed, Query, Scores, Total,
};

/// The end of the deepest page.
const DEEPEST: usize = MAX_OFFSET + MAX_LIMIT;
/// Matches are counted up to here; what needs them all goes on.
const COUNTED: usize = 10_000;

/// Where a query is searched and with what.
pub struct Search {
    /// The collections that it names.
    pub collections: Vec<Arc<Collection>>,
    /// Makes its vector.
    pub embedder: Arc<dyn Embedder>,
    /// What moves the best candidates.
    pub reranking: Arc<Reranking>,
    /// Writes other words for it, when that is asked for.
    pub expander: Option<Expander>,
    /// What is asked.
    pub query: Query,
}

impl Search {
    pub(super) fn new(engine: &Engine, query: &Query) -> Result<Self> {
        let collections = query.collections().iter();
        Ok(Self {
            collections: collections.map(|name| engine.collection(name)).collect::<Result<_>>()?,
            embedder: Arc::clone(engine.embedder()),
            reranking: Arc::clone(&engine.parts.reranking),
            expander: engine.expander(query)?,
            query: query.clone(),
        })
    }

    /// Searches all collections; what does not wait for others is computed on one thread.
    pub async fn run(self) -> Result<Found> {
        work::on_one_thread(async move {
            let query = &self.query;
            let pool = self.gather(query, self.expander.as_ref()).await?;
            let mut unfiltered = None;
            if query.options().explain && !query.filter().is_empty() {
                unfiltered = Some(self.gather(&query.unfiltered(), None).await?);
            }
            page(pool, unfiltered.as_ref(), query)
        })
        .await
    }

    async fn gather(&self, query: &Query, expander: Option<&Expander>) -> Result<Pool> {
        let tools = Tools {
            embedder: &self.embedder,
            reranking: &self.reranking,
            expander,
        };
        let found = retrieve::search(&self.collections, &tools, query).await?;
        let found = self.collections.iter().cloned().zip(found).collect();
        Ok(Pool::new(found, query.options().explain))
    }
}

/// From the candidates to the page.
fn page(mut pool: Pool, unfiltered: Option<&Pool>, query: &Query) -> Result<Found> {
    let options = query.options();
    pool.refine(query)?;
    let mut page = Page::default();
    let mut all = Vec::new();
    if options.need_all() || !options.facets.is_empty() {
        all = pool.timed("matches", |pool| matches(pool, query))?;
        page.facets = facets::count(&all, &options.facets);
    }
    let items = if options.need_all() {
        rescore(&pool, &mut all);
        ranked(&pool, &all, query)
    } else {
        plain(&pool, query)?
    };
    if options.whole {
        page.total = Some(pool.timed("count", |pool| total(pool, &all, query))?);
    }
    let passages = pool.timed("passages", |pool| passages(pool, items, query))?;
    if options.explain {
        page.not_reranked = pool.unjudged;
        page.dropped = explain::dropped(&pool, unfiltered, &passages, query)?;
    }
    for step in &pool.trace {
        metrics::histogram!(telemetry::RETRIEVAL_DURATION, "stage" => step.name).record(step.took.as_secs_f64());
    }
    let corrections = pool.searched.iter().flat_map(|place| place.asked.corrections.clone());
    Ok(Found {
        passages,
        corrections: corrections.collect(),
        degraded: pool.degraded,
        trace: pool.trace,
        page,
    })
}

/// A place on the page: which chunk of which collection, and the rest of its group.
struct Entry {
    of: usize,
    chunk: ChunkId,
    /// For what is no candidate.
    score: f32,
    group: Option<Grouped>,
}

impl Entry {
    fn new(of: usize, chunk: ChunkId, score: f32) -> Self {
        Self {
            of,
            chunk,
            score,
            group: None,
        }
    }
}

/// What counts as a match in one collection. The nearest are the nearest of anything: in another order than by
/// nearness they would stand among what has the words, so that the words alone count there.
fn matching<'a>(place: &'a Searched, query: &'a Query) -> Matching<'a> {
    let sorted = !query.options().sort.is_empty();
    Matching {
        asked: &place.asked,
        has_words: query.mode() != Mode::Vector,
        also: if sorted { &[] } else { &place.vector },
    }
}

fn matches(pool: &Pool, query: &Query) -> Result<Vec<Matches>> {
    let searched = pool.searched.iter();
    searched
        .map(|place| place.collection.matches(&matching(place, query)))
        .collect()
}

/// Candidates keep the order of the pool; what follows them keeps its lexical one.
fn rescore(pool: &Pool, all: &mut [Matches]) {
    let mut known: Vec<HashMap<ChunkId, f32>> = vec![HashMap::new(); all.len()];
    let mut gone: Vec<HashSet<ChunkId>> = vec![HashSet::new(); all.len()];
    for (at, one) in pool.candidates.iter().enumerate() {
        known[one.of].insert(one.chunk, -(at as f32));
    }
    for (of, chunk, _) in &pool.folded {
        gone[*of].insert(*chunk);
    }
    let floor = -(pool.candidates.len() as f32);
    for ((matches, place), (known, gone)) in all.iter_mut().zip(&pool.searched).zip(known.iter().zip(&gone)) {
        matches.rescore(known, |score| floor + below(score, place), gone);
    }
}

/// How far below the candidates of its collection a lexical score lies, -1 to 0.
fn below(lexical: f32, place: &Searched) -> f32 {
    let share = place
        .lowest
        .filter(|lowest| *lowest > 0.0)
        .map_or(0.0, |lowest| lexical / lowest);
    share.clamp(0.0, 1.0) - 1.0
}

/// The number of matches; without `all` of them, counting ends somewhere.
fn total(pool: &Pool, all: &[Matches], query: &Query) -> Result<Total> {
    let mut total = Total {
        count: 0,
        exact: pool.searched.iter().all(|place| !place.degraded),
    };
    if query.options().need_all() {
        let grouped = query.options().group_size.is_some();
        let count = |one: &Matches| if grouped { one.documents() } else { one.passages() };
        total.count = all.iter().map(count).sum();
        return Ok(total);
    }
    for (of, place) in pool.searched.iter().enumerate() {
        let all_known = query.mode() != Mode::Vector && place.lowest.is_none();
        let (count, exact) = match all.get(of) {
            Some(matches) => (matches.passages(), true),
            None if all_known => (place.given, true),
            None => place.collection.count(&matching(place, query), COUNTED)?,
        };
        total.count += count;
        total.exact &= exact;
    }
    if total.exact {
        total.count = total.count.saturating_sub(pool.folded.len());
    }
    Ok(total)
}

/// The page in the order of the candidates; a deep one goes on with the lexical matches behind them.
fn plain(pool: &Pool, query: &Query) -> Result<Vec<Entry>> {
    let end = query.offset() + query.limit();
    let mut items = Vec::with_capacity(pool.candidates.len());
    for one in &pool.candidates {
        items.push(Entry::new(one.of, one.chunk, one.scores.fused));
    }
    if items.len() < end {
        let floor = pool.floor();
        let mut rest = Vec::new();
        for (of, place) in pool
            .searched
            .iter()
            .enumerate()
            .filter(|(_, place)| place.lowest.is_some())
        {
            let held = pool.held(of);
            // Always the same number: where many scores are equal, another one would cut them elsewhere.
            let found = place.collection.lexical(&place.asked, DEEPEST + held.len())?;
            let mut least = 0.0_f32;
            for hit in found.into_iter().filter(|hit| !held.contains(&hit.chunk)) {
                // What has an identifier comes first whatever its score.
                least = least.min(below(hit.score, place));
                rest.push(Entry::new(of, hit.chunk, floor + least));
            }
        }
        // Stable, so that each collection keeps its order.
        rest.sort_by(|a, b| b.score.total_cmp(&a.score));
        items.extend(rest);
    }
    Ok(items.into_iter().skip(query.offset()).take(query.limit()).collect())
}

/// The page out of all matches: sorted, grouped or both.
fn ranked(pool: &Pool, all: &[Matches], query: &Query) -> Vec<Entry> {
    let (options, end) = (query.options(), query.offset() + query.limit());
    let mut items: Vec<(usize, Ranked, Option<Grouped>)> = Vec::new();
    for (of, matches) in all.iter().enumerate() {
        if let Some(size) = options.group_size {
            let groups = matches.groups(&options.sort, end, size).into_iter();
            items.extend(groups.map(|group| (of, group.best.clone(), Some(group))));
        } else {
            let best = matches.top(&options.sort, end).into_iter();
            items.extend(best.map(|one| (of, one, None)));
        }
    }
    items.sort_by(|(_, left, _), (_, right, _)| {
        let (mine, theirs) = (&left.document.metadata, &right.document.metadata);
        let orders = options.sort.iter().map(|sort| directory::order(mine, theirs, sort));
        let order = orders.reduce(Ordering::then).unwrap_or(Ordering::Equal);
        order
            .then(right.score.total_cmp(&left.score))
            .then(left.chunk.cmp(&right.chunk))
    });
    // From the places of `rescore` back to the unit of fused scores, for what is no candidate.
    let unit = pool.floor() + pool.candidates.len() as f32;
    let page = items.into_iter().skip(query.offset()).take(query.limit());
    let entries = page.map(|(of, best, group)| Entry {
        group,
        ..Entry::new(of, best.chunk, unit + best.score)
    });
    entries.collect()
}

/// The texts of the page and of its groups, as they are shown.
fn passages(pool: &Pool, items: Vec<Entry>, query: &Query) -> Result<Vec<Passage>> {
    let mut texts = texts(pool, &items, query)?;
    let folded = pool.duplicates(query)?;
    let options = query.options();
    let mut passages = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let mut dressed = |chunk: ChunkId| {
            let mut passage = texts[item.of].remove(&chunk)?;
            let known = pool.find(item.of, chunk);
            let below = Scores {
                fused: item.score,
                ..Scores::default()
            };
            passage.scores = known.map_or(below, |one| one.scores);
            let duplicates = known.map(|one| &one.duplicates[..]).unwrap_or_default().iter();
            passage.display.duplicates = duplicates.filter_map(|one| folded.get(one).cloned()).collect();
            if options.explain {
                passage.display.steps = pool.placed(chunk, &passage.scores);
            }
            Some(passage)
        };
        // Gone since it was found.
        let Some(mut passage) = dressed(item.chunk) else {
            continue;
        };
        if let Some(Grouped { total, more, .. }) = item.group {
            let more = more.into_iter().filter_map(&mut dressed).collect();
            passage.display.group = Some(Group { total, more });
        }
        if options.explain && options.need_all() {
            passage.display.steps.push(Placed {
                step: if options.sort.is_empty() { "group" } else { "sort" },
                rank: query.offset() + at + 1,
                score: passage.scores.fused,
            });
        }
        passages.push(passage);
    }
    Ok(passages)
}

/// The passages of `items` by collection and id.
fn texts(pool: &Pool, items: &[Entry], query: &Query) -> Result<Vec<HashMap<ChunkId, Passage>>> {
    let options = query.options();
    let mut texts = Vec::with_capacity(pool.searched.len());
    for (of, place) in pool.searched.iter().enumerate() {
        let mut hits = Vec::new();
        for item in items.iter().filter(|item| item.of == of) {
            let more = item.group.iter().flat_map(|group| &group.more);
            let chunks = std::iter::once(&item.chunk).chain(more);
            hits.extend(chunks.map(|chunk| Hit {
                chunk: *chunk,
                score: 0.0,
            }));
        }
        let mut found = Vec::new();
        if !hits.is_empty() {
            found = place.collection.passages(&hits, &place.asked.marks, query.reader())?;
        }
        if options.whole || options.neighbours > 0 {
            place
                .collection
                .dress(&mut found, &place.asked.marks, options.neighbours)?;
        }
        texts.push(found.into_iter().map(|passage| (passage.chunk.id, passage)).collect());
    }
    Ok(texts)
}
