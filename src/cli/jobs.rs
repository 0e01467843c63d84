//! `portolan jobs`: what is indexed now and was of late; pause, resume, cancel.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::print;
use crate::cli::table::table;
use crate::config::Config;
use crate::engine::Wish;
use crate::error::Result;

/// List, pause, resume and cancel jobs of the running service.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan jobs\n  portolan jobs cancel 019a7f0e-5d3c-7cc1-9b8e-0d7f8f0a4b11")]
pub struct Jobs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The latest jobs, latest first.
    List,
    /// Begin nothing more of a job until it is resumed; jobs behind it wait.
    Pause {
        /// As `portolan jobs` names it.
        id: String,
    },
    /// Let a paused job go on.
    Resume {
        /// As `portolan jobs` names it.
        id: String,
    },
    /// End a job; what it has indexed stays, and indexing again goes on from there.
    Cancel {
        /// As `portolan jobs` names it.
        id: String,
    },
}

pub(super) async fn run(config: &Config, command: Jobs, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let answer = match command.what.unwrap_or(What::List) {
        What::List => place.jobs().await?,
        What::Pause { id } => place.wish(&id, Wish::Pause).await?,
        What::Resume { id } => place.wish(&id, Wish::Go).await?,
        What::Cancel { id } => place.wish(&id, Wish::Stop).await?,
    };
    if json {
        print(&format!("{answer}\n"));
    } else {
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_else(|| vec![answer]);
        print(&listed(&jobs));
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(jobs: &[Value]) -> String {
    let heads = [
        "job",
        "collection",
        "source",
        "state",
        "documents",
        "chunks",
        "errors",
        "seconds",
    ];
    let row = |job: &Value| {
        let word = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| job[key].as_u64().unwrap_or_default();
        vec![
            word("id"),
            word("collection"),
            word("source"),
            word("state"),
            number("documents").to_string(),
            number("chunks").to_string(),
            number("error_count").to_string(),
            format!("{:.1}", number("took_ms") as f64 / 1000.0),
        ]
    };
    table(&heads.map(str::to_owned), &jobs.iter().map(row).collect::<Vec<_>>())
}
