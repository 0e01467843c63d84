//! The web pages: web/dist inside the binary, and a plain page where it was not built.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::problem::no_route;

#[derive(RustEmbed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Assets;

const POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Shown when the binary was made without the pages.
const NO_PAGES: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Portolan</title>\
<h1>Portolan is running</h1><p>This binary was built without the web pages. <code>make run</code> builds them; \
the interface is under <code>/v1</code>, for example <code>POST /v1/search</code> with \
<code>{\"query\": \"words\"}</code>.</p></html>";

/// Shown to a person who typed a wrong address.
const NO_PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not found - Portolan</title>\
<h1>Nothing is here</h1><p>Portolan's page is at <a href=\"/\">the start</a>.</p></html>";

/// Every path that no route has: the page at `/`, a file of it, or 404.
pub async fn asset(request: Request) -> Response {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return no_route(path).into_response();
    }
    let name = if path == "/" {
        "index.html"
    } else {
        path.trim_start_matches('/')
    };
    let mut response = match Assets::get(name) {
        Some(file) => return send(&request, name, file),
        None if path == "/" => Html(NO_PAGES).into_response(),
        None if is_service(path) || !wants_page(request.headers()) => return no_route(path).into_response(),
        None => (StatusCode::NOT_FOUND, Html(NO_PAGE)).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_service(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Browsers name HTML when a person goes somewhere; programs and scripts do not.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn send(request: &Request, name: &str, file: EmbeddedFile) -> Response {
    use std::fmt::Write;
    let mut tag = "\"".to_owned();
    for byte in &file.metadata.sha256_hash()[..16] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    // The names below assets/ hold a hash of the content.
    let caching = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.into_owned().into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(media_type) = HeaderValue::from_str(&media_type(file.metadata.mimetype())) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn media_type(guessed: &str) -> String {
    if guessed.starts_with("text/") {
        format!("{guessed}; charset=utf-8")
    } else {
        guessed.to_owned()
    }
}
