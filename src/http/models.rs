//! `/v1/routes` and `/v1/collections`: what can answer and what can be searched.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, reply};
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
