//! Search over 100,000 and 1,000,000 synthetic chunks: what a query costs, how much it finds, what it takes to build.
//!
//! ```sh
//! cargo bench --bench scale -- generate /tmp/set --chunks 100000 --vectors clustered
//! cargo bench --bench scale -- build /tmp/set /tmp/index
//! cargo bench --bench scale -- search /tmp/set /tmp/index
//! ```
//!
//! Each step is a process of its own, so that the memory of one is not counted for another. `search` goes through
//! `engine::search` as a request does, with the vectors of the queries given.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::struct_field_names,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

mod data;
mod measure;
mod search;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand};
use data::{PER_DOCUMENT, Set, Shape};
use portolan::index::{Collection, Identity, Replacement};
use portolan::types::{Chunk, ChunkContext, ChunkId, Document, DocumentId};
use serde_json::json;

/// Chunks of one `publish`.
const BATCH: usize = 2_000;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    step: Option<Step>,
    /// One line of JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Cargo says so to every bench.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Step {
    /// Write a synthetic set.
    Generate {
        folder: PathBuf,
        #[arg(long, default_value_t = 100_000)]
        chunks: usize,
        #[arg(long, default_value_t = 1_000)]
        queries: usize,
        #[arg(long, value_enum, default_value_t = Shape::Clustered)]
        vectors: Shape,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Publish a set into a new collection and optimise it.
    Build { folder: PathBuf, index: PathBuf },
    /// Search the collection.
    Search { folder: PathBuf, index: PathBuf },
}

fn main() {
    let arguments = Arguments::parse();
    let Some(step) = arguments.step else {
        println!("scale: name a step; `cargo bench --bench scale -- --help` tells which");
        return;
    };
    let figures = match step {
        Step::Generate {
            folder,
            chunks,
            queries,
            vectors,
            seed,
        } => {
            let set = Set {
                chunks,
                queries,
                vectors,
                seed,
            };
            data::generate(&folder, &set);
            json!(data::read_set(&folder))
        }
        Step::Build { folder, index } => runtime().block_on(build(&folder, &index)),
        Step::Search { folder, index } => search::run(&runtime(), &folder, &index),
    };
    if arguments.json {
        println!("{figures}");
    } else {
        println!("{figures:#}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// The collection of a bench.
async fn open(index: &Path) -> std::sync::Arc<Collection> {
    let identity = Identity::current("given", data::DIMENSION);
    Collection::open(index, "scale", identity, None).await.unwrap()
}

async fn build(folder: &Path, index: &Path) -> serde_json::Value {
    assert!(!index.exists(), "`{}` exists; remove it first", index.display());
    let set = data::read_set(folder);
    let collection = open(index).await;
    let (started, cpu) = (Instant::now(), measure::cpu_seconds());
    let mut texts = data::read_lines(folder, "texts.jsonl");
    let mut vectors = data::Vectors::open(folder);
    let mut ids = std::io::BufWriter::new(std::fs::File::create(index.join("ids.bin")).unwrap());
    let mut batch = Vec::new();
    for number in 0..set.chunks.div_ceil(PER_DOCUMENT) {
        let count = PER_DOCUMENT.min(set.chunks - number * PER_DOCUMENT);
        let texts: Vec<String> = texts.by_ref().take(count).collect();
        let (document, chunks) = document(number, &texts);
        for chunk in &chunks {
            ids.write_all(chunk.id.0.as_bytes()).unwrap();
        }
        let vectors = (0..count).map(|_| vectors.next()).collect();
        batch.push(Replacement {
            document,
            chunks,
            vectors,
            tokens: Vec::new(),
            texts: Vec::new(),
        });
        if batch.len() == BATCH / PER_DOCUMENT {
            collection
                .publish(std::mem::take(&mut batch), Vec::new())
                .await
                .unwrap();
        }
    }
    collection.publish(batch, Vec::new()).await.unwrap();
    ids.flush().unwrap();
    let (published, published_cpu) = (started.elapsed(), measure::cpu_seconds() - cpu);
    let (started, cpu) = (Instant::now(), measure::cpu_seconds());
    collection.optimize().await.unwrap();
    json!({
        "publish_s": published.as_secs_f64(),
        "publish_cpu_s": published_cpu,
        "optimise_s": started.elapsed().as_secs_f64(),
        "optimise_cpu_s": measure::cpu_seconds() - cpu,
        "memory": measure::memory(),
        "disk_mb": measure::disk_mb(index),
    })
}

/// A document of the given chunks, titled with its first words.
fn document(number: usize, texts: &[String]) -> (Document, Vec<Chunk>) {
    let uri = format!("{number}.txt");
    let (id, metadata) = (DocumentId::of(&uri), data::facts(number));
    let title = texts[0].split(' ').take(2).collect::<Vec<_>>().join(" ");
    let context = ChunkContext {
        metadata: &metadata,
        principals: &[],
    };
    let (mut text, mut chunks) = (String::new(), Vec::new());
    for (ordinal, part) in (0..).zip(texts) {
        let start = text.len();
        text.push_str(part);
        let embedded = Chunk::embedded_text(&title, &[], part);
        chunks.push(Chunk {
            id: ChunkId::of(id, ordinal, &embedded, &context),
            document: id,
            ordinal,
            heading_path: Vec::new(),
            text: part.clone(),
            span: start..text.len(),
            pages: None,
        });
        text.push('\n');
    }
    let document = Document {
        id,
        uri,
        title,
        text,
        headings: Vec::new(),
        pages: None,
        metadata,
        principals: Vec::new(),
        fingerprint: number.to_string(),
        patched: None,
    };
    (document, chunks)
}
