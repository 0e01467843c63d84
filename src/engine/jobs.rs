//! Jobs as they are shown, and what is wished of those under way.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::engine::wishes::Wish;
use crate::error::{Error, Result};
use crate::store::{JobRecord, JobState};

/// The most jobs of a list.
const LISTED: u32 = 100;
/// How long a caller waits for a cancelled job to have ended.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const PULSE: Duration = Duration::from_millis(10);
/// How often a job that takes long is looked at.
const SLOW_PULSE: Duration = Duration::from_millis(250);

impl Engine {
    /// A job as on the wire.
    pub async fn job(&self, id: &str) -> Result<Value> {
        shown(self.job_record(id).await?)
    }

    /// The latest jobs as on the wire, latest first.
    pub async fn jobs(&self) -> Result<Value> {
        let jobs = self.store().jobs(LISTED).await?.into_iter();
        let jobs = jobs.map(|job| shown(self.as_it_is(job))).collect::<Result<Vec<_>>>()?;
        Ok(json!({ "jobs": jobs }))
    }

    /// Wishes something of a job; returns the job.
    pub async fn wish(&self, id: &str, wish: Wish) -> Result<Value> {
        let job = self.job_record(id).await?;
        if !matches!(job.state, JobState::Running | JobState::Paused) || !self.wishes.set(id, wish) {
            let state = job.state.as_str();
            return Err(Error::Conflict(format!(
                "job `{id}` is over: it is {state}; index again"
            )));
        }
        if wish == Wish::Stop {
            let ended = async {
                while self.job_record(id).await?.state == JobState::Running {
                    tokio::time::sleep(PULSE).await;
                }
                Ok::<_, Error>(())
            };
            // What is being written is written to its end, however long that takes.
            if let Ok(outcome) = tokio::time::timeout(PATIENCE, ended).await {
                outcome?;
            }
        }
        self.job(id).await
    }

    /// A job as on the wire once it has ended, or as it is after so long.
    pub async fn ended(&self, id: &str, patience: Duration) -> Result<Value> {
        let ended = async {
            let mut pulse = PULSE;
            while matches!(self.job_record(id).await?.state, JobState::Running | JobState::Paused) {
                tokio::time::sleep(pulse).await;
                pulse = (pulse * 2).min(SLOW_PULSE);
            }
            Ok::<_, Error>(())
        };
        if let Ok(outcome) = tokio::time::timeout(patience, ended).await {
            outcome?;
        }
        self.job(id).await
    }

    async fn job_record(&self, id: &str) -> Result<JobRecord> {
        let job = match self.unwritten(id) {
            Some(job) => Some(job),
            None => self.store().job(id).await?,
        };
        let job = job.ok_or_else(|| Error::NotFound(format!("no job `{id}`")))?;
        Ok(self.as_it_is(job))
    }

    fn as_it_is(&self, job: JobRecord) -> JobRecord {
        let job = self.unwritten(&job.id).unwrap_or(job);
        let paused = job.state == JobState::Running && self.wishes.of(&job.id) == Some(Wish::Pause);
        JobRecord {
            state: if paused { JobState::Paused } else { job.state },
            ..job
        }
    }

    fn unwritten(&self, id: &str) -> Option<JobRecord> {
        self.unwritten.read().ok().and_then(|jobs| jobs.get(id).cloned())
    }

    /// Keeps how a job ended, where the disk could not: who asks for it must not wait for ever.
    pub(super) fn remember(&self, job: JobRecord) {
        if let Ok(mut jobs) = self.unwritten.write() {
            jobs.insert(job.id.clone(), job);
        }
    }
}

fn shown(job: JobRecord) -> Result<Value> {
    serde_json::to_value(job).map_err(|error| Error::Internal(error.to_string()))
}
