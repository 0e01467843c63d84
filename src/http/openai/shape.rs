//! Problems in the shape of `OpenAI`'s errors, on the paths that its clients call.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::problem::Problem;

/// Their paths; what lies below one is its own.
const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/models", "/v1/responses"];

/// Gives every problem on the paths of `OpenAI` the shape of its errors, whichever layer it came from.
pub async fn reshape(request: Request, next: Next) -> Response {
    let is_theirs = is_theirs(request.uri().path());
    let mut response = next.run(request).await;
    if !is_theirs {
        return response;
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let mut reshaped = problem.respond_with("application/json", &error_body(&problem));
    // What a 405 allows stands in a header of the first answer.
    for (name, value) in response.headers() {
        if name != axum::http::header::CONTENT_LENGTH && !reshaped.headers().contains_key(name) {
            reshaped.headers_mut().insert(name.clone(), value.clone());
        }
    }
    reshaped
}

fn is_theirs(path: &str) -> bool {
    let below = |own: &&str| {
        path.strip_prefix(own)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    PATHS.iter().any(below)
}

/// One problem as they have it.
pub fn error_body(problem: &Problem) -> Value {
    let kind = match problem.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    // `/messages/0/content` is `messages.0.content` there.
    let pointer = problem
        .faults
        .first()
        .map(|fault| fault.pointer.trim_start_matches('/').replace('/', "."));
    let parameter = pointer.filter(|pointer| !pointer.is_empty());
    json!({ "error": { "message": problem.detail, "type": kind, "param": parameter, "code": problem.kind } })
}
