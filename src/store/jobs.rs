//! Indexing jobs, so that their outcome can be asked for later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::rows::decoding;
use super::{Store, failed, new_id, now};
use crate::error::{Error, Result};

/// How many errors of a job are kept; all are counted.
pub const MAX_JOB_ERRORS: usize = 100;

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// At work.
    #[default]
    Running,
    /// It waits until somebody lets it go on; never in the database, since it does not outlive the process.
    Paused,
    /// Ended; single documents may have failed.
    Done,
    /// Ended before its end.
    Failed,
    /// Ended because somebody wished so.
    Cancelled,
}

impl JobState {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The file could not be read.
    Unreadable,
    /// What it holds could not be parsed.
    Unparsable,
    /// Parsing it took too long.
    TimedOut,
    /// It took its parser with it.
    Crashed,
    /// It may not be replaced on behalf of this caller.
    Hidden,
    /// Another source holds a document of that name.
    Taken,
    /// Another version was there than the caller expected.
    Version,
    /// A line of a body is no document.
    Line,
    /// The source holds nothing.
    Empty,
    /// The job itself.
    #[default]
    Job,
}

/// A document that could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Of what kind.
    #[serde(default)]
    pub kind: ErrorKind,
    /// Which; empty for the job itself.
    pub uri: String,
    /// Why.
    pub detail: String,
    /// The line of the body that it stands in, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

impl JobError {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, uri: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind,
            uri: uri.into(),
            detail: detail.into(),
            line: None,
        }
    }
}

/// What became of the sentences that a model was to write of chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SentenceRecord {
    /// Those that it wrote now.
    pub written: u64,
    /// Those that were kept from before.
    pub kept: u64,
    /// Chunks that have none for now; the next run asks again.
    pub missing: u64,
    /// Why the last of them has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl SentenceRecord {
    /// Adds what became of others.
    pub fn add(&mut self, other: Self) {
        self.written += other.written;
        self.kept += other.kept;
        self.missing += other.missing;
        self.fault = other.fault.or(self.fault.take());
    }
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobRecord {
    /// Identity.
    pub id: String,
    /// Where it writes.
    pub collection: String,
    /// What is indexed, where that is a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// Documents seen.
    pub documents: u64,
    /// New ones.
    pub added: u64,
    /// Those with another text than before.
    pub changed: u64,
    /// Those that stood elsewhere in the source before.
    pub moved: u64,
    /// Those that are gone.
    pub deleted: u64,
    /// Those whose text is as before.
    pub unchanged: u64,
    /// What was left out of the source, by kind: the ending of a file that nothing can read, or a word or two.
    pub skipped: BTreeMap<String, u64>,
    /// Lines of the body that it is done with, where documents come in lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Bytes of all documents.
    pub bytes: u64,
    /// Bytes of those that were looked at.
    pub bytes_done: u64,
    /// Chunks written.
    pub chunks: u64,
    /// Those of them whose texts were embedded; the vectors of the others were in the index already.
    pub embedded: u64,
    /// What became of the sentences that a model was to write of them, where that is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_sentences: Option<SentenceRecord>,
    /// The first `MAX_JOB_ERRORS`.
    pub errors: Vec<JobError>,
    /// All of them.
    pub error_count: u64,
    /// All of them, by kind.
    pub error_kinds: BTreeMap<ErrorKind, u64>,
    /// From start to now or end.
    pub took_ms: u64,
    /// Documents a second: of late while it runs, then all in all.
    pub documents_per_s: f64,
    /// Chunks a second, likewise.
    pub chunks_per_s: f64,
    /// How long it still takes at this speed; none before there is one, and none when it has ended.
    pub left_ms: Option<u64>,
}

impl JobRecord {
    /// Counts an error and keeps it while there is room.
    pub fn add_error(&mut self, kind: ErrorKind, uri: impl Into<String>, detail: impl Into<String>) {
        self.add(JobError::new(kind, uri, detail));
    }

    /// The same.
    pub fn add(&mut self, error: JobError) {
        self.error_count += 1;
        *self.error_kinds.entry(error.kind).or_default() += 1;
        if self.errors.len() < MAX_JOB_ERRORS {
            self.errors.push(error);
        }
    }

    /// Documents that it is done with.
    pub fn done(&self) -> u64 {
        let taken = self.added + self.changed + self.moved + self.unchanged + self.error_count;
        taken.min(self.documents)
    }
}

impl Store {
    /// Notes that a job of this kind began, with what is known of it; returns its id.
    pub async fn start_job(&self, kind: &str, job: &JobRecord) -> Result<String> {
        let id = new_id();
        let record = written(job)?;
        sqlx::query(
            "insert into jobs (id, kind, collection, state, record, started_at) values (?, ?, ?, 'running', ?, ?)",
        )
        .bind(&id)
        .bind(kind)
        .bind(&job.collection)
        .bind(record)
        .bind(now())
        .execute(&self.pool)
        .await
        .map_err(failed("cannot keep the job"))?;
        Ok(id)
    }

    /// Writes how far the job `id` is; `job.id` and `job.collection` stay as they were at its start.
    pub async fn update_job(&self, id: &str, job: &JobRecord) -> Result<()> {
        let record = written(job)?;
        let done = sqlx::query("update jobs set state = ?, record = ? where id = ?")
            .bind(job.state.as_str())
            .bind(record)
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(failed("cannot change the job"))?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound(format!("no job `{id}`")));
        }
        Ok(())
    }

    /// The job `id`, if there is one.
    pub async fn job(&self, id: &str) -> Result<Option<JobRecord>> {
        let row = sqlx::query("select * from jobs where id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("cannot read the job"))?;
        row.as_ref()
            .map(record)
            .transpose()
            .map_err(failed("cannot read the job"))
    }

    /// The latest jobs, latest first.
    pub async fn jobs(&self, limit: u32) -> Result<Vec<JobRecord>> {
        let rows = sqlx::query("select * from jobs order by id desc limit ?")
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed("cannot read the jobs"))?;
        let jobs = rows.iter().map(record).collect::<sqlx::Result<_>>();
        jobs.map_err(failed("cannot read the jobs"))
    }

    /// Ends the jobs of a process that is no more.
    pub(super) async fn fail_orphaned_jobs(&self) -> Result<()> {
        let ended = JobError::new(ErrorKind::Job, "", "the process ended");
        let running = sqlx::query("select * from jobs where state = 'running'")
            .fetch_all(&self.pool)
            .await
            .map_err(failed("cannot read the jobs of the last process"))?;
        for row in &running {
            let mut job = record(row).map_err(failed("cannot read the jobs of the last process"))?;
            job.state = JobState::Failed;
            job.left_ms = None;
            job.add(ended.clone());
            self.update_job(&job.id, &job).await?;
        }
        Ok(())
    }
}

fn written(job: &JobRecord) -> Result<String> {
    serde_json::to_string(job).map_err(|cause| Error::storage("cannot write the job", cause))
}

fn record(row: &SqliteRow) -> sqlx::Result<JobRecord> {
    let state: String = row.try_get("state")?;
    let record: String = row.try_get("record")?;
    let record: JobRecord = serde_json::from_str(&record).map_err(|cause| decoding("record", cause))?;
    Ok(JobRecord {
        id: row.try_get("id")?,
        collection: row.try_get("collection")?,
        state: match state.as_str() {
            "running" => JobState::Running,
            "done" => JobState::Done,
            "cancelled" => JobState::Cancelled,
            _ => JobState::Failed,
        },
        ..record
    })
}
