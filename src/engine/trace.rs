//! What is kept of how an answer came about: from the question over the ranks and the gate to each call of a model.
//!
//! Words of documents stand with the passages alone: the store finds them there when a document is erased. Where the
//! settings keep no words, what remains is ids, ranks, scores, tokens, times and hashes.

mod diff;
mod filter;
mod golden;
mod replay;
mod views;

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::Traces;
use crate::engine::answer::{Run, Told};
use crate::engine::citations::Tracker;
use crate::engine::evidence::Weighed;
use crate::engine::{prompt, record};
use crate::error::{Error, Result};
use crate::store::{PASSAGE_WORDS, TraceRecord};
use crate::types::{
    Context, Correction, Expand, Expansion, LeftOut, Mode, Passage, Query, Reader, Reason, Step, Usage, Verdict,
};

pub use golden::Wanted;
pub use replay::Changes;
pub use views::Viewer;

/// What is known of the search when the answer begins.
pub(super) struct Searched {
    /// As it was made.
    pub query: Query,
    /// Time and count of each of its steps; of a search that was answered from memory, those of the first one.
    pub steps: Vec<Step>,
    /// Words that were read as others.
    pub corrections: Vec<Correction>,
    /// Support below which the answer was to be declined.
    pub decline_below: f32,
    /// Turns of the conversation that were looked at.
    pub turns: usize,
}

/// One call of a model.
#[derive(Debug)]
pub(super) struct Call {
    /// To its first text, in milliseconds.
    pub first_text_ms: Option<u64>,
    /// To its end, in milliseconds.
    pub took_ms: u64,
    /// What it counted.
    pub usage: Option<Usage>,
    /// Its finish reason, or the kind of its failure and the words.
    pub ended: std::result::Result<String, (&'static str, String)>,
}

/// How the answer ended.
pub(super) struct Ended<'a> {
    pub tracker: &'a Tracker,
    pub told: &'a Told,
    pub outcome: &'a Result<String>,
    pub verdict: Option<&'a Verdict>,
    pub took: Duration,
}

/// The trace of a run, as far as `settings` want one.
pub(super) fn of(run: &Run, ended: &Ended<'_>, settings: Traces) -> Option<TraceRecord> {
    if settings.keep_days == 0 {
        return None;
    }
    let context = &run.prompt.context;
    let mut trace = json!({
        "asked": asked(&run.searched.query),
        "route": { "name": run.route.name, "reason": run.reason, "model": model(run) },
        "search": search(&run.searched, &run.degraded),
        "gate": gate(&run.weighed, run.searched.decline_below),
        "packing": packing(run),
        "prompt": {
            "name": prompt::ANSWER, "hash": prompt::hash(), "messages": run.prompt.messages.len(),
            "rendered_hash": hash(&run.prompt.messages.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join("\0")),
        },
        "evidence_hash": evidence_hash(context),
        "calls": ended.told.calls.iter().map(|one| call(one, settings.words)).collect::<Value>(),
        "checks": { "citations": ended.tracker.citations().len(), "removed_marks": ended.tracker.removed().len() },
        "verdict": ended.verdict.map(|verdict| verdict.outcome.as_str()),
        "took_ms": ended.took.as_millis() as u64,
    });
    match ended.outcome {
        Ok(reason) => trace["finish_reason"] = json!(reason),
        Err(error) => {
            trace["problem"] = json!({ "kind": error.kind(), "detail": settings.words.then(|| error.to_string()) });
        }
    }
    if settings.words {
        trace["asked"]["message"] = json!(run.asked.message);
        trace["asked"]["question"] = json!(run.question);
        trace["gate"]["missing"] = json!(run.weighed.missing);
        trace["search"]["corrections"] = run.searched.corrections.iter().map(correction).collect();
    }
    Some(TraceRecord {
        run: run.id.clone(),
        conversation: run.conversation.clone(),
        message: run.message.clone(),
        record: trace,
        passages: rows(&run.found, context, settings.words),
    })
}

fn model(run: &Run) -> Option<&str> {
    run.route.targets.first().map(|target| target.model.as_str())
}

/// All that decided what was searched for, besides the words.
fn asked(query: &Query) -> Value {
    let expand = query.options().expand.as_ref().map(|Expand { kind, route }| {
        let kind = match kind {
            Expansion::Queries => "queries",
            Expansion::Passage => "passage",
        };
        json!({ "kind": kind, "route": route })
    });
    let principals = match query.reader() {
        Reader::Everything => Value::Null,
        Reader::Principals(own) => json!(own),
    };
    json!({
        "collections": query.collections(), "filter": filter::write(query.filter()), "mode": mode(query.mode()),
        "expand": expand, "principals": principals,
    })
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Hybrid => "hybrid",
        Mode::Lexical => "lexical",
        Mode::Vector => "vector",
    }
}

