//! Tests of a collection as a whole, on a folder of its own.

mod compared;
mod contract;
pub(crate) mod double;
mod erasing;
mod filters;
mod folder;
mod names;
mod server;
mod tokens;
mod words;

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::vectors::Point;
use super::*;
use crate::types::{Chunk, ChunkContext, ChunkId, Metadata, QueryInput};

const DIMENSION: usize = 4;

fn everyone() -> Reader {
    Reader::Principals(Vec::new())
}

fn anything() -> Filter {
    Filter::default()
}

/// A document of one chunk a text; the vector points along the axis `axis`.
pub(crate) fn replacement(uri: &str, texts: &[&str], axis: usize) -> Replacement {
    restricted(uri, texts, axis, &[])
}

fn restricted(uri: &str, texts: &[&str], axis: usize, principals: &[&str]) -> Replacement {
    let principals: Vec<String> = principals.iter().map(|&name| name.to_owned()).collect();
    make(uri, texts, axis, (Metadata::new(), principals))
}

fn make(uri: &str, texts: &[&str], axis: usize, (metadata, principals): (Metadata, Vec<String>)) -> Replacement {
    let id = DocumentId::of(uri);
    let context = ChunkContext {
        metadata: &metadata,
        principals: &principals,
    };
    let mut chunks = Vec::new();
    let mut text = String::new();
    for (ordinal, part) in texts.iter().enumerate() {
        let start = text.len();
        text.push_str(part);
        chunks.push(Chunk {
            id: ChunkId::of(id, ordinal as u32, part, &context),
            document: id,
            ordinal: ordinal as u32,
            heading_path: Vec::new(),
            text: (*part).to_owned(),
            span: start..text.len(),
            pages: None,
        });
    }
    let mut vector = vec![0.1; DIMENSION];
    vector[axis] = 1.0;
    Replacement {
        vectors: vec![vector; chunks.len()],
        tokens: Vec::new(),
        texts: Vec::new(),
        document: Document {
            id,
            uri: uri.to_owned(),
            title: format!("title {}", uri.len()),
            fingerprint: format!("{texts:?}"),
            patched: None,
            text,
            headings: Vec::new(),
            pages: None,
            metadata,
            principals,
        },
        chunks,
    }
}

async fn open(folder: &Path) -> Arc<Collection> {
    open_over(folder, None).await.unwrap()
}

pub(crate) async fn open_over(folder: &Path, vectors: Option<Arc<dyn VectorStore>>) -> Result<Arc<Collection>> {
    Collection::open(folder, "docs", Identity::current("test", DIMENSION), vectors).await
}

async fn filled(batch: Vec<Replacement>) -> (TempDir, Arc<Collection>) {
    filled_over(None, batch).await
}

async fn filled_over(vectors: Option<Arc<dyn VectorStore>>, batch: Vec<Replacement>) -> (TempDir, Arc<Collection>) {
    let folder = tempfile::tempdir().unwrap();
    let collection = open_over(folder.path(), vectors).await.unwrap();
    collection.publish(batch, Vec::new()).await.unwrap();
    (folder, collection)
}

fn axis(axis: usize) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSION];
    vector[axis] = 1.0;
    vector
}

fn uris(collection: &Collection, hits: &[Hit]) -> Vec<String> {
    let passages = collection.passages(hits, "", &Reader::Everything).unwrap();
    passages.iter().map(|passage| passage.document.uri.clone()).collect()
}

/// What the lexical leg finds.
fn asked(collection: &Collection, text: &str, filter: &Filter, reader: &Reader) -> Vec<Hit> {
    let input = QueryInput {
        text: text.to_owned(),
        filter: filter.clone(),
        ..QueryInput::default()
    };
    let query = Query::parse(input, reader.clone()).unwrap();
    collection.lexical(&collection.understand(&query).unwrap(), 10).unwrap()
}

fn words(collection: &Collection, text: &str) -> Vec<String> {
    uris(collection, &asked(collection, text, &anything(), &Reader::Everything))
}

async fn near(collection: &Collection, at: usize) -> Vec<Hit> {
    let found = collection.vector(axis(at), &anything(), &Reader::Everything, 10).await;
    found.unwrap()
}

