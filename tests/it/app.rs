//! The whole service for a test: the real router, engine, indexes, database and gateway; the models are scripted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use indexer::chunk::Chunking;
use portolan::engine::extractive::Extractive;
use portolan::engine::rerank::Reranking;
use portolan::engine::{Engine, Parsers, Parts};
use portolan::error::Result;
use portolan::gateway::portkey::{Gateway, PortkeyModel};
use portolan::gateway::routes::{Route, RouteKind, Strategy, Target, Timers};
use portolan::gateway::{ChatModel, Embedded, Embedder, TextKind};
use portolan::http::serve::{Connections, serve};
use portolan::http::{HttpSettings, HttpState, router};
use portolan::store::Store;
use serde_json::{Value, json};

use crate::events::Events;
use crate::portkey;
use crate::upstream::{MODELS, Upstream};

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_mins(3);
/// A wait that a test sees to its end.
const SHORT: Duration = Duration::from_millis(400);
/// Length of the test vectors.
pub const DIMENSION: usize = 32;

/// The most collections of a service.
pub const MOST_COLLECTIONS: usize = 8;

/// A question that `backup.md` answers.
pub const QUESTION: &str = "When does the backup run every night?";

/// The running service.
pub struct TestApp {
    /// Its address.
    pub url: String,
    /// The provider behind the gateway.
    pub upstream: Upstream,
    /// What the router stands on.
    pub engine: Arc<Engine>,
    /// Where its data lies.
    pub data: PathBuf,
    client: reqwest::Client,
}

/// Settings as most tests want them.
pub fn settings() -> HttpSettings {
    HttpSettings {
        api_key: None,
        operator_token: "operator".into(),
        body_bytes: 4 * 1024 * 1024,
        searches: 16,
        streams: 16,
        metrics: Some(Arc::new(|| "up 1\n".into())),
        allowed_hosts: vec!["docs.example".into()],
    }
}

impl TestApp {
    /// A service with two documents.
    pub async fn start() -> Self {
        Self::with(settings()).await
    }

    /// The same with other settings.
    pub async fn with(settings: HttpSettings) -> Self {
        Self::over(settings, Arc::new(WordHash)).await
    }

    /// The same with another embedder.
    pub async fn over(settings: HttpSettings, embedder: Arc<dyn Embedder>) -> Self {
        Self::made(folder(), settings, embedder, |parts, _| parts).await
    }

    /// The same in a data folder of the test's own.
    pub async fn at(data: PathBuf, settings: HttpSettings, embedder: Arc<dyn Embedder>) -> Self {
        Self::made(data, settings, embedder, |parts, _| parts).await
    }

    /// A service whose documents are parsed elsewhere.
    pub async fn parsing(parsers: Parsers) -> Self {
        let change = |parts, _: &Upstream| Parts { parsers, ..parts };
        Self::made(folder(), settings(), Arc::new(WordHash), change).await
    }

    /// A service that knows these settings of buckets.
    pub async fn with_buckets(buckets: &[(&str, &str)]) -> Self {
        let buckets = buckets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let buckets = buckets.collect();
        Self::made(folder(), settings(), Arc::new(WordHash), |parts, _| Parts {
            buckets,
            ..parts
        })
        .await
    }

    /// A service with the documents that the questions are about, and with what reranks them.
    pub async fn reranked(reranking: impl FnOnce(&Upstream) -> Reranking) -> Self {
        let change = |parts, upstream: &Upstream| Parts {
            reranking: Arc::new(reranking(upstream)),
            ..parts
        };
        let app = Self::made(folder(), settings(), Arc::new(WordHash), change).await;
        app.index().await;
        app
    }

