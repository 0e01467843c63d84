//! Traces of answers, for as long as they are kept, and what readers thought of the answers.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::rows::decoding;
use super::{Store, failed, now};
use crate::error::Result;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const KEEP: &str = "cannot keep a trace";
const READ: &str = "cannot read a trace";

/// The fields of a passage that hold words of its document.
pub const PASSAGE_WORDS: [&str; 6] = ["text", "title", "uri", "heading_path", "metadata", "highlights"];

/// A trace to be kept.
#[derive(Clone, Debug)]
pub struct TraceRecord {
    /// The run.
    pub run: String,
    /// Its conversation.
    pub conversation: String,
    /// The answer's message.
    pub message: String,
    /// All that holds no words of documents.
    pub record: Value,
    /// The passages, packed ones first; each names its `collection` and `document`.
    pub passages: Vec<Value>,
}

/// A trace as it was kept.
#[derive(Clone, Debug)]
pub struct TraceRow {
    /// The trace; of erased documents its passages have no words.
    pub trace: TraceRecord,
    /// When it was kept: RFC 3339, UTC, with milliseconds.
    pub at: String,
    /// What the reader thought of the answer.
    pub feedback: Option<Feedback>,
}

/// What a reader thought of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// `up` or `down`.
    pub rating: String,
    /// In the reader's words.
    pub comment: Option<String>,
}

/// Which traces are listed.
#[derive(Clone, Copy, Debug)]
pub struct TraceList<'a> {
    /// Whose; none means everybody's.
    pub owners: Option<[&'a str; 2]>,
    /// Only of answers with that rating.
    pub rating: Option<&'a str>,
    /// How many at most, latest first.
    pub limit: usize,
}

const TOO_OLD: &str = "delete from traces where kept_at <= ?";

const COLUMNS: &str = "select traces.run, traces.conversation, traces.message, record, rating, comment, \
                       strftime('%Y-%m-%dT%H:%M:%fZ', kept_at / 1000.0, 'unixepoch') as at \
                       from traces join conversations on conversations.id = traces.conversation \
                       left join feedback on feedback.message = traces.message ";

impl Store {
    /// Keeps a trace, and lets those go that are older than `days`.
    pub async fn keep_trace(&self, trace: &TraceRecord, days: u32) -> Result<()> {
        let mut transaction = self.begin(KEEP).await?;
        sqlx::query(
            "insert or replace into traces (run, conversation, message, record, kept_at) values (?, ?, ?, ?, ?)",
        )
        .bind(&trace.run)
        .bind(&trace.conversation)
        .bind(&trace.message)
        .bind(trace.record.to_string())
        .bind(now())
        .execute(&mut *transaction)
        .await
        .map_err(failed(KEEP))?;
        for (ordinal, passage) in trace.passages.iter().enumerate() {
            sqlx::query(
                "insert into trace_passages (run, ordinal, collection, document, passage) values (?, ?, ?, ?, ?)",
            )
            .bind(&trace.run)
            .bind(ordinal as i64)
            .bind(passage["collection"].as_str().unwrap_or_default())
            .bind(passage["document"].as_str().unwrap_or_default())
            .bind(passage.to_string())
            .execute(&mut *transaction)
            .await
            .map_err(failed(KEEP))?;
        }
        sqlx::query(TOO_OLD)
            .bind(last_kept(days))
            .execute(&mut *transaction)
            .await
            .map_err(failed(KEEP))?;
        transaction.commit().await.map_err(failed(KEEP))
    }

    /// Lets traces go that are older than `days`; of 0 days, all.
    pub async fn purge_traces(&self, days: u32) -> Result<()> {
        let what = "cannot let old traces go";
        let gone = sqlx::query(TOO_OLD)
            .bind(last_kept(days))
            .execute(&self.pool)
            .await
            .map_err(failed(what))?;
        if gone.rows_affected() > 0 {
            self.empty_log(what).await?;
        }
        Ok(())
    }