#[tokio::test]
async fn a_published_document_is_found_by_both_legs_at_once() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["pilots read charts"], 0),
        replacement("b.md", &["anchors hold ships"], 1),
    ])
    .await;
    assert_eq!(words(&collection, "chart"), ["a.md"]);
    assert_eq!(uris(&collection, &near(&collection, 1).await)[0], "b.md");
    assert_eq!(
        collection.statistics(),
        Statistics {
            documents: 2,
            chunks: 2
        }
    );
    assert_eq!(collection.fingerprints().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_replaced_document_leaves_nothing_behind() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["old words", "same words"], 0)]).await;
    let new = replacement("a.md", &["fresh text", "same words"], 1);
    let kept = new.chunks.iter().map(|chunk| chunk.id).collect::<BTreeSet<_>>();
    collection.publish(vec![new], Vec::new()).await.unwrap();
    assert!(words(&collection, "old").is_empty());
    assert_eq!(words(&collection, "fresh"), ["a.md"]);
    let held: BTreeSet<_> = collection.vectors.ids().await.unwrap().into_iter().collect();
    assert_eq!(held, kept);
    let document = collection
        .document(DocumentId::of("a.md"), &everyone())
        .unwrap()
        .unwrap();
    assert_eq!(document.text, "fresh textsame words");
    assert_eq!(
        collection.statistics(),
        Statistics {
            documents: 1,
            chunks: 2
        }
    );
}

#[tokio::test]
async fn a_removed_document_is_gone_everywhere() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["words"], 0),
        replacement("b.md", &["words"], 1),
    ])
    .await;
    let hits = near(&collection, 0).await;
    let gone = DocumentId::of("a.md");
    collection.publish(Vec::new(), vec![gone]).await.unwrap();
    assert_eq!(words(&collection, "words"), ["b.md"]);
    assert_eq!(uris(&collection, &near(&collection, 0).await), ["b.md"]);
    assert_eq!(uris(&collection, &hits), ["b.md"]);
    assert!(collection.document(gone, &Reader::Everything).unwrap().is_none());
}

#[tokio::test]
async fn nothing_is_shown_to_readers_without_the_principal() {
    let (_folder, collection) = filled(vec![
        restricted("secret.md", &["salary table"], 0, &["hr"]),
        restricted("star.md", &["salary table"], 0, &["*"]),
        replacement("open.md", &["salary day"], 0),
    ])
    .await;
    let check = async |reader: Reader, expected: &[&str]| {
        let lexical = asked(&collection, "salary", &anything(), &reader);
        let vector = collection.vector(axis(0), &anything(), &reader, 10).await.unwrap();
        let all = near(&collection, 0).await;
        for hits in [lexical, vector] {
            let mut found = uris(&collection, &hits);
            found.sort();
            assert_eq!(found, expected, "{reader:?}");
        }
        assert_eq!(all.len(), 3);
        assert_eq!(collection.passages(&all, "", &reader).unwrap().len(), expected.len());
        let (count, cards) = collection.documents(&reader, 0, 10).unwrap();
        let listed: Vec<_> = cards.iter().map(|card| card.uri.as_str()).collect();
        assert_eq!((count, listed), (expected.len(), expected.to_vec()));
        let secret = collection.document(DocumentId::of("secret.md"), &reader).unwrap();
        assert_eq!(secret.is_some(), expected.contains(&"secret.md"));
    };
    check(everyone(), &["open.md"]).await;
    check(Reader::Principals(vec!["hr".into()]), &["open.md", "secret.md"]).await;
    check(Reader::Principals(vec!["h".into(), "HR".into()]), &["open.md"]).await;
    check(Reader::Everything, &["open.md", "secret.md", "star.md"]).await;
}

#[tokio::test]
async fn a_changed_principal_changes_who_sees_it() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["plan"], 0)]).await;
    let hits = near(&collection, 0).await;
    let closed = restricted("a.md", &["plan"], 0, &["board"]);
    collection.publish(vec![closed], Vec::new()).await.unwrap();
    assert!(asked(&collection, "plan", &anything(), &everyone()).is_empty());
    assert!(collection.passages(&hits, "", &everyone()).unwrap().is_empty());
}

#[tokio::test]
async fn another_identity_is_refused_with_the_mend() {
    let (folder, collection) = filled(Vec::new()).await;
    drop(collection);
    let other = Identity::current("other", DIMENSION);
    let Err(Error::Conflict(detail)) = Collection::open(folder.path(), "docs", other, None).await else {
        panic!("it opened");
    };
    for part in ["`test`", "`other`", "portolan index", "move"] {
        assert!(detail.contains(part), "{detail}");
    }
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let (folder, _collection) = filled(Vec::new()).await;
    let identity = Identity::current("test", DIMENSION);
    let second = Collection::open(folder.path(), "docs", identity, None).await;
    assert!(matches!(second, Err(Error::Conflict(detail)) if detail.contains("another process")));
}

