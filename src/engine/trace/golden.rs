//! An answer that did not help becomes a question whose answer is known: a line of golden.jsonl.

use serde_json::{Value, json};

use super::replay::kept_without_words;
use super::views::Viewer;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::types::DocumentId;

/// What the answer should have come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The name of the document; none where no document answers the question.
    pub document: Option<String>,
    /// Its words.
    pub quote: Option<String>,
}

impl Engine {
    /// The question of a run as a line of golden.jsonl, for `portolan eval` and `portolan tune`. It stands alone, as it was
    /// searched for. A document that is not there, and a quote that it does not hold, are refused.
    pub async fn golden(&self, run: &str, wanted: &Wanted, viewer: &Viewer) -> Result<Value> {
        let row = self.trace_row(run, viewer).await?;
        let asked = &row.trace.record["asked"];
        let question = asked["question"].as_str().ok_or_else(kept_without_words)?;
        let mut line =
            json!({ "id": run, "question": question, "answerable": wanted.document.is_some(), "kind": "feedback" });
        let Some(uri) = &wanted.document else {
            return match wanted.quote {
                Some(_) => Err(Error::bad_input(
                    "/quote",
                    "a quote needs the `document` that it stands in",
                )),
                None => Ok(line),
            };
        };
        let collections = asked["collections"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let id = DocumentId::of(uri);
        let found = collections
            .into_iter()
            .find_map(|name| self.document(name, id, &viewer.reader).ok());
        let Some(document) = found else {
            let detail =
                format!("no document is named `{uri}` where the question was asked; `GET /v1/documents` lists them");
            return Err(Error::bad_input("/document", detail));
        };
        line["document"] = json!(uri);
        if let Some(quote) = &wanted.quote {
            if quote.trim().is_empty() {
                let detail = "`quote` is empty; copy the words of the document that answer, or leave it out";
                return Err(Error::bad_input("/quote", detail));
            }
            if !document.text.contains(quote.as_str()) {
                let detail = format!("`{uri}` does not hold these words letter by letter; copy them from its source");
                return Err(Error::bad_input("/quote", detail));
            }
            line["quote"] = json!(quote);
        }
        Ok(line)
    }
}
