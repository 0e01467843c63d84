//! Versions of documents: replaced, changed and removed only where nobody else came first.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use portolan::types::DocumentId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, WordHash, eventually, settings};
use crate::removal::Gated;
use crate::uploads::send;

/// Counts the passages that it embeds.
struct Counting(Arc<AtomicUsize>);

impl Embedder for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn dimension(&self) -> usize {
        WordHash.dimension()
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        if kind == TextKind::Passage {
            self.0.fetch_add(texts.len(), Ordering::SeqCst);
        }
        WordHash.embed(texts, kind)
    }
}

fn path(uri: &str) -> String {
    format!("/v1/documents/{}", DocumentId::of(uri))
}

async fn search(app: &TestApp, body: Value) -> Vec<String> {
    let (status, found) = app.post("/v1/search", &body).await;
    assert_eq!(status, 200, "{found}");
    let results = found["results"].as_array().unwrap();
    results
        .iter()
        .map(|one| one["uri"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_write_over_another_version_is_refused_with_the_one_that_is_there() {
    let app = TestApp::indexed().await;
    let (_, headers, document) = send(app.request("GET", &path("leave.md"))).await;
    let version = document["version"].as_str().unwrap();
    assert_eq!(headers["etag"], format!("\"{version}\"").as_str());
    let put = |header: &str, value: &str| {
        let request = app.request("PUT", &(path("leave.md") + "?wait=true"));
        request.header(header, value).json(&json!({ "text": "Thirty days." }))
    };
    let refused = |answer: (u16, reqwest::header::HeaderMap, Value)| {
        assert_eq!((answer.0, &answer.2["version"]), (412, &json!(version)), "{}", answer.2);
        assert_eq!(answer.2["type"], "urn:portolan:problem:stale");
    };
    refused(send(put("if-match", "\"other\"")).await);
    refused(send(put("if-none-match", "*")).await);
    let stale = json!({ "uri": "leave.md", "text": "x", "if_version": "other" });
    refused(send(app.request("POST", "/v1/documents").json(&stale)).await);
    refused(
        send(
            app.request("PATCH", &path("leave.md"))
                .json(&json!({ "title": "x", "if_version": "other" })),
        )
        .await,
    );
    refused(send(app.request("DELETE", &path("leave.md")).header("if-match", "\"other\"")).await);
    assert_eq!(app.get(&path("leave.md")).await.1["version"], version);
    let (status, headers, answer) = send(put("if-match", &format!("\"{version}\""))).await;
    assert_eq!((status, &answer["result"]["changed"]), (200, &json!(1)), "{answer}");
    let now = app.get(&path("leave.md")).await.1["version"].clone();
    assert_eq!(answer["version"], now);
    assert_eq!(headers["etag"], format!("\"{}\"", now.as_str().unwrap()).as_str());
    let gone = app.request("DELETE", &path("leave.md")).header("if-match", "*");
    assert_eq!(send(gone).await.0, 200);
    let (status, _, problem) = send(put("if-match", "*")).await;
    assert_eq!((status, &problem["version"]), (404, &json!(null)), "{problem}");
    let new = json!({ "uri": "leave.md", "text": "Thirty days." });
    let request = app
        .request("PUT", &(path("leave.md") + "?wait=true"))
        .header("if-none-match", "*")
        .json(&new);
    assert_eq!(send(request).await.0, 200);
}

#[tokio::test]
async fn put_replaces_what_the_path_names() {
    let app = TestApp::indexed().await;
    app.put(json!({ "uri": "safe.md", "text": "The safe is green.", "principals": ["board"] }))
        .await;
    let put = async |uri: &str, body: Value| {
        let (status, _, answer) = send(app.request("PUT", &(path(uri) + "?wait=true")).json(&body)).await;
        (status, answer)
    };
    let (status, answer) = put(
        "backup.md",
        json!({ "text": "Copies are made at noon.", "metadata": { "n": 2 } }),
    )
    .await;
    assert_eq!((status, &answer["result"]["changed"]), (200, &json!(1)), "{answer}");
    let (_, source) = app.get(&(path("backup.md") + "/source")).await;
    assert_eq!(
        (&source["text"], &source["metadata"]["n"]),
        (&json!("Copies are made at noon."), &json!(2))
    );
    let (status, problem) = put("nowhere.md", json!({ "text": "x" })).await;
    assert!(
        problem["detail"].as_str().unwrap().contains("send its `uri`"),
        "{status} {problem}"
    );
    assert_eq!(status, 404);
    assert_eq!(put("nowhere.md", json!({ "uri": "else.md", "text": "x" })).await.0, 400);
    assert_eq!(put("new.md", json!({ "uri": "new.md", "text": "x" })).await.0, 200);
    assert_eq!(
        put("safe.md", json!({ "text": "x" })).await.0,
        404,
        "it is not there for everyone"
    );
    assert_eq!(put("safe.md", json!({ "uri": "safe.md", "text": "x" })).await.0, 403);
}

#[tokio::test]
async fn of_two_writes_over_one_version_the_second_is_told_in_its_job() {
    let gate = Arc::new(Semaphore::new(1));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "a.md", "text": "The first version." })).await;
    let version = app.get(&path("a.md")).await.1["version"].as_str().unwrap().to_owned();
    let put = async |text: &str| {
        let request = app
            .request("PUT", &path("a.md"))
            .header("if-match", format!("\"{version}\""));
        let (status, _, answer) = send(request.json(&json!({ "text": text }))).await;
        assert_eq!(status, 202, "{answer}");
        format!("/v1/jobs/{}", answer["job"].as_str().unwrap())
    };
    let (second, third) = (put("The second version.").await, put("The third version.").await);
    // The second write waits for its vectors, and somebody else comes first.
    let patch = json!({ "metadata": { "reviewed": true } });
    assert_eq!(send(app.request("PATCH", &path("a.md")).json(&patch)).await.0, 200);
    gate.add_permits(8);
    for job in [second, third] {
        let job = eventually(async || Some(app.get(&job).await.1).filter(|job| job["state"] == "done")).await;
        assert_eq!(job["errors"][0]["kind"], "version", "{job}");
    }
    let (_, source) = app.get(&(path("a.md") + "/source")).await;
    assert_eq!(
        (&source["text"], &source["metadata"]["reviewed"]),
        (&json!("The first version."), &json!(true))
    );
}