    /// The same of other parts.
    pub async fn made(
        data: PathBuf,
        settings: HttpSettings,
        embedder: Arc<dyn Embedder>,
        change: impl FnOnce(Parts, &Upstream) -> Parts,
    ) -> Self {
        // Another test may have chosen the TLS of the process already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let upstream = Upstream::start().await;
        let parts = change(parts(&data, &upstream, embedder).await, &upstream);
        let engine = Engine::bounded(parts, MOST_COLLECTIONS).await.unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = router(HttpState::new(engine.clone(), settings));
        let connections = Connections::default();
        tokio::spawn(serve(listener, service, connections, std::future::pending()));
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            url,
            upstream,
            engine,
            data,
            client,
        }
    }

    /// A service that has the documents which the questions are about.
    pub async fn indexed() -> Self {
        let app = Self::start().await;
        app.index().await;
        app
    }

    /// Puts the documents.
    pub async fn index(&self) {
        let backup = "# Backups\n\nThe backup runs every night at two o'clock. Copies are kept for thirty days.";
        let leave = "# Leave\n\nEvery employee has 28 days of paid leave a year.\n\nFive days may be carried over.";
        self.put(json!({ "uri": "backup.md", "text": backup })).await;
        self.put(json!({ "uri": "leave.md", "text": leave })).await;
    }

    /// Puts one document and waits until it can be found; returns the job.
    pub async fn put(&self, document: Value) -> Value {
        self.indexing(self.request("POST", "/v1/documents").json(&document))
            .await
    }

    /// Sends a request that starts a job and waits until the job is done. A test must not end before its jobs:
    /// they would write into a folder that is gone.
    pub async fn indexing(&self, request: reqwest::RequestBuilder) -> Value {
        let (status, answer) = read(request).await;
        assert_eq!(status, 202, "{answer}");
        let path = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
        let job = eventually(async || Some(self.get(&path).await.1).filter(|job| job["state"] != "running")).await;
        assert_eq!((&job["state"], &job["errors"]), (&json!("done"), &json!([])), "{job}");
        job
    }

    /// A request to be sent.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.url);
        self.client.request(method.parse().unwrap(), url)
    }

    /// Status and JSON of a GET.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        read(self.request("GET", path)).await
    }

    /// Status and JSON of a POST.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        read(self.request("POST", path).json(body)).await
    }

    /// Status and JSON of a DELETE.
    pub async fn delete(&self, path: &str) -> (u16, Value) {
        read(self.request("DELETE", path)).await
    }

    /// Lets the command line find this service in its data folder.
    pub fn leave_address(&self) {
        let address = json!({ "url": self.url, "token": "operator" });
        std::fs::write(self.data.join("serve.json"), address.to_string()).unwrap();
    }

    /// All events of an answer.
    pub async fn chat(&self, body: &Value) -> Events {
        let response = self.request("POST", "/v1/chat").json(body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events::read(&response.text().await.unwrap())
    }

    /// The answer's own message, as it was stored.
    pub async fn stored(&self, events: &Events) -> Value {
        let started = events.data("started");
        let path = format!("/v1/conversations/{}", started["conversation"].as_str().unwrap());
        let (status, conversation) = self.get(&path).await;
        assert_eq!(status, 200, "{conversation}");
        let messages = conversation["messages"].as_array().unwrap();
        let own = messages.iter().find(|message| message["id"] == started["message"]);
        own.unwrap_or_else(|| panic!("the answer is not stored: {conversation}"))
            .clone()
    }

    /// The id of the document with that URI.
    pub async fn document(&self, uri: &str) -> String {
        let (_, list) = self.get("/v1/documents").await;
        let documents = list["documents"].as_array().unwrap();
        let found = documents.iter().find(|document| document["uri"] == uri).unwrap();
        found["id"].as_str().unwrap().to_owned()
    }
}

/// Asks until there is an answer; each `ask` does real work, so nothing spins.
pub async fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come about within {PATIENCE:?}");
    }
}

async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    (status, value)
}

