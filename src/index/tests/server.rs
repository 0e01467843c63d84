//! A Qdrant server that is down, comes back, answers with an error or does not fit.

use futures::future::{Either, select};
use tonic::Status;

use super::contract::point;
use super::double::Double;
use super::*;

fn fleet() -> Vec<Replacement> {
    vec![
        replacement("a.md", &["red sail"], 0),
        replacement("b.md", &["blue sail"], 1),
    ]
}

async fn failure(store: &dyn VectorStore) -> String {
    store.ids().await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_client_goes_on_after_a_restart_of_the_server() {
    let mut double = Double::up();
    let store = double.store("docs");
    store.upsert(vec![point(1, 0, "a", &[])]).await.unwrap();
    // Between two calls, so that the next one finds its connection closed.
    double.stop().await;
    double.start();
    store.upsert(vec![point(2, 0, "a", &[])]).await.unwrap();
    double.stop().await;
    let found = store.search(axis(0), &anything(), &everyone(), 9).await;
    let error = found.unwrap_err().to_string();
    assert!(
        error.contains("cannot be reached") && !error.contains("127.0.0.1"),
        "{error}"
    );
    double.start();
    let found = store.search(axis(0), &anything(), &everyone(), 9).await.unwrap();
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_collection_opens_while_its_server_is_down_and_is_swept_later() {
    let mut double = Double::up();
    let (folder, collection) = filled_over(Some(double.store("docs")), fleet()).await;
    let lost = asked(&collection, "blue", &anything(), &everyone())[0].chunk;
    collection.vectors.upsert(vec![point(7, 1, "a", &[])]).await.unwrap();
    collection.vectors.remove(vec![lost]).await.unwrap();
    drop(collection);
    double.stop().await;

    let collection = open_over(folder.path(), Some(double.store("docs"))).await.unwrap();
    assert_eq!(words(&collection, "blue"), ["b.md"]);
    let near_words = collection.vector(axis(0), &anything(), &everyone(), 10).await;
    assert!(matches!(near_words, Err(Error::Storage(_))));
    assert_eq!(collection.fingerprints().await.unwrap().len(), 2);
    let new = || vec![replacement("c.md", &["white sail"], 2)];
    assert!(collection.publish(new(), Vec::new()).await.is_err());
    assert!(words(&collection, "white").is_empty());

    double.start();
    assert_eq!(uris(&collection, &near(&collection, 0).await), ["a.md"]);
    let kept: Vec<_> = collection.fingerprints().await.unwrap().into_keys().collect();
    assert_eq!(kept, ["a.md"], "what lost its vectors is indexed again");
    assert_eq!(collection.vectors.ids().await.unwrap().len(), 1, "the orphan is gone");
    collection.publish([fleet(), new()].concat(), Vec::new()).await.unwrap();
    assert_eq!(uris(&collection, &near(&collection, 1).await)[0], "b.md");
    assert_eq!(collection.vectors.ids().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_late_sweep_waits_for_the_commit_under_way() {
    let mut double = Double::down();
    let folder = tempfile::tempdir().unwrap();
    let collection = open_over(folder.path(), Some(double.store("docs"))).await.unwrap();
    double.start();
    let turn = collection.writer.turn().await;
    // Time enough for a sweep that does not wait.
    let commit = async {
        for _ in 0..20 {
            collection.vectors.ids().await.unwrap();
        }
    };
    let Either::Right(((), late)) = select(Box::pin(collection.fingerprints()), Box::pin(commit)).await else {
        panic!("it did not wait");
    };
    drop(turn);
    assert!(late.await.unwrap().is_empty());
}

#[tokio::test]
async fn a_document_is_removed_while_the_server_is_down() {
    let mut double = Double::up();
    let (_folder, collection) = filled_over(Some(double.store("docs")), fleet()).await;
    double.stop().await;
    let gone = vec![DocumentId::of("a.md")];
    collection.publish(Vec::new(), gone).await.unwrap();
    assert_eq!(words(&collection, "sail"), ["b.md"]);
    double.start();
    assert_eq!(uris(&collection, &near(&collection, 0).await), ["b.md"]);
}

#[tokio::test]
async fn an_error_of_the_server_is_told_in_its_words() {
    let double = Double::up();
    let store = double.store("docs");
    store.upsert(vec![point(1, 0, "a", &[])]).await.unwrap();
    double.refuse(Some(("/Scroll", Status::resource_exhausted("the disk is full"))));
    let error = failure(&*store).await;
    assert!(error.contains("ResourceExhausted: the disk is full"), "{error}");
    // Not the server's for sure: the client words its own failures so, and names the URL.
    double.refuse(Some(("/Scroll", Status::internal("no way to http://10.0.0.1"))));
    let error = failure(&*store).await;
    assert!(!error.contains("10.0.0.1"), "{error}");
    double.refuse(Some(("/Scroll", Status::not_found("no such collection"))));
    let error = failure(&*store).await;
    assert!(
        error.ends_with("start Portolan again: the next `portolan index` fills it"),
        "{error}"
    );
    double.refuse(None);
    assert_eq!(store.ids().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_failed_first_call_left_undone_is_done_by_the_next_client() {
    let double = Double::up();
    double.refuse(Some(("/CreateFieldIndex", Status::unavailable("busy"))));
    failure(&*double.store("docs")).await;
    double.refuse(None);
    assert!(double.indexed("docs").is_empty());
    assert!(double.store("docs").ids().await.unwrap().is_empty());
    assert_eq!(double.indexed("docs"), ["principals"]);
}

#[tokio::test]
async fn a_collection_of_other_vectors_is_refused() {
    let double = Double::up();
    double.store("docs").upsert(vec![point(1, 0, "a", &[])]).await.unwrap();
    let other = double.connect("secret-key", "docs", DIMENSION + 1);
    let folder = tempfile::tempdir().unwrap();
    let Err(Error::Conflict(detail)) = open_over(folder.path(), Some(Arc::new(other))).await else {
        panic!("it opened");
    };
    assert!(detail.contains("vectors of 5 numbers"), "{detail}");
}

#[tokio::test]
async fn a_wrong_key_is_told_without_the_key() {
    let double = Double::up();
    let error = failure(&double.connect("wrong-key", "docs", DIMENSION)).await;
    assert!(
        error.contains("Unauthenticated") && !error.contains("wrong-key"),
        "{error}"
    );
}
