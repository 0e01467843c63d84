//! Documents that are put, replaced and changed, each request once where it has an `Idempotency-Key`.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, FromRequest, Multipart, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::engine::{Change, Put};
use crate::error::{Error, Result};
use crate::http::auth::Caller;
use crate::http::documents::parse_id;
use crate::http::place::Place;
use crate::http::problem::{self, Answer, Id, json_bytes, tagged, too_large, wrong_type};
use crate::http::replay::{self, Key, Print};
use crate::http::wire::{DocumentBody, DocumentsBody, PatchBody};
use crate::http::{HttpState, expected, form, lines};
use crate::types::{DocumentId, Item, Metadata, Patch};

/// The longest name of a document, in bytes.
const MAX_URI_BYTES: usize = 2_048;
/// The most documents of one body that is not read line by line.
pub const MAX_DOCUMENTS: usize = 1_000;
/// How long an answer waits for the end of its job, where that is wished.
pub const WAIT: Duration = Duration::from_secs(30);

/// A status, and the body that goes with it.
pub type Said = (StatusCode, Value);

/// `POST /v1/documents`: as JSON one or several, as JSON lines any number, or as files.
pub async fn post(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    request: Request,
) -> Answer<Response> {
    let key = Key::of(request.headers(), &caller)?;
    let media_type = media_type(request.headers());
    if lines::are_meant(&media_type) {
        return lines::take((state, caller), place, key, request).await;
    }
    let mut print = Print::of(&request);
    let headers = request.headers().clone();
    let mut puts: Vec<(Put, Option<String>)> = if media_type == "multipart/form-data" {
        let _permit = state.upload_permit()?;
        let form = Multipart::from_request(request, &()).await;
        let form = form.map_err(|_| wrong_type("`multipart/form-data` with a boundary"))?;
        let puts = form::read(form, state.settings().body_bytes).await?;
        // Each time the same form is sent its parts are set apart by something else.
        for put in &puts {
            print.add_item(&put.item);
        }
        puts.into_iter().map(|put| (put, None)).collect()
    } else if media_type.contains("json") {
        let bytes = json_bytes(request, &()).await?;
        print.add(&bytes);
        documents(&bytes, state.settings().body_bytes)?
    } else {
        let accepted = "`application/json`, `application/x-ndjson` or `multipart/form-data`";
        return Err(wrong_type(accepted));
    };
    if let [(put, if_version)] = &mut puts[..] {
        put.expected = expected::of(&headers, if_version.as_deref())?;
    } else {
        expected::must_be_untold(&headers)?;
    }
    let puts = puts.into_iter().map(|(put, _)| put).collect();
    let work = put(state.clone(), caller, place, puts);
    replay::once(&state, key, print, work).await
}

/// `PUT /v1/documents/{id}`: in the place of the one that is there.
pub async fn replace(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Id(id): Id,
    request: Request,
) -> Answer<Response> {
    let id = parse_id(&id)?;
    let (key, print, headers, bytes) = read(request, &caller).await?;
    let mut body: DocumentBody = problem::parse(&bytes)?;
    let if_version = body.if_version.take();
    match &body.uri {
        None => {
            let document = state.engine().document(&place.collection, id, &caller.reader());
            body.uri = Some(document.map_err(unnamed)?.uri);
        }
        Some(uri) if DocumentId::of(uri) != id => {
            let detail = format!(
                "the id of `{uri}` is `{}`; put it there, or leave `uri` out",
                DocumentId::of(uri)
            );
            return Err(Error::bad_input("/uri", detail).into());
        }
        Some(_) => {}
    }
    let mut one = Put::from(item(body, "", state.settings().body_bytes)?);
    one.expected = expected::of(&headers, if_version.as_deref())?;
    let work = put(state.clone(), caller, place, vec![one]);
    replay::once(&state, key, print, work).await
}

/// A request about one document: its key, what tells it from others, its headers and its JSON.
async fn read(request: Request, caller: &Caller) -> Answer<(Option<Key>, Print, HeaderMap, Bytes)> {
    let (key, mut print) = (Key::of(request.headers(), caller)?, Print::of(&request));
    let headers = request.headers().clone();
    let bytes = json_bytes(request, &()).await?;
    print.add(&bytes);
    Ok((key, print, headers, bytes))
}

fn unnamed(error: Error) -> Error {
    match error {
        Error::NotFound(detail) => Error::NotFound(format!("{detail}; send its `uri` to make it anew")),
        other => other,
    }
}

/// `PATCH /v1/documents/{id}`: what is known of it changes, its text does not.
pub async fn patch(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    place: Place,
    Id(id): Id,
    request: Request,
) -> Answer<Response> {
    let id = parse_id(&id)?;
    let (key, print, headers, bytes) = read(request, &caller).await?;
    let body: PatchBody = problem::parse(&bytes)?;
    let change = Change {
        document: id,
        expected: expected::of(&headers, body.if_version.as_deref())?,
        patch: change(body)?,
    };
    let engine = state.engine().clone();
    let work = async move {
        let reader = caller.reader();
        let checked = engine.patch_document(&place.collection, change, &reader).await?;
        let version = expected::made(checked)?;
        Ok((StatusCode::OK, json!({ "id": id, "version": version })))
    };
    replay::once(&state, key, print, work).await
}

