//! Traces as they are shown, and what readers think of answers. Who may no longer read a document sees nothing of it.

use serde_json::{Value, json};

use super::not_found;
use crate::engine::{Engine, unfiled};
use crate::error::{Error, Result};
use crate::store::{Feedback, PASSAGE_WORDS, TraceList, TraceRow};
use crate::types::Reader;

/// On whose behalf traces are read.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Whose answers.
    pub owner: String,
    /// What he may read; who may read everything sees the traces of all.
    pub reader: Reader,
}

impl Engine {
    /// The latest traces, without their passages.
    pub async fn traces(&self, viewer: &Viewer, rating: Option<&str>, limit: usize) -> Result<Value> {
        let unfiled = unfiled(&viewer.owner);
        let list = TraceList {
            owners: (viewer.reader != Reader::Everything).then_some([viewer.owner.as_str(), &unfiled]),
            rating,
            limit,
        };
        let rows = self.store().traces(list, self.parts.traces.keep_days).await?;
        Ok(json!({ "traces": rows.iter().map(line).collect::<Value>() }))
    }

    /// The trace of one run.
    pub async fn trace(&self, run: &str, viewer: &Viewer) -> Result<Value> {
        let row = self.trace_row(run, viewer).await?;
        let mut value = row.trace.record;
        let passages: Vec<Value> = row.trace.passages;
        let (packed, dropped): (Vec<Value>, Vec<Value>) = passages
            .into_iter()
            .map(|one| self.shown(one, &viewer.reader))
            .partition(|one| one["number"].is_number());
        if packed.iter().chain(&dropped).any(|one| one["withheld"] == true) {
            withhold(&mut value);
        }
        value["run"] = json!(row.trace.run);
        value["conversation"] = json!(row.trace.conversation);
        value["message"] = json!(row.trace.message);
        value["at"] = json!(row.at);
        value["evidence"] = json!(packed);
        value["dropped"] = json!(dropped);
        value["feedback"] = feedback(row.feedback.as_ref());
        Ok(value)
    }

    /// Keeps what `owner` thinks of an answer of his; none takes it away.
    pub async fn rate(&self, message: &str, owner: &str, given: Option<Feedback>) -> Result<()> {
        let rated = self
            .store()
            .rate(message, [owner, &unfiled(owner)], given.as_ref())
            .await?;
        if rated {
            return Ok(());
        }
        Err(Error::NotFound(format!(
            "no answer `{message}`; `message` of the event `started` and `GET /v1/conversations/{{id}}` name it"
        )))
    }

    pub(super) async fn trace_row(&self, run: &str, viewer: &Viewer) -> Result<TraceRow> {
        let unfiled = unfiled(&viewer.owner);
        let owners = (viewer.reader != Reader::Everything).then_some([viewer.owner.as_str(), &unfiled]);
        let row = self.store().trace(run, owners, self.parts.traces.keep_days).await?;
        row.ok_or_else(|| not_found(run))
    }

    /// A passage without the words of a document that `reader` may not read by now, or of which nobody can tell.
    pub(super) fn shown(&self, mut passage: Value, reader: &Reader) -> Value {
        let readable = || {
            let collection = self.collection(passage["collection"].as_str()?).ok()?;
            let document = passage["document"].as_str()?.parse().ok()?;
            // What is gone but not yet erased is for nobody.
            Some(collection.holds(document) && !collection.is_hidden(document, reader))
        };
        if passage["removed"] == true || readable() == Some(true) {
            return passage;
        }
        if let Some(fields) = passage.as_object_mut() {
            fields.retain(|field, _| !PASSAGE_WORDS.contains(&field.as_str()));
            fields.insert("withheld".into(), json!(true));
        }
        passage
    }
}

/// Takes out what may repeat words of passages: what the question was read as, and what providers said of failures.
fn withhold(record: &mut Value) {
    if let Some(search) = record["search"].as_object_mut() {
        search.remove("corrections");
    }
    let calls = record["calls"].as_array_mut().into_iter().flatten();
    for problem in calls
        .map(|call| &mut call["problem"])
        .filter(|problem| problem.is_object())
    {
        problem["detail"] = Value::Null;
    }
    if record["problem"].is_object() {
        record["problem"]["detail"] = Value::Null;
    }
}

fn line(row: &TraceRow) -> Value {
    let record = &row.trace.record;
    json!({
        "run": row.trace.run, "conversation": row.trace.conversation, "message": row.trace.message, "at": row.at,
        "question": record["asked"]["question"], "route": record["route"]["name"], "verdict": record["verdict"],
        "problem": record["problem"]["kind"], "took_ms": record["took_ms"], "feedback": feedback(row.feedback.as_ref()),
    })
}

fn feedback(given: Option<&Feedback>) -> Value {
    given.map_or(
        Value::Null,
        |given| json!({ "rating": given.rating, "comment": given.comment }),
    )
}
