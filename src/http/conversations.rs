//! `/v1/conversations`: the caller's own, listed, read and removed.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Id, Params, reply};

/// The most conversations of one list, and how many there are when nothing else is said.
const MAX_LIMIT: usize = 200;

/// The query string of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default = "most")]
    limit: usize,
}

fn most() -> usize {
    MAX_LIMIT
}

/// `GET /v1/conversations`.
pub async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(page): Params<Page>,
) -> Answer<Response> {
    if !(1..=MAX_LIMIT).contains(&page.limit) {
        let detail = format!("`limit` is {}; it goes from 1 to {MAX_LIMIT}", page.limit);
        return Err(Error::bad_input("/limit", detail).into());
    }
    let conversations = state.engine().conversations(&caller.owner, page.limit).await?;
    Ok(reply(StatusCode::OK, conversations))
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
