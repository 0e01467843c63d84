//! The measured searches: hybrid and each leg alone, one client and eight, filtered and not, and as a reader types.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::BoxFuture;
use portolan::engine::rerank::Reranking;
use portolan::engine::retrieve::CANDIDATES;
use portolan::engine::search::Search;
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use portolan::index::Collection;
use portolan::types::{ChunkId, Filter, Mode, Query, QueryInput, Reader};
use serde_json::json;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::data::{self, DIMENSION, NEAREST, SELECTIONS};
use crate::measure::{self, Waits};

const LIMIT: usize = 10;
const CLIENTS: usize = 8;
/// Knows the vectors of the queries; embedding is not what is measured here.
struct Given(HashMap<String, Vec<f32>>);

impl Embedder for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        let vectors = texts.iter().map(|text| self.0[text].clone()).collect();
        Box::pin(async { Ok(vectors) })
    }
}

struct Bench<'a> {
    runtime: &'a Runtime,
    collection: Arc<Collection>,
    embedder: Arc<dyn Embedder>,
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    /// A member of the public, whose rights are checked.
    reader: Reader,
}

/// All figures of one collection.
pub fn run(runtime: &Runtime, folder: &Path, index: &Path) -> serde_json::Value {
    let started = Instant::now();
    let collection = runtime.block_on(crate::open(index));
    let opened = started.elapsed();
    let texts: Vec<String> = data::read_lines(folder, "queries.jsonl").collect();
    let vectors = data::read_vectors(folder, "queries.f32");
    let known = texts.iter().cloned().zip(vectors.iter().cloned()).collect();
    let bench = Bench {
        runtime,
        collection,
        embedder: Arc::new(Given(known)),
        texts,
        vectors,
        reader: Reader::Principals(Vec::new()),
    };
    let queries = bench.queries(Mode::Hybrid, &Filter::default());
    // For the first time, with every page of the files that it reads still to be mapped, and then as it goes on.
    let first = measure::each(&queries, |query| bench.search(query));
    let hybrid = measure::each(&queries, |query| bench.search(query));
    let memory = measure::memory();
    let (legs, passages) = bench.legs();
    let typed = bench.typed();
    json!({
        "open_s": opened.as_secs_f64(),
        "first": first,
        "hybrid": hybrid,
        "memory": memory,
        "per_second_of_8": bench.crowd(&queries),
        "legs": legs,
        "passages": passages,
        "as_you_type": measure::each(&typed, |query| bench.search(query)),
        "selections": bench.selections(folder, index),
    })
}

/// A search as a request does it, from the words to the page, without the cache of equal searches.
async fn whole(collection: &Arc<Collection>, embedder: &Arc<dyn Embedder>, query: &Query) {
    let search = Search {
        collections: vec![collection.clone()],
        embedder: embedder.clone(),
        reranking: Arc::new(Reranking::nothing()),
        expander: None,
        query: query.clone(),
    };
    let found = search.run().await.unwrap();
    assert!(found.degraded.is_empty(), "a leg failed");
}

impl Bench<'_> {
    fn queries(&self, mode: Mode, filter: &Filter) -> Vec<Query> {
        self.texts.iter().map(|text| self.query(text, mode, filter)).collect()
    }

    fn query(&self, text: &str, mode: Mode, filter: &Filter) -> Query {
        let input = QueryInput {
            text: text.to_owned(),
            mode,
            filter: filter.clone(),
            limit: Some(LIMIT),
            ..QueryInput::default()
        };
        Query::parse(input, self.reader.clone()).unwrap()
    }

    fn search(&self, query: &Query) {
        self.runtime.block_on(whole(&self.collection, &self.embedder, query));
    }

    /// Each leg as the hybrid search asks it, and the texts of its results.
    fn legs(&self) -> (BTreeMap<&'static str, Waits>, Waits) {
        let anything = Filter::default();
        let mut hits = Vec::new();
        let lexical = measure::each(&self.texts, |text| {
            let query = self.query(text, Mode::Lexical, &anything);
            let asked = self.collection.understand(&query).unwrap();
            let found = self.collection.lexical(&asked, CANDIDATES).unwrap();
            hits.push((text.clone(), found.into_iter().take(LIMIT).collect::<Vec<_>>()));
        });
        let vector = measure::each(&self.vectors, |vector| {
            let found = self
                .collection
                .vector(vector.clone(), &anything, &self.reader, CANDIDATES);
            self.runtime.block_on(found).unwrap();
        });
        let passages = measure::each(&hits, |(text, hits)| {
            self.collection.passages(hits, text, &self.reader).unwrap();
        });
        (BTreeMap::from([("lexical", lexical), ("vector", vector)]), passages)
    }

    /// Queries a second when eight clients ask without a pause.
    fn crowd(&self, queries: &[Query]) -> serde_json::Value {
        let queries: Arc<Vec<Query>> = Arc::new(queries.iter().cycle().take(queries.len() * 4).cloned().collect());
        let next = Arc::new(AtomicUsize::new(0));
        let (started, cpu) = (Instant::now(), measure::cpu_seconds());
        self.runtime.block_on(async {
            let clients = (0..CLIENTS).map(|_| {
                let (queries, next) = (queries.clone(), next.clone());
                let (collection, embedder) = (self.collection.clone(), self.embedder.clone());
                tokio::spawn(async move {
                    while let Some(query) = queries.get(next.fetch_add(1, Ordering::Relaxed)) {
                        whole(&collection, &embedder, query).await;
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        });
        json!({
            "queries_per_second": queries.len() as f64 / started.elapsed().as_secs_f64(),
            "cpu_ms": (measure::cpu_seconds() - cpu) * 1e3 / queries.len() as f64,
        })
    }

    /// Lexical searches, one for each key from the second on, of some of the queries.
    fn typed(&self) -> Vec<Query> {
        let some = self.texts.iter().step_by((self.texts.len() / 50).max(1));
        let keys = some.flat_map(|text| (2..=text.len()).map(|end| text[..end].trim_end()));
        keys.map(|text| self.query(text, Mode::Lexical, &Filter::default()))
            .collect()
    }

    /// Recall and cost of the vector leg, for each share of the chunks that a filter admits.
    fn selections(&self, folder: &Path, index: &Path) -> BTreeMap<&'static str, serde_json::Value> {
        let ids = std::fs::File::open(index.join("ids.bin")).unwrap();
        let id_of = |chunk: u32| {
            let mut bytes = [0; 16];
            ids.read_exact_at(&mut bytes, u64::from(chunk) * 16).unwrap();
            ChunkId(Uuid::from_bytes(bytes))
        };
        let mut figures = BTreeMap::new();
        for (name, of) in SELECTIONS {
            let filter = match of {
                1 => Filter::default(),
                _ => Filter::In((*name).to_owned(), vec!["0".into()]),
            };
            let mut found = Vec::new();
            let waits = measure::each(&self.vectors, |vector| {
                let hits = self
                    .collection
                    .vector(vector.clone(), &filter, &self.reader, CANDIDATES);
                found.push(self.runtime.block_on(hits).unwrap());
            });
            let mut right = 0;
            for (hits, truth) in found.iter().zip(data::read_truth(folder, name)) {
                let truth: Vec<ChunkId> = truth.into_iter().map(id_of).collect();
                right += hits
                    .iter()
                    .take(NEAREST)
                    .filter(|hit| truth.contains(&hit.chunk))
                    .count();
            }
            let recall = right as f64 / (found.len() * NEAREST) as f64;
            figures.insert(*name, json!({"recall": recall, "vector": waits}));
        }
        figures
    }
}
