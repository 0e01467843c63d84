//! Collections that go, and collections that do not open.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, WordHash, eventually, folder, settings};
use crate::removal::Gated;

/// Status and body of a deletion by the operator.
async fn delete(app: &TestApp, name: &str) -> (u16, serde_json::Value) {
    let request = app.request("DELETE", &format!("/v1/collections/{name}"));
    let response = request.bearer_auth("operator").send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_deleted_collection_is_gone_with_what_was_cited_of_it() {
    let app = TestApp::indexed().await;
    let note = json!({ "uri": "note.md", "text": "The anchor is red." });
    app.indexing(app.request("POST", "/v1/documents?collection=other").json(&note))
        .await;
    let cited = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let (status, problem) = app.delete("/v1/collections/default").await;
    assert_eq!(status, 403, "only the operator may: {problem}");
    assert_eq!(app.post("/v1/search", &json!({ "query": QUESTION })).await.0, 200);

    let (status, answer) = delete(&app, "default").await;
    assert_eq!((status, &answer["removed"]), (200, &json!(true)), "{answer}");
    let stored = app.stored(&cited).await;
    assert_eq!(stored["text"], "[removed] [1].", "{stored}");
    assert_eq!(stored["citations"][0]["removed"], true, "{stored}");
    assert!(!stored.to_string().contains("two o'clock"), "{stored}");
    assert_eq!(app.post("/v1/search", &json!({ "query": QUESTION })).await.0, 404);
    assert!(!app.data.join("collections/default").exists());
    let graves = std::fs::read_dir(app.data.join("removed")).unwrap().count();
    assert_eq!(graves, 0, "its files are off the disk");
    assert_eq!(delete(&app, "default").await.0, 404);
    assert_eq!(delete(&app, "..").await.0, 404);
    let (_, found) = app
        .post("/v1/search", &json!({ "query": "anchor", "collection": "other" }))
        .await;
    assert_eq!(found["total"], 1, "another collection stays: {found}");
    // A new one of the name begins empty.
    app.put(json!({ "uri": "new.md", "text": "The buoy is green." })).await;
    let (_, list) = app.get("/v1/documents").await;
    assert_eq!(list["total"], 1, "{list}");
}

#[tokio::test]
async fn a_deletion_ends_the_jobs_that_write_into_the_collection() {
    let gate = Arc::new(Semaphore::new(1));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "a.md", "text": "The first." })).await;
    let mut jobs = Vec::new();
    // The first of them waits for its vectors, the second one for the first.
    for text in ["The second.", "The third."] {
        let (status, job) = app.post("/v1/documents", &json!({ "uri": "a.md", "text": text })).await;
        assert_eq!(status, 202, "{job}");
        jobs.push(format!("/v1/jobs/{}", job["job"].as_str().unwrap()));
    }
    let deletion = delete(&app, "default");
    let release = async {
        eventually(async || (app.get("/v1/documents").await.0 == 404).then_some(())).await;
        gate.add_permits(1);
    };
    let ((status, answer), ()) = tokio::join!(deletion, release);
    assert_eq!(status, 200, "{answer}");
    for path in jobs {
        let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert!(
            job["errors"][0]["detail"].as_str().unwrap().contains("deleted"),
            "{job}"
        );
    }
    assert!(!app.data.join("collections/default").exists());
}

#[tokio::test]
async fn what_a_crash_left_of_a_deletion_goes_at_the_next_start() {
    let data = folder();
    let grave = data.join("removed/old~1");
    std::fs::create_dir_all(grave.join("lexical")).unwrap();
    std::fs::write(grave.join("lexical/meta.json"), "half of it").unwrap();
    let app = TestApp::at(data, settings(), Arc::new(WordHash)).await;
    assert!(!grave.exists());
    assert_eq!(app.get("/v1/collections").await.1["collections"], json!([]));
}

#[tokio::test]
async fn a_collection_that_does_not_open_keeps_no_other_one_from_its_readers() {
    let data = folder();
    let broken = data.join("collections/broken");
    std::fs::create_dir_all(&broken).unwrap();
    std::fs::create_dir_all(broken.join("lexical")).unwrap();
    std::fs::write(broken.join("lexical/meta.json"), "{").unwrap();
    std::fs::write(broken.join("identity.json"), "{").unwrap();
    let app = TestApp::at(data, settings(), Arc::new(WordHash)).await;
    app.index().await;
    let search = json!({ "query": QUESTION, "collection": "broken" });
    let (status, problem) = app.post("/v1/search", &search).await;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(problem["type"], "urn:portolan:problem:unavailable", "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("`broken`") && detail.contains("portolan doctor"),
        "{detail}"
    );
    assert!(
        !problem.to_string().contains("identity.json"),
        "the cause is not for callers: {problem}"
    );
    let (_, list) = app.get("/v1/collections").await;
    let available = |at: usize| (&list["collections"][at]["name"], &list["collections"][at]["available"]);
    assert_eq!(available(0), (&json!("broken"), &json!(false)), "{list}");
    assert_eq!(available(1), (&json!("default"), &json!(true)), "{list}");
    assert_eq!(app.get("/readyz").await.0, 200);
    // Nothing is made anew in its place, and it can be let go of.
    let put = app.request("POST", "/v1/documents?collection=broken");
    let put = put.json(&json!({ "uri": "a.md", "text": "a" })).send().await.unwrap();
    assert_eq!(put.status(), 503);
    // Who runs the service hears why.
    app.leave_address();
    let (_, out, _) = crate::cli::run(&app.data, &["doctor", "--json"]).await;
    let check = out.lines().find(|line| line.contains("collection broken")).unwrap();
    assert!(check.contains("identity.json") && check.contains("FAULT"), "{check}");
    assert_eq!(delete(&app, "broken").await.0, 200);
    assert_eq!(app.post("/v1/search", &search).await.0, 404);
}
