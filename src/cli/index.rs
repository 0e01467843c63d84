//! `portolan index PATH`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::{print, progress};
use crate::config::Config;
use crate::error::Result;

/// Index a folder or a file.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan index docs/ --collection handbook")]
pub struct Index {
    /// A folder or a file: Markdown, text, HTML, PDF.
    path: PathBuf,
    /// Where to put it.
    #[arg(long, default_value = "default")]
    collection: String,
}

pub(super) async fn run(config: &Config, command: Index, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let job = place.index(&command.collection, &command.path).await?;
    let bar = progress::bar("documents", 0);
    let mut pulse = tokio::time::interval(Duration::from_millis(100));
    let state = loop {
        pulse.tick().await;
        let state = place.job(&job).await?;
        bar.set_length(number(&state, "documents"));
        bar.set_position(
            ["added", "changed", "unchanged"]
                .iter()
                .map(|key| number(&state, key))
                .sum(),
        );
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
    for error in state["errors"].as_array().into_iter().flatten() {
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        text.extend(["  ", part("uri"), ": ", part("detail"), "\n"]);
    }
    text
}

fn number(state: &Value, key: &str) -> u64 {
    state[key].as_u64().unwrap_or_default()
}
