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
    /// Ended; single documents may have failed.
    Done,
    /// Ended before its end.
    Failed,
}

impl JobState {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A document that could not be indexed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Which; empty for the job itself.
    pub uri: String,
    /// Why.
    pub detail: String,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobRecord {
    /// Identity.
    pub id: String,
    /// Where it writes.
    pub collection: String,
    /// Where it stands.
    pub state: JobState,
    /// Documents seen.
    pub documents: u64,
    /// New ones.
    pub added: u64,
    /// Those with another text than before.
    pub changed: u64,
    /// Those that are gone.
    pub deleted: u64,
    /// Those whose text is as before.
    pub unchanged: u64,
    /// Files of a folder that nothing can read, by the ending of their names.
    pub skipped: BTreeMap<String, u64>,
    /// Chunks written.
    pub chunks: u64,
    /// The first `MAX_JOB_ERRORS`.
    pub errors: Vec<JobError>,
    /// All of them.
    pub error_count: u64,
    /// From start to now or end.
    pub took_ms: u64,
}

impl JobRecord {
    /// Counts an error and keeps it while there is room.
    pub fn add_error(&mut self, uri: impl Into<String>, detail: impl Into<String>) {
        self.error_count += 1;
        if self.errors.len() < MAX_JOB_ERRORS {
            self.errors.push(JobError {
                uri: uri.into(),
                detail: detail.into(),
            });
        }
    }
}

impl Store {
    /// Notes that a job of this kind began and returns its id.
    pub async fn start_job(&self, kind: &str, collection: &str) -> Result<String> {
        let id = new_id();
        sqlx::query("insert into jobs (id, kind, collection, state, started_at) values (?, ?, ?, 'running', ?)")
            .bind(&id)
            .bind(kind)
            .bind(collection)
            .bind(now())
            .execute(&self.pool)
            .await
            .map_err(failed("cannot keep the job"))?;
        Ok(id)
    }

    /// Writes how far the job `id` is; `job.id` and `job.collection` stay as they were at its start.
    pub async fn update_job(&self, id: &str, job: &JobRecord) -> Result<()> {
        let kept = &job.errors[..job.errors.len().min(MAX_JOB_ERRORS)];
        let errors = serde_json::to_string(kept).map_err(|cause| Error::storage("cannot write job errors", cause))?;
        let skipped = serde_json::to_string(&job.skipped);
        let skipped = skipped.map_err(|cause| Error::storage("cannot write skipped files", cause))?;
        let done = sqlx::query(
            "update jobs set state = ?, documents = ?, added = ?, changed = ?, deleted = ?, unchanged = ?, \
             chunks = ?, errors = ?, error_count = ?, skipped = ?, took_ms = ? where id = ?",
        )
        .bind(job.state.as_str())
        .bind(job.documents as i64)
        .bind(job.added as i64)
        .bind(job.changed as i64)
        .bind(job.deleted as i64)
        .bind(job.unchanged as i64)
        .bind(job.chunks as i64)
        .bind(errors)
        .bind(job.error_count.max(job.errors.len() as u64) as i64)
        .bind(skipped)
        .bind(job.took_ms as i64)
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

    /// Ends the jobs of a process that is no more.
    pub(super) async fn fail_orphaned_jobs(&self) -> Result<()> {
        sqlx::query(
            "update jobs set state = 'failed', error_count = error_count + 1, \
             errors = json_insert(errors, '$[#]', json_object('uri', '', 'detail', 'the process ended')) \
             where state = 'running'",
        )
        .execute(&self.pool)
        .await
        .map_err(failed("cannot end the jobs of the last process"))?;
        Ok(())
    }
}

fn record(row: &SqliteRow) -> sqlx::Result<JobRecord> {
    let count = |column: &str| row.try_get::<i64, _>(column).map(|value| value as u64);
    let state: String = row.try_get("state")?;
    let errors: String = row.try_get("errors")?;
    let skipped: String = row.try_get("skipped")?;
    Ok(JobRecord {
        id: row.try_get("id")?,
        collection: row.try_get("collection")?,
        state: match state.as_str() {
            "running" => JobState::Running,
            "done" => JobState::Done,
            _ => JobState::Failed,
        },
        documents: count("documents")?,
        added: count("added")?,
        changed: count("changed")?,
        deleted: count("deleted")?,
        unchanged: count("unchanged")?,
        skipped: serde_json::from_str(&skipped).map_err(|cause| decoding("skipped", cause))?,
        chunks: count("chunks")?,
        errors: serde_json::from_str(&errors).map_err(|cause| decoding("errors", cause))?,
        error_count: count("error_count")?,
        took_ms: count("took_ms")?,
    })
}
