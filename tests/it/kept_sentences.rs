//! Sentences of chunks go with what was embedded: they come and go when their document is published, and not before.

use std::sync::Arc;

use portolan::types::{ChunkId, Query, QueryInput, Reader};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{TestApp, eventually, settings};
use crate::removal::Gated;
use crate::sentences::{index, is_on_disk, leave, sentences, set, two_pages, written_by};

/// The id of the first chunk of `uri`, which tells what was embedded of it.
async fn chunk(app: &TestApp, uri: &str) -> ChunkId {
    let input = QueryInput {
        text: "leave".into(),
        ..QueryInput::default()
    };
    let query = Query::parse(input, Reader::Everything).unwrap();
    let found = app.engine.search(&query).await.unwrap().passages;
    found
        .iter()
        .find(|passage| passage.document.uri == uri)
        .unwrap()
        .chunk
        .id
}

/// Waits until the model was asked so often.
async fn asked(app: &TestApp, often: usize) {
    eventually(async || {
        tokio::task::yield_now().await;
        (app.upstream.requests().len() == often).then_some(())
    })
    .await;
}

async fn rename(app: &TestApp, uri: &str, title: &str) {
    let path = format!("/v1/documents/{}", app.document(uri).await);
    let renaming = app.request("PATCH", &path).bearer_auth("operator");
    let renaming = renaming.json(&json!({ "title": title })).send().await;
    assert_eq!(renaming.unwrap().status(), 200);
}

#[tokio::test]
async fn a_document_that_gets_no_new_sentence_stays_as_it_is() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "silent").await;
    let folder = two_pages();
    let index = async || index(&app, folder.path()).await;
    let told = |job: &Value| ["added", "changed", "unchanged"].map(|key| job[key].as_u64().unwrap());
    let first = index().await;
    assert_eq!((sentences(&first), told(&first)), ([0, 0, 2], [2, 0, 0]));
    let asked = app.upstream.requests().len();
    // Nobody can be asked.
    let second = index().await;
    assert_eq!((sentences(&second), told(&second)), ([0, 0, 2], [0, 0, 2]));
    let fault = second["context_sentences"]["fault"].as_str().unwrap();
    assert!(fault.contains("is not asked for"), "{fault}");
    assert_eq!(app.upstream.requests().len(), asked);
    // Somebody is asked and writes nothing.
    written_by(&app, "silent").await;
    let third = index().await;
    assert_eq!((sentences(&third), told(&third)), ([0, 0, 2], [0, 0, 2]));
    assert!(app.upstream.requests().len() > asked);
}

#[tokio::test]
async fn a_change_of_facts_knows_what_was_embedded_whatever_is_on_its_way() {
    let gate = Arc::new(Semaphore::new(2));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "situating").await;
    leave(&app, "leave.md").await;
    let before = chunk(&app, "leave.md").await;
    let second = json!({ "uri": "leave.md", "text": "# Leave\n\nFive days may be carried over." });
    let (_, second) = app.post("/v1/documents", &second).await;
    let path = format!("/v1/jobs/{}", second["job"].as_str().unwrap());
    asked(&app, 2).await;
    // There and back again.
    for title in ["Days off", "Leave"] {
        rename(&app, "leave.md", title).await;
    }
    assert_eq!(chunk(&app, "leave.md").await, before);
    gate.add_permits(1);
    eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] == "done")).await;
    assert_ne!(chunk(&app, "leave.md").await, before);
    // No sentence is wished any more, but what is embedded has one until it is sent again.
    let before = chunk(&app, "leave.md").await;
    set(&app, json!({ "context_sentences": null })).await;
    gate.add_permits(1);
    app.put(json!({ "uri": "other.md", "text": "other words" })).await;
    for title in ["Days off", "Leave"] {
        rename(&app, "leave.md", title).await;
    }
    assert_eq!(chunk(&app, "leave.md").await, before);
}

#[tokio::test]
async fn what_was_replaced_or_never_came_to_be_is_not_on_the_disk() {
    let gate = Arc::new(Semaphore::new(2));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "situating").await;
    leave(&app, "leave.md").await;
    assert!(is_on_disk(&app));
    set(&app, json!({ "context_sentences": null })).await;
    gate.add_permits(1);
    leave(&app, "leave.md").await;
    // A job is done before it tidies up.
    eventually(async || {
        tokio::task::yield_now().await;
        (!is_on_disk(&app)).then_some(())
    })
    .await;

    written_by(&app, "situating").await;
    let second = json!({ "uri": "other.md", "text": "# Leave\n\nFive days may be carried over." });
    let (_, second) = app.post("/v1/documents", &second).await;
    let path = format!("/v1/jobs/{}", second["job"].as_str().unwrap());
    asked(&app, 2).await;
    let cancelling = app.request("POST", &format!("{path}/cancel")).bearer_auth("operator");
    assert_eq!(cancelling.send().await.unwrap().status(), 200);
    assert_eq!(app.get(&path).await.1["state"], "cancelled");
    assert!(!is_on_disk(&app), "the sentence of a document that never came to be");
}
