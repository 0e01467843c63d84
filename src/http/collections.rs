//! `/v1/collections`: what can be searched, and how the operator lets go of it.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::engine::CollectionView;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Id, reply};

/// `GET /v1/collections`.
pub async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    let collections: Value = state.engine().collections(&caller.reader())?.iter().map(view).collect();
    Ok(reply(StatusCode::OK, json!({ "collections": collections })))
}

/// A collection; the command line prints the same.
pub fn view(one: &CollectionView) -> Value {
    let mut value =
        json!({ "name": one.name, "documents": one.documents, "chunks": one.chunks, "available": one.available });
    if let Some(reason) = &one.reason {
        value["reason"] = json!(reason);
    }
    value
}

/// `DELETE /v1/collections/{name}`: all that is in it and was cited of it; for the operator.
pub async fn remove(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(name): Id,
) -> Answer<Response> {
    caller.must_be_operator("delete a collection")?;
    state.engine().delete_collection(&name).await?;
    Ok(reply(StatusCode::OK, json!({ "removed": true })))
}
