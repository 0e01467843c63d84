//! `POST /v1/chat`: an answer as server-sent events, or whole with `stream: false`; `GET /v1/chat/{run}` goes on with one.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde_json::json;

use crate::engine::{Ask, EventStream};
use crate::error::{Error, Result};
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, Id, reply};
use crate::http::wire::{ChatBody, Collected, EventWriter, Format};
use crate::http::{HttpState, message_stream};
use crate::types::Event;

/// Proxies close what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Answers a message.
pub async fn chat(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<ChatBody>,
) -> Answer<Response> {
    let topic = body.topic()?;
    let permit = state.stream_permit()?;
    let expand = body.expansion()?;
    let ask = Ask {
        message: topic.message,
        conversation: body.conversation,
        history: Vec::new(),
        collections: topic.collections,
        filter: topic.filter,
        expand,
        route: body.route,
        reader: caller.reader(),
        owner: caller.owner,
        resumable: body.resumable,
    };
    let events = whole(state.engine().answer_in(ask, permit).await?);
    match (body.stream, body.format) {
        (true, Format::Events) => Ok(event_stream(events, 0)),
        (true, Format::UiMessageStream) => Ok(message_stream::respond_with(events)),
        (false, _) => collect(events).await,
    }
}

/// Goes on with a run after the event whose id is in `Last-Event-ID`, or from its first.
pub async fn follow(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(run): Id,
    headers: HeaderMap,
) -> Answer<Response> {
    let after = last_event_id(&headers)?;
    let recording = state.engine().run(&run, &caller.owner)?;
    let (count, ended) = recording.length();
    if after > count {
        let detail = format!("the run has {count} events so far; `Last-Event-ID` is that of the last one you received");
        return Err(Error::bad_input("", detail).into());
    }
    if ended && after == count {
        // By the standard, who gets this does not come again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let permit = state.stream_permit()?;
    let events = whole(recording.follow()).inspect(move |_| {
        let _held = &permit;
    });
    Ok(event_stream(events.boxed(), after))
}

/// Ends a run; what there is of its answer is kept as incomplete.
pub async fn stop(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Id(run): Id,
) -> Answer<Response> {
    let recording = state.engine().run(&run, &caller.owner)?;
    let (_, ended) = recording.length();
    recording.stop();
    Ok(reply(StatusCode::OK, json!({ "stopped": !ended })))
}

fn last_event_id(headers: &HeaderMap) -> Result<usize> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(0);
    };
    let id = id.to_str().ok().and_then(|id| id.trim().parse().ok());
    id.ok_or_else(|| Error::bad_input("", "`Last-Event-ID` is no id of an event; they are 1, 2, 3 and so on"))
}

/// The events up to `Done` or `Failed`; a stream that just stops has failed.
pub fn whole(events: EventStream) -> EventStream {
    let events = stream::unfold(Some(events), |state| async {
        let mut events = state?;
        let event = events.next().await.unwrap_or_else(|| {
            tracing::error!("the engine's events stopped without an end");
            Event::Failed(Arc::new(Error::Internal("the answer stopped without an end".into())))
        });
        let ends = matches!(event, Event::Done(_) | Event::Failed(_));
        Some((event, (!ends).then_some(events)))
    });
    events.boxed()
}

/// The events after the first `after`.
fn event_stream(events: EventStream, after: usize) -> Response {
    let mut writer = EventWriter::default();
    let mut id = 0;
    let frames = events.map(move |event| {
        let (name, data) = writer.write(&event);
        id += 1;
        sse::Event::default()
            .id(id.to_string())
            .event(name)
            .data(data.to_string())
    });
    respond(frames.skip(after))
}

/// Server-sent events with the headers that keep proxies from holding or packing them.
pub fn respond(frames: impl Stream<Item = sse::Event> + Send + 'static) -> Response {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive");
    let mut response = Sse::new(frames.map(Ok::<_, Infallible>))
        .keep_alive(keep_alive)
        .into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

async fn collect(mut events: EventStream) -> Answer<Response> {
    let mut collected = Collected::default();
    while let Some(event) = events.next().await {
        collected.add(&event)?;
    }
    Ok(reply(StatusCode::OK, collected.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn send(events: Vec<Event>) -> Response {
        event_stream(whole(stream::iter(events).boxed()), 0)
    }

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    #[tokio::test]
    async fn frames_are_numbered_and_proxies_are_told_to_pass_them_on() {
        let response = send(vec![Event::Text("a\nb".into()), Event::Done("stop".into())]);
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(headers[header::CACHE_CONTROL], "no-cache, no-transform");
        assert_eq!(headers["x-accel-buffering"], "no");
        let expected = "id: 1\nevent: text\ndata: {\"delta\":\"a\\nb\"}\n\nid: 2\nevent: done\ndata: {\"finish_reason\":\"stop\"}\n\n";
        assert_eq!(text(response).await, expected);
    }

    #[tokio::test]
    async fn a_stream_that_just_stops_has_failed() {
        let response = send(vec![Event::Text("half".into())]);
        let text = text(response).await;
        assert!(text.contains("id: 2\nevent: failed\n"), "{text}");
        assert!(text.contains("urn:portolan:problem:internal"), "{text}");
    }

    #[tokio::test]
    async fn nothing_follows_the_end() {
        let response = send(vec![Event::Done("stop".into()), Event::Text("late".into())]);
        assert!(!text(response).await.contains("late"));
    }
}