#[tokio::test]
async fn a_change_of_facts_embeds_nothing_and_is_seen_by_both_legs() {
    let count = Arc::new(AtomicUsize::new(0));
    let app = TestApp::over(settings(), Arc::new(Counting(count.clone()))).await;
    app.index().await;
    let before = count.load(Ordering::SeqCst);
    let change = json!({ "title": "Copies <b>at</b>\nnight", "metadata": { "team": "harbour" } });
    let (status, headers, answer) = send(app.request("PATCH", &path("backup.md")).json(&change)).await;
    assert_eq!(status, 200, "{answer}");
    let (_, document) = app.get(&path("backup.md")).await;
    assert_eq!(
        (&document["title"], &document["version"]),
        (&json!("Copies <b>at</b> night"), &answer["version"])
    );
    assert_eq!(
        headers["etag"],
        format!("\"{}\"", answer["version"].as_str().unwrap()).as_str()
    );
    for mode in ["lexical", "vector"] {
        let found = search(
            &app,
            json!({ "query": "backup", "mode": mode, "filter": { "team": "harbour" } }),
        )
        .await;
        assert_eq!(found, ["backup.md"], "{mode}");
        let found = search(
            &app,
            json!({ "query": "backup", "mode": mode, "filter": { "team": { "exists": false } } }),
        )
        .await;
        assert!(!found.contains(&"backup.md".to_owned()), "{mode}: {found:?}");
    }
    let again = send(app.request("PATCH", &path("backup.md")).json(&change)).await.2;
    assert_eq!(again["version"], answer["version"], "nothing has changed");
    let nothing = json!({ "metadata": { "team": null } });
    assert_eq!(
        send(app.request("PATCH", &path("backup.md")).json(&nothing)).await.0,
        200
    );
    assert!(
        search(&app, json!({ "query": "backup", "filter": { "team": "harbour" } }))
            .await
            .is_empty()
    );
    assert_eq!(count.load(Ordering::SeqCst), before, "nothing is embedded");
    for bad in [
        json!({}),
        json!({ "title": " " }),
        json!({ "text": "x" }),
        json!({ "metadata": { "a": "x".repeat(70_000) } }),
    ] {
        assert_eq!(
            send(app.request("PATCH", &path("backup.md")).json(&bad)).await.0,
            400,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn who_may_read_a_document_changes_at_once_and_embeds_nothing() {
    let count = Arc::new(AtomicUsize::new(0));
    let app = TestApp::over(settings(), Arc::new(Counting(count.clone()))).await;
    app.index().await;
    let before = count.load(Ordering::SeqCst);
    let board = json!({ "principals": ["board"] });
    assert_eq!(send(app.request("PATCH", &path("backup.md")).json(&board)).await.0, 200);
    for mode in ["lexical", "vector"] {
        let found = search(&app, json!({ "query": "backup", "mode": mode })).await;
        assert!(!found.contains(&"backup.md".to_owned()), "{mode}: {found:?}");
    }
    assert_eq!(
        send(app.request("PATCH", &path("backup.md")).json(&board)).await.0,
        404,
        "it is the board's now"
    );
    let everyone = app
        .request("PATCH", &path("backup.md"))
        .bearer_auth("operator")
        .json(&json!({ "principals": [] }));
    assert_eq!(send(everyone).await.0, 200);
    assert_eq!(
        search(&app, json!({ "query": QUESTION, "mode": "vector" })).await[0],
        "backup.md"
    );
    assert_eq!(count.load(Ordering::SeqCst), before, "nothing is embedded");
}

#[tokio::test]
async fn a_change_by_hand_outlives_the_next_run_over_its_folder() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let index = async || {
        let body = json!({ "path": folder.path(), "collection": "default" });
        app.indexing(app.request("POST", "/v1/index").bearer_auth("operator").json(&body))
            .await
    };
    write("a.md", "# A\n\nThe anchor is red.");
    index().await;
    let change = json!({ "title": "Anchors", "metadata": { "team": "deck" }, "principals": ["board"] });
    assert_eq!(send(app.request("PATCH", &path("a.md")).json(&change)).await.0, 200);
    let facts = async |uri: &str| {
        let (_, _, document) = send(app.request("GET", &path(uri)).bearer_auth("operator")).await;
        (
            document["title"].clone(),
            document["metadata"]["team"].clone(),
            app.get(&path(uri)).await.0,
        )
    };
    let kept = (json!("Anchors"), json!("deck"), 404);
    assert_eq!(index().await["unchanged"], 1);
    assert_eq!(facts("a.md").await, kept);
    write("a.md", "# A\n\nThe anchor is blue.");
    assert_eq!(index().await["changed"], 1);
    assert_eq!(facts("a.md").await, kept);
    std::fs::rename(folder.path().join("a.md"), folder.path().join("b.md")).unwrap();
    assert_eq!(index().await["moved"], 1);
    assert_eq!(facts("b.md").await, kept);
    // Who sends the whole document sends all that is known of it.
    let whole = json!({ "uri": "b.md", "text": "# A\n\nThe anchor is blue." });
    let request = app
        .request("POST", "/v1/documents?wait=true")
        .bearer_auth("operator")
        .json(&whole);
    assert_eq!(send(request).await.0, 200);
    assert_eq!(facts("b.md").await, (json!("A"), json!(null), 200));
}

#[tokio::test]
async fn only_what_a_filter_names_and_the_caller_may_read_is_deleted() {
    let app = TestApp::indexed().await;
    for (uri, team, principals) in [
        ("1.md", "deck", None),
        ("2.md", "deck", None),
        ("3.md", "deck", Some("board")),
    ] {
        let principals: Vec<&str> = principals.into_iter().collect();
        app.put(json!({ "uri": uri, "text": "Ropes.", "metadata": { "team": team }, "principals": principals }))
            .await;
    }
    let delete = async |body: Value| app.post("/v1/documents/delete", &body).await;
    for all in [
        json!({}),
        json!({ "filter": null }),
        json!({ "filter": {} }),
        json!({ "filter": { "and": [{}] } }),
        json!({ "filter": { "not": { "team": { "in": [] } } } }),
        json!({ "filtre": { "team": "deck" } }),
    ] {
        let (status, problem) = delete(all.clone()).await;
        assert_eq!(status, 400, "{all} {problem}");
    }
    let (status, answer) = delete(json!({ "filter": { "team": "deck" }, "dry_run": true })).await;
    assert_eq!(
        (status, &answer["removed"], &answer["count"]),
        (200, &json!(false), &json!(2)),
        "{answer}"
    );
    assert_eq!(answer["sample"][0]["uri"], "1.md", "{answer}");
    assert_eq!(app.get("/v1/documents").await.1["total"], 4);
    let (_, answer) = delete(json!({ "filter": { "team": "deck" } })).await;
    assert_eq!(
        (&answer["removed"], &answer["count"]),
        (&json!(true), &json!(2)),
        "{answer}"
    );
    let operator = app.request("GET", "/v1/documents").bearer_auth("operator");
    assert_eq!(send(operator).await.2["total"], 3, "the board's document stays");
    assert_eq!(delete(json!({ "filter": { "team": "deck" } })).await.1["count"], 0);
}

#[tokio::test]
async fn what_is_deleted_is_found_nowhere_from_the_answer_on() {
    let app = TestApp::indexed().await;
    app.put(json!({ "uri": "rope.md", "text": "# Marlinspike\n\nThe marlinspike opens knots.", "metadata": { "team": "deck" } }))
        .await;
    let seen = async || {
        let mut seen = Vec::new();
        for mode in ["hybrid", "lexical", "vector"] {
            let body = json!({ "query": "marlinspike", "mode": mode, "facets": ["team"] });
            seen.push(app.post("/v1/search", &body).await.1);
        }
        seen.push(app.get("/v1/suggest?q=marlin").await.1);
        seen.push(app.get("/v1/documents").await.1);
        let events = app.chat(&json!({ "message": "What does the marlinspike open?" })).await;
        seen.push(json!(events.data("sources")));
        seen.into_iter()
            .filter(|one| one.to_string().contains("rope.md") || one.to_string().contains("Marlinspike"))
            .count()
    };
    assert_eq!(seen().await, 6, "all of them show it before");
    let (status, answer) = app
        .post("/v1/documents/delete", &json!({ "filter": { "team": "deck" } }))
        .await;
    assert_eq!((status, &answer["count"]), (200, &json!(1)), "{answer}");
    assert_eq!(seen().await, 0);
}
