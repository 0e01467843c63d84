//! `POST /v1/chat` as the AI SDK reads it.

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp};

/// The parts of the stream, and whether `[DONE]` came.
async fn parts(app: &TestApp, route: &str) -> (Vec<Value>, bool) {
    let ask = json!({ "message": QUESTION, "route": route, "format": "ui-message-stream" });
    let response = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-vercel-ai-ui-message-stream"], "v1");
    let text = response.text().await.unwrap();
    let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let parts = lines.iter().filter(|line| **line != "[DONE]");
    (
        parts.map(|line| serde_json::from_str(line).unwrap()).collect(),
        lines.last() == Some(&"[DONE]"),
    )
}

fn kinds(parts: &[Value]) -> Vec<&str> {
    parts.iter().map(|part| part["type"].as_str().unwrap()).collect()
}

fn of<'a>(parts: &'a [Value], kind: &str) -> Vec<&'a Value> {
    parts.iter().filter(|part| part["type"] == kind).collect()
}

#[tokio::test]
async fn an_answer_is_one_text_with_its_sources() {
    let app = TestApp::indexed().await;
    let (parts, done) = parts(&app, "backups").await;
    assert!(done);
    let kinds = kinds(&parts);
    assert_eq!(kinds[..4], ["start", "start-step", "data-sources", "text-start"]);
    assert_eq!(
        kinds[kinds.len() - 5..],
        ["data-verdict", "data-usage", "text-end", "finish-step", "finish"]
    );
    let said: String = of(&parts, "text-delta")
        .iter()
        .map(|part| part["delta"].as_str().unwrap())
        .collect();
    assert_eq!(said, "The backup runs every night at two o'clock [1].");
    let source = of(&parts, "source-document");
    assert_eq!(
        (source.len(), &source[0]["filename"], &source[0]["sourceId"]),
        (1, &json!("backup.md"), &json!("1"))
    );
    assert_eq!(of(&parts, "data-citation")[0]["data"]["checked"], true);
    assert_eq!(of(&parts, "finish")[0]["finishReason"], "stop");
    let started = &of(&parts, "start")[0]["messageMetadata"];
    assert_eq!(started["route"], "backups");
    let path = format!("/v1/conversations/{}", started["conversation"].as_str().unwrap());
    assert_eq!(app.get(&path).await.0, 200, "by its metadata the conversation goes on");
}

#[tokio::test]
async fn what_fails_is_an_error_and_never_a_finish() {
    let app = TestApp::indexed().await;
    for (route, words) in [("cut", ""), ("broken", "boom")] {
        let (parts, done) = parts(&app, route).await;
        assert!(!done && of(&parts, "finish").is_empty(), "{parts:?}");
        let last = parts.last().unwrap();
        assert_eq!(last["type"], "error");
        assert!(last["errorText"].as_str().unwrap().contains(words), "{last}");
    }
    let (parts, done) = parts(&app, "limit").await;
    assert!(done);
    assert_eq!(of(&parts, "finish")[0]["finishReason"], "length");
}

#[tokio::test]
async fn another_format_is_refused() {
    let app = TestApp::indexed().await;
    let body = |format: &str, stream: bool| json!({ "message": QUESTION, "format": format, "stream": stream });
    let (status, problem) = app.post("/v1/chat", &body("xml", true)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/format")),
        "{problem}"
    );
    let (status, problem) = app.post("/v1/chat", &body("ui-message-stream", false)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/format")),
        "{problem}"
    );
}
