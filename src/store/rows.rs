//! What goes into the store and what comes out, and how it looks in a row.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::error::{Error, Result};
use crate::types::{Citation, DocumentId, Outcome, Usage};

/// An answer to be kept.
#[derive(Clone, Debug)]
pub struct AnswerRecord {
    /// Id of its message.
    pub id: String,
    /// Id of the question's message; none when that could not be kept.
    pub question: Option<String>,
    /// Id of the run that made it.
    pub run: String,
    /// The route that answered.
    pub route: String,
    /// The text, with marks.
    pub text: String,
    /// Whether the whole answer was received.
    pub complete: bool,
    /// The verdict, when it was reached.
    pub outcome: Option<Outcome>,
    /// List of numbered passages as on the wire.
    pub sources: serde_json::Value,
    /// In the order in which they were sent.
    pub citations: Vec<Citation>,
    /// What became of its sentences, a list as on the wire.
    pub sentences: serde_json::Value,
    /// Tokens, when known.
    pub usage: Option<Usage>,
    /// Why it is incomplete.
    pub problem: Option<String>,
}

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConversationRow {
    /// Identity.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// RFC 3339, UTC, with milliseconds.
    pub created_at: String,
    /// RFC 3339, UTC, with milliseconds.
    pub updated_at: String,
}

/// A question or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRow {
    /// Identity.
    pub id: String,
    /// `user` or `assistant`.
    pub role: String,
    /// The words, with marks.
    pub text: String,
    /// `complete` or `incomplete`.
    pub state: String,
    /// The route that answered; none for questions.
    pub route: Option<String>,
    /// RFC 3339, UTC, with milliseconds.
    pub created_at: String,
    /// The verdict, when it was reached.
    pub outcome: Option<Outcome>,
    /// List of numbered passages as on the wire, without those of erased documents.
    pub sources: serde_json::Value,
    /// In the order in which they were sent.
    pub citations: Vec<StoredCitation>,
    /// What became of its sentences, as on the wire; null once words of it were erased.
    pub sentences: serde_json::Value,
    /// Tokens, when known.
    pub usage: Option<Usage>,
    /// Why it is incomplete.
    pub problem: Option<String>,
}

/// A citation as it was kept; one of an erased document has neither quote nor source range.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCitation {
    /// The passage's number.
    pub number: usize,
    /// Byte range in the message's text.
    pub answer_range: Range<usize>,
    /// The source.
    pub document: DocumentId,
    /// Its version.
    pub version: String,
    /// Byte range in the document's text.
    pub source_range: Option<Range<usize>>,
    /// The words there.
    pub quote: Option<String>,
    /// Whether the quote was found at its range.
    pub checked: bool,
    /// Whether the document was erased.
    pub removed: bool,
}

/// The columns of `Usage` in its JSON.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Usage", deny_unknown_fields)]
struct UsageColumns {
    tokens_in: u64,
    tokens_out: u64,
    cached: u64,
    estimated: bool,
    cost_usd: Option<String>,
    attempts: u32,
    model: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct UsageJson(#[serde(with = "UsageColumns")] Usage);

pub(super) fn usage_json(usage: &Usage) -> Result<String> {
    serde_json::to_string(&UsageJson(usage.clone())).map_err(|cause| Error::storage("cannot write token counts", cause))
}

pub(super) fn conversation(row: &SqliteRow) -> sqlx::Result<ConversationRow> {
    Ok(ConversationRow {
        id: row.try_get("id")?,
        title: row.try_get("title")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// A message without its sources and citations, which are rows of their own.
pub(super) fn message(row: &SqliteRow) -> sqlx::Result<MessageRow> {
    let usage = row
        .try_get::<Option<String>, _>("usage")?
        .map(|json| serde_json::from_str::<UsageJson>(&json))
        .transpose()
        .map_err(|cause| decoding("usage", cause))?;
    let sentences = row
        .try_get::<Option<String>, _>("sentences")?
        .map(|json| serde_json::from_str(&json))
        .transpose()
        .map_err(|cause| decoding("sentences", cause))?;
    Ok(MessageRow {
        id: row.try_get("id")?,
        role: row.try_get("role")?,
        text: row.try_get("text")?,
        state: row.try_get("state")?,
        route: row.try_get("route")?,
        created_at: row.try_get("created_at")?,
        outcome: outcome(row.try_get::<Option<String>, _>("outcome")?.as_deref()),
        sources: serde_json::Value::Array(Vec::new()),
        citations: Vec::new(),
        sentences: sentences.unwrap_or_default(),
        usage: usage.map(|json| json.0),
        problem: row.try_get("problem")?,
    })
}

pub(super) fn citation(row: &SqliteRow) -> sqlx::Result<StoredCitation> {
    let document: String = row.try_get("document")?;
    let start: Option<i64> = row.try_get("source_start")?;
    let end: Option<i64> = row.try_get("source_end")?;
    Ok(StoredCitation {
        number: row.try_get::<i64, _>("number")? as usize,
        answer_range: row.try_get::<i64, _>("answer_start")? as usize..row.try_get::<i64, _>("answer_end")? as usize,
        document: document.parse().map_err(|cause| decoding("document", cause))?,
        version: row.try_get("version")?,
        source_range: start.zip(end).map(|(start, end)| start as usize..end as usize),
        quote: row.try_get("quote")?,
        checked: row.try_get("checked")?,
        removed: row.try_get("removed")?,
    })
}

pub(super) fn passage(row: &SqliteRow) -> sqlx::Result<serde_json::Value> {
    let json: String = row.try_get("passage")?;
    serde_json::from_str(&json).map_err(|cause| decoding("passage", cause))
}

fn outcome(word: Option<&str>) -> Option<Outcome> {
    [Outcome::Answered, Outcome::Partial, Outcome::Declined]
        .into_iter()
        .find(|outcome| Some(outcome.as_str()) == word)
}

pub(super) fn decoding(column: &str, cause: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: Box::new(cause),
    }
}
