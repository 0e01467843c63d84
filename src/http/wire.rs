//! The shapes of the JSON interface, both ways. Passages have theirs in `engine::record`, since answers store them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{RouteView, record};
use crate::error::{Error, Result};
use crate::http::filter;
use crate::http::problem::{self, Problem};
use crate::types::{
    Citation, Document, DocumentCard, Event, Expansion, Filter, MAX_QUERY_BYTES, Metadata, Passage, Usage, Verdict,
    collection_name,
};

/// A string or a list of strings.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Many.
    Many(Vec<String>),
}

/// Body of `POST /v1/chat`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatBody {
    message: String,
    /// The conversation that goes on.
    pub conversation: Option<String>,
    collection: Option<OneOrMany>,
    filter: Option<Value>,
    /// The route's name.
    pub route: Option<String>,
    expand: Option<String>,
    /// Whether events are sent as they happen.
    #[serde(default = "yes")]
    pub stream: bool,
    /// Whether the answer goes on for a while when the connection breaks.
    #[serde(default)]
    pub resumable: bool,
    /// How events are sent.
    #[serde(default)]
    pub format: Format,
}

/// How the events of a chat are sent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// As our own events.
    #[default]
    Events,
    /// As the AI SDK reads them.
    UiMessageStream,
}

fn yes() -> bool {
    true
}

/// What a chat is about, checked.
#[derive(Debug, PartialEq)]
pub struct Topic {
    /// The question.
    pub message: String,
    /// At least one collection.
    pub collections: Vec<String>,
    /// The condition.
    pub filter: Filter,
}

impl ChatBody {
    /// What a model is to write for the search.
    pub fn expansion(&self) -> Result<Option<Expansion>> {
        self.expand.as_deref().map(str::parse).transpose()
    }

    /// Checks message, collections, filter and format.
    pub fn topic(&self) -> Result<Topic> {
        if self.format == Format::UiMessageStream && !self.stream {
            let detail = "`ui-message-stream` is a stream; leave `stream` out or send `true`";
            return Err(Error::bad_input("/format", detail));
        }
        topic(&self.message, self.collection.clone(), self.filter.as_ref(), "/message")
    }
}

/// Checks what a chat is about; `pointer` is where the message stands.
pub fn topic(message: &str, collection: Option<OneOrMany>, condition: Option<&Value>, pointer: &str) -> Result<Topic> {
    if message.chars().all(|c| c.is_whitespace() || c.is_control()) {
        return Err(Error::bad_input(
            pointer,
            "the message is empty; send at least one word",
        ));
    }
    if message.len() > MAX_QUERY_BYTES {
        let detail = format!(
            "the message has {} bytes; at most {MAX_QUERY_BYTES} are accepted",
            message.len()
        );
        return Err(Error::bad_input(pointer, detail));
    }
    Ok(Topic {
        message: message.to_owned(),
        collections: names(collection)?,
        filter: filter::parse(condition)?,
    })
}

/// Collection names, checked, each once; `default` when none is given.
pub fn names(collection: Option<OneOrMany>) -> Result<Vec<String>> {
    let given = match collection {
        None => vec!["default".to_owned()],
        Some(OneOrMany::One(name)) => vec![name],
        Some(OneOrMany::Many(names)) if names.is_empty() => {
            return Err(Error::bad_input(
                "/collection",
                "the list is empty; name a collection or leave it out",
            ));
        }
        Some(OneOrMany::Many(names)) if names.len() > 32 => {
            return Err(Error::bad_input(
                "/collection",
                format!("{} collections are named; at most 32 are accepted", names.len()),
            ));
        }
        Some(OneOrMany::Many(names)) => names,
    };
    let mut checked: Vec<String> = Vec::with_capacity(given.len());
    for name in given {
        collection_name(&name)?;
        if !checked.contains(&name) {
            checked.push(name);
        }
    }
    Ok(checked)
}

/// JSON body of `POST /v1/documents`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentBody {
    /// Name within the collection; may be left out where the path names the document.
    pub uri: Option<String>,
    /// The content.
    pub text: String,
    /// Title, where the text has none.
    pub title: Option<String>,
    /// Media type of the text.
    pub media_type: Option<String>,
    /// Facts.
    #[serde(default)]
    pub metadata: Metadata,
    /// Who may read it.
    #[serde(default)]
    pub principals: Vec<String>,
    /// The version that it replaces; `none` where there must be none yet.
    pub if_version: Option<String>,
}

/// JSON body of `POST /v1/documents` with several of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsBody {
    /// The documents.
    pub documents: Vec<DocumentBody>,
}

/// JSON body of `PATCH /v1/documents/{id}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchBody {
    /// Another title.
    pub title: Option<String>,
    /// Facts by their names; null takes one away.
    pub metadata: Option<Metadata>,
    /// Who may read it.
    pub principals: Option<Vec<String>>,
    /// The version that is changed.
    pub if_version: Option<String>,
}

/// JSON body of `POST /v1/documents/delete`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteBody {
    /// Which documents.
    pub filter: Option<Value>,
    /// Tell what would be deleted, and delete nothing.
    #[serde(default)]
    pub dry_run: bool,
}

fn passages(list: &[Passage]) -> Value {
    list.iter().map(record::passage).collect()
}

/// A document without its text.
pub fn card(card: &DocumentCard) -> Value {
    json!({ "id": card.id, "uri": card.uri, "title": card.title, "version": card.version, "metadata": card.metadata })
}

/// A document's facts; its text is at `/source`.
pub fn document(document: &Document) -> Value {
    json!({
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "version": document.fingerprint,
        "metadata": document.metadata,
        "headings": document.headings,
        "bytes": document.text.len(),
    })
}

