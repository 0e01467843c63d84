//! What is known of an answer while it is written, for those shapes of `OpenAI` that repeat all of it at the end.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::wire::EventWriter;
use crate::types::{Citation, Event, Usage};

/// An answer so far.
pub struct Noted {
    /// Id of the run; empty until it exists.
    pub run: String,
    /// Id of the answer's message.
    pub message: String,
    /// The route that answers; before that the model that was asked for.
    pub model: String,
    /// Seconds since 1970.
    pub created: u64,
    /// The text, with marks.
    pub text: String,
    /// The citations, in order.
    pub annotations: Vec<Annotation>,
    /// Tokens.
    pub usage: Usage,
    conversation: String,
    verdict: Option<&'static str>,
    sources: EventWriter,
}

/// A citation, with the place of its words.
pub struct Annotation {
    /// First character, and the one after the last.
    pub characters: (usize, usize),
    /// As `/v1/chat` has it, with its ranges in bytes.
    pub own: Value,
}

impl Noted {
    /// Nothing yet of an answer by `model`.
    pub fn new(model: &str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            run: String::new(),
            message: String::new(),
            model: model.to_owned(),
            created: since.map_or(0, |since| since.as_secs()),
            text: String::new(),
            annotations: Vec::new(),
            usage: Usage::default(),
            conversation: String::new(),
            verdict: None,
            sources: EventWriter::default(),
        }
    }

    /// Remembers what the event says.
    pub fn note(&mut self, event: &Event) {
        match event {
            Event::Started {
                run,
                conversation,
                message,
                route,
                ..
            } => {
                self.run.clone_from(run);
                self.conversation.clone_from(conversation);
                self.message.clone_from(message);
                self.model.clone_from(route);
            }
            Event::Sources(_) => drop(self.sources.write(event)),
            Event::Text(delta) => self.text.push_str(delta),
            Event::Citation(citation) => self.annotate(citation),
            Event::Verdict(verdict) => self.verdict = Some(verdict.outcome.as_str()),
            Event::Usage(usage, _) => self.usage = usage.clone(),
            Event::Done(_) | Event::Failed(_) => {}
        }
    }

    fn annotate(&mut self, citation: &Citation) {
        let (_, own) = self.sources.write(&Event::Citation(citation.clone()));
        let characters = |end: usize| self.text.get(..end).map_or(0, |text| text.chars().count());
        let range = &citation.answer_range;
        self.annotations.push(Annotation {
            characters: (characters(range.start), characters(range.end)),
            own,
        });
    }

    /// By what the conversation goes on, and whether the documents answered: text alone, as `OpenAI` has it.
    pub fn metadata(&self) -> Value {
        let mut value = json!({ "conversation": self.conversation });
        if let Some(verdict) = self.verdict {
            value["verdict"] = json!(verdict);
        }
        value
    }
}