/// A folder that goes after the test's run time: the vector engine writes when it is dropped.
pub fn folder() -> PathBuf {
    thread_local! {
        static FOLDERS: RefCell<Vec<tempfile::TempDir>> = RefCell::default();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    FOLDERS.with_borrow_mut(|folders| folders.push(folder));
    path
}

async fn parts(data: &Path, upstream: &Upstream, embedder: Arc<dyn Embedder>) -> Parts {
    // The real gateway listens on when nobody listens to it; the endless model stands in its place, to see who leaves.
    let gateway = |route: &Route| Gateway {
        url: if route.name == "endless" {
            upstream.url.clone()
        } else {
            portkey::url().to_owned()
        },
        portkey_api_key: None,
    };
    let mut routes = vec![extractive()];
    routes.extend(MODELS.map(|model| scripted(model, upstream.url.clone())));
    routes.push(scripted(
        "refused",
        format!("http://127.0.0.1:{}/v1", portkey::free_port()),
    ));
    let mut models: BTreeMap<String, Arc<dyn ChatModel>> = BTreeMap::new();
    routes.push(Route {
        name: "keyless".into(),
        default: false,
        unavailable: Some("set SOME_KEY in the environment and start again".into()),
        ..extractive()
    });
    for route in routes.iter().filter(|route| route.unavailable.is_none()) {
        let model: Arc<dyn ChatModel> = match route.kind {
            RouteKind::Extractive => Arc::new(Extractive),
            RouteKind::Gateway => Arc::new(PortkeyModel::new(&gateway(route), route.clone()).unwrap()),
        };
        models.insert(route.name.clone(), model);
    }
    Parts {
        data: data.to_owned(),
        buckets: BTreeMap::new(),
        embedder,
        store: Store::open(&data.join("portolan.sqlite")).await.unwrap(),
        routes,
        models,
        vectors: None,
        reranking: Arc::new(Reranking::nothing()),
        decline_below: 0.3,
        chunking: Chunking::default(),
        traces: portolan::config::Traces::default(),
        parsers: Parsers::children(env!("CARGO_BIN_EXE_portolan").into()),
        in_flight_bytes: 256 << 20,
    }
}

fn extractive() -> Route {
    Route {
        name: "extractive".into(),
        description: "sentences of the documents".into(),
        kind: RouteKind::Extractive,
        strategy: Strategy::Single,
        targets: Vec::new(),
        timers: Timers::default(),
        default: true,
        unavailable: None,
    }
}

/// A route named like its model. Only the timer that its model is to run into is short.
fn scripted(model: &str, base_url: String) -> Route {
    // So long that a test gives up first: a call that ends by its timer was not stopped.
    let long = PATIENCE * 2;
    let timers = Timers {
        connect: long,
        first_token: if model == "silent" { SHORT } else { long },
        stall: if model == "stalling" { SHORT } else { long },
        total: long,
    };
    Route {
        name: model.to_owned(),
        description: "scripted".into(),
        kind: RouteKind::Gateway,
        targets: vec![Target {
            provider: "openai".into(),
            model: model.to_owned(),
            base_url: Some(base_url),
            api_key: None,
            window: 8_000,
            max_output: 500,
            weight: 1.0,
        }],
        timers,
        default: false,
        ..extractive()
    }
}

/// Words by their hash: texts that share words are near each other.
pub struct WordHash;

impl Embedder for WordHash {
    fn name(&self) -> &'static str {
        "word-hash"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        let vectors = texts.iter().map(|text| vector(text)).collect();
        Box::pin(async move { Ok(vectors) })
    }

    /// A token is the vector of a word alone.
    fn embed_tokens(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
        let one = |text: &String| Embedded {
            vector: vector(text),
            tokens: words(text).flat_map(vector).collect(),
        };
        let embedded = texts.iter().map(one).collect();
        Box::pin(async move { Ok(embedded) })
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty())
}

fn vector(text: &str) -> Vec<f32> {
    // A text without words still needs a direction.
    let mut vector = [0.01_f32; DIMENSION];
    for word in words(text) {
        // FNV-1a: the same on every machine and in every version.
        let hash = word
            .to_lowercase()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        vector[(hash >> 32) as usize % DIMENSION] += 1.0;
    }
    let length = vector.iter().map(|part| part * part).sum::<f32>().sqrt();
    vector.iter().map(|part| part / length).collect()
}
