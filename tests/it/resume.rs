//! Readers who are cut off: they go on where they were, and the model is asked once.

use serde_json::json;

use crate::app::{QUESTION, TestApp, eventually};
use crate::events::Events;

/// What is left of a run after the event with that id: status and text.
async fn follow(app: &TestApp, run: &str, after: usize) -> (u16, String) {
    let request = app.request("GET", &format!("/v1/chat/{run}"));
    let response = request.header("last-event-id", after.to_string()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Reads until `mark` has come.
async fn until(response: &mut reqwest::Response, mark: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(mark) {
        seen.extend_from_slice(&response.chunk().await.unwrap().expect("the stream goes on"));
    }
    String::from_utf8(seen).unwrap()
}

fn run(text: &str) -> String {
    let started = text.split_once("\n\n").unwrap().0;
    Events::read(started).data("started")["run"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_ended_run_is_read_again_from_any_event() {
    let app = TestApp::indexed().await;
    let ask = json!({ "message": QUESTION, "route": "backups" });
    let response = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    let whole = response.text().await.unwrap();
    let (id, frames) = (run(&whole), whole.split_inclusive("\n\n").collect::<Vec<_>>());
    assert!(frames.len() > 5, "{whole}");
    for after in 0..frames.len() {
        assert_eq!(follow(&app, &id, after).await, (200, frames[after..].concat()));
    }
    assert_eq!(follow(&app, &id, frames.len()).await, (204, String::new()));
    let (status, problem) = follow(&app, &id, frames.len() + 1).await;
    assert!(status == 400 && problem.contains("Last-Event-ID"), "{problem}");
    assert_eq!(app.upstream.requests().len(), 1, "the model is asked once");

    let path = format!("/v1/chat/{id}");
    let foreign = app.request("GET", &path).bearer_auth("operator").send().await.unwrap();
    assert_eq!(foreign.status(), 404, "it is somebody else's");
    assert_eq!(app.get("/v1/chat/no-such-run").await.0, 404);
    let document = app.document("backup.md").await;
    assert_eq!(app.delete(&format!("/v1/documents/{document}")).await.0, 200);
    assert_eq!(follow(&app, &id, 0).await.0, 404, "it quotes what was removed");
}

#[tokio::test]
async fn a_resumable_run_outlives_its_reader_and_ends_when_it_is_stopped() {
    let app = TestApp::indexed().await;
    let ask = json!({ "message": QUESTION, "route": "endless", "resumable": true });
    let mut leaving = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    let seen = until(&mut leaving, "event: text").await;
    let id = run(&seen);
    drop(leaving);
    let path = format!("/v1/chat/{id}");
    let back = app.request("GET", &path).header("last-event-id", "2");
    let mut first = back.send().await.unwrap();
    let mut second = app.request("GET", &path).send().await.unwrap();
    let rest = until(&mut first, "event: text").await;
    assert!(rest.starts_with("id: 3\nevent: text\n"), "{rest}");
    assert!(
        until(&mut second, "event: text")
            .await
            .starts_with("id: 1\nevent: started\n")
    );
    assert_eq!(app.upstream.listeners(), 1, "it goes on, and the model is asked once");

    let (status, answer) = app.post(&format!("{path}/stop"), &json!({})).await;
    assert_eq!((status, answer), (200, json!({ "stopped": true })));
    for mut reader in [first, second] {
        until(&mut reader, "event: failed").await;
    }
    eventually(async || {
        assert_eq!(app.get("/v1/routes").await.0, 200);
        (app.upstream.listeners() == 0).then_some(())
    })
    .await;
    let (_, answer) = app.post(&format!("{path}/stop"), &json!({})).await;
    assert_eq!(answer, json!({ "stopped": false }), "it had ended");
}
