//! Documents that are sent: as files, as JSON, and line by line.

use std::fmt::Write;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::app::{TestApp, eventually, settings};

/// The media type of JSON lines.
pub const LINES: &str = "application/x-ndjson";

/// Status, headers and JSON of a request.
pub async fn send(request: reqwest::RequestBuilder) -> (u16, reqwest::header::HeaderMap, Value) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    (status, headers, value)
}

/// Sends lines, and waits until they are indexed.
async fn lines(app: &TestApp, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let request = app.request("POST", path).header("content-type", LINES).body(body);
    let (status, _, answer) = send(request).await;
    (status, answer)
}

async fn names(app: &TestApp, collection: &str) -> Vec<String> {
    let path = format!("/v1/collections/{collection}/documents");
    let (_, _, list) = send(app.request("GET", &path).bearer_auth("operator")).await;
    let documents = list["documents"].as_array().unwrap();
    documents
        .iter()
        .map(|one| one["uri"].as_str().unwrap().to_owned())
        .collect()
}

/// A form of fields and files, and its media type.
pub fn form(parts: &[(&str, Option<&str>, &str)], boundary: &str) -> (String, String) {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        let _ = write!(
            body,
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n"
        );
    }
    let _ = write!(body, "--{boundary}--\r\n");
    (format!("multipart/form-data; boundary={boundary}"), body)
}

