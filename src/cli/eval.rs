//! `portolan eval`: retrieval on a BEIR folder, or answers on golden questions.

mod beir;
mod golden;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;
use crate::error::{Error, Result};

/// Measure quality.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portolan eval scifact/ --data .portolan/eval\n  portolan eval fixtures/golden.jsonl"
)]
pub struct Eval {
    /// A BEIR folder (corpus.jsonl, queries.jsonl, qrels.tsv) or a golden.jsonl whose corpus lies beside it.
    path: PathBuf,
    /// TOML with floors; the command fails below one of them.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, command: Eval, json: bool) -> Result<ExitCode> {
    if command.path.is_dir() {
        return beir::run(config, &command.path, json).await;
    }
    if command.path.is_file() {
        return golden::run(config, &command, json).await;
    }
    let shown = command.path.display();
    Err(Error::bad_input(
        "/path",
        format!("`{shown}` is neither a BEIR folder nor a golden.jsonl file"),
    ))
}

/// The lines of a JSONL file, parsed.
fn read_lines<T: serde::de::DeserializeOwned>(file: &std::path::Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input("/path", format!("cannot read `{}`: {error}", file.display())))?;
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row = serde_json::from_str(line)
            .map_err(|error| Error::bad_input("/path", format!("`{}` line {}: {error}", file.display(), at + 1)))?;
        rows.push(row);
    }
    Ok(rows)
}
