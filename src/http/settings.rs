//! `/v1/collections/{name}/settings`: what an operator sets for one collection.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, Id, reply};

/// `GET`: all settings.
pub async fn get(State(state): State<HttpState>, Id(name): Id) -> Answer<Response> {
    Ok(reply(StatusCode::OK, json!(state.engine().settings(&name)?)))
}

/// `PUT`: sets what the body names and answers with all settings; for the operator, since everybody's answers change.
pub async fn put(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(name): Id,
    Body(change): Body<Value>,
) -> Answer<Response> {
    caller.must_be_operator("change settings")?;
    let settings = state.engine().change_settings(&name, change).await?;
    Ok(reply(StatusCode::OK, json!(settings)))
}
