//! `/v1/documents` and `/v1/index`: what is listed, read and removed; `puts` has what is put.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Engine, Indexing};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::index_body::IndexBody;
use crate::http::place::{self, Named, Place};
use crate::http::problem::{Answer, Body, Id, Params, reply, tagged};
use crate::http::wire::{self, DeleteBody};
use crate::http::{expected, filter, jobs};
use crate::types::{Document, DocumentId, collection_name};

/// The most documents of one page.
const MAX_PAGE: usize = 1_000;
/// How many of the documents that a filter names are shown.
const SAMPLE: usize = 10;

/// The query string of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    collection: Option<String>,
    #[serde(default)]
    offset: usize,
    #[serde(default = "default_page")]
    limit: usize,
}

fn default_page() -> usize {
    100
}

/// `GET /v1/documents`.
pub async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Named(named): Named,
    Params(page): Params<Page>,
) -> Answer<Response> {
    let collection = named.or(page.collection).unwrap_or_else(place::default);
    collection_name(&collection)?;
    if page.limit == 0 || page.limit > MAX_PAGE {
        return Err(Error::bad_input(
            "/limit",
            format!("`limit` is {}; it goes from 1 to {MAX_PAGE}", page.limit),
        )
        .into());
    }
    let (total, cards) = state
        .engine()
        .documents(&collection, &caller.reader(), page.offset, page.limit)?;
    let documents: Value = cards.iter().map(wire::card).collect();
    Ok(reply(StatusCode::OK, json!({ "documents": documents, "total": total })))
}

/// `GET /v1/documents/{id}`.
pub async fn get(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Id(id): Id,
) -> Answer<Response> {
    let document = wire::document(&stored(&state, &caller, &place, &id)?);
    Ok(tagged(StatusCode::OK, &document))
}

/// `GET /v1/documents/{id}/source`.
pub async fn source(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Id(id): Id,
) -> Answer<Response> {
    let source = wire::source(&stored(&state, &caller, &place, &id)?);
    Ok(tagged(StatusCode::OK, &source))
}

fn stored(state: &HttpState, caller: &Caller, place: &Place, id: &str) -> Result<Document> {
    let document = state
        .engine()
        .document(&place.collection, parse_id(id)?, &caller.reader())?;
    match &place.version {
        // A cited range means nothing in another version.
        Some(version) if *version != document.fingerprint => Err(Error::NotFound(format!(
            "document `{id}` has changed since; only its version `{}` is stored",
            document.fingerprint
        ))),
        _ => Ok(document),
    }
}

/// The document's id.
pub fn parse_id(id: &str) -> Result<DocumentId> {
    id.parse()
        .map_err(|_| Error::NotFound("no such document; its id is a UUID, as search results name it".into()))
}

/// `DELETE /v1/documents/{id}`.
pub async fn remove(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Id(id): Id,
    headers: HeaderMap,
) -> Answer<Response> {
    let wanted = (parse_id(&id)?, expected::of(&headers, None)?);
    let engine = state.engine();
    let checked = engine
        .remove_document(&place.collection, wanted, &caller.reader())
        .await?;
    expected::made(checked)?;
    Ok(reply(StatusCode::OK, json!({ "removed": true })))
}

/// `POST /v1/documents/delete`: all that a filter names.
pub async fn remove_matching(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Body(body): Body<DeleteBody>,
) -> Answer<Response> {
    let filter = filter::parse(body.filter.as_ref())?;
    if filter::holds_for_all(&filter) {
        let detail = "a filter is wanted that names some of the documents, such as {\"department\":\"Deck\"}; all of them go \
                      with `DELETE /v1/collections/{name}`";
        return Err(Error::bad_input("/filter", detail).into());
    }
    let (engine, reader) = (state.engine(), caller.reader());
    let documents = if body.dry_run {
        engine.matching(&place.collection, &filter, &reader)?
    } else {
        engine.remove_matching(&place.collection, filter, &reader).await?
    };
    let sample: Value = documents.iter().take(SAMPLE).map(|one| wire::card(one)).collect();
    let answer = json!({ "removed": !body.dry_run, "count": documents.len(), "sample": sample });
    Ok(reply(StatusCode::OK, answer))
}

/// `POST /v1/index`: a source that the service's machine can reach, for its operator alone.
pub async fn index_source(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<IndexBody>,
) -> Answer<Response> {
    caller.must_be_operator("index sources")?;
    collection_name(&body.collection)?;
    let planned = body.plan;
    let answer = index(state.engine(), body).await?;
    let status = if planned { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(reply(status, answer))
}

/// Starts to index a source, or plans it.
pub async fn index(engine: &Arc<Engine>, body: IndexBody) -> Result<Value> {
    let origin = body.origin()?;
    if body.plan {
        return jobs::plan(engine, &body.collection, origin).await;
    }
    let indexing = Indexing {
        origin,
        allow_deletes: body.allow_deletes,
    };
    let job = engine.index(&body.collection, indexing).await?;
    Ok(json!({ "job": job }))
}
