//! Requests that are sent again under one key.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::{TestApp, WordHash, eventually, folder, settings};
use crate::removal::Gated;
use crate::uploads::{LINES, form, send};

#[tokio::test]
async fn files_and_lines_are_taken_once_for_each_key() {
    let app = TestApp::start().await;
    let keyed = |key: &str| {
        app.request("POST", "/v1/documents")
            .header("idempotency-key", key.to_owned())
    };
    let files = |boundary: &str| {
        let (media_type, body) = form(&[("file", Some("f.md"), "Flags.")], boundary);
        keyed("k3").header("content-type", media_type).body(body)
    };
    let answer = send(files("one")).await.2;
    assert_eq!(send(files("two")).await.2, answer);
    let body = "{\"uri\":\"l.md\",\"text\":\"Lines.\"}\n";
    let sent = |body: &'static str| keyed("k4").header("content-type", LINES).body(body);
    let answer = send(sent(body)).await.2;
    assert_eq!(
        (&answer["result"]["added"], send(sent(body)).await.2),
        (&json!(1), answer.clone())
    );
    assert_eq!(send(sent("{}\n")).await.0, 422);
    let (_, _, jobs) = send(app.request("GET", "/v1/jobs").bearer_auth("operator")).await;
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 2, "{jobs}");
    eventually(async || (app.get("/v1/documents").await.1["total"] == 2).then_some(())).await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_done_once() {
    let app = TestApp::start().await;
    let keyed = |key: &str| {
        app.request("POST", "/v1/documents")
            .header("idempotency-key", key.to_owned())
    };
    let first = json!({ "uri": "a.md", "text": "Anchors." });
    let (status, headers, answer) = send(keyed("k1").json(&first)).await;
    assert_eq!((status, headers.get("idempotent-replayed")), (202, None), "{answer}");
    let (status, headers, again) = send(keyed("k1").json(&first)).await;
    assert_eq!((status, &again), (202, &answer));
    assert_eq!(headers["idempotent-replayed"], "true");
    let (status, _, problem) = send(keyed("k1").json(&json!({ "uri": "b.md", "text": "Buoys." }))).await;
    assert_eq!(
        (status, &problem["type"]),
        (422, &json!("urn:portolan:problem:key-reused")),
        "{problem}"
    );
    let other = app
        .request("POST", "/v1/documents?collection=other")
        .header("idempotency-key", "k1");
    assert_eq!(
        send(other.json(&first)).await.0,
        422,
        "another collection is another request"
    );
    // A failure is no answer to keep.
    assert_eq!(send(keyed("k2").json(&json!({ "uri": "" , "text": "" }))).await.0, 400);
    assert_eq!(send(keyed("k2").json(&first)).await.0, 202);
    assert_eq!(send(keyed("").json(&first)).await.0, 400);
    // The key of another is another key.
    let operator = keyed("k1")
        .bearer_auth("operator")
        .json(&json!({ "uri": "c.md", "text": "Docks." }));
    assert_eq!(send(operator).await.0, 202);
    let (_, _, jobs) = send(app.request("GET", "/v1/jobs").bearer_auth("operator")).await;
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 3, "{jobs}");
    eventually(async || (app.get("/v1/documents").await.1["total"] == 2).then_some(())).await;
}

#[tokio::test]
async fn an_answer_is_kept_over_a_restart() {
    let data = folder();
    let request = |app: &TestApp| {
        let request = app
            .request("POST", "/v1/documents?wait=true")
            .header("idempotency-key", "k");
        request.json(&json!({ "uri": "a.md", "text": "Anchors." }))
    };
    let app = TestApp::at(data.clone(), settings(), Arc::new(WordHash)).await;
    let answer = send(request(&app)).await.2;
    let store = portolan::store::Store::open(&data.join("portolan.sqlite")).await;
    assert!(store.is_err(), "the first service has it still");
    let kept = app.engine.replay("local", "k").await.unwrap().unwrap();
    assert_eq!(kept.body, answer);
}

#[tokio::test]
async fn two_requests_with_one_key_are_not_done_at_once() {
    let gate = Arc::new(Semaphore::new(0));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    let request = || {
        let request = app
            .request("POST", "/v1/documents?wait=true")
            .header("idempotency-key", "k");
        request.json(&json!({ "uri": "a.md", "text": "Anchors." }))
    };
    let first = tokio::spawn(send(request()));
    let problem = eventually(async || Some(send(request()).await).filter(|answer| answer.0 == 409)).await;
    assert_eq!(problem.2["type"], "urn:portolan:problem:key-in-use");
    assert_eq!(problem.1["retry-after"], "1");
    gate.add_permits(8);
    let answer = first.await.unwrap();
    assert_eq!(answer.0, 200, "{}", answer.2);
    assert_eq!(send(request()).await.2, answer.2);
}
