//! A search from the legs to the page. Only the legs wait for others; what follows computes, on one worker.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::pool::{Pool, Shore};
use crate::engine::retrieve::{self, blocking};
use crate::engine::{Engine, facets};
use crate::error::Result;
use crate::index::matches::{Matches, Matching, Ranked};
use crate::index::{directory, filter};
use crate::telemetry;
use crate::types::{ChunkId, Dropped, Found, Group, Hit, Mode, Options, Page, Passage, Placed, Query, Scores, Total};

/// Matches are counted up to here; what needs them all goes on.
const COUNTED: usize = 10_000;
/// Dropped candidates that are told.
const MAX_DROPPED: usize = 200;

/// Searches all collections of `query` at once.
pub(super) async fn run(engine: &Engine, query: &Query) -> Result<Found> {
    let pool = gather(engine, query).await?;
    let unfiltered = match query.options().explain && !query.filter().is_empty() {
        true => Some(gather(engine, &query.unfiltered()).await?),
        false => None,
    };
    let query = query.clone();
    blocking(move || page(pool, unfiltered.as_ref(), &query)).await
}

async fn gather(engine: &Engine, query: &Query) -> Result<Pool> {
    let collections = query.collections().iter();
    let collections = collections
        .map(|name| engine.collection(name))
        .collect::<Result<Vec<_>>>()?;
    let legs = collections
        .iter()
        .map(|one| retrieve::search(one, engine.embedder(), query));
    let retrieved = futures::future::try_join_all(legs).await?;
    let found = collections.into_iter().zip(retrieved).collect();
    Ok(Pool::new(found, query.options().explain))
}

