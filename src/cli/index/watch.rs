//! `portolan index SOURCE --watch`: indexes again whenever something changes, until somebody stops it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use indexer::sources::Watch;
use serde_json::Value;
use tokio::sync::Notify;

use super::{Index, body, follow, number, summary};
use crate::app;
use crate::cli::place::Place;
use crate::cli::print;
use crate::config::Config;
use crate::engine::Wish;
use crate::error::{Error, Result};

/// So long nothing may change before it is indexed again.
const QUIET: Duration = Duration::from_millis(200);
/// So long it waits for that at most.
const PATIENCE: Duration = Duration::from_secs(1);
/// When it tries again after it has lost the service.
const AGAIN: Duration = Duration::from_secs(5);
/// How often a source is asked that cannot tell when it changes.
const EVERY: Duration = Duration::from_mins(15);

/// What is watched, and how.
struct Watched<'a> {
    config: &'a Config,
    command: &'a Index,
    json: bool,
    /// None before the first time, and after the service was lost.
    place: Option<Place>,
    /// The job under way.
    job: Option<String>,
}

/// Ends with exit code 0 when it is stopped by Ctrl-C or SIGTERM.
pub(super) async fn run(config: &Config, command: &Index, json: bool) -> Result<ExitCode> {
    let origin = command.typed.origin()?;
    let changed = Arc::new(Notify::new());
    let watch = origin.path().map(|path| watch(path, &changed)).transpose()?;
    let every = command.every.or(watch.is_none().then_some(EVERY));
    let mut watched = Watched {
        config,
        command,
        json,
        place: None,
        job: None,
    };
    let stopped = app::asked_to_stop();
    tokio::pin!(stopped);
    let mut first = true;
    loop {
        let wait = tokio::select! {
            outcome = watched.index(first) => match outcome {
                Ok(()) => every,
                Err(error @ Error::BadInput { .. }) => return Err(error),
                Err(error) => {
                    eprintln!("portolan: {error}");
                    watched.place = None;
                    Some(AGAIN)
                }
            },
            () = &mut stopped => return watched.stop().await,
        };
        first = false;
        tokio::select! {
            () = settled(&changed) => {}
            () = passed(wait) => {}
            () = &mut stopped => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn watch(path: &Path, changed: &Arc<Notify>) -> Result<Watch> {
    let changed = changed.clone();
    let begun = Watch::begin(path, move || changed.notify_one());
    begun.map_err(|error| Error::bad_input("/path", error.to_string()))
}

/// Returns when something has changed and then nothing for a moment: many files are mostly written together.
async fn settled(changed: &Notify) {
    changed.notified().await;
    let quiet = async { while tokio::time::timeout(QUIET, changed.notified()).await.is_ok() {} };
    drop(tokio::time::timeout(PATIENCE, quiet).await);
}

async fn passed(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

impl Watched<'_> {
    /// Indexes the source and tells how that ended, if anything came of it.
    async fn index(&mut self, first: bool) -> Result<()> {
        let place = match self.place.take() {
            Some(place) => place,
            None => Place::open(self.config).await?,
        };
        let place = self.place.insert(place);
        let answer = place.index(body(self.command)?).await?;
        let job = answer["job"].as_str().unwrap_or_default().to_owned();
        self.job = Some(job.clone());
        let state = follow(place, &job).await?;
        self.job = None;
        if self.json {
            print(&format!("{state}\n"));
        } else if first || is_news(&state) {
            print(&summary(&state, &self.command.collection));
        }
        Ok(())
    }

    /// Ends the job under way; what it has indexed stays.
    async fn stop(&self) -> Result<ExitCode> {
        if let Some((place, job)) = self.place.as_ref().zip(self.job.as_ref())
            && let Err(error) = place.wish(job, Wish::Stop).await
        {
            eprintln!("portolan: {error}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn is_news(state: &Value) -> bool {
    let counts = ["added", "changed", "moved", "deleted", "error_count"];
    counts.iter().any(|key| number(state, key) > 0)
}
