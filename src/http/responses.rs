//! `POST /v1/responses`: an answer in the shape of `OpenAI`'s newer interface, as events or whole. A model is a route.

pub mod input;
pub mod writer;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::response::sse;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::EventStream;
use crate::error::{Error, Fault, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::respond;
use crate::http::openai::ask::{self, Asked, CallMetadata, begin, begun, no_tools, only_text};
use crate::http::problem::{Answer, Body, Problem, reply};
use crate::http::responses::writer::Responding;
use crate::types::Event;

/// Before the id of a run, in the id of its response.
pub const PREFIX: &str = "resp_";

/// Body of `POST /v1/responses`; clients send more than we use, so unknown fields pass.
#[derive(Debug, Deserialize)]
pub struct ResponseBody {
    model: Option<String>,
    input: Option<Value>,
    stream: Option<bool>,
    previous_response_id: Option<String>,
    conversation: Option<ConversationName>,
    metadata: Option<CallMetadata>,
    tools: Option<Vec<Value>>,
    tool_choice: Option<Value>,
    text: Option<TextWish>,
    background: Option<bool>,
}

/// A conversation by its id, alone or in an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ConversationName {
    Id(String),
    Object { id: String },
}

#[derive(Debug, Deserialize)]
struct TextWish {
    format: Option<Value>,
}

/// `POST /v1/responses`.
pub async fn responses(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(mut body): Body<ResponseBody>,
) -> Answer<Response> {
    check(&body)?;
    let previous = body.previous_response_id.take();
    let conversation = match (named(&mut body), &previous) {
        (Some(_), Some(_)) => {
            let detail = "the conversation is named twice; send `previous_response_id` or `conversation`, not both";
            return Err(Error::bad_input("/previous_response_id", detail).into());
        }
        (None, Some(id)) => Some(conversation_of(&state, id, &caller).await?),
        (conversation, None) => conversation,
    };
    let input = input::read(body.input.as_ref())?;
    let writer = Responding::new(body.model.as_deref().unwrap_or_default(), previous);
    let asked = Asked {
        question: input.question,
        pointer: input.pointer,
        history: input.history,
        model: body.model,
        conversation,
        collection: body.metadata.and_then(|metadata| metadata.collection),
    };
    let events = begin(&state, ask::ask(asked, caller)?).await?;
    if body.stream == Some(true) {
        Ok(event_stream(begun(events).await?, writer))
    } else {
        collect(events, writer).await
    }
}

fn check(body: &ResponseBody) -> Result<()> {
    no_tools("tools", body.tools.as_deref(), body.tool_choice.as_ref())?;
    let format = body.text.as_ref().and_then(|text| text.format.as_ref());
    only_text(format, "/text/format")?;
    if body.background == Some(true) {
        let detail = "an answer is given while the caller waits; leave `background` out, and use `\"stream\": true` for long ones";
        return Err(Error::bad_input("/background", detail));
    }
    Ok(())
}

/// The conversation that the body names, in either of two places.
fn named(body: &mut ResponseBody) -> Option<String> {
    let own = body.conversation.take().map(|name| match name {
        ConversationName::Id(id) | ConversationName::Object { id } => id,
    });
    let filed = body.metadata.as_mut().and_then(|metadata| metadata.conversation.take());
    own.or(filed)
}

/// The conversation that an earlier response belongs to.
async fn conversation_of(state: &HttpState, response: &str, caller: &Caller) -> Answer<String> {
    let run = response.strip_prefix(PREFIX).unwrap_or(response);
    let found = state.engine().conversation_of_run(run, &caller.owner).await?;
    found.ok_or_else(|| {
        let detail = format!("no response `{response}`; leave `previous_response_id` out to begin a new conversation");
        let fault = Fault {
            pointer: "/previous_response_id".into(),
            detail: detail.clone(),
        };
        Problem {
            faults: vec![fault],
            ..Problem::new(StatusCode::NOT_FOUND, "previous_response_not_found", detail)
        }
    })
}

fn event_stream(events: EventStream, mut writer: Responding) -> Response {
    let frames = events.flat_map(move |event| stream::iter(writer.write(&event)));
    respond(frames.map(|frame| {
        let name = frame["type"].as_str().unwrap_or_default();
        sse::Event::default().event(name).data(frame.to_string())
    }))
}

async fn collect(mut events: EventStream, mut writer: Responding) -> Answer<Response> {
    while let Some(event) = events.next().await {
        match &event {
            Event::Failed(error) => return Err(Problem::from(error)),
            Event::Done(reason) => return Ok(reply(StatusCode::OK, writer.finish(reason))),
            _ => writer.note(&event),
        }
    }
    Err(Error::Internal("the answer stopped without an end".into()).into())
}
