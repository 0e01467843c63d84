//! What an attacker, or a disk, does to a service: it refuses or fails with a reason, and goes on.

use std::sync::Arc;
use std::time::Duration;

use portolan::http::serve::{Connections, serve};
use portolan::http::{HttpState, router};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{MOST_COLLECTIONS, QUESTION, TestApp, WordHash, eventually, folder, settings};
use crate::removal::Gated;

#[tokio::test]
async fn a_job_whose_end_cannot_be_written_down_fails_with_its_reason() {
    let app = TestApp::start().await;
    // What a full disk does, from another connection.
    let url = format!("sqlite://{}", app.data.join("portolan.sqlite").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    let full = "create trigger full before update on jobs begin select raise(abort, 'disk is full'); end";
    sqlx::query(full).execute(&database).await.unwrap();
    let (status, answer) = app
        .post("/v1/documents", &json!({ "uri": "a.md", "text": "one" }))
        .await;
    assert_eq!(status, 202, "{answer}");
    let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!(job["state"], "failed", "{job}");
    assert!(
        job["errors"][0]["detail"].as_str().unwrap().contains("disk is full"),
        "{job}"
    );
    sqlx::query("drop trigger full").execute(&database).await.unwrap();
    app.put(json!({ "uri": "a.md", "text": "one" })).await;
}

#[tokio::test]
async fn a_stray_file_among_the_collections_stops_nothing() {
    let data = folder();
    std::fs::create_dir(data.join("collections")).unwrap();
    std::fs::write(data.join("collections/notes"), "stray").unwrap();
    let app = TestApp::at(data, settings(), Arc::new(WordHash)).await;
    app.index().await;
    let (_, collections) = app.get("/v1/collections").await;
    assert_eq!(collections["collections"].as_array().unwrap().len(), 1, "{collections}");
    assert_eq!(collections["collections"][0]["name"], "default", "{collections}");
}

#[tokio::test]
async fn collections_have_a_bound() {
    let app = TestApp::start().await;
    for number in 0..MOST_COLLECTIONS {
        app.engine.open_collection(&format!("c{number}")).await.unwrap();
    }
    let body = json!({ "uri": "a.md", "text": "one" });
    let (status, problem) = app.post("/v1/documents?collection=more", &body).await;
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("`collections` under `[limits]`"),
        "{problem}"
    );
    app.indexing(app.request("POST", "/v1/documents?collection=c3").json(&body))
        .await;
}

/// A service of its own over the app's engine, and how to stop it.
async fn served(
    app: &TestApp,
    connections: Connections,
) -> (String, tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let service = router(HttpState::new(app.engine.clone(), settings()));
    let ends = tokio::spawn(serve(listener, service, connections, async { drop(stopped.await) }));
    (address, stop, ends)
}

async fn said(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A reset is an end too.
    drop(stream.read_to_string(&mut text).await);
    text
}

#[tokio::test]
async fn who_does_not_ask_loses_the_connection_and_who_listens_keeps_it() {
    let app = TestApp::indexed().await;
    let head = Duration::from_millis(150);
    let connections = Connections {
        at_once: 2,
        head,
        ..Connections::default()
    };
    let (address, stop, ends) = served(&app, connections).await;
    // Two that say little or nothing take all the places; they are given back.
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"GET /healthz HT").await.unwrap();
    let silent = TcpStream::connect(&address).await.unwrap();
    let mut third = TcpStream::connect(&address).await.unwrap();
    third
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let (slow, silent, third) = tokio::join!(said(slow), said(silent), said(third));
    assert!(!slow.contains("200 OK"), "{slow}");
    assert_eq!(silent, "");
    assert!(third.starts_with("HTTP/1.1 200 OK"), "{third}");

    // The silent model says nothing for longer than that, and the stream is still there to tell it.
    let body = json!({ "message": QUESTION, "route": "silent" }).to_string();
    let request = format!(
        "POST /v1/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 15];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    drop(stop);
    let text = said(stream).await;
    assert!(text.contains("event: failed"), "{text}");
    ends.await.unwrap();
}

#[tokio::test]
async fn nobody_learns_what_a_hidden_document_says_by_guessing() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    let secret = json!({ "uri": "secret.md", "text": "The safe is open.", "principals": ["board"] });
    let other = json!({ "uri": "secret.md", "text": "The safe is shut.", "principals": ["board"] });
    let mut jobs = Vec::new();
    // The guesses are accepted while nothing is hidden yet.
    for document in [&secret, &secret, &other] {
        let (status, answer) = app.post("/v1/documents", document).await;
        assert_eq!(status, 202, "{answer}");
        jobs.push(format!("/v1/jobs/{}", answer["job"].as_str().unwrap()));
    }
    gate.add_permits(9);
    let mut told = Vec::new();
    for path in &jobs[1..] {
        let job = eventually(async || Some(app.get(path).await.1).filter(|job| job["state"] != "running")).await;
        told.push(json!([job["state"], job["unchanged"], job["changed"], job["errors"]]));
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].to_string().contains("may not be replaced"), "{}", told[0]);
    // Later guesses are refused at once, and alike.
    let (right, wrong) = (
        app.post("/v1/documents", &secret).await,
        app.post("/v1/documents", &other).await,
    );
    assert_eq!((right.0, &right), (403, &wrong));
}

#[tokio::test]
async fn facts_of_a_document_have_a_bound() {
    let app = TestApp::start().await;
    let document = json!({ "uri": "a.md", "text": "x", "metadata": { "a": 1, "notes": "x".repeat(70_000) } });
    let (status, problem) = app.post("/v1/documents", &document).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/metadata/notes")),
        "{problem}"
    );
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("in `notes`; at most 65536"),
        "{problem}"
    );
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_sent() {
    let app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/search HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let text = said(stream).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}

#[tokio::test]
async fn nulls_of_openais_clients_are_taken() {
    let app = TestApp::indexed().await;
    let mut body = json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": null }, { "text": QUESTION }] }] });
    for field in [
        "model",
        "stream",
        "stream_options",
        "n",
        "temperature",
        "metadata",
        "max_tokens",
    ] {
        body[field] = serde_json::Value::Null;
    }
    let (status, answer) = app.post("/v1/chat/completions", &body).await;
    assert_eq!(
        (status, &answer["object"]),
        (200, &json!("chat.completion")),
        "{answer}"
    );
}
