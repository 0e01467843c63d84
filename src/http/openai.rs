//! `OpenAI`'s shapes over our routes: `/v1/chat/completions`. A model is a route.
//!
//! The last user message is the question; the earlier ones are its turns, unless `metadata.conversation` names ours.
//! A call that names none is filed in nobody's list.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Extension, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::response::sse;
use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{self, Ask, EventStream};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::{respond, whole};
use crate::http::models;
use crate::http::problem::{Answer, Body, Problem, reply};
use crate::http::wire::{self, EventWriter, OneOrMany};
use crate::types::{Citation, Event, Message, Role, Usage};

/// Body of `POST /v1/chat/completions`; clients send more than we use, so unknown fields pass.
#[derive(Debug, Deserialize)]
pub struct CompletionBody {
    model: Option<String>,
    messages: Vec<CompletionMessage>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<u64>,
    metadata: Option<CompletionMetadata>,
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

#[derive(Debug, Deserialize)]
struct CompletionMetadata {
    conversation: Option<String>,
    collection: Option<OneOrMany>,
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
    let owner = caller.owner.clone();
    let ask = ask(body, caller)?;
    if let Some(model) = ask.route.as_deref().filter(|model| *model != "auto") {
        // As declared: whether its server answers shows in a moment, with the reason. Who errs hears what answers now.
        if models::usable(&state.engine().declared_routes(), model).is_err() {
            models::usable(&state.engine().routes().await, model)?;
        }
    }
    let permit = state.stream_permit()?;
    if let Some(conversation) = &ask.conversation {
        state.engine().file_conversation(conversation, &owner).await?;
    }
    let events = whole(state.engine().answer_in(ask, permit).await?);
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
    let text = words(message);
    let history = body.messages[..at].iter().filter_map(turn).collect();
    let (conversation, collection) = body
        .metadata
        .map_or((None, None), |metadata| (metadata.conversation, metadata.collection));
    let topic = wire::topic(&text, collection, None, &format!("/messages/{at}/content"))?;
    let reader = caller.reader();
    let owner = match conversation {
        Some(_) => caller.owner,
        None => engine::unfiled(&caller.owner),
    };
    Ok(Ask {
        message: topic.message,
        conversation,
        history,
        collections: topic.collections,
        filter: topic.filter,
        // The names that stand for whatever route is the default.
        route: body
            .model
            .filter(|model| !matches!(model.as_str(), "" | "default" | "portolan")),
        expand: None,
        reader,
        owner,
        resumable: false,
    })
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

/// What is known of the answer while it is written.
struct Completion {
    id: String,
    conversation: String,
    model: String,
    created: u64,
    include_usage: bool,
    sources: EventWriter,
    text: String,
    annotations: Vec<Value>,
    usage: Usage,
}

impl Completion {
    fn new(model: &str, include_usage: bool) -> Self {
        Self {
            id: String::new(),
            conversation: String::new(),
            model: model.to_owned(),
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            include_usage,
            sources: EventWriter::default(),
            text: String::new(),
            annotations: Vec::new(),
            usage: Usage::default(),
        }
    }

    /// The data lines that the event makes.
    fn write(&mut self, event: &Event) -> Vec<String> {
        match event {
            Event::Started { .. } => {
                self.note(event);
                vec![self.chunk(&json!({ "role": "assistant", "content": "" }), None)]
            }
            Event::Text(delta) => {
                self.note(event);
                vec![self.chunk(&json!({ "content": delta }), None)]
            }
            Event::Done(reason) => {
                let mut lines = vec![self.chunk(&json!({ "annotations": self.annotations }), Some(reason))];
                if self.include_usage {
                    let mut last = self.frame("chat.completion.chunk", &json!([]));
                    last["usage"] = usage(&self.usage);
                    lines.push(last.to_string());
                }
                lines.push("[DONE]".to_owned());
                lines
            }
            // No `[DONE]`: a client must not take this for a whole answer.
            Event::Failed(error) => vec![error_body(&Problem::from(error)).to_string()],
            _ => {
                self.note(event);
                Vec::new()
            }
        }
    }

    /// Remembers what the event says.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Started {
                run,
                conversation,
                route,
                ..
            } => {
                self.id = format!("chatcmpl-{run}");
                self.conversation.clone_from(conversation);
                self.model.clone_from(route);
            }
            Event::Sources(_) => drop(self.sources.write(event)),
            Event::Text(delta) => self.text.push_str(delta),
            Event::Citation(citation) => self.annotate(citation),
            Event::Usage(usage, _) => self.usage = usage.clone(),
            _ => {}
        }
    }

    /// `url_citation` as `OpenAI` has it, counting characters, beside our own citation, counting bytes.
    fn annotate(&mut self, citation: &Citation) {
        let (_, own) = self.sources.write(&Event::Citation(citation.clone()));
        let characters = |end: usize| self.text.get(..end).map_or(0, |text| text.chars().count());
        self.annotations.push(json!({
            "type": "url_citation",
            "url_citation": {
                "start_index": characters(citation.answer_range.start),
                "end_index": characters(citation.answer_range.end),
                "title": own["title"],
                "url": own["uri"],
            },
            "portolan": own,
        }));
    }

    fn frame(&self, object: &str, choices: &Value) -> Value {
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model,
            "choices": choices, "metadata": { "conversation": self.conversation },
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
        let message =
            json!({ "role": "assistant", "content": self.text, "refusal": null, "annotations": self.annotations });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": reason }]);
        let mut value = self.frame("chat.completion", &choices);
        value["usage"] = usage(&self.usage);
        value
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.tokens_in,
        "completion_tokens": usage.tokens_out,
        "total_tokens": usage.tokens_in.saturating_add(usage.tokens_out),
        "prompt_tokens_details": { "cached_tokens": usage.cached },
    })
}

/// The events again, once there is a word or the end: what fails before that has a status of its own.
async fn begun(mut events: EventStream) -> Answer<EventStream> {
    let mut first = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Failed(error) = &event {
            return Err(Problem::from(error));
        }
        let begins = matches!(event, Event::Text(_) | Event::Done(_));
        first.push(event);
        if begins {
            break;
        }
    }
    Ok(stream::iter(first).chain(events).boxed())
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
            _ => writer.note(&event),
        }
    }
    Err(Error::Internal("the answer stopped without an end".into()).into())
}

/// Gives every problem on the paths of `OpenAI` the shape of its errors, whichever layer it came from.
pub async fn reshape(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = path != "/v1/chat/completions" && path != "/v1/models" && !path.starts_with("/v1/models/");
    let mut response = next.run(request).await;
    if is_ours {
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

fn error_body(problem: &Problem) -> Value {
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

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;