#[tokio::test]
async fn opening_sweeps_orphans_and_finds_the_same() {
    let (folder, collection) = filled(vec![
        replacement("a.md", &["red sail"], 0),
        replacement("b.md", &["blue sail"], 1),
    ])
    .await;
    let before = asked(&collection, "red sail", &anything(), &everyone());
    let near_before = near(&collection, 1).await;
    let orphan = ChunkId(uuid::Uuid::from_u128(7));
    let point = Point {
        chunk: orphan,
        vector: axis(1),
        metadata: Metadata::new(),
        principals: Vec::new(),
        tokens: Vec::new(),
    };
    collection.vectors.upsert(vec![point]).await.unwrap();
    collection.vectors.flush().await.unwrap();
    assert!(collection.vectors.ids().await.unwrap().contains(&orphan));
    drop(collection);
    let collection = open(folder.path()).await;
    assert_eq!(collection.vectors.ids().await.unwrap().len(), 2);
    assert_eq!(asked(&collection, "red sail", &anything(), &everyone()), before);
    assert_eq!(near(&collection, 1).await, near_before);
    assert_eq!(
        collection.statistics(),
        Statistics {
            documents: 2,
            chunks: 2
        }
    );
}

#[tokio::test]
async fn small_writes_are_merged_and_found_as_before() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["red sail"], 0)]).await;
    for (name, direction) in [("b.md", 1), ("c.md", 2)] {
        let one = replacement(name, &["blue sail"], direction);
        collection.publish(vec![one], Vec::new()).await.unwrap();
    }
    let segments = || collection.lexical.snapshot().searcher.segment_readers().len();
    let found = || asked(&collection, "sail", &anything(), &everyone());
    let before = (found(), near(&collection, 1).await);
    assert!(segments() > 1);
    collection.optimize().await.unwrap();
    assert_eq!(segments(), 1);
    assert_eq!((found(), near(&collection, 1).await), before);
    collection.optimize().await.unwrap();
}

#[tokio::test]
async fn what_lost_its_vectors_is_indexed_again_once() {
    let red = || replacement("a.md", &["red sail"], 0);
    let (folder, collection) = filled(vec![red(), replacement("b.md", &["blue sail"], 1)]).await;
    let lost = red().chunks[0].id;
    collection.vectors.remove(vec![lost]).await.unwrap();
    collection.vectors.flush().await.unwrap();
    drop(collection);
    let collection = open(folder.path()).await;
    let known = async || collection.fingerprints().await.unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(known().await, ["b.md"]);
    collection.publish(vec![red()], Vec::new()).await.unwrap();
    assert_eq!(known().await, ["a.md", "b.md"]);
}

#[tokio::test]
async fn passages_mark_the_words_and_keep_the_order() {
    let (_folder, collection) = filled(vec![
        replacement("a.md", &["Caf\u{e9} charts and a chart"], 0),
        replacement("b.md", &["nothing here"], 1),
    ])
    .await;
    let mut hits = near(&collection, 0).await;
    hits.reverse();
    hits.insert(
        0,
        Hit {
            chunk: ChunkId(uuid::Uuid::nil()),
            score: 9.0,
        },
    );
    let passages = collection.passages(&hits, "the cafe chart", &everyone()).unwrap();
    let order: Vec<_> = passages.iter().map(|passage| passage.document.uri.as_str()).collect();
    assert_eq!(order, ["b.md", "a.md"]);
    let text = &passages[1].chunk.text;
    let marked: Vec<_> = passages[1]
        .highlights
        .iter()
        .map(|range| &text[range.clone()])
        .collect();
    assert_eq!(marked, ["Caf\u{e9}", "charts", "chart"]);
    assert_eq!(passages[1].scores.fused.to_bits(), hits[2].score.to_bits());
}

#[tokio::test]
async fn equal_scores_go_by_id_and_rare_terms_weigh_more() {
    let batch = (0..5).map(|number| replacement(&number.to_string(), &["same"], 0));
    let (_folder, collection) = filled(batch.collect()).await;
    let mut lexical = asked(&collection, "same", &anything(), &everyone());
    lexical.truncate(3);
    let mut ids: Vec<_> = collection.vectors.ids().await.unwrap();
    ids.sort();
    ids.truncate(3);
    assert_eq!(lexical.iter().map(|hit| hit.chunk).collect::<Vec<_>>(), ids);
    let vector = collection.vector(axis(0), &anything(), &everyone(), 3).await.unwrap();
    assert_eq!(vector.iter().map(|hit| hit.chunk).collect::<Vec<_>>(), ids);
    assert!(collection.idf("unheard") > collection.idf("same"));
    assert!((collection.idf("unheard") - (1.0_f32 + 5.5 / 0.5).ln()).abs() < 1e-6);
}

#[tokio::test]
async fn a_batch_with_missing_vectors_changes_nothing() {
    let (_folder, collection) = filled(vec![replacement("a.md", &["first"], 0)]).await;
    let mut broken = replacement("a.md", &["second"], 0);
    broken.vectors.clear();
    assert!(collection.publish(vec![broken], Vec::new()).await.is_err());
    assert_eq!(words(&collection, "first"), ["a.md"]);
}
