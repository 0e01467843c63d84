//! `portolan eval`: what retrieval and answers are worth on questions whose answers are known.

mod answers;
mod asked;
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
use crate::cli::sets::{self, Beir, Golden, Set};
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
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  portolan eval scifact/ --data .portolan/eval --out before.json\n  portolan eval \
                  scifact/ --data .portolan/eval --compare before.json\n  portolan eval fixtures/golden.jsonl --gate \
                  fixtures/gate.toml\n  portolan eval answers squad2-dev-half/ --data .portolan/eval"
)]
pub struct Eval {
    #[command(subcommand)]
    part: Option<Part>,
    /// A BEIR folder, a chunking-evaluation folder, a golden.jsonl whose documents lie in `corpus` beside it, or
    /// the .json that an earlier run wrote.
    #[arg(required = true)]
    path: Option<PathBuf>,
    #[command(flatten)]
    ends: Ends,
}

#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Measure answers: what they hold, what they cite, what is packed for a model and when they are declined.
    Answers(answers::Answers),
}

/// What becomes of the figures.
#[derive(Debug, clap::Args)]
pub(super) struct Ends {
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
    match (command.part, command.path) {
        (Some(Part::Answers(answers)), _) => {
            let figures = answers::measure(config, &answers, !json);
            Box::pin(conclude(&answers.ends, json, figures)).await
        }
        (None, Some(path)) => {
            let earlier = path.extension().is_some_and(|extension| extension == "json");
            let figures = async {
                if earlier {
                    Report::read(&path)
                } else {
                    measure(config, &path, !json).await
                }
            };
            Box::pin(conclude(&command.ends, json, figures)).await
        }
        (None, None) => Err(Error::bad_input(
            "/path",
            "name a set; `portolan eval --help` has examples",
        )),
    }
}

/// Waits for the figures and prints, writes, compares and holds them as `ends` say.
async fn conclude(ends: &Ends, json: bool, figures: impl Future<Output = Result<Report>>) -> Result<ExitCode> {
    // What is wrong with the options is said before minutes are spent.
    let gate = ends.gate.as_deref().map(Gate::read).transpose()?;
    let other = ends.compare.as_deref().map(Report::read).transpose()?;
    let report = figures.await?;
    let comparison = other.map(|other| compare::compare(&report, &other)).transpose()?;
    if let Some(file) = &ends.out {
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
            index_corpus(&engine, &set, &mut report).await?;
            golden::measure(&engine, &set, &mut report, tell).await?;
        }
        Set::Spans(set) => spans::measure(&engine, set, &mut report).await?,
    }
    report.sum_up();
    Ok(report)
}

/// Indexes the folder beside golden questions.
async fn index_corpus(engine: &Arc<Engine>, set: &Golden, report: &mut Report) -> Result<()> {
    let indexing = Indexing {
        origin: Origin::folder(set.corpus.clone()),
        allow_deletes: false,
    };
    let job = engine.index(golden::COLLECTION, indexing).await?;
    indexed(engine, &job, golden::COLLECTION, report).await
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
