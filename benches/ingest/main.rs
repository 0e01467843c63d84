//! Indexing a folder: what it costs from files to a published index, and what searches feel of it meanwhile.
//!
//! ```sh
//! mkdir /tmp/pages && tar -xzf ../shared/data/cpp-docs.tgz -C /tmp/pages
//! bench() { cargo bench --bench ingest -- "$@"; }
//! bench model /tmp/pages                                  # what the embedding model alone embeds
//! bench index /tmp/pages /tmp/a --searches                # all of it, with searches meanwhile
//! bench index /tmp/pages /tmp/a                           # nothing has changed
//! find /tmp/pages -type f -exec sed -i '$a<!-- -->' {} +  # other bytes, the same texts
//! bench index /tmp/pages /tmp/a                           # every embedding is at hand
//! bench index /tmp/pages /tmp/b --embedder free           # a model that costs nothing
//! bench index /tmp/pages /tmp/c --embedder free --lexical # no vectors either
//! ```
//!
//! The model is that of `make run`; `PORTOLAN_MODELS` and `ORT_DYLIB_PATH` name others. `cpu_s` and `memory` are of this
//! process, `parsers` of its children.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::struct_field_names,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

#[path = "../scale/measure.rs"]
#[allow(dead_code, reason = "the bench of the scale uses the rest")]
mod measure;
mod parsers;
mod stand_ins;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use indexer::chunk::{self, Chunking};
use indexer::parse;
use indexer::sources::{Before, Filter, Folder, Origin, Reading, Source};
use portolan::engine::rerank::{Kind, Reranking};
use portolan::engine::{Engine, Indexing, Parsers, Parts, VectorFactory};
use portolan::gateway::local::{LocalEmbedder, LocalModel};
use portolan::gateway::{Embedder, TextKind};
use portolan::store::Store;
use portolan::types::{Chunk, Query, QueryInput, Reader};
use serde_json::{Value, json};
use stand_ins::{Free, NoVectors};