#[tokio::test]
async fn files_have_the_facts_that_stand_before_them() {
    let app = TestApp::start().await;
    let parts = [
        ("file", Some("plain.md"), "Nobody knows."),
        ("metadata", None, r#"{"department": "Deck"}"#),
        ("file", Some("anchor.md"), "The anchor is red."),
        ("principals", None, r#"["board"]"#),
        ("file", Some("safe.md"), "The safe is green."),
    ];
    let (media_type, body) = form(&parts, "xyz");
    let post = |body: String| {
        app.request("POST", "/v1/documents")
            .header("content-type", &media_type)
            .body(body)
    };
    app.indexing(post(body)).await;
    let (_, _, list) = send(app.request("GET", "/v1/documents").bearer_auth("operator")).await;
    let facts = |at: usize| {
        (
            &list["documents"][at]["uri"],
            &list["documents"][at]["metadata"]["department"],
        )
    };
    assert_eq!(facts(0), (&json!("anchor.md"), &json!("Deck")));
    assert_eq!(facts(1), (&json!("plain.md"), &json!(null)));
    assert_eq!(facts(2), (&json!("safe.md"), &json!("Deck")));
    assert_eq!(app.get("/v1/documents").await.1["total"], 2, "the safe is the board's");
    for (name, content, words) in [
        ("metadata", "[1]", "JSON object"),
        ("principals", "board", "JSON list"),
        ("file", "x", "has no file name"),
    ] {
        let (_, body) = form(&[(name, None, content)], "xyz");
        let (status, _, problem) = send(post(body)).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
}

#[tokio::test]
async fn one_body_may_have_several_documents() {
    let app = TestApp::start().await;
    let documents = json!({ "documents": [
        { "uri": "a.md", "text": "Anchors are red.", "metadata": { "n": 1 } },
        { "uri": "b.md", "text": "Buoys are green." },
    ]});
    let request = app
        .request("POST", "/v1/collections/notes/documents?wait=true")
        .json(&documents);
    let (status, _, answer) = send(request).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["result"]["added"], 2, "{answer}");
    assert_eq!(names(&app, "notes").await, ["a.md", "b.md"]);
    let request = app
        .request("POST", "/v1/documents")
        .header("if-match", "*")
        .json(&documents);
    assert_eq!(
        send(request).await.2["errors"][0]["pointer"],
        "/if-match",
        "it speaks of one document"
    );
    let foreseen = &answer["documents"][1];
    let path = format!("/v1/collections/notes/documents/{}", foreseen["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.1["version"], foreseen["version"], "{answer}");
    for (body, pointer) in [
        (json!({ "documents": [] }), "/documents"),
        (
            json!({ "documents": [{ "uri": "a", "text": "" }, { "text": "b" }] }),
            "/documents/1/uri",
        ),
        (
            json!({ "documents": [{ "uri": "a", "text": "", "txt": 1 }] }),
            "/documents/0/txt",
        ),
        (json!({ "text": "b" }), "/uri"),
    ] {
        let (status, problem) = app.post("/v1/documents", &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn the_collection_is_named_once() {
    let app = TestApp::indexed().await;
    for path in ["/v1/documents?collection=default", "/v1/collections/default/documents"] {
        assert_eq!(app.get(path).await.1["total"], 2);
    }
    let id = app.document("leave.md").await;
    assert_eq!(
        app.get(&format!("/v1/collections/default/documents/{id}/source"))
            .await
            .0,
        200
    );
    let twice = format!("/v1/collections/default/documents/{id}?collection=default");
    assert_eq!(app.get(&twice).await.0, 400);
    assert_eq!(
        app.get(&format!("/v1/collections/Bad%20Name/documents/{id}")).await.0,
        400
    );
}

/// Good lines and bad ones.
fn mixed() -> String {
    let long = format!(r#"{{"uri":"long.md","text":"{}"}}"#, "x".repeat(300));
    let body = [
        r#"{"uri":"a.md","text":"Anchors are red.","metadata":{"n":1}}"#,
        "",
        r#"{"uri":"b.md","text":"Buoys"#,
        r#"{"uri":"c.md"}"#,
        &long,
        r#"{"text":"no name"}"#,
        r#"{"uri":"a.md","text":"Anchors are blue."}"#,
        r#"{"uri":"z.md","text":"Zinc.","if_version":"abc"}"#,
        r#"{"uri":"n.md","text":"Nets.","if_version":"none"}"#,
        r#"{"uri":"n.md","text":"Nets.","if_version":"none"}"#,
        r#"{"uri":"d.md","text":"Docks are long."}"#,
    ];
    body.join("\n")
}

#[tokio::test]
async fn a_bad_line_is_told_by_its_number_and_the_others_are_taken() {
    let mut small = settings();
    small.body_bytes = 200;
    let app = TestApp::with(small).await;
    let (status, answer) = lines(&app, "/v1/documents", mixed()).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["result"];
    let errors = result["errors"].as_array().unwrap();
    let told: Vec<_> = errors
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    let expected = [
        (3, "line"),
        (4, "line"),
        (5, "line"),
        (6, "line"),
        (8, "version"),
        (10, "version"),
    ];
    let mut sorted = told.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "{answer}");
    let of = |line: u64| {
        errors.iter().find(|one| one["line"] == line).unwrap()["detail"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(of(3).contains("column"), "{}", of(3));
    assert!(of(4).contains("missing field `text`"), "{}", of(4));
    assert!(of(5).contains("200 bytes"), "{}", of(5));
    assert_eq!(
        (&result["error_count"], &result["lines"]),
        (&json!(6), &json!(11)),
        "{answer}"
    );
    assert_eq!(
        (&result["added"], &result["changed"]),
        (&json!(3), &json!(1)),
        "{answer}"
    );
    assert_eq!(names(&app, "default").await, ["a.md", "d.md", "n.md"]);
    let (_, found) = app.post("/v1/search", &json!({ "query": "anchors" })).await;
    assert!(
        found["results"][0]["text"].as_str().unwrap().contains("blue"),
        "{found}"
    );
}

#[tokio::test]
async fn a_body_of_more_lines_than_wait_at_once_is_taken_whole() {
    let app = TestApp::start().await;
    let line = |at: usize| format!("{{\"uri\":\"{at:04}.md\",\"text\":\"Number {at}.\"}}\n");
    let body: String = (0..700).map(line).collect();
    let pieces: Vec<_> = body
        .as_bytes()
        .chunks(1_000)
        .map(|piece| Ok::<_, std::io::Error>(piece.to_vec()))
        .collect();
    let stream = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    let (status, answer) = lines(&app, "/v1/documents", stream).await;
    assert_eq!((status, &answer["result"]["added"]), (200, &json!(700)), "{answer}");
    let (_, answer) = lines(&app, "/v1/documents", body).await;
    assert_eq!(answer["result"]["unchanged"], 700, "{answer}");
    assert_eq!(app.get("/v1/documents?limit=1").await.1["total"], 700);
}

#[tokio::test]
async fn of_a_body_that_is_cut_the_whole_lines_stay() {
    let app = TestApp::start().await;
    let address = app.url.strip_prefix("http://").unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/documents HTTP/1.1\r\nhost: {address}\r\ncontent-type: {LINES}\r\ncontent-length: 10000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let body =
        "{\"uri\":\"a.md\",\"text\":\"Anchors.\"}\n{\"uri\":\"b.md\",\"text\":\"Buoys.\"}\n{\"uri\":\"c.md\",\"te";
    socket.write_all(body.as_bytes()).await.unwrap();
    eventually(async || (app.get("/v1/documents").await.1["total"] == 2).then_some(())).await;
    drop(socket);
    let job = eventually(async || {
        let (_, _, jobs) = send(app.request("GET", "/v1/jobs").bearer_auth("operator")).await;
        Some(jobs["jobs"][0].clone()).filter(|job| job["state"] != "running")
    })
    .await;
    assert_eq!((&job["state"], &job["lines"]), (&json!("failed"), &json!(2)), "{job}");
    assert!(
        job["errors"][0]["detail"].as_str().unwrap().contains("first 2 lines"),
        "{job}"
    );
    assert_eq!(names(&app, "default").await, ["a.md", "b.md"]);
}

#[tokio::test]
async fn who_sends_slowly_holds_up_nobody() {
    let app = TestApp::start().await;
    let (feed, pieces) = futures::channel::mpsc::unbounded::<Result<Vec<u8>, std::io::Error>>();
    let slow = tokio::spawn({
        let request = app.request("POST", "/v1/documents").header("content-type", LINES);
        send(request.body(reqwest::Body::wrap_stream(pieces)))
    });
    feed.unbounded_send(Ok(b"{\"uri\":\"a.md\",\"text\":\"Anchors.\"}\n".to_vec()))
        .unwrap();
    eventually(async || (names_or_none(&app).await == ["a.md"]).then_some(())).await;
    // The body has not ended, and others go on.
    app.put(json!({ "uri": "b.md", "text": "Buoys." })).await;
    drop(feed);
    let (status, _, answer) = slow.await.unwrap();
    assert_eq!((status, &answer["result"]["added"]), (200, &json!(1)), "{answer}");
}

async fn names_or_none(app: &TestApp) -> Vec<String> {
    let (status, list) = app.get("/v1/documents").await;
    if status == 404 {
        return Vec::new();
    }
    let documents = list["documents"].as_array().unwrap();
    documents
        .iter()
        .map(|one| one["uri"].as_str().unwrap().to_owned())
        .collect()
}
