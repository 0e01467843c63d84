//! What the tools of `/mcp` are called, what they say of themselves, and the arguments that they take.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Result;
use crate::http::problem;
use crate::http::wire::OneOrMany;

/// Passages of a search that names no number.
const FOUND: usize = 8;
/// Bytes of a document that are read at once.
pub const PART: usize = 50_000;

/// Arguments of `search`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchArguments {
    pub query: String,
    pub collection: Option<OneOrMany>,
    pub filter: Option<Value>,
    #[serde(default = "found")]
    pub limit: usize,
}

fn found() -> usize {
    FOUND
}

/// Arguments of `fetch`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchArguments {
    pub id: String,
    #[serde(default)]
    pub offset: usize,
}

/// Arguments of `ask`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskArguments {
    pub question: String,
    pub collection: Option<OneOrMany>,
    pub filter: Option<Value>,
    pub route: Option<String>,
    pub conversation: Option<String>,
}

/// Reads arguments; what is wrong with them is told with its place.
pub fn read<T: DeserializeOwned>(arguments: &Value) -> Result<T> {
    problem::parse(arguments.to_string().as_bytes())
}

/// All tools.
pub fn tools() -> Vec<Tool> {
    vec![search(), fetch(), ask()]
}

fn search() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "query": { "type": "string", "description": "Words or a question; \"phrases\", -exclusions and field:value work." },
            "collection": collection(),
            "filter": filter(),
            "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": FOUND, "description": "How many passages." },
        },
        "required": ["query"],
        "additionalProperties": false,
    });
    let words = "Find passages of the documents, best first. Each has the text, the title and the address of its document, and \
                 an `id` for `fetch`.";
    tool("search", words, schema, "Search the documents").with_annotations(ToolAnnotations::new().read_only(true))
}

fn fetch() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "description": "The `id` of a result of `search`." },
            "offset": { "type": "integer", "minimum": 0, "default": 0, "description": "Where to begin, in bytes: `next_offset` of the part before." },
        },
        "required": ["id"],
        "additionalProperties": false,
    });
    let words = "Read a whole document that `search` found. A long one comes in parts; `next_offset` tells where the next begins.";
    tool("fetch", words, schema, "Read a document").with_annotations(ToolAnnotations::new().read_only(true))
}

fn ask() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "question": { "type": "string", "description": "A question in plain words." },
            "collection": collection(),
            "filter": filter(),
            "route": { "type": "string", "description": "Which model answers; the default one when left out." },
            "conversation": { "type": "string", "description": "`conversation` of an earlier answer, to go on with it." },
        },
        "required": ["question"],
        "additionalProperties": false,
    });
    let words = "Answer a question from the documents alone. The answer has marks such as [1], each with a quote that was checked \
                 against its document; `verdict` says whether the documents answer it.";
    // It keeps the conversation, so it does not only read.
    let annotations = ToolAnnotations::new().read_only(false).destructive(false);
    tool("ask", words, schema, "Ask the documents").with_annotations(annotations)
}

fn collection() -> Value {
    json!({
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        "description": "Where to look: one collection or several; `default` when left out.",
    })
}

fn filter() -> Value {
    json!({ "type": "object", "description": "A condition on metadata, such as {\"department\": \"People\"}." })
}

fn tool(name: &'static str, words: &'static str, schema: Value, title: &'static str) -> Tool {
    let schema = match schema {
        Value::Object(schema) => schema,
        _ => serde_json::Map::new(),
    };
    Tool::new(name, words, Arc::new(schema)).with_title(title)
}
