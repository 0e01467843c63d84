//! Errors on the wire: `Error` to problem+json (RFC 9457), and extractors whose rejections are problems too.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{Error, Fault, UpstreamKind, mend_of_the_disk};
use crate::http::pointer;

/// The longest wait for a request's body.
const BODY_DEADLINE: Duration = Duration::from_mins(1);
/// The longest stretch of an input that an error repeats, in bytes.
const MAX_ECHO: usize = 200;
/// When to come back if nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// One problem, ready to be sent; it also travels in the response's extensions for other shapes of errors.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A word for programs, such as `bad-input`.
    pub kind: &'static str,
    /// What is wrong, and the mend.
    pub detail: String,
    /// Single faults of an input.
    pub faults: Vec<Fault>,
    /// When to come back.
    pub retry_after: Option<Duration>,
    /// The version that is there, where another one was expected.
    pub version: Option<String>,
}

/// What every handler returns.
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem without faults.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: brief(&detail.into()),
            faults: Vec::new(),
            retry_after: None,
            version: None,
        }
    }

    /// The body.
    pub fn to_json(&self) -> Value {
        let mut value = json!({
            "type": format!("urn:portolan:problem:{}", self.kind),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.faults.is_empty() {
            let fault = |fault: &Fault| json!({ "pointer": fault.pointer, "detail": fault.detail });
            value["errors"] = self.faults.iter().map(fault).collect();
        }
        if let Some(version) = &self.version {
            value["version"] = json!(version);
        }
        value
    }

    /// The same problem with another body; status and headers are kept.
    pub fn respond_with(&self, media_type: &'static str, body: &Value) -> Response {
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: coming back too early is refused again.
            headers.insert(
                header::RETRY_AFTER,
                wait.as_millis()
                    .div_ceil(1000)
                    .max(1)
                    .to_string()
                    .parse()
                    .unwrap_or(HeaderValue::from_static("5")),
            );
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"portolan\""),
            );
        }
        response
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let plain = |status, kind| Self::new(status, kind, error.to_string());
        match error {
            Error::BadInput { faults, .. } => Self {
                faults: faults.iter().map(brief_fault).collect(),
                ..plain(StatusCode::BAD_REQUEST, "bad-input")
            },
            Error::NotFound(_) => plain(StatusCode::NOT_FOUND, "not-found"),
            Error::Conflict(_) => plain(StatusCode::CONFLICT, "conflict"),
            Error::Forbidden(_) => plain(StatusCode::FORBIDDEN, "forbidden"),
            Error::Overloaded { retry_after, .. } => Self {
                retry_after: Some(*retry_after),
                ..plain(StatusCode::SERVICE_UNAVAILABLE, "overloaded")
            },
            Error::Unavailable(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Error::Upstream(failure) => {
                let (status, kind) = match failure.kind {
                    UpstreamKind::Unreachable => (StatusCode::SERVICE_UNAVAILABLE, "upstream-unreachable"),
                    UpstreamKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "upstream-timed-out"),
                    UpstreamKind::RateLimited => (StatusCode::SERVICE_UNAVAILABLE, "upstream-rate-limited"),
                    UpstreamKind::Refused => (StatusCode::BAD_GATEWAY, "upstream-refused"),
                    UpstreamKind::Rejected => (StatusCode::BAD_GATEWAY, "upstream-rejected"),
                    UpstreamKind::Failed => (StatusCode::BAD_GATEWAY, "upstream-failed"),
                    UpstreamKind::Cut => (StatusCode::BAD_GATEWAY, "upstream-cut"),
                };
                let wait = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
                Self {
                    retry_after: failure.retry_after.or(wait),
                    ..plain(status, kind)
                }
            }
            // Paths and causes are for the log, not for the caller.
            Error::Storage(cause) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "storage",
                format!(
                    "reading or writing the service's own data failed; {}",
                    mend_of_the_disk(cause).unwrap_or("its log says more under this request's id")
                ),
            ),
            Error::Internal(_) => internal(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::from(&error);
        if problem.status.is_server_error() {
            tracing::error!(%error, kind = problem.kind, "request failed");
        }
        problem
    }
}

impl From<&Arc<Error>> for Problem {
    fn from(error: &Arc<Error>) -> Self {
        Self::from(error.as_ref())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.respond_with("application/problem+json", &self.to_json());
        response.extensions_mut().insert(self);
        response
    }
}

