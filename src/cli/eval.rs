//! `portolan eval`: what retrieval and answers are worth on questions whose answers are known.

mod compare;
mod gate;
mod golden;
mod report;
mod retrieval;
mod spans;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use indexer::sources::Origin;
use serde_json::json;

use crate::app;
use crate::cli::sets::{self, Beir, Set};
use crate::cli::{print, progress};
use crate::config::Config;
use crate::engine::{Engine, Indexing, Put};
use crate::error::{Error, Result};
use crate::types::{Checked, Item, Reader};
use gate::Gate;
use report::Report;

/// Measure quality.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portolan eval scifact/ --data .portolan/eval --out before.json\n  portolan eval \
                  scifact/ --data .portolan/eval --compare before.json\n  portolan eval fixtures/golden.jsonl --gate \
                  fixtures/gate.toml"
)]
pub struct Eval {
    /// A BEIR folder, a chunking-evaluation folder, a golden.jsonl whose documents lie in `corpus` beside it, or
    /// the .json that an earlier run wrote.
    path: PathBuf,
    /// TOML with floors; the command fails below one of them.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Writes all figures there, those of each question too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Compares with what an earlier run wrote: difference, 95 % interval and p of every figure.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, command: Eval, json: bool) -> Result<ExitCode> {
    // What is wrong with the options is said before minutes are spent.
    let gate = command.gate.as_deref().map(Gate::read).transpose()?;
    let other = command.compare.as_deref().map(Report::read).transpose()?;
    let report = if command.path.extension().is_some_and(|extension| extension == "json") {
        Report::read(&command.path)?
    } else {
        measure(config, &command.path, !json).await?
    };
    let comparison = other.map(|other| compare::compare(&report, &other)).transpose()?;
    if let Some(file) = &command.out {
        write(file, &report)?;
    }
    if json {
        let mut value = serde_json::to_value(&report).map_err(|error| Error::Internal(error.to_string()))?;
        if let Some(comparison) = &comparison {
            value["comparison"] = comparison.json();
        }
        print(&format!("{value}\n"));
    } else {
        print(&report.tables());
        if let Some(comparison) = &comparison {
            print(&format!("\n{}", comparison.table()));
        }
    }
    let failures = gate.map_or_else(|| Ok(Vec::new()), |gate| gate.failures(&report))?;
    for failure in &failures {
        eprintln!("portolan: {failure}");
    }
    Ok(if failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Indexes what is at `path`, where it has changed, and asks its questions.
async fn measure(config: &Config, path: &Path, tell: bool) -> Result<Report> {
    let set = sets::read(path)?;
    let engine = app::open(config).await?;
    let mut report = Report::default();
    match set {
        Set::Beir(Beir { name, items, questions }) => {
            index(&engine, &name, items, &mut report).await?;
            retrieval::measure(&engine, &name, &questions, &mut report).await?;
        }
        Set::Golden(set) => {
            let indexing = Indexing {
                origin: Origin::folder(set.corpus.clone()),
                allow_deletes: false,
            };
            let job = engine.index(golden::COLLECTION, indexing).await?;
            indexed(&engine, &job, golden::COLLECTION, &mut report).await?;
            golden::measure(&engine, &set, &mut report, tell).await?;
        }
        Set::Spans(set) => spans::measure(&engine, set, &mut report).await?,
    }
    let asked: BTreeSet<&String> = report
        .per_question
        .values()
        .flat_map(|questions| questions.keys())
        .collect();
    report.questions = asked.len();
    report.sum_up();
    Ok(report)
}

/// Puts documents; unchanged ones cost nothing.
async fn index(engine: &Arc<Engine>, name: &str, items: Vec<Item>, report: &mut Report) -> Result<()> {
    if let Ok(collection) = engine.collection(name) {
        let own: BTreeSet<&str> = items.iter().map(|item| item.uri.as_str()).collect();
        let held = collection.fingerprints().await?;
        let foreign = held.keys().filter(|uri| !own.contains(uri.as_str())).count();
        if foreign > 0 {
            let detail = format!(
                "collection `{name}` holds {foreign} documents that are none of this set; name another folder with \
                 --data DIR"
            );
            return Err(Error::Conflict(detail));
        }
    }
    let puts = items.into_iter().map(Put::from).collect();
    let Checked::Made(job) = engine.put(name, puts, &Reader::Everything).await? else {
        return Err(Error::Internal("nothing was expected".into()));
    };
    indexed(engine, &job, name, report).await
}

/// Waits for a job and notes what is there now.
async fn indexed(engine: &Arc<Engine>, job: &str, name: &str, report: &mut Report) -> Result<()> {
    let bar = progress::bar("documents", 0);
    let mut pulse = tokio::time::interval(Duration::from_millis(100));
    loop {
        pulse.tick().await;
        let state = engine.job(job).await?;
        let count = |key: &str| state[key].as_u64().unwrap_or_default();
        bar.set_length(count("documents"));
        bar.set_position(count("added") + count("changed") + count("moved") + count("unchanged"));
        match state["state"].as_str() {
            Some("running") => {}
            Some("done") => break,
            _ => return Err(Error::Internal(format!("indexing failed: {}", state["errors"]))),
        }
    }
    let collection = engine.collection(name)?;
    let held = collection.statistics();
    (report.documents, report.chunks) = (held.documents, held.chunks);
    name.clone_into(&mut report.set);
    report.settings = json!(collection.settings());
    Ok(())
}

/// Written aside and renamed: a run of minutes must not end in half a file.
fn write(file: &Path, report: &Report) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(report).map_err(|error| Error::Internal(error.to_string()))?;
    let aside = file.with_extension("json.new");
    std::fs::write(&aside, bytes)
        .and_then(|()| std::fs::rename(&aside, file))
        .map_err(|error| Error::bad_input("/out", format!("cannot write `{}`: {error}", file.display())))
}
