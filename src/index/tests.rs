//! Tests of a collection over the real engines.

use serde_json::json;

use super::*;
use crate::types::{ChunkContext, Metadata};
use indexer::types::Item;

fn replacement(uri: &str, text: &str, metadata: serde_json::Value, principals: &[&str]) -> Replacement {
    let metadata: Metadata = serde_json::from_value(metadata).unwrap();
    let principals: Vec<String> = principals.iter().map(|name| (*name).to_owned()).collect();
    let item = Item {
        uri: uri.into(),
        media_type: None,
        bytes: text.into(),
        metadata: metadata.clone(),
        principals: principals.clone(),
        modified: None,
    };
    let document = indexer::parse::document(&item, &indexer::fingerprint::of(&item)).unwrap();
    let chunks = indexer::chunk::split(&document);
    let _ = ChunkContext {
        metadata: &metadata,
        principals: &principals,
    };
    let vectors = chunks.iter().map(|chunk| direction(&chunk.text)).collect();
    Replacement {
        document,
        chunks,
        vectors,
    }
}

/// A stand-in for an embedder: the first letter decides.
fn direction(text: &str) -> Vec<f32> {
    let mut vector = vec![0.1; 4];
    vector[usize::from(text.as_bytes()[0]) % 4] = 1.0;
    vector
}

async fn open(folder: &Path) -> Arc<Collection> {
    Collection::open(folder, "c", Identity::current("test", 4), None)
        .await
        .unwrap()
}

fn uris(collection: &Collection, hits: &[Hit], reader: &Reader) -> Vec<String> {
    let passages = collection.passages(hits, "", reader).unwrap();
    passages
        .into_iter()
        .map(|passage| passage.document.uri.clone())
        .collect()
}

async fn both(collection: &Collection, text: &str, filter: &Filter, reader: &Reader) -> (Vec<String>, Vec<String>) {
    let lexical = collection.lexical(text, filter, reader, 10).unwrap();
    let vector = collection.vector(direction(text), filter, reader, 10).await.unwrap();
    (uris(collection, &lexical, reader), uris(collection, &vector, reader))
}

const ALL: Reader = Reader::Everything;

#[tokio::test]
async fn a_published_document_is_found_by_both_legs_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    let batch = vec![
        replacement("a.md", "alpha words here", json!({}), &[]),
        replacement("b.md", "beta words", json!({}), &[]),
    ];
    collection.publish(batch, vec![]).await.unwrap();
    let any = Filter::default();
    assert_eq!(both(&collection, "alpha", &any, &ALL).await.0, ["a.md"]);
    assert_eq!(both(&collection, "alpha", &any, &ALL).await.1[0], "a.md");
    drop(collection);
    let collection = open(folder.path()).await;
    assert_eq!(both(&collection, "alpha", &any, &ALL).await.0, ["a.md"]);
    assert_eq!(both(&collection, "beta", &any, &ALL).await.1[0], "b.md");
    assert_eq!(
        collection.statistics(),
        Statistics {
            documents: 2,
            chunks: 2
        }
    );
}

#[tokio::test]
async fn a_replaced_document_leaves_nothing_of_its_old_version() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    collection
        .publish(vec![replacement("a.md", "alpha old", json!({}), &[])], vec![])
        .await
        .unwrap();
    collection
        .publish(vec![replacement("a.md", "gamma new", json!({}), &[])], vec![])
        .await
        .unwrap();
    let any = Filter::default();
    assert!(both(&collection, "old", &any, &ALL).await.0.is_empty());
    assert_eq!(collection.vectors.ids().await.unwrap().len(), 1);
    collection.publish(vec![], vec![DocumentId::of("a.md")]).await.unwrap();
    assert_eq!(both(&collection, "gamma", &any, &ALL).await, (vec![], vec![]));
    assert!(collection.vectors.ids().await.unwrap().is_empty());
    assert!(collection.document(DocumentId::of("a.md"), &ALL).unwrap().is_none());
}