fn change(body: PatchBody) -> Result<Patch> {
    let PatchBody {
        title,
        metadata,
        principals,
        ..
    } = body;
    if title.is_none() && metadata.is_none() && principals.is_none() {
        let detail = "nothing is to change; send `title`, `metadata` or `principals`";
        return Err(Error::bad_input("", detail));
    }
    let title = title.map(|title| indexer::parse::one_line(&title));
    if title.as_ref().is_some_and(String::is_empty) {
        return Err(Error::bad_input("/title", "the title is empty; send at least one word"));
    }
    Ok(Patch {
        title,
        metadata: metadata.unwrap_or_default(),
        principals,
    })
}

/// Starts the job, and waits for its end where that is wished.
async fn put(state: HttpState, caller: Caller, place: Place, puts: Vec<Put>) -> Answer<Said> {
    let engine = state.engine();
    let foreseen = puts.iter().map(|put| engine.foreseen(&place.collection, &put.item));
    let documents: Vec<Value> = foreseen.map(shown).collect();
    let alone = documents.len() == 1;
    let job = expected::made(engine.put(&place.collection, puts, &caller.reader()).await?)?;
    let mut answer = json!({ "job": job, "documents": documents });
    if alone {
        answer["version"] = documents[0]["version"].clone();
    }
    if !place.wait {
        return Ok((StatusCode::ACCEPTED, answer));
    }
    let (status, result) = ended(&state, &job).await?;
    answer["result"] = result;
    Ok((status, answer))
}

fn shown((id, uri, version): (DocumentId, String, String)) -> Value {
    json!({ "id": id, "uri": uri, "version": version })
}

/// The job once it has ended, or after `WAIT` as it is then.
pub async fn ended(state: &HttpState, job: &str) -> Answer<Said> {
    let result = state.engine().ended(job, WAIT).await?;
    let status = match result["state"].as_str() {
        Some("done") => StatusCode::OK,
        Some("failed" | "cancelled") => {
            let detail = result["errors"]
                .as_array()
                .and_then(|errors| errors.last()?["detail"].as_str());
            let detail = detail.unwrap_or("nobody knows why");
            return Err(Error::Conflict(format!("job `{job}` did not come to its end: {detail}")).into());
        }
        _ => StatusCode::ACCEPTED,
    };
    Ok((status, result))
}

/// The documents of a JSON body, each with the version that it names.
fn documents(bytes: &[u8], limit: usize) -> Answer<Vec<(Put, Option<String>)>> {
    #[derive(Deserialize)]
    struct Several {
        documents: Option<IgnoredAny>,
    }
    let several = serde_json::from_slice::<Several>(bytes).is_ok_and(|body| body.documents.is_some());
    if !several {
        return Ok(vec![one(problem::parse(bytes)?, "", limit)?]);
    }
    let body: DocumentsBody = problem::parse(bytes)?;
    if body.documents.is_empty() {
        return Err(Error::bad_input("/documents", "the list is empty; send at least one document").into());
    }
    if body.documents.len() > MAX_DOCUMENTS {
        let detail = format!(
            "{} documents are listed; at most {MAX_DOCUMENTS} are accepted. Send any number as `application/x-ndjson`, a \
             document a line",
            body.documents.len()
        );
        return Err(Error::bad_input("/documents", detail).into());
    }
    let documents = body.documents.into_iter().enumerate();
    documents
        .map(|(at, body)| one(body, &format!("/documents/{at}"), limit))
        .collect()
}

fn one(mut body: DocumentBody, pointer: &str, limit: usize) -> Answer<(Put, Option<String>)> {
    let if_version = body.if_version.take();
    let mut put = Put::from(item(body, pointer, limit)?);
    if let Some(version) = &if_version {
        put.expected = expected::in_body(version);
    }
    Ok((put, if_version))
}

/// What the indexer reads of a body that stands at `pointer`.
pub fn item(body: DocumentBody, pointer: &str, limit: usize) -> Answer<Item> {
    let Some(uri) = body.uri else {
        let detail = "missing field `uri`, the document's name, such as `handbook/leave.md`";
        return Err(Error::bad_input(&format!("{pointer}/uri"), detail).into());
    };
    check_uri(&uri, &format!("{pointer}/uri"))?;
    if body.text.len() > limit {
        return Err(too_large("the document", limit));
    }
    let mut metadata = body.metadata;
    if let Some(title) = body.title {
        metadata.insert("title".into(), title.into());
    }
    check_facts(&metadata, &body.principals, pointer)?;
    Ok(Item {
        uri,
        media_type: body.media_type,
        bytes: body.text.into_bytes(),
        metadata,
        principals: body.principals,
        modified: None,
    })
}

/// A file that is put under that name.
pub fn file(uri: String, bytes: Vec<u8>) -> Result<Item> {
    check_uri(&uri, "/uri")?;
    Ok(Item {
        uri,
        media_type: None,
        bytes,
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    })
}

/// Refuses facts that are too much.
pub fn check_facts(metadata: &Metadata, principals: &[String], pointer: &str) -> Result<()> {
    indexer::facts::check(metadata, principals)
        .map_err(|fault| Error::bad_input(&format!("{pointer}{}", fault.pointer), fault.detail))
}

/// Refuses what is no name of a document.
pub fn check_uri(uri: &str, pointer: &str) -> Result<()> {
    if uri.trim().is_empty() || uri.len() > MAX_URI_BYTES || uri.chars().any(char::is_control) {
        let detail = format!(
            "a document's name has 1 to {MAX_URI_BYTES} bytes and no control characters, such as `handbook/leave.md`"
        );
        return Err(Error::bad_input(pointer, detail));
    }
    Ok(())
}

/// The media type of a body, without its parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// A status with its body as a response.
pub fn respond((status, body): &Said) -> Response {
    tagged(*status, body)
}
