//! Portolan's own share of an answer, through real sockets: from the reader's request to the call that arrives at the
//! model, and what a text event costs on its way back.
//!
//! `cargo bench --bench overhead` (or `make bench BENCH=overhead`) prints it. The embedder costs nothing and the index
//! is small, so what is measured is everything else: HTTP, the search's threads, weighing, packing, the prompt, the
//! database and the call. The model speaks `OpenAI`'s shapes in this process; the gateway is left out, since its own
//! time is not ours (docs/performance.md). CPU is that of the whole process, with the same streams read straight from
//! the model subtracted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints"
)]

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use futures::future::BoxFuture;
use futures::stream;
use portolan::engine::rerank::Reranking;
use portolan::engine::{Engine, Parts};
use portolan::gateway::portkey::{Gateway, PortkeyModel};
use portolan::gateway::routes::{Route, RouteKind, Strategy, Target, Timers};
use portolan::gateway::{ChatModel, Embedder, TextKind};
use portolan::http::{HttpSettings, HttpState, router};
use portolan::store::Store;
use portolan::types::{Query, QueryInput, Reader};
use serde_json::json;

const DIMENSION: usize = 384;
/// Text events of one answer.
const EVENTS: usize = 400;
const QUESTION: &str = "When does the backup run every night?";

/// When the model was called, by the question's own word.
type Arrivals = Arc<Mutex<HashMap<String, Instant>>>;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        drop(rustls::crypto::ring::default_provider().install_default());
        let arrivals = Arrivals::default();
        let model = listen(
            axum::Router::new()
                .route("/v1/chat/completions", post(complete))
                .with_state(arrivals.clone()),
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        let (engine, service) = service(folder.path(), &model).await;
        let service = listen(service).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        put(&client, &service).await;
        for (readers, each) in [(1, 2_000), (16, 250)] {
            let times = search_inside(&engine, (readers, each)).await;
            tell(&format!("search in this process, {readers} at once"), times);
            let times = search(&client, &service, (readers, each)).await;
            tell(&format!("search over HTTP, {readers} at once"), times);
            let times = ask(&client, &service, &arrivals, (readers, each)).await;
            tell(&format!("request to model, {readers} at once"), times);
        }
        events(&client, &service, &model).await;
        // The vector engine writes into the folder when it is dropped.
        std::process::exit(0);
    });
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let (p50, p90, p99) = (at(0.5), at(0.9), at(0.99));
    println!(
        "{what}: p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, of {}",
        times.len()
    );
}

async fn listen(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Answers of `EVENTS` texts when the question says `long`, else of one.
async fn complete(State(arrivals): State<Arrivals>, body: Bytes) -> impl IntoResponse {
    let arrived = Instant::now();
    let text = std::str::from_utf8(&body).unwrap();
    let word = text.rsplit("asked by ").next().unwrap().split('"').next().unwrap();
    arrivals.lock().unwrap().insert(word.to_owned(), arrived);
    let count = if word == "long" { EVENTS } else { 1 };
    let frame = |delta: serde_json::Value, finish: serde_json::Value| {
        let choice = json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
        let chunk =
            json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choice });
        Ok::<_, Infallible>(format!("data: {chunk}\n\n"))
    };
    let texts = (0..count).map(move |_| frame(json!({ "content": "several words " }), json!(null)));
    let end = [frame(json!({}), json!("stop")), Ok("data: [DONE]\n\n".into())];
    let body = Body::from_stream(stream::iter(texts.chain(end)));
    ([(CONTENT_TYPE, "text/event-stream")], body)
}

async fn service(data: &std::path::Path, model: &str) -> (Arc<Engine>, axum::Router) {
    let route = Route {
        name: "scripted".into(),
        description: "a scripted model".into(),
        kind: RouteKind::Gateway,
        strategy: Strategy::Single,
        targets: vec![Target {
            provider: "openai".into(),
            model: "scripted".into(),
            base_url: Some(format!("{model}/v1")),
            api_key: None,
            window: 16_000,
            max_output: 500,
            weight: 1.0,
        }],
        timers: Timers::default(),
        default: true,
        unavailable: None,
    };
    let gateway = Gateway {
        url: format!("{model}/v1"),
        portkey_api_key: None,
    };
    let chat: Arc<dyn ChatModel> = Arc::new(PortkeyModel::new(&gateway, route.clone()).unwrap());
    let parts = Parts {
        buckets: BTreeMap::new(),
        data: data.to_owned(),
        embedder: Arc::new(Free),
        store: Store::open(&data.join("portolan.sqlite")).await.unwrap(),
        models: BTreeMap::from([(route.name.clone(), chat)]),
        routes: vec![route],
        vectors: None,
        reranking: Arc::new(Reranking::nothing()),
        decline_below: 0.0,
        chunking: indexer::chunk::Chunking::default(),
        traces: portolan::config::Traces::default(),
        parsers: portolan::engine::Parsers::here(),
        in_flight_bytes: 256 << 20,
    };
    let settings = HttpSettings {
        api_key: None,
        operator_token: "operator".into(),
        body_bytes: 1 << 20,
        searches: 64,
        streams: 64,
        metrics: None,
        allowed_hosts: Vec::new(),
    };
    let engine = Engine::open(parts).await.unwrap();
    (engine.clone(), router(HttpState::new(engine, settings)))
}

