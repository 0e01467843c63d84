//! The candidates of all collections in one list, and the steps that a caller may add before the page is cut.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use crate::engine::retrieve::{CANDIDATES, Retrieved};
use crate::engine::{diversify, duplicates, expand, recency};
use crate::error::Result;
use crate::index::{Asked, Collection};
use crate::types::{ChunkId, Duplicate, Placed, Query, Recency, Scores, Step};

/// A chunk that may come onto the page.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// The place of its collection in the pool.
    pub of: usize,
    /// Which.
    pub chunk: ChunkId,
    /// How the legs and fusion saw it.
    pub scores: Scores,
    /// What the last step gave it.
    pub score: f32,
    /// Folded into it, with their collections, best first.
    pub duplicates: Vec<(usize, ChunkId)>,
}

/// One collection of the search and how far its legs saw.
pub(super) struct Searched {
    /// The collection.
    pub collection: Arc<Collection>,
    /// The query as it understands it.
    pub asked: Arc<Asked>,
    /// What the vector leg found.
    pub vector: Vec<ChunkId>,
    /// The last lexical score, when there may be more matches.
    pub lowest: Option<f32>,
    /// How many candidates it gave.
    pub given: usize,
    /// Whether a leg did not answer.
    pub degraded: bool,
}

/// All candidates, best first.
pub(super) struct Pool {
    pub searched: Vec<Searched>,
    pub candidates: Vec<Candidate>,
    pub degraded: Vec<String>,
    pub trace: Vec<Step>,
    /// Candidates that the reranker could not judge.
    pub unjudged: usize,
    /// Duplicates with their collection, and what stands for each.
    pub folded: Vec<(usize, ChunkId, ChunkId)>,
    /// The order after each step, when it is to be explained.
    orders: Option<Vec<Order>>,
}

