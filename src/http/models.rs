//! `/v1/routes`, `/v1/models` and `/v1/collections`: what can answer and what can be searched.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::Fault;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Id, Problem, reply};
use crate::http::wire;

/// `GET /v1/routes`.
pub async fn routes(State(state): State<HttpState>) -> Response {
    let routes: Value = state.engine().routes().iter().map(wire::route).collect();
    reply(StatusCode::OK, json!({ "routes": routes }))
}

/// `GET /v1/collections`.
pub async fn collections(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    let collections = state.engine().collections(&caller.reader())?;
    let view = |one: &crate::engine::CollectionView| json!({ "name": one.name, "documents": one.documents, "chunks": one.chunks });
    let collections: Value = collections.iter().map(view).collect();
    Ok(reply(StatusCode::OK, json!({ "collections": collections })))
}

/// `GET /v1/models`, in `OpenAI`'s shape: the routes that can be used.
pub async fn models(State(state): State<HttpState>) -> Response {
    let routes = state.engine().routes();
    let usable = routes.iter().filter(|route| route.unavailable.is_none());
    let models: Value = usable.map(|route| model_body(&route.name)).collect();
    reply(StatusCode::OK, json!({ "object": "list", "data": models }))
}

/// `GET /v1/models/{id}`.
pub async fn model(State(state): State<HttpState>, Id(id): Id) -> Answer<Response> {
    usable(state.engine(), &id)?;
    Ok(reply(StatusCode::OK, model_body(&id)))
}

/// Refuses a model that is no route, or one that cannot be used, with `OpenAI`'s words for both.
pub fn usable(engine: &Engine, model: &str) -> Answer<()> {
    let routes = engine.routes();
    let route = routes.iter().find(|route| route.name == model);
    let detail = match route.map(|route| &route.unavailable) {
        Some(None) => return Ok(()),
        Some(Some(mend)) => format!("the model `{model}` is not available: {mend}"),
        None => "no such model; `GET /v1/models` lists them".to_owned(),
    };
    let fault = Fault {
        pointer: "/model".into(),
        detail: detail.clone(),
    };
    Err(Problem {
        faults: vec![fault],
        ..Problem::new(StatusCode::NOT_FOUND, "model_not_found", detail)
    })
}

fn model_body(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": 0, "owned_by": "portolan" })
}
