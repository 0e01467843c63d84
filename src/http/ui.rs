//! The web pages: web/dist inside the binary, and a plain page where it was not built.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
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

/// Every path that no route has: a file, the page itself, or 404.
pub async fn asset(request: Request) -> Response {
    let path = request.uri().path();
    let is_page = !is_service(path);
    if !is_page || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return no_route(path).into_response();
    }
    let name = path.trim_start_matches('/');
    if !name.is_empty()
        && let Some(file) = Assets::get(name)
    {
        return send(&request, name, file);
    }
    // The page has its own addresses, such as `/chat/ID`; files have a dot in their name.
    let last = name.rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        return no_route(path).into_response();
    }
    let mut response = match Assets::get("index.html") {
        Some(file) => send(&request, "index.html", file),
        None if name.is_empty() => Html(NO_PAGES).into_response(),
        None => return no_route(path).into_response(),
    };
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn is_service(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
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