fn search(searched: &Searched, degraded: &[String]) -> Value {
    json!({ "steps": searched.steps.iter().map(step).collect::<Value>(), "degraded": degraded, "turns": searched.turns })
}

fn step(step: &Step) -> Value {
    let took_ms = (step.took.as_secs_f64() * 1e6).round() / 1e3;
    json!({ "name": step.name, "took_ms": took_ms, "count": step.count })
}

fn correction(one: &Correction) -> Value {
    json!({ "word": one.word, "read_as": one.read_as })
}

fn gate(weighed: &Weighed, decline_below: f32) -> Value {
    json!({
        "outcome": weighed.outcome.as_str(), "support": weighed.support, "coverage": weighed.coverage,
        "cosine": weighed.cosine, "decline_below": decline_below,
    })
}

fn packing(run: &Run) -> Value {
    let context = &run.prompt.context;
    let is_whole = |one: &&LeftOut| !matches!(one.reason, Reason::Cut(_));
    let dropped = context.left_out.iter().filter(is_whole).count();
    json!({
        "budget": run.budget, "tokens": context.tokens, "packed": context.passages.len(), "dropped": dropped,
        "room_for_answer": run.prompt.max_tokens,
    })
}

/// The words of a failure may repeat those of the prompt.
fn call(call: &Call, with_words: bool) -> Value {
    let usage = call.usage.clone().unwrap_or_default();
    let mut value = json!({
        "took_ms": call.took_ms, "first_text_ms": call.first_text_ms, "attempts": usage.attempts, "model": usage.model,
        "tokens_in": usage.tokens_in, "tokens_out": usage.tokens_out, "cached": usage.cached,
        "estimated": usage.estimated, "cost_usd": usage.cost_usd,
    });
    match &call.ended {
        Ok(reason) => value["finish_reason"] = json!(reason),
        Err((kind, words)) => value["problem"] = json!({ "kind": kind, "detail": with_words.then_some(words) }),
    }
    value
}

/// The packed passages with their numbers, then those that were dropped with the reason.
fn rows(found: &[Passage], context: &Context, words: bool) -> Vec<Value> {
    let packed = |passage: &Passage| context.passages.iter().any(|one| one.chunk.id == passage.chunk.id);
    let mut rows = Vec::with_capacity(found.len());
    for (at, passage) in context.passages.iter().enumerate() {
        let mut row = row(passage, words);
        row["number"] = json!(at + 1);
        rows.push(row);
    }
    for left_out in context.left_out.iter().filter(|left_out| !packed(&left_out.passage)) {
        let mut row = row(&left_out.passage, words);
        row["dropped"] = json!(left_out.reason.told().0);
        rows.push(row);
    }
    for row in &mut rows {
        let rank = found
            .iter()
            .position(|one| row["id"] == json!(one.chunk.id.to_string()));
        row["rank"] = json!(rank.map(|at| at + 1));
    }
    rows
}

fn row(passage: &Passage, words: bool) -> Value {
    let mut row = record::passage(passage);
    if !words && let Some(fields) = row.as_object_mut() {
        fields.retain(|name, _| !PASSAGE_WORDS.contains(&name.as_str()));
    }
    row
}

/// What tells whether two answers had the same evidence, byte by byte: what the model sees, and where it stands.
fn evidence_hash(context: &Context) -> String {
    let mut evidence = String::new();
    for passage in &context.passages {
        let (card, chunk) = (&passage.document, &passage.chunk);
        let place = (
            &chunk.id.to_string(),
            &card.id.to_string(),
            &card.version,
            chunk.span.start,
            chunk.span.end,
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            evidence,
            "{}",
            json!([passage.collection, place.0, place.1, place.2, place.3, place.4])
        );
        let _ = writeln!(evidence, "{}", json!([card.title, chunk.heading_path, chunk.text]));
    }
    hash(&evidence)
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hash(text: &str) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

fn not_found(run: &str) -> Error {
    Error::NotFound(format!(
        "no trace of the run `{run}`; `GET /v1/traces` lists those that are kept, and `[traces]` of the settings says for how long"
    ))
}