/// A vector for nothing.
struct Free;

impl Embedder for Free {
    fn name(&self) -> &'static str {
        "free"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, portolan::error::Result<Vec<Vec<f32>>>> {
        let mut vector = vec![0.0; DIMENSION];
        vector[0] = 1.0;
        Box::pin(async move { Ok(vec![vector; texts.len()]) })
    }
}

async fn put(client: &reqwest::Client, service: &str) {
    for at in 0..20 {
        let text =
            format!("# Backups {at}\n\nThe backup runs every night at two o'clock on server {at}. Copies are kept.");
        let body = json!({ "uri": format!("{at}.md"), "text": text });
        let answer = client
            .post(format!("{service}/v1/documents"))
            .json(&body)
            .send()
            .await
            .unwrap();
        let answer: serde_json::Value = answer.json().await.unwrap();
        let job = format!("{service}/v1/jobs/{}", answer["job"].as_str().unwrap());
        loop {
            let state: serde_json::Value = client.get(&job).send().await.unwrap().json().await.unwrap();
            if state["state"] != "running" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// From the request to its arrival at the model, for each of `each` questions of `readers` readers.
async fn ask(
    client: &reqwest::Client,
    service: &str,
    arrivals: &Arrivals,
    (readers, each): (usize, usize),
) -> Vec<Duration> {
    let tasks = (0..readers).map(|reader| async move {
        let mut times = Vec::with_capacity(each);
        for at in 0..each {
            let word = word(reader, at);
            let body = json!({ "message": format!("{QUESTION} asked by {word}") });
            let sent = Instant::now();
            let answer = client
                .post(format!("{service}/v1/chat"))
                .json(&body)
                .send()
                .await
                .unwrap();
            let answer = answer.text().await.unwrap();
            assert!(answer.contains("event: done"), "{answer}");
            times.push(arrivals.lock().unwrap()[&word] - sent);
        }
        times
    });
    let times: Vec<Vec<Duration>> = futures::future::join_all(tasks).await;
    // The first few warm up connections and threads.
    times.into_iter().flat_map(|times| times.into_iter().skip(10)).collect()
}

/// The same searches without HTTP. Other words, since an answer may be kept.
async fn search_inside(engine: &Arc<Engine>, (readers, each): (usize, usize)) -> Vec<Duration> {
    let tasks = (0..readers).map(|reader| async move {
        let mut times = Vec::with_capacity(each);
        for at in 0..each {
            let input = QueryInput {
                text: format!("{QUESTION} inside by {}", word(reader, at)),
                limit: Some(12),
                ..QueryInput::default()
            };
            let query = Query::parse(input, Reader::Everything).unwrap();
            let begun = Instant::now();
            drop(engine.search(&query).await.unwrap());
            times.push(begun.elapsed());
        }
        times
    });
    let times: Vec<Vec<Duration>> = futures::future::join_all(tasks).await;
    times.into_iter().flat_map(|times| times.into_iter().skip(10)).collect()
}

/// The search that each of these questions begins with, over HTTP: what is not Portolan's own share.
async fn search(client: &reqwest::Client, service: &str, (readers, each): (usize, usize)) -> Vec<Duration> {
    let tasks = (0..readers).map(|reader| async move {
        let mut times = Vec::with_capacity(each);
        for at in 0..each {
            let body = json!({ "query": format!("{QUESTION} asked by {}", word(reader, at)), "limit": 12 });
            let sent = Instant::now();
            let answer = client
                .post(format!("{service}/v1/search"))
                .json(&body)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            times.push(sent.elapsed());
            drop(answer.bytes().await);
        }
        times
    });
    let times: Vec<Vec<Duration>> = futures::future::join_all(tasks).await;
    times.into_iter().flat_map(|times| times.into_iter().skip(10)).collect()
}

/// Letters only: an unknown code would rightly be declined.
fn word(reader: usize, at: usize) -> String {
    format!("{reader:02}{at:04}")
        .bytes()
        .map(|digit| char::from(digit + 49))
        .collect()
}

/// CPU of a text event: whole answers through Portolan, less the same read straight from the model.
async fn events(client: &reqwest::Client, service: &str, model: &str) {
    const ANSWERS: usize = 50;
    let through = json!({ "message": format!("{QUESTION} asked by long") });
    let straight = json!({ "messages": [{ "role": "user", "content": "asked by long" }] });
    let run = async |url: String, body: &serde_json::Value| {
        let (began, cpu) = (Instant::now(), cpu());
        for _ in 0..ANSWERS {
            client.post(&url).json(body).send().await.unwrap().text().await.unwrap();
        }
        (self::cpu() - cpu, began.elapsed())
    };
    let (straight_cpu, _) = run(format!("{model}/v1/chat/completions"), &straight).await;
    let (through_cpu, took) = run(format!("{service}/v1/chat"), &through).await;
    let each = |seconds: f64| seconds * 1e6 / (ANSWERS * EVENTS) as f64;
    println!(
        "a text event: {:.1} µs CPU ({:.1} µs with model and reader), {:.1} µs of wall time",
        each(through_cpu - straight_cpu),
        each(through_cpu),
        each(took.as_secs_f64())
    );
}

/// Seconds of CPU that this process has used, in steps of 10 ms.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}
