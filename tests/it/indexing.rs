//! Folders and puts: what is kept, what is removed, and what is only left alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexer::sources::Origin;
use portolan::engine::Indexing;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, eventually, settings};
use crate::removal::Gated;

/// A folder, with a guard against deletions.
pub fn all_of(folder: impl Into<PathBuf>) -> Indexing {
    Indexing {
        origin: Origin::folder(folder),
        allow_deletes: false,
    }
}

pub async fn index(app: &TestApp, collection: &str, folder: &Path) -> Value {
    let job = app.engine.index(collection, all_of(folder.to_owned())).await.unwrap();
    let path = format!("/v1/jobs/{job}");
    eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await
}

pub async fn uris(app: &TestApp) -> Vec<String> {
    let (_, list) = app.get("/v1/documents").await;
    let documents = list["documents"].as_array().cloned().unwrap_or_default();
    documents
        .iter()
        .map(|document| document["uri"].as_str().unwrap().to_owned())
        .collect()
}

pub fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_follow_and_what_is_unchanged_is_skipped() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    write(place.path(), "a.md", "alpha");
    write(place.path(), "b.md", "beta");
    assert_eq!(index(&app, "default", place.path()).await["added"], 2);
    std::fs::remove_file(place.path().join("a.md")).unwrap();
    write(place.path(), "c.md", "gamma");
    let job = index(&app, "default", place.path()).await;
    assert_eq!(
        (&job["added"], &job["unchanged"], &job["deleted"]),
        (&json!(1), &json!(1), &json!(1)),
        "{job}"
    );
    assert_eq!(uris(&app).await, ["b.md", "c.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_suddenly_empty_deletes_nothing() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    write(place.path(), "a.md", "alpha");
    index(&app, "default", place.path()).await;
    std::fs::remove_file(place.path().join("a.md")).unwrap();
    let job = index(&app, "default", place.path()).await;
    assert_eq!(job["deleted"], 0);
    assert!(
        job["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("nothing was deleted"),
        "{job}"
    );
    assert_eq!(uris(&app).await, ["a.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_folders_with_one_name_do_not_overwrite_each_other() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let (first, second) = (place.path().join("one"), place.path().join("two"));
    write(&first, "README.md", "the first one");
    write(&second, "README.md", "the second one");
    write(&second, "other.md", "more");
    index(&app, "default", &first).await;
    let job = index(&app, "default", &second).await;
    assert!(
        job["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("already came from"),
        "{job}"
    );
    std::fs::remove_file(second.join("README.md")).unwrap();
    index(&app, "default", &second).await;
    assert_eq!(uris(&app).await, ["README.md", "other.md"]);
    let (_, found) = app
        .post("/v1/search", &json!({ "query": "first", "mode": "lexical" }))
        .await;
    assert_eq!(found["results"][0]["uri"], "README.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_of_two_waiting_versions_wins() {
    let app = TestApp::start().await;
    let first = json!({ "uri": "a.md", "text": "version one" });
    app.put(first.clone()).await;
    // All three wait in one queue; the last one equals what is stored when it is sent.
    let (_, _) = app
        .post(
            "/v1/documents",
            &json!({ "uri": "long.md", "text": "words ".repeat(20_000) }),
        )
        .await;
    let (_, _) = app
        .post("/v1/documents", &json!({ "uri": "a.md", "text": "version two" }))
        .await;
    app.put(first).await;
    let (_, found) = app
        .post(
            "/v1/search",
            &json!({ "query": "version", "mode": "lexical", "limit": 1 }),
        )
        .await;
    assert_eq!(found["results"][0]["text"], "version one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_title_is_the_title() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "x1", "text": "Some words.", "title": "The Given Title" }))
        .await;
    let (_, list) = app.get("/v1/documents").await;
    assert_eq!(list["documents"][0]["title"], "The Given Title");
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_can_be_made_by_many_at_once() {
    let app = TestApp::start().await;
    let body = json!({ "uri": "a.md", "text": "alpha" });
    let puts = (0..4).map(|_| app.post("/v1/documents?collection=fresh", &body));
    let statuses: Vec<u16> = futures::future::join_all(puts)
        .await
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses, [202, 202, 202, 202]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_document_leaves_its_namesake_of_another_collection_in_peace() {
    let app = TestApp::indexed().await;
    let body = json!({ "uri": "backup.md", "text": "Another backup document." });
    let (_, answer) = app.post("/v1/documents?collection=other", &body).await;
    let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    let events = app.chat(&json!({ "message": QUESTION, "route": "extractive" })).await;
    let id = app.document("backup.md").await;
    assert_eq!(app.delete(&format!("/v1/documents/{id}?collection=other")).await.0, 200);
    assert_eq!(app.stored(&events).await["citations"][0]["removed"], false);
    assert_eq!(app.delete(&format!("/v1/documents/{id}")).await.0, 200);
    let stored = app.stored(&events).await;
    assert_eq!(stored["citations"][0]["removed"], true, "{stored}");
    assert!(!stored.to_string().contains("two o'clock"), "{stored}");
    assert_eq!(app.delete(&format!("/v1/documents/{id}")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_some_is_shown_to_no_caller_without_the_right() {
    let app = TestApp::indexed().await;
    let secret = "The vault code of the harbour office is 8841.";
    app.put(json!({ "uri": "vault.md", "text": secret, "principals": ["board"] }))
        .await;
    assert!(!uris(&app).await.contains(&"vault.md".to_owned()));
    for mode in ["lexical", "vector", "hybrid"] {
        let (_, found) = app
            .post("/v1/search", &json!({ "query": "vault code", "mode": mode }))
            .await;
        assert!(!found.to_string().contains("8841"), "{found}");
    }
    let events = app
        .chat(&json!({ "message": "What is the vault code of the harbour office?" }))
        .await;
    assert!(!format!("{events:?}").contains("8841"));
    let operator = app.request("POST", "/v1/search").bearer_auth("operator");
    let found = operator
        .json(&json!({ "query": "vault code" }))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(found.contains("8841"), "{found}");
}

/// The job once it tells of more than none.
async fn moved(app: &TestApp, path: &str, key: &str) -> Value {
    eventually(async || Some(app.get(path).await.1).filter(|job| job[key].as_u64() > Some(0))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_seen_to_move() {
    let gate = Arc::new(Semaphore::new(0));
    let (app, place) = (
        TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await,
        tempfile::tempdir().unwrap(),
    );
    for number in 0..100 {
        write(place.path(), &format!("{number}.md"), "words");
    }
    let job = app
        .engine
        .index("default", all_of(place.path().to_owned()))
        .await
        .unwrap();
    let path = format!("/v1/jobs/{job}");
    let begun = moved(&app, &path, "documents").await;
    assert_eq!(
        (&begun["documents"], &begun["added"]),
        (&json!(100), &json!(0)),
        "{begun}"
    );
    gate.add_permits(1);
    let half = moved(&app, &path, "added").await;
    assert!(
        half["added"].as_u64() < Some(100) && half["state"] == "running",
        "{half}"
    );
    gate.add_permits(100);
    let done = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!(
        (&done["state"], &done["added"]),
        (&json!("done"), &json!(100)),
        "{done}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_indexed_folder_keeps_its_names() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let sub = place.path().join("sub");
    write(place.path(), "a.md", "alpha");
    write(&sub, "b.md", "beta");
    write(&sub, "c.md", "gamma");
    index(&app, "default", place.path()).await;
    write(place.path(), "a.md", "alpha two");
    write(&sub, "b.md", "beta two");
    for file in [place.path().join("a.md"), sub.join("b.md")] {
        let job = index(&app, "default", &file).await;
        assert_eq!((&job["changed"], &job["errors"]), (&json!(1), &json!([])), "{job}");
    }
    assert_eq!(uris(&app).await, ["a.md", "sub/b.md", "sub/c.md"]);
    std::fs::remove_file(place.path().join("a.md")).unwrap();
    std::fs::remove_file(sub.join("c.md")).unwrap();
    assert_eq!(index(&app, "default", &sub).await["deleted"], 1);
    assert_eq!(uris(&app).await, ["a.md", "sub/b.md"]);
    assert_eq!(index(&app, "default", place.path()).await["deleted"], 1);
    assert_eq!(uris(&app).await, ["sub/b.md"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_skipped_is_counted_by_kind() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    for name in ["a.png", "b.PNG", "c.exe", "core"] {
        write(place.path(), name, "\0\u{1}\u{2}");
    }
    let job = index(&app, "default", place.path()).await;
    assert_eq!(
        job["skipped"],
        json!({ "png": 2, "exe": 1, "without extension": 1 }),
        "{job}"
    );
    assert!(
        job["errors"][0]["detail"].as_str().unwrap().contains("Markdown"),
        "{job}"
    );
    write(place.path(), "a.md", "alpha");
    let job = index(&app, "default", place.path()).await;
    assert_eq!(
        (&job["skipped"]["png"], &job["errors"]),
        (&json!(2), &json!([])),
        "{job}"
    );
}
