//! What every `VectorStore` promises, checked on each of them.

use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::super::edge::EdgeStore;
use super::super::qdrant::{QdrantStore, Server};
use super::super::vectors::{Point, VectorStore};
use super::double::Double;
use super::{DIMENSION, anything, axis, everyone};
use crate::config::Secret;
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

pub fn id(number: u128) -> ChunkId {
    ChunkId(Uuid::from_u128(number))
}

pub fn point(number: u128, at: usize, kind: &str, principals: &[&str]) -> Point {
    Point {
        chunk: id(number),
        vector: axis(at),
        metadata: Metadata::from([("kind".to_owned(), json!(kind))]),
        principals: principals.iter().map(|&name| name.to_owned()).collect(),
        tokens: Vec::new(),
    }
}

/// A collection of the real server that `QDRANT_URL` names.
pub fn named(collection: &str) -> Option<Arc<QdrantStore>> {
    Some(connected(&at(std::env::var("QDRANT_URL").ok()?), collection))
}

/// And one that keeps tokens, too.
pub fn named_with_tokens(collection: &str) -> Option<Arc<QdrantStore>> {
    let server = Server {
        tokens: true,
        ..at(std::env::var("QDRANT_URL").ok()?)
    };
    Some(connected(&server, collection))
}

fn at(url: String) -> Server {
    Server {
        url,
        api_key: None,
        tokens: false,
    }
}

fn connected(server: &Server, collection: &str) -> Arc<QdrantStore> {
    Arc::new(QdrantStore::connect(server, collection, DIMENSION).unwrap())
}

fn ids(hits: &[Hit]) -> Vec<ChunkId> {
    hits.iter().map(|hit| hit.chunk).collect()
}

/// The promises of `VectorStore`; `store` is empty before and after.
pub async fn contract(store: &dyn VectorStore) {
    assert!(store.ids().await.unwrap().is_empty(), "the store is not empty");
    assert!(
        store
            .search(axis(0), &anything(), &everyone(), 3)
            .await
            .unwrap()
            .is_empty()
    );
    let points = vec![
        point(3, 0, "a", &[]),
        point(1, 0, "b", &[]),
        point(2, 1, "a", &[]),
        point(4, 0, "a", &["hr"]),
    ];
    store.upsert(points).await.unwrap();
    store.flush().await.unwrap();
    let hits = store.search(axis(0), &anything(), &everyone(), 9).await.unwrap();
    assert_eq!(
        ids(&hits),
        [id(1), id(3), id(2)],
        "best first, ties by id, nothing of others"
    );
    assert!(
        (hits[0].score - 1.0).abs() < 1e-5 && hits[2].score.abs() < 1e-5,
        "cosine: {hits:?}"
    );
    let two = store.search(axis(0), &anything(), &everyone(), 2).await.unwrap();
    assert_eq!(ids(&two), [id(1), id(3)]);
    let one = store.search(axis(0), &anything(), &everyone(), 1).await.unwrap();
    assert_eq!(ids(&one), [id(1)], "equal scores are cut by id");
    assert!(
        store
            .search(axis(0), &anything(), &everyone(), 0)
            .await
            .unwrap()
            .is_empty()
    );
    let kind = Filter::In("kind".into(), vec![json!("a")]);
    let mine = Reader::Principals(vec!["hr".into()]);
    let hits = store.search(axis(0), &kind, &mine, 9).await.unwrap();
    assert_eq!(ids(&hits), [id(3), id(4), id(2)]);
    let all = store
        .search(axis(0), &Filter::Not(Box::new(kind)), &Reader::Everything, 9)
        .await
        .unwrap();
    assert_eq!(ids(&all), [id(1)]);
    // Writing a point again changes nothing.
    store.upsert(vec![point(1, 0, "b", &[])]).await.unwrap();
    store.remove(vec![id(3), id(77)]).await.unwrap();
    let mut held = store.ids().await.unwrap();
    held.sort();
    assert_eq!(held, [id(1), id(2), id(4)]);
    store.optimize().await.unwrap();
    assert_eq!(
        store.search(axis(1), &anything(), &everyone(), 1).await.unwrap()[0].chunk,
        id(2)
    );
    store.remove(held).await.unwrap();
    store.flush().await.unwrap();
    assert!(store.ids().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let store = EdgeStore::open(folder.path(), DIMENSION).await.unwrap();
    contract(&store).await;
}

/// More than one page of everything that goes by pages.
async fn pages(store: &dyn VectorStore) {
    let points = (0..2_500).map(|number| point(number, 0, "a", &[])).collect();
    store.upsert(points).await.unwrap();
    let mut held = store.ids().await.unwrap();
    held.sort();
    assert_eq!(held, (0..2_500).map(id).collect::<Vec<_>>());
    store.remove(held.split_off(1)).await.unwrap();
    assert_eq!(store.ids().await.unwrap(), [id(0)]);
    store.remove(held).await.unwrap();
}

#[tokio::test]
async fn all_ids_are_listed_beyond_one_page() {
    let folder = tempfile::tempdir().unwrap();
    pages(&EdgeStore::open(folder.path(), DIMENSION).await.unwrap()).await;
    pages(&*Double::up().store("docs")).await;
}

#[tokio::test]
async fn the_store_over_grpc_keeps_the_contract() {
    let double = Double::up();
    contract(&*double.store("docs")).await;
    assert_eq!(double.indexed("docs"), ["principals"]);
}

#[tokio::test]
#[allow(clippy::print_stderr, reason = "a test that did not run says so")]
async fn a_qdrant_server_keeps_the_contract() {
    let Some(store) = named("portolan-contract") else {
        eprintln!("skipped: no QDRANT_URL");
        return;
    };
    contract(&*store).await;
    pages(&*store).await;
}

#[tokio::test]
async fn an_absent_server_is_an_error_without_its_url() {
    let server = Server {
        api_key: Some(Secret::from("secret-key".to_owned())),
        ..at("http://127.0.0.1:1".to_owned())
    };
    let store = connected(&server, "none");
    let error = store.ids().await.unwrap_err().to_string();
    assert!(!error.contains("secret") && !error.contains("127.0.0.1"), "{error}");
}