/// From the candidates to the page.
fn page(mut pool: Pool, unfiltered: Option<&Pool>, query: &Query) -> Result<Found> {
    let options = query.options();
    pool.refine(query)?;
    let mut page = Page::default();
    let items = if options.need_all() || !options.facets.is_empty() {
        let mut all = pool.timed("matches", |pool| matches(pool, query))?;
        page.facets = facets::count(&all, &options.facets);
        rescore(&pool, &mut all);
        page.total = Some(total(&pool, &all, options));
        if options.need_all() {
            ranked(&pool, &all, query)
        } else {
            plain(&pool, query)?
        }
    } else {
        if options.whole {
            page.total = Some(pool.timed("count", |pool| count(pool, query))?);
        }
        plain(&pool, query)?
    };
    let passages = pool.timed("passages", |pool| passages(pool, items, query))?;
    if options.explain {
        page.dropped = dropped(&pool, unfiltered, &passages, query)?;
    }
    for step in &pool.trace {
        metrics::histogram!(telemetry::RETRIEVAL_DURATION, "stage" => step.name).record(step.took.as_secs_f64());
    }
    Ok(Found {
        passages,
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
    group: Option<(usize, Vec<Ranked>)>,
}

/// What counts as a match in one collection.
fn matching<'a>(shore: &'a Shore, query: &'a Query) -> Matching<'a> {
    Matching {
        text: (query.mode() != Mode::Vector).then(|| query.text()),
        also: &shore.vector,
        filter: query.filter(),
        reader: query.reader(),
    }
}

fn matches(pool: &Pool, query: &Query) -> Result<Vec<Matches>> {
    let shores = pool.shores.iter();
    shores
        .map(|shore| shore.collection.matches(&matching(shore, query)))
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
    for ((matches, shore), (known, gone)) in all.iter_mut().zip(&pool.shores).zip(known.iter().zip(&gone)) {
        matches.rescore(known, |score| floor + below(score, shore), gone);
    }
}

/// How far below the candidates of its collection a lexical score lies, -1 to 0.
fn below(score: f32, shore: &Shore) -> f32 {
    let share = shore
        .lowest
        .filter(|lowest| *lowest > 0.0)
        .map_or(0.0, |lowest| score / lowest);
    share.clamp(0.0, 1.0) - 1.0
}

fn total(pool: &Pool, all: &[Matches], options: &Options) -> Total {
    let count = |matches: &Matches| match options.group_size {
        Some(_) => matches.documents(),
        None => matches.passages(),
    };
    Total {
        count: all.iter().map(count).sum(),
        exact: pool.shores.iter().all(|shore| !shore.degraded),
    }
}

/// The number of matches without looking at all of them.
fn count(pool: &Pool, query: &Query) -> Result<Total> {
    let mut total = Total { count: 0, exact: true };
    for shore in &pool.shores {
        let all_known = query.mode() != Mode::Vector && shore.lowest.is_none();
        let (count, exact) = if all_known {
            (shore.given, true)
        } else {
            shore.collection.count(&matching(shore, query), COUNTED)?
        };
        total.count += count;
        total.exact &= exact && !shore.degraded;
    }
    if total.exact {
        total.count = total.count.saturating_sub(pool.folded.len());
    }
    Ok(total)
}

/// The page in the order of the candidates; a deep one goes on with the lexical matches behind them.
fn plain(pool: &Pool, query: &Query) -> Result<Vec<Entry>> {
    let end = query.offset() + query.limit();
    let entry = |of: usize, chunk: ChunkId, score: f32| Entry {
        of,
        chunk,
        score,
        group: None,
    };
    let best = pool
        .candidates
        .iter()
        .map(|one| entry(one.of, one.chunk, one.scores.fused));
    let mut items: Vec<Entry> = best.collect();
    if items.len() < end {
        let floor = pool.floor();
        let mut rest = Vec::new();
        for (of, shore) in pool
            .shores
            .iter()
            .enumerate()
            .filter(|(_, shore)| shore.lowest.is_some())
        {
            let held = pool.held(of);
            let k = end - items.len() + held.len();
            let found = shore
                .collection
                .lexical(query.text(), query.filter(), query.reader(), k)?;
            let found = found.into_iter().filter(|hit| !held.contains(&hit.chunk));
            rest.extend(found.map(|hit| entry(of, hit.chunk, floor + below(hit.score, shore))));
        }
        rest.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        items.extend(rest);
    }
    Ok(items.into_iter().skip(query.offset()).take(query.limit()).collect())
}

/// The page out of all matches: sorted, grouped or both.
fn ranked(pool: &Pool, all: &[Matches], query: &Query) -> Vec<Entry> {
    let (options, end) = (query.options(), query.offset() + query.limit());
    let mut items: Vec<(Ranked, Entry)> = Vec::new();
    for (of, matches) in all.iter().enumerate() {
        let entry = |best: Ranked, group: Option<(usize, Vec<Ranked>)>| {
            // From the places of `rescore` back to the unit of fused scores, for what is no candidate.
            let score = pool.floor() + best.score + pool.candidates.len() as f32;
            let chunk = best.chunk;
            let item = Entry {
                of,
                chunk,
                score,
                group,
            };
            (best, item)
        };
        match options.group_size {
            None => items.extend(
                matches
                    .top(&options.sort, end)
                    .into_iter()
                    .map(|best| entry(best, None)),
            ),
            Some(size) => items.extend(
                matches
                    .groups(&options.sort, end, size)
                    .into_iter()
                    .filter_map(|group| {
                        let mut best = group.best.into_iter();
                        Some(entry(best.next()?, Some((group.total, best.collect()))))
                    }),
            ),
        }
    }
    items.sort_by(|(left, _), (right, _)| {
        let facts = |one: &Ranked| Arc::clone(&one.document);
        let (mine, theirs) = (facts(left), facts(right));
        let orders = options
            .sort
            .iter()
            .map(|sort| directory::order(&mine.metadata, &theirs.metadata, sort));
        let order = orders
            .into_iter()
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        order
            .then(right.score.total_cmp(&left.score))
            .then(left.chunk.cmp(&right.chunk))
    });
    let page = items.into_iter().skip(query.offset()).take(query.limit());
    page.map(|(_, item)| item).collect()
}

/// The texts of the page and of its groups, as they are shown.
fn passages(pool: &Pool, items: Vec<Entry>, query: &Query) -> Result<Vec<Passage>> {
    let options = query.options();
    let mut texts: Vec<HashMap<ChunkId, Passage>> = Vec::with_capacity(pool.shores.len());
    for (of, shore) in pool.shores.iter().enumerate() {
        let own = items.iter().filter(|item| item.of == of);
        let chunks = own.flat_map(|item| {
            let more = item.group.iter().flat_map(|(_, more)| more.iter().map(|one| one.chunk));
            std::iter::once(item.chunk).chain(more)
        });
        let hits: Vec<Hit> = chunks.map(|chunk| Hit { chunk, score: 0.0 }).collect();
        let mut found = Vec::new();
        if !hits.is_empty() {
            found = shore.collection.passages(&hits, query.text(), query.reader())?;
        }
        if options.whole || options.neighbours > 0 {
            shore.collection.dress(&mut found, query.text(), options.neighbours)?;
        }
        texts.push(found.into_iter().map(|passage| (passage.chunk.id, passage)).collect());
    }
    let mut passages = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let mut dressed = |chunk: ChunkId, score: f32| {
            let mut passage = texts[item.of].remove(&chunk)?;
            let known = pool.find(item.of, chunk);
            let fused = Scores {
                fused: score,
                ..Scores::default()
            };
            passage.scores = known.map_or(fused, |one| one.scores);
            passage.display.duplicates = known.map(|one| one.duplicates.clone()).unwrap_or_default();
            if options.explain {
                passage.display.steps = pool.placed(chunk, &passage.scores);
            }
            Some(passage)
        };
        // Gone since it was found.
        let Some(mut passage) = dressed(item.chunk, item.score) else {
            continue;
        };
        if let Some((total, more)) = item.group {
            let more = more
                .into_iter()
                .filter_map(|one| dressed(one.chunk, item.score))
                .collect();
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

/// Candidates that are not on the page, and why. What the reader may not read is not named, not even counted.
fn dropped(pool: &Pool, unfiltered: Option<&Pool>, passages: &[Passage], query: &Query) -> Result<Vec<Dropped>> {
    let end = query.offset() + query.limit();
    let drop = |step: &'static str, chunk: ChunkId, kept: Option<ChunkId>| Dropped { chunk, step, kept };
    let folded = pool
        .folded
        .iter()
        .map(|(_, chunk, kept)| drop("duplicate", *chunk, Some(*kept)));
    let mut dropped: Vec<Dropped> = folded.collect();
    dropped.extend(
        pool.fallen("diversity", end)
            .into_iter()
            .map(|chunk| drop("diversity", chunk, None)),
    );
    for (of, shore) in pool.shores.iter().enumerate() {
        let held: Vec<ChunkId> = pool.held(of).into_iter().collect();
        let owners = shore.collection.owners(&held, query.reader())?;
        for one in pool
            .candidates
            .iter()
            .filter(|one| one.of == of && query.options().group_size.is_some())
        {
            let own = |passage: &&Passage| {
                let document = owners.get(&one.chunk).map(|card| card.id);
                passage.collection == shore.collection.name() && Some(passage.document.id) == document
            };
            let Some(shown) = passages.iter().find(own) else {
                continue;
            };
            let more = shown.display.group.iter().flat_map(|group| &group.more);
            if !std::iter::once(shown)
                .chain(more)
                .any(|passage| passage.chunk.id == one.chunk)
            {
                dropped.push(drop("group", one.chunk, Some(shown.chunk.id)));
            }
        }
        let Some(unfiltered) = unfiltered else { continue };
        let before: Vec<ChunkId> = unfiltered
            .candidates
            .iter()
            .filter(|one| one.of == of)
            .map(|one| one.chunk)
            .collect();
        let owners = shore.collection.owners(&before, query.reader())?;
        let refused = before.iter().filter(|id| {
            owners
                .get(*id)
                .is_some_and(|card| !filter::matches(query.filter(), &card.metadata))
        });
        dropped.extend(refused.take(end).map(|chunk| drop("filter", *chunk, None)));
    }
    dropped.truncate(MAX_DROPPED);
    Ok(dropped)
}