/// A step's name, and the candidates as it left them with what decided.
type Order = (&'static str, Vec<(ChunkId, f32)>);

impl Pool {
    /// Merges what the collections found.
    pub fn new(found: Vec<(Arc<Collection>, Retrieved)>, explain: bool) -> Self {
        let mut pool = Self {
            searched: Vec::with_capacity(found.len()),
            candidates: Vec::new(),
            degraded: Vec::new(),
            trace: Vec::new(),
            unjudged: 0,
            folded: Vec::new(),
            orders: explain.then(Vec::new),
        };
        for (of, (collection, retrieved)) in found.into_iter().enumerate() {
            pool.candidates.extend(retrieved.fused.iter().map(|hit| Candidate {
                of,
                chunk: hit.chunk,
                scores: hit.scores,
                score: hit.scores.fused,
                duplicates: Vec::new(),
            }));
            pool.searched.push(Searched {
                collection,
                asked: retrieved.asked,
                vector: retrieved.vector,
                lowest: retrieved.lowest,
                given: retrieved.fused.len(),
                degraded: retrieved
                    .degraded
                    .iter()
                    .any(|one| one != "rerank" && one != expand::NAME),
            });
            pool.degraded.extend(retrieved.degraded);
            pool.trace.extend(retrieved.steps);
            pool.unjudged += retrieved.unjudged;
        }
        pool.degraded.sort();
        pool.degraded.dedup();
        pool.sort(usize::MAX);
        pool.note("fuse");
        if pool.candidates.iter().any(|one| one.scores.reranked.is_some()) {
            for one in &mut pool.candidates {
                one.score = one.scores.reranked.unwrap_or(one.score);
            }
            pool.sort(usize::MAX);
            pool.note("rerank");
        }
        pool
    }

    /// The steps that `query` asks for, over the best candidates; the rest keeps its order behind them.
    pub fn refine(&mut self, query: &Query) -> Result<()> {
        let options = query.options();
        if let Some(recency) = &options.recency {
            self.timed("recency", |pool| pool.refresh(query, recency))?;
        }
        if !options.fold_duplicates && options.diversity <= 0.0 {
            return Ok(());
        }
        let mut texts = self.timed("texts", |pool| pool.texts(query))?;
        if options.fold_duplicates {
            self.timed("duplicates", |pool| {
                pool.fold(&mut texts);
                Ok(())
            })?;
        }
        if options.diversity > 0.0 {
            self.timed("diversity", |pool| {
                pool.diversify(&texts, options.diversity);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// How many candidates are refined; more would make a page depend on how deep it is.
    fn window(&self) -> usize {
        self.candidates.len().min(CANDIDATES)
    }

    /// Orders the first `window` candidates by score; what holds an identifier that was asked for comes first.
    fn sort(&mut self, window: usize) {
        let window = window.min(self.candidates.len());
        // Ties go to the smaller id, so the order never wavers.
        let order = |a: &Candidate, b: &Candidate| {
            let exact = b.scores.exact.cmp(&a.scores.exact);
            exact.then(b.score.total_cmp(&a.score)).then(a.chunk.cmp(&b.chunk))
        };
        self.candidates[..window].sort_by(order);
    }

    /// Runs a step and notes its time and what it left.
    pub fn timed<T>(&mut self, name: &'static str, step: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let started = Instant::now();
        let outcome = step(self)?;
        self.trace.push(Step {
            name,
            took: started.elapsed(),
            count: self.candidates.len(),
        });
        if matches!(name, "recency" | "duplicates" | "diversity") {
            self.note(name);
        }
        Ok(outcome)
    }

    fn note(&mut self, step: &'static str) {
        if let Some(orders) = &mut self.orders {
            let order = self.candidates.iter().map(|one| (one.chunk, one.score));
            orders.push((step, order.collect()));
        }
    }

    /// Where each step placed `chunk`.
    pub fn placed(&self, chunk: ChunkId, scores: &Scores) -> Vec<Placed> {
        let leg = |step, rank: Option<usize>, score: Option<f32>| {
            let (rank, score) = rank.zip(score)?;
            Some(Placed { step, rank, score })
        };
        let legs = [
            leg("lexical", scores.lexical_rank, scores.lexical),
            leg("vector", scores.vector_rank, scores.vector),
        ];
        let mut placed: Vec<Placed> = legs.into_iter().flatten().collect();
        for (step, order) in self.orders.iter().flatten() {
            let at = order.iter().position(|(id, _)| *id == chunk);
            placed.extend(at.map(|at| Placed {
                step,
                rank: at + 1,
                score: order[at].1,
            }));
        }
        placed
    }

    /// The candidate, if it is one.
    pub fn find(&self, of: usize, chunk: ChunkId) -> Option<&Candidate> {
        self.candidates.iter().find(|one| one.of == of && one.chunk == chunk)
    }

    /// The candidates of one collection, best first.
    pub fn of(&self, of: usize) -> Vec<ChunkId> {
        let own = self.candidates.iter().filter(|one| one.of == of);
        own.map(|one| one.chunk).collect()
    }

    /// All that a collection gave, folded or not.
    pub fn held(&self, of: usize) -> HashSet<ChunkId> {
        let candidates = self.of(of).into_iter();
        let folded = self.folded.iter().filter(|one| one.0 == of).map(|one| one.1);
        candidates.chain(folded).collect()
    }

    /// What was folded, by collection and passage; what is gone meanwhile is left out.
    pub fn duplicates(&self, query: &Query) -> Result<HashMap<(usize, ChunkId), Duplicate>> {
        let mut found = HashMap::new();
        for (of, place) in self.searched.iter().enumerate() {
            let own = self.folded.iter().filter(|one| one.0 == of);
            let chunks: Vec<ChunkId> = own.map(|one| one.1).collect();
            if chunks.is_empty() {
                continue;
            }
            for (chunk, document) in place.collection.owners(&chunks, query.reader())? {
                let collection = place.collection.name().to_owned();
                let one = Duplicate {
                    collection,
                    chunk,
                    document,
                };
                found.insert((of, chunk), one);
            }
        }
        Ok(found)
    }

    /// Below all candidates, in the unit of fused scores.
    pub fn floor(&self) -> f32 {
        self.candidates.iter().map(|one| one.scores.fused).fold(0.0, f32::min)
    }

    /// What was among the first `end` before `step` and no more after it.
    pub fn fallen(&self, step: &str, end: usize) -> Vec<ChunkId> {
        let orders = self.orders.as_deref().unwrap_or_default();
        let Some(at) = orders.iter().position(|(name, _)| *name == step).filter(|at| *at > 0) else {
            return Vec::new();
        };
        let first = |at: usize| orders[at].1.iter().take(end).map(|(id, _)| *id);
        let after: HashSet<ChunkId> = first(at).collect();
        first(at - 1).filter(|id| !after.contains(id)).collect()
    }

    /// The ids of the first `window` candidates of each collection.
    fn ids(&self, window: usize) -> Vec<Vec<ChunkId>> {
        let mut ids = vec![Vec::new(); self.searched.len()];
        for one in &self.candidates[..window] {
            ids[one.of].push(one.chunk);
        }
        ids
    }

    fn refresh(&mut self, query: &Query, recency: &Recency) -> Result<()> {
        let mut owners = HashMap::new();
        for (place, ids) in self.searched.iter().zip(self.ids(self.window())) {
            owners.extend(place.collection.owners(&ids, query.reader())?);
        }
        let window = self.keep(|one| owners.contains_key(&one.chunk));
        let best = &mut self.candidates[..window];
        let scores: Vec<f32> = best.iter().map(|one| one.score).collect();
        let facts: Vec<_> = best.iter().filter_map(|one| owners.get(&one.chunk)).collect();
        let facts: Vec<_> = facts.iter().map(|card| &card.metadata).collect();
        for (one, (score, fresh)) in best.iter_mut().zip(recency::mix(&scores, &facts, recency)) {
            one.score = score;
            one.scores.recency = Some(fresh);
        }
        self.sort(window);
        Ok(())
    }

    /// Keeps those of the refined candidates that are `held`, since some may be gone meanwhile; returns how many.
    fn keep(&mut self, held: impl Fn(&Candidate) -> bool) -> usize {
        let (window, before) = (self.window(), self.candidates.len());
        let mut at = 0;
        self.candidates.retain(|one| {
            at += 1;
            at > window || held(one)
        });
        window + self.candidates.len() - before
    }

    /// The texts of the refined candidates, in their order.
    fn texts(&mut self, query: &Query) -> Result<Vec<String>> {
        let mut texts: HashMap<ChunkId, String> = HashMap::new();
        for (place, ids) in self.searched.iter().zip(self.ids(self.window())) {
            texts.extend(place.collection.texts(&ids, query.reader())?);
        }
        let held = self.keep(|one| texts.contains_key(&one.chunk));
        let best = self.candidates.iter().take(held);
        // Not taken out: a document may be in two collections, with the same ids.
        Ok(best.filter_map(|one| texts.get(&one.chunk).cloned()).collect())
    }

    /// Folds each passage into the first that says the same; `texts` loses theirs.
    fn fold(&mut self, texts: &mut Vec<String>) {
        let read: Vec<&str> = texts.iter().map(String::as_str).collect();
        let same = duplicates::of(&read);
        for (at, earlier) in same.iter().enumerate() {
            let Some(earlier) = *earlier else { continue };
            let (of, chunk) = (self.candidates[at].of, self.candidates[at].chunk);
            self.candidates[earlier].duplicates.push((of, chunk));
            self.folded.push((of, chunk, self.candidates[earlier].chunk));
        }
        let mut kept = same.iter().map(Option::is_none);
        self.candidates.retain(|_| kept.next().unwrap_or(true));
        let mut kept = same.iter().map(Option::is_none);
        texts.retain(|_| kept.next().unwrap_or(true));
    }

    fn diversify(&mut self, texts: &[String], diversity: f32) {
        let read: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scores: Vec<f32> = self.candidates.iter().take(read.len()).map(|one| one.score).collect();
        let order = diversify::order(&scores, &read, diversity);
        let best = order.into_iter().map(|(at, score)| Candidate {
            score,
            ..self.candidates[at].clone()
        });
        let mut best: Vec<Candidate> = best.collect();
        // Variety is no reason to put the identifier that was asked for behind others.
        best.sort_by_key(|one| Reverse(one.scores.exact));
        self.candidates.splice(..best.len(), best);
    }
}
