//! `/v1/documents` and `/v1/index`: what is searched, put, listed, read and removed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{Extension, FromRequest, Multipart, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Engine, Indexing};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::jobs;
use crate::http::problem::{Answer, Body, Id, Params, Problem, reply, slow_body, too_large, wrong_type};
use crate::http::wire::{self, DocumentBody, IndexBody};
use crate::types::{Document, DocumentId, Item, Metadata, collection_name};

/// The longest name of a document, in bytes.
const MAX_URI_BYTES: usize = 2_048;
/// The most documents of one page.
const MAX_PAGE: usize = 1_000;
/// The most files of one upload.
const MAX_FILES: usize = 1_000;
/// How long an upload may take.
const UPLOAD_DEADLINE: Duration = Duration::from_mins(10);

/// The query string of all of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    #[serde(default = "default_collection")]
    collection: String,
    version: Option<String>,
}

/// The query string of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default = "default_collection")]
    collection: String,
    #[serde(default)]
    offset: usize,
    #[serde(default = "default_page")]
    limit: usize,
}

fn default_collection() -> String {
    "default".to_owned()
}

fn default_page() -> usize {
    100
}

/// `GET /v1/documents`.
pub async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(page): Params<Page>,
) -> Answer<Response> {
    collection_name(&page.collection)?;
    if page.limit == 0 || page.limit > MAX_PAGE {
        return Err(Error::bad_input(
            "/limit",
            format!("`limit` is {}; it goes from 1 to {MAX_PAGE}", page.limit),
        )
        .into());
    }
    let (total, cards) = state
        .engine()
        .documents(&page.collection, &caller.reader(), page.offset, page.limit)?;
    let documents: Value = cards.iter().map(wire::card).collect();
    Ok(reply(StatusCode::OK, json!({ "documents": documents, "total": total })))
}

/// `GET /v1/documents/{id}`.
pub async fn get(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(place): Params<Place>,
    Id(id): Id,
) -> Answer<Response> {
    Ok(reply(
        StatusCode::OK,
        wire::document(&stored(&state, &caller, &place, &id)?),
    ))
}

/// `GET /v1/documents/{id}/source`.
pub async fn source(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(place): Params<Place>,
    Id(id): Id,
) -> Answer<Response> {
    Ok(reply(
        StatusCode::OK,
        wire::source(&stored(&state, &caller, &place, &id)?),
    ))
}

fn stored(state: &HttpState, caller: &Caller, place: &Place, id: &str) -> Result<Document> {
    collection_name(&place.collection)?;
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

fn parse_id(id: &str) -> Result<DocumentId> {
    id.parse()
        .map_err(|_| Error::NotFound("no such document; its id is a UUID, as search results name it".into()))
}

/// `DELETE /v1/documents/{id}`.
pub async fn remove(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(place): Params<Place>,
    Id(id): Id,
) -> Answer<Response> {
    collection_name(&place.collection)?;
    let id = parse_id(&id)?;
    state
        .engine()
        .remove_document(&place.collection, id, &caller.reader())
        .await?;
    Ok(reply(StatusCode::OK, json!({ "removed": true })))
}

/// `POST /v1/documents`: one as JSON, or files.
pub async fn put(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(place): Params<Place>,
    request: Request,
) -> Answer<Response> {
    collection_name(&place.collection)?;
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default().to_ascii_lowercase();
    let limit = state.settings().body_bytes;
    let items = if media_type.starts_with("multipart/form-data") {
        let _permit = state.upload_permit()?;
        let form = Multipart::from_request(request, &()).await;
        let form = form.map_err(|_| wrong_type("`multipart/form-data` with a boundary"))?;
        let files = tokio::time::timeout(UPLOAD_DEADLINE, files(form, limit)).await;
        files.map_err(|_| slow_body())??
    } else if media_type.contains("json") {
        let Body(body) = Body::<DocumentBody>::from_request(request, &()).await?;
        if body.text.len() > limit {
            return Err(too_large("the document", limit));
        }
        vec![item(body)?]
    } else {
        return Err(wrong_type("`application/json` or `multipart/form-data`"));
    };
    let job = state.engine().put(&place.collection, items, &caller.reader()).await?;
    Ok(reply(StatusCode::ACCEPTED, json!({ "job": job })))
}

/// A file that is put under that name.
pub fn file(uri: String, media_type: Option<String>, bytes: Vec<u8>) -> Result<Item> {
    check_uri(&uri, "/uri")?;
    Ok(Item {
        uri,
        media_type,
        bytes,
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    })
}

fn item(body: DocumentBody) -> Result<Item> {
    check_uri(&body.uri, "/uri")?;
    let mut metadata = body.metadata;
    if let Some(title) = body.title {
        metadata.insert("title".into(), title.into());
    }
    indexer::facts::check(&metadata, &body.principals)
        .map_err(|fault| Error::bad_input(&fault.pointer, fault.detail))?;
    Ok(Item {
        uri: body.uri,
        media_type: body.media_type,
        bytes: body.text.into_bytes(),
        metadata,
        principals: body.principals,
        modified: None,
    })
}

fn check_uri(uri: &str, pointer: &str) -> Result<()> {
    if uri.trim().is_empty() || uri.len() > MAX_URI_BYTES || uri.chars().any(char::is_control) {
        let detail = format!(
            "a document's name has 1 to {MAX_URI_BYTES} bytes and no control characters, such as `handbook/leave.md`"
        );
        return Err(Error::bad_input(pointer, detail));
    }
    Ok(())
}

async fn files(mut form: Multipart, limit: usize) -> Answer<Vec<Item>> {
    let mut items = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error, limit))? {
        let pointer = format!("/{}", items.len());
        if items.len() == MAX_FILES {
            return Err(Error::bad_input(
                &pointer,
                format!("one upload has at most {MAX_FILES} files; send the rest in another"),
            )
            .into());
        }
        let Some(uri) = field.file_name().map(ToOwned::to_owned) else {
            return Err(Error::bad_input(&pointer, "this part has no file name; send files only").into());
        };
        check_uri(&uri, &pointer)?;
        items.push(Item {
            uri,
            media_type: field.content_type().map(ToOwned::to_owned),
            bytes: content(field, limit).await?,
            metadata: Metadata::new(),
            principals: Vec::new(),
            modified: None,
        });
    }
    if items.is_empty() {
        return Err(Error::bad_input("", "the upload has no files; send at least one").into());
    }
    Ok(items)
}

/// Reads one file, and stops reading at the limit.
async fn content(mut field: Field<'_>, limit: usize) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = field.chunk().await.map_err(|error| broken(&error, limit))? {
        if bytes.len() + part.len() > limit {
            return Err(too_large("a file", limit));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn broken(error: &MultipartError, limit: usize) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large(
            "the upload as a whole",
            limit.saturating_mul(super::FILES_OF_LARGEST_SIZE),
        );
    }
    Error::bad_input("", "the upload is broken or ends too early; send it again").into()
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
