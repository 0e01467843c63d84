//! An answer as the UI message stream of the AI SDK, version 1: what its `useChat` reads without any glue on its server.

use std::collections::BTreeSet;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use axum::response::sse;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::engine::EventStream;
use crate::http::chat::respond;
use crate::http::wire::EventWriter;
use crate::types::Event;

/// Tells the AI SDK which protocol this is.
const VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-vercel-ai-ui-message-stream"),
    HeaderValue::from_static("v1"),
);
/// The one text of an answer.
const TEXT: &str = "text";

/// The events as parts of a UI message.
pub fn respond_with(events: EventStream) -> Response {
    let mut writer = PartWriter::default();
    let lines = events.flat_map(move |event| stream::iter(writer.write(&event)));
    let mut response = respond(lines.map(|line| sse::Event::default().data(line)));
    let (name, value) = VERSION;
    response.headers_mut().insert(name, value);
    response
}

/// Writes events as parts.
#[derive(Default)]
struct PartWriter {
    writer: EventWriter,
    has_text: bool,
    /// Numbers of the passages that were cited so far.
    cited: BTreeSet<u64>,
}

impl PartWriter {
    /// The data lines that the event makes.
    fn write(&mut self, event: &Event) -> Vec<String> {
        let (name, data) = self.writer.write(event);
        let parts = match event {
            Event::Started { .. } => vec![
                json!({ "type": "start", "messageId": data["message"], "messageMetadata": data }),
                json!({ "type": "start-step" }),
            ],
            Event::Text(delta) => self.text(delta),
            Event::Citation(_) => self.cite(&data),
            // Again under its id, a part is replaced: there is one of each.
            Event::Sources(_) | Event::Verdict(_) | Event::Usage(..) => vec![named(name, &data)],
            Event::Done(reason) => {
                let mut lines = lines(&self.end(reason));
                lines.push("[DONE]".to_owned());
                return lines;
            }
            // No `finish`: what is there must not be taken for a whole answer.
            Event::Failed(_) => {
                let words = data["problem"]["detail"].clone();
                vec![named(name, &data), json!({ "type": "error", "errorText": words })]
            }
        };
        lines(&parts)
    }

    fn text(&mut self, delta: &str) -> Vec<Value> {
        let more = json!({ "type": "text-delta", "id": TEXT, "delta": delta });
        if std::mem::replace(&mut self.has_text, true) {
            return vec![more];
        }
        vec![json!({ "type": "text-start", "id": TEXT }), more]
    }

    /// Our citation, and before the first one of a passage its document as a source of the message.
    fn cite(&mut self, citation: &Value) -> Vec<Value> {
        let number = citation["number"].as_u64().unwrap_or_default();
        let mut parts = Vec::new();
        if self.cited.insert(number) {
            parts.push(json!({
                "type": "source-document", "sourceId": number.to_string(), "mediaType": "text/plain",
                "title": citation["title"].as_str().unwrap_or_default(),
                "filename": citation["uri"].as_str().unwrap_or_default(),
            }));
        }
        parts.push(json!({ "type": "data-citation", "data": citation }));
        parts
    }

    fn end(&self, reason: &str) -> Vec<Value> {
        let mut parts = Vec::new();
        if self.has_text {
            parts.push(json!({ "type": "text-end", "id": TEXT }));
        }
        parts.push(json!({ "type": "finish-step" }));
        // The same three reasons, in its words.
        parts.push(json!({ "type": "finish", "finishReason": reason.replace('_', "-") }));
        parts
    }
}

fn named(name: &str, data: &Value) -> Value {
    json!({ "type": format!("data-{name}"), "id": name, "data": data })
}

fn lines(parts: &[Value]) -> Vec<String> {
    parts.iter().map(ToString::to_string).collect()
}
