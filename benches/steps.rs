//! What each step of an answer costs: chunk, retrieve, fuse, pack, and a text event on its way to the reader.
//! `make bench` runs it; docs/performance.md has the figures.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at the first surprise")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use indexer::chunk::Chunking;
use indexer::types::{Chunk, Document, Item, Metadata};
use portolan::engine::citations::Tracker;
use portolan::engine::{fuse, pack, rerank};
use portolan::http::wire::EventWriter;
use portolan::index::{Collection, Fusion, Identity, Replacement};
use portolan::types::{ChunkId, Event, Filter, Hit, Passage, Query, QueryInput, Reader};
use uuid::Uuid;

const DIMENSION: usize = 384;
const DOCUMENTS: usize = 5_000;
const WORDS: &[&str] = &[
    "harbour", "sounder", "beacon", "tide", "mooring", "fathom", "chart", "buoy", "anchor", "current", "salinity",
    "sensor", "gauge", "hull", "ballast", "lantern", "keel", "rudder", "pilot", "reef",
];

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

    fn words(&mut self, count: usize) -> String {
        let mut text = String::new();
        for at in 0..count {
            let word: &str = WORDS[self.next() as usize % WORDS.len()];
            let number = self.next() % 500;
            let gap = if at % 12 == 11 { ". " } else { " " };
            text.extend([word, &number.to_string(), gap]);
        }
        text
    }

    fn vector(&mut self) -> Vec<f32> {
        let raw: Vec<f32> = (0..DIMENSION)
            .map(|_| (self.next() % 2_001) as f32 / 1_000.0 - 1.0)
            .collect();
        let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
        raw.into_iter().map(|x| x / length).collect()
    }
}

fn document(uri: &str, text: String) -> (Document, Vec<Chunk>) {
    let item = Item {
        uri: uri.into(),
        media_type: None,
        bytes: text.into_bytes(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    let document = indexer::parse::document(&item, &indexer::fingerprint::of(&item, Chunking::default())).unwrap();
    let chunks = indexer::chunk::split(&document, Chunking::default());
    (document, chunks)
}

fn pure_steps(criterion: &mut Criterion) {
    let mut numbers = Numbers(1);
    let (long, _) = document("long.txt", numbers.words(15_000));
    criterion.bench_function("chunk: 150 KB of text", |bencher| {
        bencher.iter(|| indexer::chunk::split(black_box(&long), Chunking::default()));
    });
    let mut hits = || -> Vec<Hit> {
        let mut list: Vec<Hit> = (0..100)
            .map(|_| Hit {
                chunk: ChunkId(Uuid::from_u128(u128::from(numbers.next() % 400))),
                score: (numbers.next() % 1_000) as f32,
            })
            .collect();
        list.sort_by(|a, b| b.score.total_cmp(&a.score));
        list
    };
    let (lexical, vector) = (hits(), hits());
    let legs = fuse::Legs {
        lexical: &lexical,
        vector: &vector,
        asked: 100,
    };
    criterion.bench_function("fuse: 100 and 100 hits", |bencher| {
        bencher.iter(|| fuse::apply(&Fusion::default(), black_box(legs), &fuse::Coverage::new()));
    });
}

fn over_an_index(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(2);
    let collection = runtime.block_on(async {
        let identity = Identity::current("bench", DIMENSION);
        let collection = Collection::open(folder.path(), "bench", identity, None).await.unwrap();
        for batch in 0..DOCUMENTS / 500 {
            let mut replacements = Vec::new();
            for at in 0..500 {
                let (document, chunks) = document(&format!("{batch}-{at}.txt"), numbers.words(120));
                let vectors = chunks.iter().map(|_| numbers.vector()).collect();
                replacements.push(Replacement {
                    document,
                    chunks,
                    vectors,
                    tokens: Vec::new(),
                    texts: Vec::new(),
                });
            }
            collection.publish(replacements, Vec::new()).await.unwrap();
        }
        collection
    });
    let (filter, reader, text) = (Filter::default(), Reader::Everything, numbers.words(3));
    let input = QueryInput {
        text: text.clone(),
        ..QueryInput::default()
    };
    let query = Query::parse(input, reader.clone()).unwrap();
    criterion.bench_function("retrieve: understand and lexical, 5,000 documents", |bencher| {
        bencher.iter(|| {
            let asked = collection.understand(black_box(&query)).unwrap();
            collection.lexical(&asked, 100).unwrap()
        });
    });
    let vector = numbers.vector();
    criterion.bench_function("retrieve: vector, 5,000 chunks, exact", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(collection.vector(vector.clone(), &filter, &reader, 100))
                .unwrap()
        });
    });
    let asked = collection.understand(&query).unwrap();
    let many = collection.lexical(&asked, 200).unwrap();
    let many: Vec<ChunkId> = many.iter().map(|hit| hit.chunk).collect();
    criterion.bench_function("coverage: 200 candidates of 5,000 documents", |bencher| {
        bencher.iter(|| collection.coverage(black_box(&asked), &many).unwrap());
    });
    let hits = collection.lexical(&asked, 12).unwrap();
    criterion.bench_function("passages: 12 texts with highlights", |bencher| {
        bencher.iter(|| collection.passages(black_box(&hits), &text, &reader).unwrap());
    });
    let passages = collection.passages(&hits, &text, &reader).unwrap();
    after_retrieval(criterion, &passages);
}

