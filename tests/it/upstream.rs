//! A provider in `OpenAI`'s shape that does what the model's name says.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt;
use futures::stream;
use serde_json::{Value, json};

/// The models that it plays.
pub const MODELS: [&str; 19] = [
    "backups",
    "mistaken",
    "leave",
    "quoting",
    "limited",
    "broken",
    "disguised",
    "silent",
    "stalling",
    "cut",
    "resuming",
    "faulty",
    "endless",
    "limit",
    "flood",
    "rewording",
    "wordless",
    "situating",
    "moody",
];

/// A running provider.
pub struct Upstream {
    /// Its address with `/v1`.
    pub url: String,
    requests: Requests,
    listeners: Arc<AtomicUsize>,
}

type Requests = Arc<Mutex<Vec<Value>>>;

impl Upstream {
    /// Listens on a free port until the test ends.
    pub async fn start() -> Self {
        let (requests, listeners) = (Requests::default(), Arc::<AtomicUsize>::default());
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/rerank", post(rerank))
            .with_state((requests.clone(), listeners.clone()));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            requests,
            listeners,
        }
    }

    /// How many endless answers are listened to.
    pub fn listeners(&self) -> usize {
        self.listeners.load(Ordering::SeqCst)
    }

    /// What it was asked, in order.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

async fn complete(
    State((requests, listeners)): State<(Requests, Arc<AtomicUsize>)>,
    Json(request): Json<Value>,
) -> Response {
    let model = request["model"].as_str().unwrap().to_owned();
    requests.lock().unwrap().push(request.clone());
    match model.as_str() {
        // A mark may be split anywhere.
        "backups" => whole(&["The backup runs every night ", "at two o'clock [", "1]."]),
        "mistaken" => whole(&[
            "The backup runs every night at three o'clock [1]. Copies are kept for thirty days [",
            "9]. Copies are kept for thirty days. Ask again.",
        ]),
        "leave" => whole(&["Every employee has 28 days of paid leave a year [1]."]),
        "rewording" => whole(&["1. paid leave ", "of an employee\n2. days of \"leave\" -carried\n"]),
        "wordless" => whole(&["...\n"]),
        "situating" => whole(&["\"On the quarterly ", "zephyr.\"\n"]),
        // What it is asked for the second time it does.
        "moody" if asked_before(&requests, &request) => whole(&["On the quarterly zephyr."]),
        "quoting" => quoting(&request["messages"]),
        "limited" => {
            let error = json!({ "error": { "message": "slow down", "type": "rate_limit_error" } });
            (
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                [("retry-after", "7")],
                Json(error),
            )
                .into_response()
        }
        "broken" | "moody" => failing(),
        "disguised" => Json(json!({ "error": { "message": "no credit left", "code": 402 } })).into_response(),
        "silent" => std::future::pending().await,
        "stalling" => frames(vec![text("The backup runs ")], Ending::Open),
        "endless" => endless(listeners),
        "limit" => ending("length", &["The backup runs every night [1]. And then the"]),
        "flood" => flood(),
        // It begins again where it was asked to go on, as models do.
        "resuming" if request["messages"].as_array().unwrap().len() > 2 => {
            whole(&["The backup ", "runs every night at two", " o'clock [1]."])
        }
        "resuming" => frames(vec![text("The backup "), text("runs ")], Ending::Closed),
        "cut" => frames(vec![text("The backup runs ")], Ending::Closed),
        "faulty" => {
            let error = json!({ "error": { "message": "out of memory", "type": "server_error" } });
            frames(vec![text("The backup runs "), error.to_string()], Ending::Closed)
        }
        other => panic!("no model is named `{other}`"),
    }
}

