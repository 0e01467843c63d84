//! The HTTP service: the route table and the layers around it. Handlers are two hops from the engine.

pub mod auth;
pub mod backup;
pub mod chat;
pub mod collections;
pub mod conversations;
pub mod documents;
pub mod expected;
pub mod filter;
pub mod form;
pub mod found;
pub mod index_body;
pub mod jobs;
pub mod lines;
pub mod mcp;
pub mod message_stream;
pub mod models;
pub mod openai;
pub mod ops;
pub mod place;
pub mod pointer;
pub mod problem;
pub mod puts;
pub mod replay;
pub mod responses;
pub mod search;
pub mod search_body;
pub mod serve;
pub mod settings;
pub mod suggest;
pub mod traces;
pub mod tune;
pub mod ui;
pub mod wire;

use std::any::Any;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::engine::Engine;
use crate::error::Result;
use crate::http::problem::BodyLimit;

/// How many files of the largest size one upload may hold.
const FILES_OF_LARGEST_SIZE: usize = 4;
/// Uploads of files at once; each may hold its files in memory.
const UPLOADS: usize = 4;
/// The largest question with all that belongs to it.
const QUESTION_BYTES: usize = 256 * 1024;

/// Writes all metrics as Prometheus text.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the service is told.
pub struct HttpSettings {
    /// Wanted from every caller, when set.
    pub api_key: Option<String>,
    /// The right to index paths of this machine.
    pub operator_token: String,
    /// The largest body, and the largest file of an upload.
    pub body_bytes: usize,
    /// Searches at once.
    pub searches: usize,
    /// Answers at once.
    pub streams: usize,
    /// The exposition, when metrics are recorded.
    pub metrics: Option<Metrics>,
    /// Names beside the loopback ones that `Host` and `Origin` may hold, without ports.
    pub allowed_hosts: Vec<String>,
}

/// What every handler shares; cheap to clone.
#[derive(Clone)]
pub struct HttpState(Arc<Shared>);

struct Shared {
    engine: Arc<Engine>,
    settings: HttpSettings,
    searches: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    keys: replay::Keys,
}

impl HttpState {
    /// The state over `engine`.
    pub fn new(engine: Arc<Engine>, settings: HttpSettings) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared {
            engine,
            searches: permits(settings.searches),
            streams: permits(settings.streams),
            uploads: permits(UPLOADS),
            keys: replay::Keys::default(),
            settings,
        }))
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    /// The settings.
    pub fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    /// The `Idempotency-Key`s of the requests under way.
    pub fn keys(&self) -> &replay::Keys {
        &self.0.keys
    }

    /// The right to search now; nobody waits in line.
    pub fn search_permit(&self) -> Result<OwnedSemaphorePermit> {
        self.0
            .searches
            .clone()
            .try_acquire_owned()
            .map_err(|_| problem::overloaded("searches"))
    }

    /// The right to upload files now.
    pub fn upload_permit(&self) -> Result<OwnedSemaphorePermit> {
        self.0
            .uploads
            .clone()
            .try_acquire_owned()
            .map_err(|_| problem::overloaded("uploads"))
    }

    /// The right to stream an answer now; held until the answer has ended.
    pub fn stream_permit(&self) -> Result<OwnedSemaphorePermit> {
        self.0
            .streams
            .clone()
            .try_acquire_owned()
            .map_err(|_| problem::overloaded("answers"))
    }
}

/// All routes with all layers.
pub fn router(state: HttpState) -> Router {
    let limit = state.settings().body_bytes;
    let question = limit.min(QUESTION_BYTES);
    let questions = Router::new()
        .route("/v1/search", post(search::search))
        .route("/v1/suggest", get(suggest::suggest))
        .route("/v1/chat", post(chat::chat))
        .layer(DefaultBodyLimit::max(question))
        .layer(Extension(BodyLimit(question)));
    Router::new()
        .merge(questions)
        .route("/v1/chat/{run}", get(chat::follow))
        .route("/v1/chat/{run}/stop", post(chat::stop))
        .merge(documents("/v1/documents", limit))
        .merge(documents("/v1/collections/{name}/documents", limit))
        .route("/v1/routes", get(models::routes))
        .route("/v1/collections", get(collections::list))
        .route("/v1/collections/{name}", delete(collections::remove))
        .route("/v1/collections/{name}/settings", get(settings::get).put(settings::put))
        .route("/v1/jobs", get(jobs::list))
        .route("/v1/jobs/{id}", get(jobs::get))
        .route("/v1/jobs/{id}/events", get(jobs::events))
        .route("/v1/jobs/{id}/pause", post(jobs::pause))
        .route("/v1/jobs/{id}/resume", post(jobs::resume))
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/index", post(documents::index_source))
        .route("/v1/backup", post(backup::backup))
        .route("/v1/tune", post(tune::tune))
        .merge(answers())
        .route_service("/mcp", mcp::service(state.clone(), question))
        .route("/healthz", get(ops::alive))
        .route("/readyz", get(ops::ready))
        .route("/metrics", get(ops::metrics))
        .fallback(ui::asset)
        .method_not_allowed_fallback(problem::wrong_method)
        // From here on, what is written last sees the request first.
        .layer(DefaultBodyLimit::max(limit))
        .layer(Extension(BodyLimit(limit)))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), auth::check))
        .layer(from_fn(openai::shape::reshape))
        // Leaves `text/event-stream` and images alone.
        .layer(CompressionLayer::new())
        .layer(from_fn(ops::observe))
        .with_state(state)
}

/// What was asked and answered and how it came about, and the same for clients of `OpenAI`'s interface.
fn answers() -> Router<HttpState> {
    Router::new()
        .route("/v1/conversations", get(conversations::list))
        .route(
            "/v1/conversations/{id}",
            get(conversations::get).delete(conversations::remove),
        )
        .route("/v1/traces", get(traces::list))
        .route("/v1/traces/{run}", get(traces::get))
        .route("/v1/traces/{run}/replay", post(traces::replay))
        .route("/v1/traces/{run}/golden", post(traces::golden))
        .route("/v1/messages/{id}/feedback", post(traces::feedback))
        .route("/v1/chat/completions", post(openai::chat_completions))
        .route("/v1/responses", post(responses::responses))
        .route("/v1/models", get(models::models))
        .route("/v1/models/{id}", get(models::model))
}

/// The documents of a collection that the path or the query string names.
fn documents(base: &str, limit: usize) -> Router<HttpState> {
    let upload = limit.saturating_mul(FILES_OF_LARGEST_SIZE);
    let put = post(puts::post).layer((DefaultBodyLimit::max(upload), Extension(BodyLimit(upload))));
    let one = get(documents::get).delete(documents::remove);
    Router::new()
        .route(base, get(documents::list).merge(put))
        .route(&format!("{base}/delete"), post(documents::remove_matching))
        .route(&format!("{base}/{{id}}"), one.put(puts::replace).patch(puts::patch))
        .route(&format!("{base}/{{id}}/source"), get(documents::source))
}

// The cause was written to standard error by the panic hook; it is not for the caller.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request's handler panicked");
    problem::internal().into_response()
}