/// Texts that the model is given at once, as the run does it.
const AT_ONCE: usize = 64;
/// Between two searches, as of one reader.
const PAUSE: Duration = Duration::from_millis(50);
/// How often it is looked whether the job has ended.
const PULSE: Duration = Duration::from_millis(20);

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    step: Option<Step>,
    /// Cargo says so to every bench.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Step {
    /// Embed chunks of the folder, and do nothing else.
    Model {
        folder: PathBuf,
        #[arg(long, default_value_t = 2_000)]
        chunks: usize,
    },
    /// Index the folder into the data folder, which goes on where it is.
    Index {
        folder: PathBuf,
        data: PathBuf,
        #[arg(long, value_enum, default_value_t = Kinds::Model)]
        embedder: Kinds,
        /// Keep no vectors.
        #[arg(long)]
        lexical: bool,
        /// Search meanwhile, as one reader does.
        #[arg(long)]
        searches: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kinds {
    Model,
    Free,
}

fn main() {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let figures = match arguments.step {
        Some(Step::Model { folder, chunks }) => runtime.block_on(model(&folder, chunks)),
        Some(Step::Index {
            folder,
            data,
            embedder,
            lexical,
            searches,
        }) => {
            let embedder: Arc<dyn Embedder> = match embedder {
                Kinds::Model => Arc::new(local()),
                Kinds::Free => Arc::new(Free),
            };
            let nowhere: VectorFactory = Box::new(|_, _| Ok(Arc::new(NoVectors)));
            let vectors = lexical.then_some(nowhere);
            runtime.block_on(async {
                let parts = parts(data, embedder, vectors).await;
                index(&folder, parts, searches).await
            })
        }
        None => return println!("ingest: name a step; `cargo bench --bench ingest -- --help` tells which"),
    };
    println!("{figures:#}");
}

fn local() -> LocalEmbedder {
    let place = |name: &str, otherwise: &str| std::env::var_os(name).map_or_else(|| otherwise.into(), PathBuf::from);
    let model = LocalModel {
        folder: place("PORTOLAN_MODELS", ".portolan/models").join("all-MiniLM-L6-v2"),
        name: "all-MiniLM-L6-v2".into(),
        onnxruntime: place("ORT_DYLIB_PATH", ".portolan/lib/libonnxruntime.so"),
        threads: std::thread::available_parallelism().unwrap().get(),
    };
    LocalEmbedder::load(&model).unwrap()
}

/// What the model alone embeds in a second: chunks of documents evenly over the folder.
async fn model(folder: &Path, count: usize) -> Value {
    let texts = texts(folder, count);
    let embedder = local();
    // Loads the session.
    embedder.embed(vec!["first".into()], TextKind::Passage).await.unwrap();
    let (began, cpu) = (Instant::now(), measure::cpu_seconds());
    for some in texts.chunks(AT_ONCE) {
        embedder.embed_tokens(some.to_vec(), TextKind::Passage).await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    json!({
        "chunks": texts.len(),
        "chunks_per_s": texts.len() as f64 / took,
        "cpu_s": measure::cpu_seconds() - cpu,
        "memory": measure::memory(),
    })
}

fn texts(folder: &Path, count: usize) -> Vec<String> {
    let mut source = Folder::open(folder, &Filter::default(), &Path::to_path_buf).unwrap();
    let entries = source.list(&Before::new()).unwrap().entries;
    let (mut texts, chunking) = (Vec::new(), Chunking::default());
    // Some of a document, so that many documents have their part.
    for entry in entries.iter().step_by((entries.len() * 4 / count).max(1)) {
        let Ok(Reading::Item(item, _)) = source.read(entry, None) else {
            continue;
        };
        let Ok(document) = parse::document(&item, "") else {
            continue;
        };
        let embedded = |chunk: &Chunk| chunking.embedded(&document.title, &chunk.heading_path, &chunk.text);
        texts.extend(chunk::split(&document, chunking).iter().map(embedded));
        if texts.len() >= count {
            break;
        }
    }
    texts
}

async fn parts(data: PathBuf, embedder: Arc<dyn Embedder>, vectors: Option<VectorFactory>) -> Parts {
    std::fs::create_dir_all(&data).unwrap();
    let reranking = Reranking {
        kind: Kind::LateInteraction,
        weight: 0.4,
        budget: Duration::from_millis(100),
    };
    let store = Store::open(&data.join("portolan.sqlite")).await;
    Parts {
        data,
        buckets: BTreeMap::new(),
        embedder,
        store: store.unwrap(),
        models: BTreeMap::new(),
        routes: Vec::new(),
        vectors,
        reranking: Arc::new(reranking),
        decline_below: 0.0,
        chunking: Chunking::default(),
        traces: portolan::config::Traces::default(),
        parsers: Parsers::children(env!("CARGO_BIN_EXE_portolan").into()),
        in_flight_bytes: 256 << 20,
    }
}

async fn index(folder: &Path, parts: Parts, searches: bool) -> Value {
    let engine = Engine::open(parts).await.unwrap();
    let (began, cpu) = (Instant::now(), measure::cpu_seconds());
    let indexing = Indexing {
        origin: Origin::folder(folder.canonicalize().unwrap()),
        allow_deletes: false,
    };
    let id = engine.index("default", indexing).await.unwrap();
    let mut waits = Vec::new();
    let job = loop {
        let job = engine.job(&id).await.unwrap();
        if job["state"] != "running" {
            break job;
        }
        if searches {
            let query = format!(
                "how is number {} of the {} used",
                waits.len(),
                began.elapsed().as_nanos()
            );
            waits.extend(search(&engine, query).await);
        }
        tokio::time::sleep(if searches { PAUSE } else { PULSE }).await;
    };
    let took = began.elapsed().as_secs_f64();
    waits.sort();
    let at = |share: f64| Some(waits.get((waits.len() as f64 * share) as usize)?.as_secs_f64() * 1e3);
    json!({
        "job": job,
        "took_s": took,
        "chunks_per_s": job["chunks"].as_f64().unwrap() / took,
        "cpu_s": measure::cpu_seconds() - cpu,
        "memory": measure::memory(),
        "parsers": parsers::cost(),
        "searches": { "count": waits.len(), "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99) },
    })
}

/// How long a search of words that nobody has asked for yet takes.
async fn search(engine: &Engine, text: String) -> Option<Duration> {
    let input = QueryInput {
        text,
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything).unwrap();
    let began = Instant::now();
    // Before the first commit there is nothing to search.
    engine.search(&query).await.ok().map(|_| began.elapsed())
}
