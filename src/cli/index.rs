//! `portolan index PATH`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::print;
use crate::config::Config;
use crate::error::Result;

/// Index a folder or a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan index docs/ --collection handbook")]
pub struct Index {
    /// A folder or a file: text, Markdown, HTML, PDF, Office, OpenDocument, mail, tables, source code, archives.
    path: PathBuf,
    /// Where to put it.
    #[arg(long, default_value = "default")]
    collection: String,
}

pub(super) async fn run(config: &Config, command: Index, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let job = place.index(&command.collection, &command.path).await?;
    let bar = progress();
    let mut pulse = tokio::time::interval(Duration::from_millis(100));
    let state = loop {
        pulse.tick().await;
        let state = place.job(&job).await?;
        show(&bar, &state);
        if state["state"] != "running" {
            break state;
        }
    };
    bar.finish_and_clear();
    if json {
        print(&format!("{state}\n"));
    } else {
        print(&summary(&state, &command.collection));
    }
    let good = state["state"] == "done" && number(&state, "error_count") == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A sign of life until the job has counted its documents.
fn progress() -> ProgressBar {
    let bar = ProgressBar::no_length().with_message("reading the folder");
    match ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn show(bar: &ProgressBar, state: &Value) {
    let documents = number(state, "documents");
    if documents == 0 {
        return bar.tick();
    }
    if bar.length().is_none()
        && let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} documents, {per_sec}, {eta} left")
    {
        bar.set_style(style);
        bar.reset();
    }
    bar.set_length(documents);
    let done: u64 = ["added", "changed", "unchanged", "error_count"]
        .iter()
        .map(|key| number(state, key))
        .sum();
    bar.set_position(done.min(documents));
}

fn summary(state: &Value, collection: &str) -> String {
    let mut text = format!(
        "{} documents in `{collection}`: {} added, {} changed, {} unchanged, {} deleted; {} chunks in {:.1} s\n",
        number(state, "documents"),
        number(state, "added"),
        number(state, "changed"),
        number(state, "unchanged"),
        number(state, "deleted"),
        number(state, "chunks"),
        number(state, "took_ms") as f64 / 1000.0,
    );
    let skipped: Vec<String> = state["skipped"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if !skipped.is_empty() {
        let formats = indexer::sources::FORMATS;
        text.extend(["  skipped: ", &skipped.join(", "), "; what is read: ", formats, "\n"]);
    }
    for error in state["errors"].as_array().into_iter().flatten() {
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        text.extend(["  ", part("uri"), ": ", part("detail"), "\n"]);
    }
    text
}

fn number(state: &Value, key: &str) -> u64 {
    state[key].as_u64().unwrap_or_default()
}