    /// The trace of a run of one of `owners`, or of anybody, that is younger than `days`.
    pub async fn trace(&self, run: &str, owners: Option<[&str; 2]>, days: u32) -> Result<Option<TraceRow>> {
        // One transaction: an erasure in between must not be seen by half.
        let mut transaction = self.pool.begin().await.map_err(failed(READ))?;
        let [first, second] = owners.unwrap_or_default();
        let sql = format!("{COLUMNS} where traces.run = ? and kept_at > ? and (? or owner in (?, ?))");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(run)
            .bind(last_kept(days))
            .bind(owners.is_none())
            .bind(first)
            .bind(second)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed(READ))?;
        let Some(row) = row else { return Ok(None) };
        let mut row = read(&row).map_err(failed(READ))?;
        let passages = sqlx::query("select passage from trace_passages where run = ? order by ordinal")
            .bind(run)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed(READ))?;
        for passage in &passages {
            row.trace
                .passages
                .push(super::rows::passage(passage).map_err(failed(READ))?);
        }
        Ok(Some(row))
    }

    /// Traces without their passages, latest first.
    pub async fn traces(&self, list: TraceList<'_>, days: u32) -> Result<Vec<TraceRow>> {
        let [first, second] = list.owners.unwrap_or_default();
        let sql = format!(
            "{COLUMNS} where kept_at > ? and (? or owner in (?, ?)) and (? is null or rating = ?) \
             order by kept_at desc, traces.run desc limit ?"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(last_kept(days))
            .bind(list.owners.is_none())
            .bind(first)
            .bind(second)
            .bind(list.rating)
            .bind(list.rating)
            .bind(i64::try_from(list.limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(failed("cannot list the traces"))?;
        let read: sqlx::Result<Vec<TraceRow>> = rows.iter().map(read).collect();
        read.map_err(failed("cannot list the traces"))
    }

    /// Keeps what a reader thought of an answer of one of `owners`, in place of what he thought before; none takes that
    /// away. False when there is no such answer.
    pub async fn rate(&self, message: &str, owners: [&str; 2], feedback: Option<&Feedback>) -> Result<bool> {
        let what = "cannot keep what was thought of an answer";
        let mut transaction = self.begin(what).await?;
        let found: Option<String> = sqlx::query_scalar(
            "select messages.id from messages join conversations on conversations.id = conversation \
             where messages.id = ? and role = 'assistant' and owner in (?, ?)",
        )
        .bind(message)
        .bind(owners[0])
        .bind(owners[1])
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed(what))?;
        if found.is_none() {
            return Ok(false);
        }
        sqlx::query("delete from feedback where message = ?")
            .bind(message)
            .execute(&mut *transaction)
            .await
            .map_err(failed(what))?;
        if let Some(feedback) = feedback {
            sqlx::query("insert into feedback (message, rating, comment, given_at) values (?, ?, ?, ?)")
                .bind(message)
                .bind(&feedback.rating)
                .bind(&feedback.comment)
                .bind(now())
                .execute(&mut *transaction)
                .await
                .map_err(failed(what))?;
        }
        transaction.commit().await.map_err(failed(what))?;
        Ok(true)
    }
}

/// Takes the words of a document out of all traces; those of all documents of the collection where `document` is empty.
/// What a question was read as may come from any document of the collection, and what a provider said of a failure may
/// repeat the prompt, so these go, too.
pub(super) async fn erase(
    transaction: &mut Transaction<'_, Sqlite>,
    collection: &str,
    document: &str,
) -> sqlx::Result<()> {
    let concerned = "(select run from trace_passages where collection = ?1 and (?2 = '' or document = ?2))";
    let record = format!(
        "update traces set record = json_remove(record, '$.search.corrections', '$.problem.detail', \
         '$.calls[0].problem.detail', '$.calls[1].problem.detail') where run in {concerned} or exists \
         (select 1 from json_each(record, '$.asked.collections') where value = ?1)"
    );
    let words = PASSAGE_WORDS.map(|field| format!("'$.{field}'")).join(", ");
    let passages = format!(
        "update trace_passages set passage = json_set(json_remove(passage, {words}), '$.removed', json('true')) \
         where collection = ?1 and (?2 = '' or document = ?2)"
    );
    for statement in [record, passages] {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(collection)
            .bind(document)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// When the last trace was kept that is kept no longer.
fn last_kept(days: u32) -> i64 {
    if days == 0 {
        // Also those of a clock that was ahead.
        return i64::MAX;
    }
    now() - i64::from(days) * DAY_MS
}

fn read(row: &SqliteRow) -> sqlx::Result<TraceRow> {
    let record: String = row.try_get("record")?;
    let rating: Option<String> = row.try_get("rating")?;
    let comment = row.try_get("comment")?;
    Ok(TraceRow {
        trace: TraceRecord {
            run: row.try_get("run")?,
            conversation: row.try_get("conversation")?,
            message: row.try_get("message")?,
            record: serde_json::from_str(&record).map_err(|cause| decoding("record", cause))?,
            passages: Vec::new(),
        },
        at: row.try_get("at")?,
        feedback: rating.map(|rating| Feedback { rating, comment }),
    })
}
