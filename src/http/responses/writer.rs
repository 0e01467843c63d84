//! Events as those of `OpenAI`'s responses. Each one is numbered, and the last one repeats the whole response.

use serde_json::{Value, json};

use crate::http::openai::noted::{Annotation, Noted};
use crate::http::problem::Problem;
use crate::http::responses::PREFIX;
use crate::types::{Event, Usage};

/// A response that is being written.
pub struct Responding {
    noted: Noted,
    previous: Option<String>,
    sequence: u64,
}

impl Responding {
    /// A response by `model` to what followed the response `previous`.
    pub fn new(model: &str, previous: Option<String>) -> Self {
        Self {
            noted: Noted::new(model),
            previous,
            sequence: 0,
        }
    }

    /// Remembers what the event says.
    pub fn note(&mut self, event: &Event) {
        self.noted.note(event);
    }

    /// The whole response, which ended for `reason`.
    pub fn finish(&self, reason: &str) -> Value {
        let incomplete = match reason {
            "length" => Some("max_output_tokens"),
            "content_filter" => Some("content_filter"),
            _ => None,
        };
        let status = if incomplete.is_some() {
            "incomplete"
        } else {
            "completed"
        };
        let mut response = self.response(status);
        response["output"] = json!([self.item(status)]);
        response["usage"] = usage(&self.noted.usage);
        if let Some(reason) = incomplete {
            response["incomplete_details"] = json!({ "reason": reason });
        }
        response
    }

    /// The frames that the event makes.
    pub fn write(&mut self, event: &Event) -> Vec<Value> {
        self.note(event);
        let mut frames = match event {
            Event::Started { .. } => self.open(),
            Event::Text(delta) => {
                vec![self.part("response.output_text.delta", json!({ "delta": delta, "logprobs": [] }))]
            }
            Event::Citation(_) => self.cite().into_iter().collect(),
            Event::Done(reason) => self.close(reason),
            Event::Failed(error) => vec![self.fail(&Problem::from(error))],
            Event::Sources(_) | Event::Verdict(_) | Event::Usage(..) => Vec::new(),
        };
        for frame in &mut frames {
            frame["sequence_number"] = json!(self.sequence);
            self.sequence += 1;
        }
        frames
    }

    fn open(&self) -> Vec<Value> {
        let response = self.response("in_progress");
        let item = json!({
            "id": self.item_id(), "type": "message", "role": "assistant", "status": "in_progress", "content": [],
        });
        let empty = json!({ "type": "output_text", "text": "", "annotations": [], "logprobs": [] });
        vec![
            json!({ "type": "response.created", "response": response }),
            json!({ "type": "response.in_progress", "response": response }),
            json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
            self.part("response.content_part.added", json!({ "part": empty })),
        ]
    }

    fn cite(&self) -> Option<Value> {
        let last = self.noted.annotations.len().checked_sub(1)?;
        let annotation = annotation(&self.noted.annotations[last]);
        let fields = json!({ "annotation_index": last, "annotation": annotation });
        Some(self.part("response.output_text.annotation.added", fields))
    }

    fn close(&self, reason: &str) -> Vec<Value> {
        let response = self.finish(reason);
        let status = response["status"].as_str().unwrap_or_default();
        let (item, text) = (&response["output"][0], &self.noted.text);
        vec![
            self.part("response.output_text.done", json!({ "text": text, "logprobs": [] })),
            self.part("response.content_part.done", json!({ "part": item["content"][0] })),
            json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
            json!({ "type": format!("response.{status}"), "response": response }),
        ]
    }

    /// What came before stays, and the response has failed.
    fn fail(&self, problem: &Problem) -> Value {
        let mut response = self.response("failed");
        response["output"] = json!([self.item("incomplete")]);
        response["usage"] = usage(&self.noted.usage);
        response["error"] = json!({ "code": "server_error", "message": problem.detail, "type": problem.kind });
        json!({ "type": "response.failed", "response": response })
    }

    /// An event about the one part of the one message.
    fn part(&self, kind: &str, fields: Value) -> Value {
        let mut frame = fields;
        frame["type"] = json!(kind);
        frame["item_id"] = json!(self.item_id());
        frame["output_index"] = json!(0);
        frame["content_index"] = json!(0);
        frame
    }

    fn item_id(&self) -> String {
        format!("msg_{}", self.noted.message)
    }

    fn item(&self, status: &str) -> Value {
        let annotations: Value = self.noted.annotations.iter().map(annotation).collect();
        let text = json!({
            "type": "output_text", "text": self.noted.text, "annotations": annotations, "logprobs": [],
        });
        json!({ "id": self.item_id(), "type": "message", "role": "assistant", "status": status, "content": [text] })
    }

    /// The response without its output. Fields that mean nothing here have the values of a call that left them out.
    fn response(&self, status: &str) -> Value {
        let noted = &self.noted;
        let metadata = noted.metadata();
        json!({
            "id": format!("{PREFIX}{}", noted.run),
            "object": "response",
            "created_at": noted.created,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "max_output_tokens": null,
            "model": noted.model,
            "output": [],
            "parallel_tool_calls": false,
            "previous_response_id": self.previous,
            "conversation": { "id": metadata["conversation"] },
            "reasoning": { "effort": null, "summary": null },
            "store": true,
            "temperature": null,
            "text": { "format": { "type": "text" } },
            "tool_choice": "none",
            "tools": [],
            "top_p": null,
            "truncation": "disabled",
            "usage": null,
            "user": null,
            "metadata": metadata,
        })
    }
}

/// `url_citation` counts characters; our own citation beside it counts bytes.
fn annotation(one: &Annotation) -> Value {
    let (start, end) = one.characters;
    json!({
        "type": "url_citation", "start_index": start, "end_index": end,
        "title": one.own["title"], "url": one.own["uri"], "portolan": one.own,
    })
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.tokens_in,
        "input_tokens_details": { "cached_tokens": usage.cached, "cache_write_tokens": 0 },
        "output_tokens": usage.tokens_out,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": usage.tokens_in.saturating_add(usage.tokens_out),
    })
}