/// The words with what they repeat of the input cut short: it stands in backticks or quotes.
fn brief(detail: &str) -> String {
    let mut short = String::with_capacity(detail.len().min(4 * MAX_ECHO));
    for (at, piece) in detail.split_inclusive(['`', '"']).enumerate() {
        if at > 0 && piece.len() > MAX_ECHO + 1 {
            short.push_str(&piece[..piece.floor_char_boundary(MAX_ECHO)]);
            short.push('…');
            short.push_str(
                piece
                    .get(piece.len() - 1..)
                    .filter(|end| "`\"".contains(end))
                    .unwrap_or_default(),
            );
        } else {
            short.push_str(piece);
        }
    }
    short.truncate(short.floor_char_boundary(10 * MAX_ECHO));
    short
}

fn brief_fault(fault: &Fault) -> Fault {
    let pointer = &fault.pointer[..fault.pointer.floor_char_boundary(2 * MAX_ECHO)];
    Fault {
        pointer: pointer.to_owned(),
        detail: brief(&fault.detail),
    }
}

/// A mistake of ours, without its words.
pub fn internal() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the service made a mistake; its log says more under this request's id",
    )
}

/// The answer where no permit is free.
pub fn overloaded(what: &str) -> Error {
    Error::Overloaded {
        detail: format!("too many {what} at once; try again in a moment"),
        retry_after: Duration::from_secs(1),
    }
}

/// 404 for a path that no route has.
pub fn no_route(path: &str) -> Problem {
    let shown: String = path.chars().take(200).collect();
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-route",
        format!("nothing is at `{shown}`; the service's routes begin with `/v1/`"),
    )
}

/// 405, for a path that has other methods.
pub async fn wrong_method(request: Request) -> Problem {
    let detail = format!(
        "`{}` does not accept {}; the `allow` header lists what it does",
        request.uri().path(),
        request.method()
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
}

/// 413 with the limit.
pub fn too_large(what: &str, limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        format!("{what} is larger than the limit of {limit} bytes; send less at once"),
    )
}

/// 408.
pub fn slow_body() -> Problem {
    let detail = "the body did not arrive in time; send it again";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-body", detail)
}

/// 415 with what is accepted.
pub fn wrong_type(accepted: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "wrong-type",
        format!("this content type is not accepted here; send {accepted}"),
    )
}

/// The largest body, as the router was told; in the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// A JSON body; what is wrong with it is told with a pointer and a line.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        Ok(Self(parse(&json_bytes(request, state).await?)?))
    }
}

/// The bytes of a JSON body.
pub async fn json_bytes<S: Send + Sync>(request: Request, state: &S) -> Answer<Bytes> {
    if !is_json(request.headers()) {
        return Err(wrong_type("`content-type: application/json`"));
    }
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .map_or(usize::MAX, |limit| limit.0);
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    // Nobody has to send it all to hear that it is too much.
    if length.is_some_and(|length: usize| length > limit) {
        return Err(too_large("the body", limit));
    }
    let reading = tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, state));
    match reading.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large("the body", limit)),
        Ok(Err(_)) => Err(Error::bad_input("", "the body could not be read to its end; send it again").into()),
        Err(_) => Err(slow_body()),
    }
}

/// Reads JSON, strictly.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::bad_input("", "the body is empty; send one JSON object"));
    }
    // Leniency towards a list in place of an object would take its items by position.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::bad_input("", "the body is a list; send one JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let (pointer, detail) = pointer::explain(bytes, &error);
        Error::bad_input(&pointer, detail)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The query string.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Err(Error::bad_input(
                    "",
                    format!("the query string is not understood: {}", pointer::plain(&cause)),
                )
                .into())
            }
        }
    }
}

/// What the path names.
#[derive(Debug)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| no_route(parts.uri.path()))?;
        // The last one: before it there may be the name of its collection.
        let last = params.iter().last().map(|(_, id)| Self(id.to_owned()));
        last.ok_or_else(|| no_route(parts.uri.path()))
    }
}

/// JSON with a status; the version of a document is its `ETag`.
pub fn tagged(status: StatusCode, value: &Value) -> Response {
    let mut response = reply(status, value);
    let tag = value["version"].as_str().map(|version| format!("\"{version}\""));
    if let Some(Ok(tag)) = tag.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// JSON with a status.
pub fn reply<T: Serialize>(status: StatusCode, value: T) -> Response {
    let mut response = (status, Json(value)).into_response();
    // What a reader may see changes with the documents and with the reader.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
#[path = "problem_tests.rs"]
mod tests;
