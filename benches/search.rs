//! What a search costs beside its legs, over 100,000 chunks of 50,000 documents: totals, facets, orders, groups,
//! suggestions; and what HTTP adds to the search in process.
//!
//! `cargo bench --bench search` prints it; docs/performance.md has the figures. `CHUNKS=20000` makes a smaller one.
//! Every search has another number in it, so that the cache answers none but those that are to be answered by it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use indexer::types::{Chunk, ChunkContext, ChunkId, Document, DocumentId, Heading, Metadata};
use portolan::engine::{Engine, Parts};
use portolan::gateway::{Embedder, TextKind};
use portolan::http::search_body::SearchBody;
use portolan::http::{HttpSettings, HttpState, router};
use portolan::index::Replacement;
use portolan::store::Store;
use portolan::types::Reader;
use serde_json::json;

const DIMENSION: usize = 64;
/// Words of the language that the texts are in, the frequent ones first.
const WORDS: u64 = 20_000;
const WORDS_PER_CHUNK: usize = 80;
const ROUNDS: usize = 200;

fn main() {
    let chunks = std::env::var("CHUNKS").map_or(100_000, |count| count.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path()).await;
        let began = Instant::now();
        fill(&engine, chunks).await;
        println!("{chunks} chunks in {:.0} s", began.elapsed().as_secs_f64());
        features(&engine).await;
        suggestions(&engine).await;
        over_http(&engine).await;
        // The vector engine writes into the folder when it is dropped.
        std::process::exit(0);
    });
}

/// Each option by itself beside the plain search.
async fn features(engine: &Arc<Engine>) {
    let mut numbers = Numbers(7);
    for (name, more) in [
        ("plain", json!({})),
        ("facets", json!({ "facets": ["department", "kind"] })),
        ("facets, all fields", json!({ "facets": ["*"] })),
        ("sort", json!({ "sort": [{ "field": "date", "order": "desc" }] })),
        ("group", json!({ "group_by": "document" })),
        ("neighbours", json!({ "neighbours": 1 })),
        (
            "recency",
            json!({ "recency": { "field": "date", "half_life_days": 90, "now": "2025-06-30" } }),
        ),
        ("fold duplicates", json!({ "fold_duplicates": true })),
        ("diversity", json!({ "diversity": 0.3 })),
        ("explain", json!({ "explain": true })),
        ("page at 500", json!({ "offset": 500 })),
    ] {
        for mode in ["lexical", "hybrid"] {
            let mut times = Vec::with_capacity(ROUNDS);
            for _ in 0..ROUNDS {
                let mut body = json!({ "query": question(&mut numbers), "mode": mode });
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                let query = serde_json::from_value::<SearchBody>(body).unwrap();
                let query = query.query(Reader::Everything).unwrap();
                let began = Instant::now();
                engine.search(&query).await.unwrap();
                times.push(began.elapsed());
            }
            tell(&format!("{mode}, {name}"), &mut times);
        }
    }
}

async fn suggestions(engine: &Arc<Engine>) {
    let body = json!({ "query": "x" });
    let query = serde_json::from_value::<SearchBody>(body).unwrap();
    let query = query.query(Reader::Everything).unwrap();
    for letters in [1, 2, 3, 5] {
        let mut times = Vec::with_capacity(ROUNDS);
        for at in 0..ROUNDS as u64 {
            let typed: String = word(at * 7).chars().take(letters).collect();
            let began = Instant::now();
            engine.suggest(&typed, &query, 8).await.unwrap();
            times.push(began.elapsed());
        }
        tell(&format!("suggest, {letters} letters"), &mut times);
    }
}

