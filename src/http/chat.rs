//! `POST /v1/chat`: an answer as server-sent events, or whole with `stream: false`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};

use crate::engine::{Ask, EventStream};
use crate::error::Error;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, reply};
use crate::http::wire::{ChatBody, Collected, EventWriter};
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
    };
    let events = whole(state.engine().answer_in(ask, permit).await?);
    if body.stream {
        Ok(event_stream(events))
    } else {
        collect(events).await
    }
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

fn event_stream(events: EventStream) -> Response {
    let mut writer = EventWriter::default();
    let mut id = 0_u64;
    let frames = events.map(move |event| {
        let (name, data) = writer.write(&event);
        id += 1;
        sse::Event::default()
            .id(id.to_string())
            .event(name)
            .data(data.to_string())
    });
    respond(frames)
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
        event_stream(whole(stream::iter(events).boxed()))
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
