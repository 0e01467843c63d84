//! `POST /v1/chat`: an answer as server-sent events, or whole with `stream: false`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

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
    let ask = Ask {
        message: topic.message,
        conversation: body.conversation,
        collections: topic.collections,
        filter: topic.filter,
        route: body.route,
        reader: caller.reader(),
        owner: caller.owner,
    };
    let events = whole(state.engine().answer(ask).await?, permit);
    if body.stream {
        Ok(event_stream(events))
    } else {
        collect(events).await
    }
}

/// The events up to `Done` or `Failed`; a stream that just stops has failed. The permit is held until the end.
pub fn whole(events: EventStream, permit: OwnedSemaphorePermit) -> EventStream {
    let events = stream::unfold(Some((events, permit)), |state| async {
        let (mut events, permit) = state?;
        let event = events.next().await.unwrap_or_else(|| {
            tracing::error!("the engine's events stopped without an end");
            Event::Failed(Arc::new(Error::Internal("the answer stopped without an end".into())))
        });
        let ends = matches!(event, Event::Done(_) | Event::Failed(_));
        Some((event, (!ends).then_some((events, permit))))
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
