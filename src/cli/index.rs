//! `portolan index SOURCE`.

mod typed;
mod watch;

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use indexer::sources::{FORMATS, MAX_FILE_BYTES};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::print;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::index_body::IndexBody;
use crate::http::jobs::has_ended;
use crate::types::collection_name;
use typed::Typed;

/// The most names of each kind that a plan shows.
const NAMES: usize = 10;

/// Index a folder, a file or another source.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Index {
    #[command(flatten)]
    typed: Typed,
    /// Where to put it.
    #[arg(long, default_value = "default")]
    collection: String,
    /// Tell what would be added, changed, moved and deleted, and about how long it would take; change nothing.
    #[arg(long)]
    plan: bool,
    /// Let any share of the documents vanish; without it, a job stops before it deletes over 30 % and over 10 of them.
    #[arg(long)]
    allow_deletes: bool,
    /// Index again whenever something changes, until Ctrl-C.
    #[arg(long, conflicts_with = "plan")]
    watch: bool,
    /// With `--watch`, look so often, such as `15m`; a site, a repository and a bucket every 15 minutes if not told.
    #[arg(long, requires = "watch", value_name = "TIME", value_parser = typed::time)]
    every: Option<Duration>,
}

const EXAMPLES: &str = "\
Examples:
  portolan index docs/ --collection handbook
  portolan index docs/ --plan     # tells what would be done, and does nothing
  portolan index docs/ --include '*.md' --exclude drafts/
  portolan index docs/ --watch    # documents appear within about 2 seconds
  portolan index https://example.org/sitemap.xml
  portolan index --crawl https://example.org/docs/ --depth 4 --watch --every 1h
  portolan index git+https://example.org/docs.git#main
  portolan index s3://bucket/prefix
  portolan index rows.jsonl --fields id=sku,title=name,text=description,metadata.price=price
  cat page.md | portolan index - --uri page.md";

pub(super) async fn run(config: &Config, command: Index, json: bool) -> Result<ExitCode> {
    if command.typed.is_stdin() {
        let bytes = stdin(&command)?;
        let place = Place::open(config).await?;
        collection_name(&command.collection)?;
        let answer = place.put(&command.collection, command.typed.uri()?, bytes).await?;
        return finish(&place, &answer, &command.collection, json).await;
    }
    if command.watch {
        return watch::run(config, &command, json).await;
    }
    let body = body(&command)?;
    let place = Place::open(config).await?;
    let answer = place.index(body).await?;
    if command.plan {
        let plan = if json { format!("{answer}\n") } else { outline(&answer) };
        print(&plan);
        return Ok(ExitCode::SUCCESS);
    }
    finish(&place, &answer, &command.collection, json).await
}

/// What the service is told to do.
fn body(command: &Index) -> Result<IndexBody> {
    Ok(IndexBody {
        path: None,
        source: Some(command.typed.origin()?),
        collection: command.collection.clone(),
        plan: command.plan,
        allow_deletes: command.allow_deletes,
    })
}

/// What stands on standard input.
fn stdin(command: &Index) -> Result<Vec<u8>> {
    command.typed.uri()?;
    if command.plan || command.watch {
        let detail = "standard input can be read only once; leave `--plan` and `--watch` out";
        return Err(Error::bad_input("/source", detail));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::bad_input("/source", format!("cannot read standard input: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::bad_input("/source", "standard input is over 64 MB; split it"));
    }
    Ok(bytes)
}

/// Waits for the job and tells how it ended.
async fn finish(place: &Place, answer: &Value, collection: &str, json: bool) -> Result<ExitCode> {
    let state = follow(place, answer["job"].as_str().unwrap_or_default()).await?;
    if json {
        print(&format!("{state}\n"));
    } else {
        print(&summary(&state, collection));
    }
    let good = state["state"] == "done" && number(&state, "error_count") == 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows how far the job is until it has ended.
async fn follow(place: &Place, job: &str) -> Result<Value> {
    let bar = progress();
    let mut pulse = tokio::time::interval(Duration::from_millis(100));
    loop {
        pulse.tick().await;
        let state = place.job(job).await?;
        show(&bar, &state);
        if has_ended(&state) {
            bar.finish_and_clear();
            return Ok(state);
        }
    }
}

/// A sign of life until the job has counted its documents.
fn progress() -> ProgressBar {
    let bar = ProgressBar::no_length().with_message("reading the source");
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
        && let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} documents, {msg}")
    {
        bar.set_style(style);
        bar.reset();
    }
    bar.set_length(documents);
    let done: u64 = ["added", "changed", "moved", "unchanged", "error_count"]
        .iter()
        .map(|key| number(state, key))
        .sum();
    bar.set_position(done.min(documents));
    bar.set_message(speed(state));
}

/// Documents and chunks a second, the time left, and what went wrong so far.
fn speed(state: &Value) -> String {
    let rate = |key: &str| state[key].as_f64().unwrap_or_default();
    let mut words = vec![
        format!("{:.0}/s", rate("documents_per_s")),
        format!("{:.0} chunks/s", rate("chunks_per_s")),
    ];
    if let Some(left) = state["left_ms"].as_u64() {
        words.push(format!("{} left", time(left)));
    }
    if state["state"] == "paused" {
        words.push("paused".into());
    }
    words.extend(kinds(state));
    words.join(", ")
}

/// How many errors of each kind.
fn kinds(state: &Value) -> Option<String> {
    let kinds = state["error_kinds"].as_object()?;
    let words: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.replace('_', " ")))
        .collect();
    (!words.is_empty()).then(|| format!("errors: {}", words.join(", ")))
}

