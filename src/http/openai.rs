//! `OpenAI`'s shapes over our routes: `/v1/chat/completions`. A model is a route.
//!
//! The last user message is the question; the earlier ones are its turns, unless `metadata.conversation` names ours.
//! A call that names none is filed in nobody's list.

pub mod ask;
pub mod noted;
pub mod shape;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::response::sse;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Ask, EventStream};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::respond;
use crate::http::openai::ask::{Asked, CallMetadata, begin, begun, no_tools, only_text};
use crate::http::openai::noted::{Annotation, Noted};
use crate::http::openai::shape::error_body;
use crate::http::problem::{Answer, Body, Problem, reply};
use crate::types::{Event, Message, Role, Usage};

/// Body of `POST /v1/chat/completions`; clients send more than we use, so unknown fields pass.
#[derive(Debug, Deserialize)]
pub struct CompletionBody {
    model: Option<String>,
    messages: Vec<CompletionMessage>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u64>,
    response_format: Option<Value>,
    metadata: Option<CallMetadata>,
    tools: Option<Vec<Value>>,
    functions: Option<Vec<Value>>,
    tool_choice: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct CompletionMessage {
    role: String,
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// `POST /v1/chat/completions`.
pub async fn chat_completions(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<CompletionBody>,
) -> Answer<Response> {
    let include_usage = body
        .stream_options
        .as_ref()
        .is_some_and(|options| options.include_usage == Some(true));
    let streams = body.stream == Some(true);
    let writer = Completion::new(body.model.as_deref().unwrap_or_default(), include_usage);
    let events = begin(&state, ask(body, caller)?).await?;
    if streams {
        Ok(event_stream(begun(events).await?, writer))
    } else {
        collect(events, writer).await
    }
}

fn ask(body: CompletionBody, caller: Caller) -> Result<Ask> {
    if body.n.is_some_and(|n| n != 1) {
        return Err(Error::bad_input("/n", "one answer is given; leave `n` out or send 1"));
    }
    for (name, tools) in [("tools", &body.tools), ("functions", &body.functions)] {
        no_tools(name, tools.as_deref(), body.tool_choice.as_ref())?;
    }
    only_text(body.response_format.as_ref(), "/response_format")?;
    let last = body
        .messages
        .iter()
        .enumerate()
        .rev()
        .find(|(_, message)| message.role == "user");
    let Some((at, message)) = last else {
        return Err(Error::bad_input(
            "/messages",
            "there is no message with the role `user`; the last one is the question",
        ));
    };
    let metadata = body.metadata.unwrap_or_default();
    let asked = Asked {
        question: words(message),
        pointer: format!("/messages/{at}/content"),
        history: body.messages[..at].iter().filter_map(turn).collect(),
        model: body.model,
        conversation: metadata.conversation,
        collection: metadata.collection,
    };
    ask::ask(asked, caller)
}

/// The words of a message; parts without words are passed over.
fn words(message: &CompletionMessage) -> String {
    match &message.content {
        None => String::new(),
        Some(Content::Text(text)) => text.clone(),
        Some(Content::Parts(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.text.as_deref()).collect();
            texts.join("\n")
        }
    }
}

/// An earlier turn; the caller's system messages do not outrank our own instructions and are left out.
fn turn(message: &CompletionMessage) -> Option<Message> {
    let role = match message.role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => return None,
    };
    Some(Message {
        role,
        text: words(message),
    })
}

/// Writes an answer as they have it.
struct Completion {
    noted: Noted,
    include_usage: bool,
}

impl Completion {
    fn new(model: &str, include_usage: bool) -> Self {
        Self {
            noted: Noted::new(model),
            include_usage,
        }
    }

    /// The data lines that the event makes.
    fn write(&mut self, event: &Event) -> Vec<String> {
        self.noted.note(event);
        match event {
            Event::Started { .. } => vec![self.chunk(&json!({ "role": "assistant", "content": "" }), None)],
            Event::Text(delta) => vec![self.chunk(&json!({ "content": delta }), None)],
            Event::Done(reason) => {
                let mut lines = vec![self.chunk(&json!({ "annotations": self.annotations() }), Some(reason))];
                if self.include_usage {
                    let mut last = self.frame("chat.completion.chunk", &json!([]));
                    last["usage"] = usage(&self.noted.usage);
                    lines.push(last.to_string());
                }
                lines.push("[DONE]".to_owned());
                lines
            }
            // No `[DONE]`: a client must not take this for a whole answer.
            Event::Failed(error) => vec![error_body(&Problem::from(error)).to_string()],
            _ => Vec::new(),
        }
    }

    fn annotations(&self) -> Value {
        self.noted.annotations.iter().map(annotation).collect()
    }

    fn frame(&self, object: &str, choices: &Value) -> Value {
        let noted = &self.noted;
        json!({
            "id": format!("chatcmpl-{}", noted.run), "object": object, "created": noted.created, "model": noted.model,
            "choices": choices, "metadata": noted.metadata(),
        })
    }

    fn chunk(&self, delta: &Value, reason: Option<&str>) -> String {
        let choice = json!([{ "index": 0, "delta": delta, "finish_reason": reason }]);
        let mut frame = self.frame("chat.completion.chunk", &choice);
        if self.include_usage {
            frame["usage"] = Value::Null;
        }
        frame.to_string()
    }

    fn finish(&self, reason: &str) -> Value {
        let message = json!({
            "role": "assistant", "content": self.noted.text, "refusal": null, "annotations": self.annotations(),
        });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": reason }]);
        let mut value = self.frame("chat.completion", &choices);
        value["usage"] = usage(&self.noted.usage);
        value
    }
}

/// `url_citation` as `OpenAI` has it, counting characters, beside our own citation, counting bytes.
fn annotation(one: &Annotation) -> Value {
    let (start, end) = one.characters;
    let (title, url) = (&one.own["title"], &one.own["uri"]);
    json!({
        "type": "url_citation",
        "url_citation": { "start_index": start, "end_index": end, "title": title, "url": url },
        "portolan": one.own,
    })
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in.saturating_add(usage.tokens_out),
        "prompt_tokens_details": { "cached_tokens": usage.cached },
    })
}

fn event_stream(events: EventStream, mut writer: Completion) -> Response {
    let lines = events.flat_map(move |event| stream::iter(writer.write(&event)));
    respond(lines.map(|line| sse::Event::default().data(line)))
}

async fn collect(mut events: EventStream, mut writer: Completion) -> Answer<Response> {
    while let Some(event) = events.next().await {
        match &event {
            Event::Failed(error) => return Err(Problem::from(error)),
            Event::Done(reason) => return Ok(reply(StatusCode::OK, writer.finish(reason))),
            _ => writer.noted.note(&event),
        }
    }
    Err(Error::Internal("the answer stopped without an end".into()).into())
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;
