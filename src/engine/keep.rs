//! What stays of an answer: its question, its record in the store, and its figures.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::answer::{DECLINED, Run, Told};
use crate::engine::citations::Tracker;
use crate::engine::{Engine, record};
use crate::error::{Error, Result};
use crate::store::{AnswerRecord, TraceRecord};
use crate::telemetry;
use crate::types::{Outcome, Verdict};

/// Letters of the question that name a conversation.
const TITLE: usize = 80;
const AT_LIMIT: &str = "the model stopped at its limit of tokens; the answer has no end";

/// Stores the question, and the conversation that it begins; returns the id of its message.
pub(super) async fn question(engine: &Arc<Engine>, run: &Run) -> Result<String> {
    let (store, asked) = (engine.store(), &run.asked);
    if asked.begins {
        let title: String = asked.message.chars().take(TITLE).collect();
        store
            .begin_conversation(&run.conversation, &title, &asked.owner)
            .await?;
    }
    store.add_question(&run.conversation, &asked.message).await
}

/// Whether the model stopped before the end of what it had to say.
pub(super) fn is_at_limit(outcome: &Result<String>) -> bool {
    matches!(outcome, Ok(reason) if reason == "length")
}

/// What is stored of the answer.
pub(super) fn record(
    (run, question): (&Run, Option<String>),
    (tracker, told): (&Tracker, &Told),
    (outcome, verdict): (&Result<String>, Option<&Verdict>),
) -> AnswerRecord {
    let declined = run.weighed.outcome == Outcome::Declined;
    let limit = is_at_limit(outcome).then(|| AT_LIMIT.to_owned());
    AnswerRecord {
        id: run.message.clone(),
        question,
        run: run.id.clone(),
        route: run.route.name.clone(),
        text: if declined { DECLINED } else { tracker.text() }.to_owned(),
        complete: outcome.is_ok() && limit.is_none(),
        outcome: verdict.map(|verdict| verdict.outcome),
        sources: record::numbered(if declined { &[] } else { &run.prompt.context.passages }),
        citations: tracker.citations().to_vec(),
        sentences: record::sentences(verdict.map_or(&[], |verdict| &verdict.sentences)),
        usage: told.usage.clone(),
        problem: outcome.as_ref().err().map(Error::to_store).or(limit),
    }
}

/// Stores the answer. A document that was erased meanwhile is erased from it too; returns whether there was none.
pub(super) async fn keep(
    engine: &Arc<Engine>,
    run: &Run,
    record: &AnswerRecord,
    trace: Option<TraceRecord>,
) -> Result<bool> {
    engine.store().add_answer(&run.conversation, record).await?;
    if let Some(trace) = trace
        && let Err(error) = engine.store().keep_trace(&trace, engine.parts.traces.keep_days).await
    {
        // The answer is worth more than how it came about.
        tracing::warn!(run = run.id, %error, "no trace of an answer is kept");
    }
    let mut whole = true;
    // A trace also has those that were not packed.
    for passage in run.prompt.context.passages.iter().chain(&run.found) {
        let held = engine
            .collection(&passage.collection)
            .is_ok_and(|collection| collection.holds(passage.document.id));
        if !held {
            whole = false;
            engine
                .store()
                .erase_document(&passage.collection, passage.document.id)
                .await?;
        }
    }
    Ok(whole)
}

/// Records the call under the names of the `GenAI` conventions. The labels are bounded: routes and kinds of failure.
pub(super) fn measure(run: &Run, told: &Told, error: Option<&Error>, took: Duration) {
    let model = run
        .route
        .targets
        .first()
        .map_or("extractive", |target| target.model.as_str())
        .to_owned();
    let provider = run
        .route
        .targets
        .first()
        .map_or("portolan", |target| target.provider.as_str())
        .to_owned();
    let kind = error.map_or("", Error::kind);
    let labels = [
        ("gen_ai_operation_name", "chat".to_owned()),
        ("gen_ai_request_model", model),
        ("gen_ai_provider_name", provider),
        ("error_type", kind.to_owned()),
    ];
    metrics::histogram!(telemetry::OPERATION_DURATION, &labels).record(took.as_secs_f64());
    if let Some(first) = told.first_text_ms {
        metrics::histogram!(telemetry::TIME_TO_FIRST_CHUNK, &labels).record(first as f64 / 1000.0);
    }
    if let Some(usage) = &told.usage {
        for (direction, tokens) in [("input", usage.tokens_in), ("output", usage.tokens_out)] {
            let mut labels = labels.to_vec();
            labels.push(("gen_ai_token_type", direction.to_owned()));
            metrics::histogram!(telemetry::TOKEN_USAGE, &labels).record(tokens as f64);
        }
    }
}