fn summary(state: &Value, collection: &str) -> String {
    let mut text = format!(
        "{} documents in `{collection}`: {} added, {} changed, {} moved, {} unchanged, {} deleted; {} chunks, {} of them \
         embedded, in {:.1} s: {:.0} documents/s, {:.0} chunks/s\n",
        number(state, "documents"),
        number(state, "added"),
        number(state, "changed"),
        number(state, "moved"),
        number(state, "unchanged"),
        number(state, "deleted"),
        number(state, "chunks"),
        number(state, "embedded"),
        number(state, "took_ms") as f64 / 1000.0,
        state["documents_per_s"].as_f64().unwrap_or_default(),
        state["chunks_per_s"].as_f64().unwrap_or_default(),
    );
    if state["state"] == "cancelled" {
        text.push_str("  cancelled\n");
    }
    text.extend(skipped(state));
    text.extend(sentences(state));
    text.extend(kinds(state).map(|kinds| format!("  {kinds}\n")));
    text + &faults(state)
}

/// A plan for a person.
fn outline(plan: &Value) -> String {
    let mut lines = vec![
        format!(
            "{} documents for `{}`: {} to add, {} to change, {} to move, {} to delete, {} unchanged\n",
            number(plan, "documents"),
            plan["collection"].as_str().unwrap_or_default(),
            number(plan, "added"),
            number(plan, "changed"),
            number(plan, "moved"),
            number(plan, "deleted"),
            number(plan, "unchanged"),
        ),
        format!(
            "  {} to read, about {} chunks to embed, about {}\n",
            HumanBytes(number(plan, "bytes")),
            number(plan, "chunks"),
            time(number(plan, "estimated_ms")),
        ),
    ];
    for (key, sign) in [("added", '+'), ("changed", '~'), ("moved", '>'), ("deleted", '-')] {
        let names = plan["names"][key].as_array().map(Vec::as_slice).unwrap_or_default();
        let shown = names.iter().take(NAMES);
        lines.extend(shown.map(|name| format!("  {sign} {}\n", named(name))));
        let more = number(plan, key).saturating_sub(NAMES as u64);
        if more > 0 {
            lines.push(format!("  {sign} and {more} more\n"));
        }
    }
    if plan["needs_allow_deletes"] == true {
        lines.push("  so many are gone that nothing would be deleted without `--allow-deletes`\n".into());
    }
    lines.extend(skipped(plan));
    lines.push(faults(plan));
    lines.concat()
}

fn named(name: &Value) -> String {
    match name["from"].as_str().zip(name["to"].as_str()) {
        Some((from, to)) => format!("{from} -> {to}"),
        None => name.as_str().unwrap_or_default().to_owned(),
    }
}

fn skipped(state: &Value) -> Option<String> {
    let kinds = state["skipped"].as_object()?;
    let skipped: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if skipped.is_empty() {
        return None;
    }
    let mut line = format!("  skipped: {}", skipped.join(", "));
    // The ending of a file, and no reason of a site.
    if kinds
        .keys()
        .any(|kind| kind.chars().all(char::is_alphanumeric) && kind != "noindex")
    {
        line.extend(["; what is read: ", FORMATS]);
    }
    Some(line + "\n")
}

/// What became of the sentences that a model was to write.
fn sentences(state: &Value) -> Option<String> {
    let sentences = &state["context_sentences"];
    let [written, kept, missing] = ["written", "kept", "missing"].map(|key| number(sentences, key));
    if written + kept + missing == 0 {
        return None;
    }
    let mut line = format!("  context sentences: {written} written, {kept} kept, {missing} missing");
    if let Some(fault) = sentences["fault"].as_str() {
        line.extend(["; the next run asks for them again (", fault, ")"]);
    }
    Some(line + "\n")
}

fn faults(state: &Value) -> String {
    let mut text = String::new();
    for error in state["errors"].as_array().into_iter().flatten() {
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        let of = if part("uri").is_empty() { "" } else { ": " };
        text.extend(["  ", part("uri"), of, part("detail"), "\n"]);
    }
    text
}

fn time(milliseconds: u64) -> String {
    HumanDuration(Duration::from_millis(milliseconds)).to_string()
}

fn number(state: &Value, key: &str) -> u64 {
    state[key].as_u64().unwrap_or_default()
}