/// A document with its text, as the source pane shows it.
pub fn source(document: &Document) -> Value {
    json!({
        "id": document.id,
        "uri": document.uri,
        "title": document.title,
        "version": document.fingerprint,
        "text": document.text,
        "headings": document.headings,
        "metadata": document.metadata,
    })
}

/// A route with its targets.
pub fn route(route: &RouteView) -> Value {
    let target = |target: &crate::engine::TargetView| json!({ "provider": target.provider, "model": target.model, "window": target.window });
    let mut value = json!({
        "name": route.name,
        "description": route.description,
        "kind": route.kind,
        "default": route.default,
        "available": route.unavailable.is_none(),
        "targets": route.targets.iter().map(target).collect::<Vec<_>>(),
    });
    if let Some(reason) = &route.unavailable {
        value["reason"] = json!(reason);
    }
    value
}

/// Writes events; keeps the sources, since a citation names the title of its own.
#[derive(Debug, Default)]
pub struct EventWriter {
    sources: Vec<Passage>,
}

impl EventWriter {
    /// The event's name and data.
    pub fn write(&mut self, event: &Event) -> (&'static str, Value) {
        match event {
            Event::Started {
                run,
                conversation,
                message,
                route,
                reason,
                question,
                degraded,
            } => {
                let mut data = json!({
                    "run": run, "conversation": conversation, "message": message,
                    "route": route, "reason": reason, "question": question,
                });
                if !degraded.is_empty() {
                    data["degraded"] = json!(degraded);
                }
                ("started", data)
            }
            Event::Sources(context) => {
                self.sources.clone_from(&context.passages);
                ("sources", record::context(context))
            }
            Event::Text(delta) => ("text", json!({ "delta": delta })),
            Event::Citation(citation) => ("citation", self.citation(citation)),
            Event::Verdict(verdict) => ("verdict", self::verdict(verdict)),
            Event::Usage(usage, first_text) => ("usage", self::usage(usage, *first_text)),
            Event::Done(reason) => ("done", json!({ "finish_reason": reason })),
            Event::Failed(error) => (
                "failed",
                json!({ "problem": Problem::from(error).to_json(), "retry": retry(error) }),
            ),
        }
    }

    /// The source of a citation, when the sources were sent.
    pub fn source(&self, number: usize) -> Option<&Passage> {
        number.checked_sub(1).and_then(|at| self.sources.get(at))
    }

    fn citation(&self, citation: &Citation) -> Value {
        let source = self.source(citation.number);
        let mut value = json!({
            "number": citation.number,
            "answer_range": [citation.answer_range.start, citation.answer_range.end],
            "document": citation.document,
            "version": citation.version,
            "source_range": [citation.source_range.start, citation.source_range.end],
            // An unchecked quote is not shown.
            "quote": if citation.checked { citation.quote.as_str() } else { "" },
            "checked": citation.checked,
            "title": source.map(|passage| passage.document.title.as_str()),
            "uri": source.map(|passage| passage.document.uri.as_str()),
            "collection": source.map(|passage| passage.collection.as_str()),
        });
        if let Some(pages) = source.and_then(|passage| passage.chunk.pages.as_ref()) {
            value["pages"] = json!(pages.of(&citation.source_range));
        }
        value
    }
}

fn verdict(verdict: &Verdict) -> Value {
    json!({
        "verdict": verdict.outcome.as_str(),
        "missing": verdict.missing,
        "nearest": passages(&verdict.nearest),
        "sentences": record::sentences(&verdict.sentences),
        "conflicts": record::conflicts(&verdict.conflicts),
    })
}

fn usage(usage: &Usage, first_text: Option<u64>) -> Value {
    // Kept as decimal text; on the wire it is a number for people to look at.
    let cost = usage.cost_usd.as_deref().and_then(|cost| cost.parse::<f64>().ok());
    json!({
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "cached": usage.cached,
        "estimated": usage.estimated,
        "cost_usd": cost.filter(|cost| cost.is_finite()),
        "time_to_first_token_ms": first_text,
        "attempts": usage.attempts,
        "model": usage.model,
    })
}

/// Whether asking the same again may help.
fn retry(error: &Error) -> bool {
    match error {
        Error::Upstream(failure) => failure.kind.is_transient(),
        Error::Overloaded { .. } => true,
        _ => false,
    }
}

/// All events of one answer as one object; a failure is the answer's failure.
#[derive(Debug, Default)]
pub struct Collected {
    writer: EventWriter,
    value: serde_json::Map<String, Value>,
    text: String,
    citations: Vec<Value>,
}

impl Collected {
    /// Takes one more event.
    pub fn add(&mut self, event: &Event) -> problem::Answer<()> {
        let (name, mut data) = self.writer.write(event);
        match event {
            Event::Failed(error) => return Err(Problem::from(error)),
            Event::Text(delta) => self.text.push_str(delta),
            Event::Citation(_) => self.citations.push(data),
            Event::Sources(_) => {
                self.value.insert("sources".into(), data["passages"].take());
                for name in ["left_out", "ledger"] {
                    self.value.insert(name.into(), data[name].take());
                }
            }
            Event::Verdict(_) | Event::Usage(..) => drop(self.value.insert(name.into(), data)),
            Event::Started { .. } | Event::Done(_) => {
                if let Value::Object(fields) = data {
                    self.value.extend(fields);
                }
            }
        }
        Ok(())
    }

    /// The object.
    pub fn finish(mut self) -> Value {
        self.value.insert("text".into(), json!(self.text));
        self.value.insert("citations".into(), Value::Array(self.citations));
        Value::Object(self.value)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