fn failing() -> Response {
    let error = json!({ "error": { "message": "boom", "type": "server_error" } });
    (axum::http::StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response()
}

fn asked_before(requests: &Requests, request: &Value) -> bool {
    let requests = requests.lock().unwrap();
    let what = |request: &Value| (request["model"].clone(), request["messages"].clone());
    let same = requests.iter().filter(|other| what(other) == what(request));
    same.count() > 1
}

/// Judges a text by whether it speaks of leave, in the words of the provider that the model is named after.
async fn rerank(
    State((requests, _)): State<(Requests, Arc<AtomicUsize>)>,
    headers: axum::http::HeaderMap,
    Json(mut request): Json<Value>,
) -> Response {
    let documents = request["documents"].as_array().unwrap().clone();
    let judge = |(index, text): (usize, &Value)| {
        let score = if text.as_str().unwrap().contains("leave") {
            0.9
        } else {
            0.1
        };
        json!({ "index": index, "relevance_score": score })
    };
    // Best first, as providers have it.
    let mut judged: Vec<Value> = documents.iter().enumerate().map(judge).collect();
    judged.sort_by(|a, b| {
        b["relevance_score"]
            .as_f64()
            .unwrap()
            .total_cmp(&a["relevance_score"].as_f64().unwrap())
    });
    request["authorization"] = json!(headers.get("authorization").and_then(|value| value.to_str().ok()));
    let model = request["model"].as_str().unwrap().to_owned();
    requests.lock().unwrap().push(request);
    match model.as_str() {
        "voyage" => Json(json!({ "object": "list", "data": judged })).into_response(),
        "cohere" | "jina" => Json(json!({ "results": judged })).into_response(),
        "halved" => Json(json!({ "results": judged[..1] })).into_response(),
        "silent" => std::future::pending().await,
        other => {
            let error = json!({ "error": { "message": format!("no model {other}") } });
            (axum::http::StatusCode::NOT_FOUND, Json(error)).into_response()
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Ending {
    Open,
    Closed,
}

/// An answer as it should be, with usage, finish reason and `[DONE]`.
fn whole(parts: &[&str]) -> Response {
    ending("stop", parts)
}

/// More than anybody reads.
fn flood() -> Response {
    let frame = Bytes::from(format!("data: {}\n\n", text(&"many words ".repeat(6_000))));
    let body = Body::from_stream(stream::repeat(frame).map(Ok::<_, Infallible>));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn ending(reason: &str, parts: &[&str]) -> Response {
    let mut lines: Vec<String> = parts.iter().map(|part| text(part)).collect();
    lines.push(chunk(
        &json!([{ "index": 0, "delta": {}, "finish_reason": reason }]),
        &Value::Null,
    ));
    lines.push(chunk(
        &json!([]),
        &json!({ "prompt_tokens": 200, "completion_tokens": 12, "total_tokens": 212 }),
    ));
    lines.push("[DONE]".into());
    frames(lines, Ending::Closed)
}

/// The sentence of the evidence that shares most words with the question, and its mark.
fn quoting(messages: &Value) -> Response {
    let content = |message: Option<&Value>| message.unwrap()["content"].as_str().unwrap().to_owned();
    let messages = messages.as_array().unwrap();
    let (evidence, question) = (content(messages.first()), content(messages.last()));
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.len() > 3).map(str::to_lowercase).collect()
    };
    let asked = words(&question);
    let mut best = (0, "The documents do not say.".to_owned());
    for (at, passage) in evidence.split("<passage number=").skip(1).enumerate() {
        let text = passage.split_once('\n').map_or("", |(_, text)| text);
        let text = text.split("</passage>").next().unwrap_or_default();
        for sentence in text.split_inclusive(['.', '\n']).map(str::trim) {
            let shared = words(sentence).intersection(&asked).count();
            if shared > best.0 {
                best = (shared, format!("{sentence} [{}]", at + 1));
            }
        }
    }
    let half = best.1.floor_char_boundary(best.1.len() / 2);
    whole(&[&best.1[..half], &best.1[half..]])
}

/// One text and then nothing.
fn endless(listeners: Arc<AtomicUsize>) -> Response {
    let listener = Listener::new(listeners);
    let first = format!("data: {}\n\n", text("The backup runs "));
    let frames = stream::iter([first]).chain(stream::pending());
    let body = Body::from_stream(frames.map(move |frame| {
        let _held = &listener;
        Ok::<_, Infallible>(frame)
    }));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// Counts while it lives.
struct Listener(Arc<AtomicUsize>);

impl Listener {
    fn new(listeners: Arc<AtomicUsize>) -> Self {
        listeners.fetch_add(1, Ordering::SeqCst);
        Self(listeners)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn text(part: &str) -> String {
    let choices = json!([{ "index": 0, "delta": { "content": part }, "finish_reason": null }]);
    chunk(&choices, &Value::Null)
}

fn chunk(choices: &Value, usage: &Value) -> String {
    let frame = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": choices, "usage": usage,
    });
    frame.to_string()
}

fn frames(lines: Vec<String>, ending: Ending) -> Response {
    let sent = stream::iter(lines).map(|line| Ok::<_, Infallible>(Bytes::from(format!("data: {line}\n\n"))));
    let body = if ending == Ending::Open {
        Body::from_stream(sent.chain(stream::pending()))
    } else {
        Body::from_stream(sent)
    };
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}