#[tokio::test]
async fn nobody_finds_what_they_may_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    let secret = replacement("secret.md", "alpha board salaries", json!({}), &["board"]);
    collection
        .publish(
            vec![secret, replacement("open.md", "alpha canteen", json!({}), &[])],
            vec![],
        )
        .await
        .unwrap();
    let any = Filter::default();
    let outsider = Reader::Principals(vec!["staff".into()]);
    let member = Reader::Principals(vec!["board".into()]);
    assert_eq!(
        both(&collection, "alpha", &any, &outsider).await,
        (vec!["open.md".into()], vec!["open.md".into()])
    );
    assert_eq!(both(&collection, "alpha", &any, &member).await.0.len(), 2);
    assert!(
        collection
            .document(DocumentId::of("secret.md"), &outsider)
            .unwrap()
            .is_none()
    );
    assert_eq!(collection.documents(&outsider, 0, 10).unwrap().0, 1);
    let hits = collection.lexical("salaries", &any, &ALL, 10).unwrap();
    assert!(collection.passages(&hits, "", &outsider).unwrap().is_empty());
}

#[tokio::test]
async fn both_legs_agree_on_every_filter() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    let batch = vec![
        replacement(
            "a.md",
            "alpha one",
            json!({"kind": "memo", "date": "2024-02-01", "n": 1}),
            &[],
        ),
        replacement(
            "b.md",
            "alpha two",
            json!({"kind": "note", "date": "2025-02-01", "n": 2}),
            &[],
        ),
    ];
    collection.publish(batch, vec![]).await.unwrap();
    let is = |value: serde_json::Value| Filter::In("kind".into(), vec![value]);
    let late = Filter::Range(
        "date".into(),
        crate::types::Bounds {
            gte: Some(json!("2025")),
            ..Default::default()
        },
    );
    let cases = [
        (is(json!("memo")), vec!["a.md"]),
        (Filter::Not(Box::new(is(json!("memo")))), vec!["b.md"]),
        (late.clone(), vec!["b.md"]),
        (Filter::All(vec![is(json!("memo")), late]), vec![]),
        (Filter::In("n".into(), vec![json!(2)]), vec!["b.md"]),
        (Filter::Exists("kind".into()), vec!["a.md", "b.md"]),
    ];
    for (filter, expected) in cases {
        let (mut lexical, mut vector) = both(&collection, "alpha", &filter, &ALL).await;
        lexical.sort();
        vector.sort();
        assert_eq!(
            (&lexical, &vector),
            (&expected.iter().map(|uri| (*uri).to_owned()).collect(), &lexical),
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn a_code_is_found_to_the_letter_and_hostile_queries_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    let batch = vec![
        replacement(
            "a.md",
            "The error err error codes 0042 0041 ERR_0041 list",
            json!({}),
            &[],
        ),
        replacement("b.md", "See ERR_0042, please.", json!({}), &[]),
    ];
    collection.publish(batch, vec![]).await.unwrap();
    let any = Filter::default();
    assert_eq!(
        both(&collection, "what is error err_0042", &any, &ALL).await.0[0],
        "b.md"
    );
    assert_eq!(both(&collection, "\"codes 0042\"", &any, &ALL).await.0, ["a.md"]);
    for hostile in [
        "\"",
        "\"\"\"",
        "AND OR NOT (",
        "body:[* TO",
        "the",
        "🧭",
        "a:b:c~2^9",
        "((((((((((",
    ] {
        collection.lexical(hostile, &any, &ALL, 10).unwrap();
    }
}

#[tokio::test]
async fn vectors_that_a_crash_left_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let collection = open(folder.path()).await;
    let orphan = replacement("ghost.md", "alpha ghost", json!({}), &[]);
    let chunk = orphan.chunks[0].id;
    let point = vectors::Point {
        chunk,
        vector: direction("a"),
        metadata: Metadata::new(),
        principals: vec![],
    };
    collection.vectors.upsert(vec![point]).await.unwrap();
    collection.vectors.flush().await.unwrap();
    assert_eq!(collection.vectors.ids().await.unwrap(), [chunk]);
    drop(collection);
    let collection = open(folder.path()).await;
    assert!(collection.vectors.ids().await.unwrap().is_empty());
}

#[tokio::test]
async fn another_embedder_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).await);
    let refused = Collection::open(folder.path(), "c", Identity::current("other", 8), None).await;
    let Err(Error::Conflict(words)) = refused else {
        panic!("it was opened")
    };
    assert!(
        words.contains("other") && words.contains("portolan index PATH --collection c"),
        "{words}"
    );
}
