//! `/v1/jobs`: how far indexing is, also as server-sent events, and what is wished of it.

use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::response::sse::Event;
use futures::{Stream, stream};
use indexer::sources::Origin;
use serde_json::{Value, json};

use crate::engine::{Engine, Plan, Wish};
use crate::error::Result;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::respond;
use crate::http::problem::{Answer, Id, reply};

/// How often a stream of events looks how far the job is.
const PULSE: Duration = Duration::from_millis(250);
/// The most names of a plan's list.
const MAX_NAMES: usize = 1_000;

/// `GET /v1/jobs`: the latest, for the operator alone: they tell where documents come from.
pub async fn list(State(state): State<HttpState>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    caller.must_be_operator("list jobs")?;
    Ok(reply(StatusCode::OK, state.engine().jobs().await?))
}

/// `GET /v1/jobs/{id}`: JSON, or events where the caller accepts those.
pub async fn get(state: State<HttpState>, headers: HeaderMap, id: Id) -> Answer<Response> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.contains("text/event-stream")) {
        return events(state, id).await;
    }
    Ok(reply(StatusCode::OK, state.engine().job(&id.0).await?))
}

/// `GET /v1/jobs/{id}/events`: `progress` whenever the job has moved, then `done` with how it ended.
pub async fn events(State(state): State<HttpState>, Id(id): Id) -> Answer<Response> {
    state.engine().job(&id).await?;
    let permit = state.stream_permit()?;
    let followed = Followed {
        state,
        id,
        told: None,
        ended: false,
        count: 0,
        _permit: permit,
    };
    Ok(respond(followed.frames()))
}

/// `POST /v1/jobs/{id}/pause`.
pub async fn pause(State(state): State<HttpState>, caller: Extension<Caller>, id: Id) -> Answer<Response> {
    wish(&state, &caller, &id, Wish::Pause).await
}

/// `POST /v1/jobs/{id}/resume`.
pub async fn resume(State(state): State<HttpState>, caller: Extension<Caller>, id: Id) -> Answer<Response> {
    wish(&state, &caller, &id, Wish::Go).await
}

/// `POST /v1/jobs/{id}/cancel`.
pub async fn cancel(State(state): State<HttpState>, caller: Extension<Caller>, id: Id) -> Answer<Response> {
    wish(&state, &caller, &id, Wish::Stop).await
}

/// For the operator: a job that pauses holds up the jobs of all others.
async fn wish(state: &HttpState, caller: &Caller, id: &Id, wish: Wish) -> Answer<Response> {
    caller.must_be_operator("pause, resume and cancel jobs")?;
    Ok(reply(StatusCode::OK, state.engine().wish(&id.0, wish).await?))
}

/// A job that somebody follows.
struct Followed {
    state: HttpState,
    id: String,
    /// What was told last.
    told: Option<Value>,
    ended: bool,
    count: u64,
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Followed {
    fn frames(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self, |mut followed| async {
            if followed.ended {
                return None;
            }
            let now = followed.moved().await?;
            followed.count += 1;
            followed.ended = has_ended(&now);
            let name = if followed.ended { "done" } else { "progress" };
            let frame = Event::default().id(followed.count.to_string()).event(name);
            let frame = frame.data(now.to_string());
            followed.told = Some(now);
            Some((frame, followed))
        })
    }

    /// The job once it is another than was told; none when it cannot be read any more.
    async fn moved(&self) -> Option<Value> {
        loop {
            let now = self.state.engine().job(&self.id).await.ok()?;
            if self.told.as_ref() != Some(&now) {
                return Some(now);
            }
            tokio::time::sleep(PULSE).await;
        }
    }
}

/// Whether the job does nothing any more.
pub fn has_ended(job: &Value) -> bool {
    job["state"] != "running" && job["state"] != "paused"
}

/// What indexing a source would do; on whose behalf does not matter, since only the operator indexes sources.
pub async fn plan(engine: &std::sync::Arc<Engine>, collection: &str, origin: Origin) -> Result<Value> {
    let plan = engine.plan(collection, origin).await?;
    Ok(planned(collection, &plan))
}

fn planned(collection: &str, plan: &Plan) -> Value {
    let names = |names: &[String]| names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>();
    let moves = plan.moved.iter().take(MAX_NAMES);
    let moves: Value = moves.map(|(from, to)| json!({ "from": from, "to": to })).collect();
    json!({
        "collection": collection,
        "documents": plan.documents,
        "added": plan.added.len(),
        "changed": plan.changed.len(),
        "moved": plan.moved.len(),
        "deleted": plan.deleted.len(),
        "unchanged": plan.unchanged,
        "skipped": plan.skipped,
        "bytes": plan.bytes,
        "chunks": plan.chunks,
        "estimated_ms": plan.time.as_millis() as u64,
        "needs_allow_deletes": plan.needs_allow_deletes,
        "names": {
            "added": names(&plan.added),
            "changed": names(&plan.changed),
            "moved": moves,
            "deleted": names(&plan.deleted),
        },
        "errors": plan.errors.iter().take(MAX_NAMES).collect::<Vec<_>>(),
        "error_count": plan.errors.len(),
    })
}
