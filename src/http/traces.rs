//! `/v1/traces`: how answers came about, and their evidence made again; `/v1/messages/{id}/feedback`: what readers think.

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::engine::trace::{Changes, Viewer, Wanted};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, Id, Params, reply};
use crate::store::Feedback;

/// Traces of a list that names no number, and the most of one.
const LISTED: usize = 50;
const MAX_LISTED: usize = 200;
/// The longest comment.
const MAX_COMMENT_BYTES: usize = 4 * 1024;
/// What the ids of `OpenAI`'s shapes have before the run.
const PREFIXES: [&str; 2] = ["chatcmpl-", crate::http::responses::PREFIX];

/// What a reader thinks of an answer.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    /// It helped.
    Up,
    /// It did not.
    Down,
}

impl Rating {
    fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The query string of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    #[serde(default = "listed")]
    limit: usize,
    rating: Option<Rating>,
}

fn listed() -> usize {
    LISTED
}

/// Body of a replay: what is to be other than it was.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayBody {
    route: Option<String>,
    mode: Option<String>,
    decline_below: Option<f32>,
}

/// Body of a golden question: what the answer should have come from.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenBody {
    document: Option<String>,
    quote: Option<String>,
}

impl GoldenBody {
    /// As the engine takes it.
    pub fn wanted(self) -> Wanted {
        Wanted {
            document: self.document,
            quote: self.quote,
        }
    }
}

/// Body of a feedback; without a rating what was thought before is taken back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackBody {
    rating: Option<Rating>,
    comment: Option<String>,
}

impl Page {
    /// The checked number.
    fn limit(&self) -> Result<usize> {
        if (1..=MAX_LISTED).contains(&self.limit) {
            return Ok(self.limit);
        }
        let detail = format!("`limit` is {}; it goes from 1 to {MAX_LISTED}", self.limit);
        Err(Error::bad_input("/limit", detail))
    }
}

impl ReplayBody {
    /// Checks it.
    pub fn changes(self) -> Result<Changes> {
        if self.decline_below.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Error::bad_input(
                "/decline_below",
                "`decline_below` goes from 0.0 to 1.0",
            ));
        }
        Ok(Changes {
            route: self.route,
            mode: self.mode.as_deref().map(str::parse).transpose()?,
            decline_below: self.decline_below,
        })
    }
}

impl FeedbackBody {
    fn given(self) -> Result<Option<Feedback>> {
        let comment = self
            .comment
            .map(|words| words.trim().to_owned())
            .filter(|words| !words.is_empty());
        if comment.as_ref().is_some_and(|words| words.len() > MAX_COMMENT_BYTES) {
            let detail = format!("the comment is longer than {MAX_COMMENT_BYTES} bytes; shorten it");
            return Err(Error::bad_input("/comment", detail));
        }
        match (self.rating, comment) {
            (Some(rating), comment) => Ok(Some(Feedback {
                rating: rating.as_str().to_owned(),
                comment,
            })),
            (None, Some(_)) => Err(Error::bad_input(
                "/rating",
                "a comment needs a `rating` beside it: `up` or `down`",
            )),
            (None, None) => Ok(None),
        }
    }
}

fn viewer(caller: Caller) -> Viewer {
    Viewer {
        reader: caller.reader(),
        owner: caller.owner,
    }
}

/// The run of an id, which may be that of a completion or a response.
fn run(id: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(id)
}

/// `GET /v1/traces`.
pub async fn list(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Params(page): Params<Page>,
) -> Answer<Response> {
    let limit = page.limit()?;
    let rating = page.rating.map(Rating::as_str);
    let traces = state.engine().traces(&viewer(caller), rating, limit).await?;
    Ok(reply(StatusCode::OK, traces))
}

/// `GET /v1/traces/{run}`.
pub async fn get(State(state): State<HttpState>, Extension(caller): Extension<Caller>, Id(id): Id) -> Answer<Response> {
    let trace = state.engine().trace(run(&id), &viewer(caller)).await?;
    Ok(reply(StatusCode::OK, trace))
}

/// `POST /v1/traces/{run}/replay`.
pub async fn replay(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Body(body): Body<ReplayBody>,
) -> Answer<Response> {
    let changes = body.changes()?;
    let _permit = state.search_permit()?;
    let replayed = state.engine().replay_trace(run(&id), &changes, &viewer(caller)).await?;
    Ok(reply(StatusCode::OK, replayed))
}

/// `POST /v1/traces/{run}/golden`.
pub async fn golden(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Body(body): Body<GoldenBody>,
) -> Answer<Response> {
    let line = state.engine().golden(run(&id), &body.wanted(), &viewer(caller)).await?;
    Ok(reply(StatusCode::OK, line))
}

/// `POST /v1/messages/{id}/feedback`.
pub async fn feedback(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(message): Id,
    Body(body): Body<FeedbackBody>,
) -> Answer<Response> {
    let given = body.given()?;
    let said = given
        .as_ref()
        .map(|given| json!({ "rating": given.rating, "comment": given.comment }));
    state.engine().rate(&message, &caller.owner, given).await?;
    Ok(reply(StatusCode::OK, json!({ "message": message, "feedback": said })))
}
