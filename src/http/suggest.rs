//! `GET /v1/suggest`: completions of what is being typed, and the first results for it.

use std::time::Instant;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Params, reply};
use crate::http::{HttpState, found};
use crate::index::suggest::Completion;
use crate::types::{Mode, Options, Query, QueryInput};

/// The most completions, and the most results.
const MAX: usize = 20;
/// Longer beginnings are questions; they are searched for and not completed, in bytes.
const MAX_TYPED: usize = 256;

/// The query string.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typed {
    q: String,
    /// Names with commas between them.
    collection: Option<String>,
    #[serde(default = "limit")]
    limit: usize,
    #[serde(default = "results")]
    results: usize,
}

fn limit() -> usize {
    8
}

fn results() -> usize {
    5
}

/// Completions and results, best first.
pub async fn suggest(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(typed): Params<Typed>,
) -> Answer<Response> {
    let begun = Instant::now();
    for (name, value) in [("limit", typed.limit), ("results", typed.results)] {
        if value > MAX {
            let detail = format!("`{name}` is {value}; it goes from 0 to {MAX}");
            return Err(Error::bad_input(&format!("/{name}"), detail).into());
        }
    }
    let collections = typed.collection.iter().flat_map(|names| names.split(','));
    let input = QueryInput {
        text: typed.q.clone(),
        collections: collections.map(|name| name.trim().to_owned()).collect(),
        mode: Mode::Lexical,
        limit: Some(typed.results.max(1)),
        typing: true,
        options: Options {
            whole: true,
            group_size: Some(1),
            ..Options::default()
        },
        ..QueryInput::default()
    };
    let query = Query::parse(input, caller.reader()).map_err(as_q)?;
    let _permit = state.search_permit()?;
    let mut completions = Vec::new();
    if typed.limit > 0 && typed.q.len() <= MAX_TYPED {
        completions = state.engine().suggest(&typed.q, &query, typed.limit).await?;
    }
    let mut results = Vec::new();
    if typed.results > 0 {
        results = state.engine().search(&query).await?.passages;
    }
    let answer = json!({
        "completions": completions.iter().map(completion).collect::<Vec<_>>(),
        "results": results.iter().map(found::result).collect::<Vec<_>>(),
        "took_ms": begun.elapsed().as_millis() as u64,
    });
    Ok(reply(StatusCode::OK, answer))
}

fn completion(one: &Completion) -> Value {
    json!({ "text": one.text, "kind": one.kind, "documents": one.documents })
}

/// The query's faults under this route's name for it.
fn as_q(mut error: Error) -> Error {
    if let Error::BadInput { faults, .. } = &mut error {
        for fault in faults.iter_mut().filter(|fault| fault.pointer == "/query") {
            fault.pointer = "/q".into();
        }
    }
    error
}
