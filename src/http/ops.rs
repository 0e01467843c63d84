//! What operators look at: probes, metrics, request ids and the log line of every request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::Instrument;
use uuid::Uuid;

use crate::error::Error;
use crate::http::HttpState;
use crate::http::problem::{Answer, Problem, reply};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// `GET /healthz`: the process is there.
pub async fn alive() -> Response {
    reply(StatusCode::OK, json!({ "status": "alive" }))
}

/// `GET /readyz`: requests can be served.
pub async fn ready(State(state): State<HttpState>) -> Answer<Response> {
    if !state.engine().ready() {
        let detail = "the service is stopping; try again in a moment".to_owned();
        let retry_after = std::time::Duration::from_secs(1);
        return Err(Problem::from(&Error::Overloaded { detail, retry_after }));
    }
    Ok(reply(StatusCode::OK, json!({ "status": "ready" })))
}

/// `GET /metrics`: Prometheus text.
pub async fn metrics(State(state): State<HttpState>) -> Answer<Response> {
    let Some(metrics) = &state.settings().metrics else {
        return Err(Error::NotFound("this service records no metrics".into()).into());
    };
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], metrics()).into_response())
}

/// Around every request: an id, a span, a duration, one log line and the headers that every response has.
pub async fn observe(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = method_label(request.method());
    // The template, never the path: ids would make a new series each.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request_id = %id, method, route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let took = begun.elapsed();
    metrics::histogram!(
        "http_server_request_duration_seconds",
        "method" => method, "route" => route, "status" => status.as_u16().to_string()
    )
    .record(took.as_secs_f64());
    span.in_scope(|| tracing::info!(status = status.as_u16(), took_ms = took.as_millis() as u64, "answered"));
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The caller's id, when it can stand in a log line as it is.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=64).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given
        .filter(is_plain)
        .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned)
}

/// Anyone may invent a method; the labels stay few.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