/// As on `SciFact`: a passage of 256 tokens keeps 164 that mean something, a question 12.
fn late_interaction(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(3);
    let mut tokens = |count: usize| -> Vec<f32> { (0..count).flat_map(|_| numbers.vector()).collect() };
    let (question, one) = (tokens(12), tokens(164));
    let (collection, chunks) = runtime.block_on(async {
        let identity = Identity::current("bench", DIMENSION);
        let collection = Collection::open(folder.path(), "bench", identity, None).await.unwrap();
        let mut all: Vec<ChunkId> = Vec::new();
        let mut batch = Vec::new();
        for at in 0..500 {
            let (document, chunks) = document(&format!("{at}.txt"), format!("number {at}"));
            all.extend(chunks.iter().map(|chunk| chunk.id));
            batch.push(Replacement {
                document,
                vectors: vec![tokens(1); chunks.len()],
                texts: Vec::new(),
                tokens: chunks.iter().map(|_| collection.sketches(&tokens(164))).collect(),
                chunks,
            });
        }
        collection.publish(batch, Vec::new()).await.unwrap();
        (collection, all)
    });
    let candidates: Vec<ChunkId> = chunks.iter().copied().step_by(10).collect();
    criterion.bench_function(
        "rerank: 50 candidates of 164 tokens, read and compared with 12",
        |bencher| {
            bencher.iter(|| {
                let comparison = collection.compare(black_box(&question), &candidates).unwrap();
                rerank::max_sims(&comparison, None).unwrap()
            });
        },
    );
    criterion.bench_function("rerank: the tokens of a chunk to bits", |bencher| {
        bencher.iter(|| collection.sketches(black_box(&one)));
    });
}

fn after_retrieval(criterion: &mut Criterion, passages: &[Passage]) {
    let count = |text: &str| text.len() / 4;
    criterion.bench_function("pack: 12 passages", |bencher| {
        bencher.iter(|| pack::fit("leave", black_box(passages.to_vec()), 2_000, &count));
    });
    criterion.bench_function("event: a text delta, tracked and written", |bencher| {
        let mut writer = EventWriter::default();
        let mut tracker = Tracker::new(passages.to_vec(), "");
        bencher.iter(|| {
            for piece in tracker.push(black_box("seven words ")) {
                if let portolan::engine::citations::Piece::Text(text) = piece {
                    black_box(writer.write(&Event::Text(text)).1.to_string());
                }
            }
        });
    });
    let claim: Arc<str> = passages[0].chunk.text.split(". ").next().unwrap().into();
    criterion.bench_function("event: a mark, checked", |bencher| {
        bencher.iter(|| {
            let mut tracker = Tracker::new(passages.to_vec(), "");
            tracker.push(&format!("{claim} [1]"))
        });
    });
}

criterion_group!(steps, pure_steps, late_interaction, over_an_index);
criterion_main!(steps);
