//! `POST /v1/search`.

use std::time::Instant;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, reply};
use crate::http::search_body::SearchBody;
use crate::http::{HttpState, found};

/// Searches and answers with the passages, best first.
pub async fn search(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<SearchBody>,
) -> Answer<Response> {
    let begun = Instant::now();
    let explain = body.explain;
    let query = body.query(caller.reader())?;
    let _permit = state.search_permit()?;
    let found = state.engine().search(&query).await?;
    let took_ms = begun.elapsed().as_millis() as u64;
    Ok(reply(StatusCode::OK, found::found(&found, explain, took_ms)))
}