/// Turn by turn, so that both meet the same machine.
async fn over_http(engine: &Arc<Engine>) {
    let settings = HttpSettings {
        api_key: None,
        operator_token: "operator".into(),
        body_bytes: 1 << 20,
        searches: 64,
        streams: 64,
        metrics: None,
        allowed_hosts: Vec::new(),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/v1/search", listener.local_addr().unwrap());
    let service = router(HttpState::new(Arc::clone(engine), settings));
    tokio::spawn(async move { axum::serve(listener, service).await });
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut numbers = Numbers(11);
    for (name, repeat) in [("made", false), ("from the cache", true)] {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let fixed = json!({ "query": question(&mut numbers), "mode": "lexical" });
        for _ in 0..10 * ROUNDS {
            let body = |numbers: &mut Numbers| {
                if repeat {
                    fixed.clone()
                } else {
                    json!({ "query": question(numbers), "mode": "lexical" })
                }
            };
            let query = serde_json::from_value::<SearchBody>(body(&mut numbers)).unwrap();
            let query = query.query(Reader::Everything).unwrap();
            let began = Instant::now();
            engine.search(&query).await.unwrap();
            inside.push(began.elapsed());
            let request = client.post(&url).json(&body(&mut numbers)).build().unwrap();
            let began = Instant::now();
            let answer = client.execute(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            drop(answer.bytes().await.unwrap());
            outside.push(began.elapsed());
        }
        let inner = tell(&format!("in process, {name}"), &mut inside);
        let outer = tell(&format!("over HTTP, {name}"), &mut outside);
        println!(
            "HTTP adds {:.2} ms at p50 to a search {name}",
            milliseconds(outer) - milliseconds(inner)
        );
    }
}

/// Prints the median and the 95th percentile, and returns the median.
fn tell(name: &str, times: &mut [Duration]) -> Duration {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{name:<28} p50 {:>7.2} ms   p95 {:>7.2} ms",
        milliseconds(at(0.5)),
        milliseconds(at(0.95))
    );
    at(0.5)
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

async fn open(data: &Path) -> Arc<Engine> {
    let parts = Parts {
        buckets: BTreeMap::new(),
        data: data.to_owned(),
        embedder: Arc::new(ByHash),
        store: Store::open(&data.join("portolan.sqlite")).await.unwrap(),
        models: BTreeMap::new(),
        routes: Vec::new(),
        vectors: None,
        reranking: Arc::new(portolan::engine::rerank::Reranking::nothing()),
        decline_below: 0.0,
        chunking: indexer::chunk::Chunking::default(),
        traces: portolan::config::Traces::default(),
        parsers: portolan::engine::Parsers::here(),
        in_flight_bytes: 256 << 20,
    };
    Engine::open(parts).await.unwrap()
}

async fn fill(engine: &Arc<Engine>, chunks: usize) {
    let collection = engine.open_collection("default").await.unwrap();
    let mut numbers = Numbers(3);
    let documents = chunks / 2;
    for batch in 0..documents.div_ceil(1_000) {
        let own = batch * 1_000..documents.min((batch + 1) * 1_000);
        let made = own.map(|at| replacement(at, &mut numbers)).collect();
        collection.publish(made, Vec::new()).await.unwrap();
    }
    collection.optimize().await.unwrap();
}

/// A document of two chunks.
fn replacement(at: usize, numbers: &mut Numbers) -> Replacement {
    let uri = format!("notes/{at}.md");
    let id = DocumentId::of(&uri);
    let title = format!("{} {}", numbers.word(), numbers.word());
    let parts: Vec<String> = (0..2).map(|_| numbers.text(WORDS_PER_CHUNK)).collect();
    let text = parts.join("\n\n");
    let metadata = Metadata::from([
        (
            "department".to_owned(),
            json!(format!("department {}", numbers.next() % 12)),
        ),
        (
            "kind".to_owned(),
            json!(["memo", "policy", "minutes"][numbers.next() as usize % 3]),
        ),
        ("date".to_owned(), json!(1_600_000_000 + numbers.next() % 160_000_000)),
        ("size".to_owned(), json!(numbers.next() % 5_000)),
    ]);
    let heading = format!("{} {}", numbers.word(), numbers.word());
    let mut chunks = Vec::new();
    let mut start = 0;
    for (part, ordinal) in parts.iter().zip(0..) {
        let context = ChunkContext {
            metadata: &metadata,
            principals: &[],
        };
        let heading_path = vec![heading.clone()];
        let embedded = Chunk::embedded_text(&title, &heading_path, part);
        chunks.push(Chunk {
            id: ChunkId::of(id, ordinal, &embedded, &context),
            document: id,
            ordinal,
            heading_path,
            text: part.clone(),
            span: start..start + part.len(),
            pages: None,
        });
        start += part.len() + 2;
    }
    let headings = vec![Heading {
        level: 2,
        title: heading,
        start: 0,
    }];
    let vectors = chunks.iter().map(|chunk| vector(&chunk.text)).collect();
    let document = Document {
        id,
        uri,
        title,
        text,
        headings,
        pages: None,
        metadata,
        principals: Vec::new(),
        fingerprint: at.to_string(),
        patched: None,
    };
    Replacement {
        document,
        chunks,
        vectors,
        tokens: Vec::new(),
        texts: Vec::new(),
    }
}

/// A frequent, a usual and a rare word.
fn question(numbers: &mut Numbers) -> String {
    let (frequent, usual) = (numbers.next() % 20, 100 + numbers.next() % 500);
    let rare = 5_000 + numbers.next() % 10_000;
    [frequent, usual, rare].map(word).join(" ")
}

/// Syllables for the number, so that words have beginnings in common.
fn word(mut number: u64) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu", "va",
    ];
    let mut word = String::new();
    loop {
        word.push_str(SYLLABLES[(number % 16) as usize]);
        number /= 16;
        if number == 0 {
            return word + "n";
        }
    }
}

fn vector(text: &str) -> Vec<f32> {
    let mut vector = [0.01_f32; DIMENSION];
    for word in text.split(' ') {
        let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        vector[(hash >> 32) as usize % DIMENSION] += 1.0;
    }
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
    vector.iter().map(|part| part / length).collect()
}

/// Costs next to nothing: what is measured is the search.
struct ByHash;

impl Embedder for ByHash {
    fn name(&self) -> &'static str {
        "by-hash"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, portolan::error::Result<Vec<Vec<f32>>>> {
        let vectors = texts.iter().map(|text| vector(text)).collect();
        Box::pin(async move { Ok(vectors) })
    }
}

/// Numbers that look random and are the same every time (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The smaller, the more frequent, as in a language (Zipf).
    fn word(&mut self) -> String {
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        word((WORDS as f64).powf(share) as u64 - 1)
    }

    fn text(&mut self, count: usize) -> String {
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }
}
