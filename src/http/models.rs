//! `/v1/routes` and `/v1/models`: what can answer.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::engine::RouteView;
use crate::error::Fault;
use crate::http::HttpState;
use crate::http::problem::{Answer, Id, Problem, reply};
use crate::http::wire;

/// `GET /v1/routes`.
pub async fn routes(State(state): State<HttpState>) -> Response {
    let routes: Value = state.engine().routes().await.iter().map(wire::route).collect();
    reply(StatusCode::OK, json!({ "routes": routes }))
}

/// `GET /v1/models`, in `OpenAI`'s shape: the routes that can be used.
pub async fn models(State(state): State<HttpState>) -> Response {
    let routes = state.engine().routes().await;
    let usable = routes.iter().filter(|route| route.unavailable.is_none());
    let models: Value = usable.map(|route| model_body(&route.name)).collect();
    reply(StatusCode::OK, json!({ "object": "list", "data": models }))
}

/// `GET /v1/models/{id}`.
pub async fn model(State(state): State<HttpState>, Id(id): Id) -> Answer<Response> {
    usable(&state.engine().routes().await, &id)?;
    Ok(reply(StatusCode::OK, model_body(&id)))
}

/// Refuses a model that is none of `routes`, or one that cannot be used, with `OpenAI`'s words for both.
pub fn usable(routes: &[RouteView], model: &str) -> Answer<()> {
    let detail = match routes
        .iter()
        .find(|route| route.name == model)
        .map(|route| &route.unavailable)
    {
        Some(None) => return Ok(()),
        Some(Some(mend)) => format!("the model `{model}` is not available: {mend}"),
        None => {
            let usable = routes.iter().filter(|route| route.unavailable.is_none());
            let names: Vec<String> = usable.map(|route| format!("`{}`", route.name)).collect();
            format!("no model named `{model}`; use one of {}", names.join(", "))
        }
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
