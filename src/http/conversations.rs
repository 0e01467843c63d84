//! `/v1/conversations`: the caller's own, listed, read and removed.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::error::Error;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Id, reply};

/// `GET /v1/conversations`.
pub async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    Ok(reply(
        StatusCode::OK,
        state.engine().conversations(&caller.owner).await?,
    ))
}

/// `GET /v1/conversations/{id}`.
pub async fn get(State(state): State<HttpState>, Extension(caller): Extension<Caller>, Id(id): Id) -> Answer<Response> {
    Ok(reply(
        StatusCode::OK,
        state.engine().conversation(&id, &caller.owner).await?,
    ))
}

/// `DELETE /v1/conversations/{id}`.
pub async fn remove(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Answer<Response> {
    if !state.engine().remove_conversation(&id, &caller.owner).await? {
        return Err(Error::NotFound("no such conversation; `GET /v1/conversations` lists them".into()).into());
    }
    Ok(reply(StatusCode::OK, json!({ "removed": true })))
}
