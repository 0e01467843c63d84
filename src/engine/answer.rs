//! One answer, from the question to the last event. The stream's end is always `Done` or `Failed`.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::engine::citations::{Piece, Tracker};
use crate::engine::{Ask, Engine, EventStream, evidence, memory, pack, prompt, record, support};
use crate::error::{Error, Result, UpstreamKind};
use crate::gateway::{routes::Route, selector, tokens};
use crate::store::AnswerRecord;
use crate::telemetry;
use crate::types::{Context, Delta, Event, Message, Mode, Outcome, Passage, Prompt, Query, QueryInput, Usage, Verdict};

/// Passages that a prompt can hold.
const EVIDENCE: usize = 12;
/// Turns of the conversation that are looked at.
const TURNS: usize = 12;
/// Tokens of the instructions and of the question's frame.
const OVERHEAD: usize = 400;
/// Tokens that evidence and turns must be left with.
const LEAST_ROOM: usize = 256;
/// More than all evidence together.
const WITHOUT_LIMIT: usize = 1_000_000;
/// Events that wait for a slow reader before the model waits too.
const QUEUE: usize = 64;

/// What is known before the model is asked.
struct Run {
    id: String,
    conversation: String,
    message: String,
    route: Route,
    reason: String,
    question: String,
    weighed: evidence::Weighed,
    prompt: Arc<Prompt>,
    found: Vec<Passage>,
}

/// Prepares the run and starts it; an error here means that nothing was sent.
pub async fn start(engine: &Arc<Engine>, ask: Ask) -> Result<EventStream> {
    let run = prepare(engine, ask).await?;
    let (events, receiver) = mpsc::channel(QUEUE);
    let engine = engine.clone();
    // The task sees that the stream was dropped, drops its call to the model and stores what there is.
    engine
        .tasks()
        .clone()
        .spawn(async move { stream(&engine, run, &events).await });
    Ok(tokio_stream::wrappers::ReceiverStream::new(receiver).boxed())
}

async fn prepare(engine: &Arc<Engine>, ask: Ask) -> Result<Run> {
    let (route, reason) = selector::choose(engine.routes_list(), ask.route.as_deref())?;
    let route = route.clone();
    let turns = match &ask.conversation {
        Some(id) => {
            engine.store().conversation(Some(id), "", &ask.owner).await?;
            engine.store().turns(id, TURNS).await?
        }
        None => ask.history,
    };
    let question = memory::stand_alone(ask.message.trim(), &turns);
    let input = QueryInput {
        text: question,
        collections: ask.collections,
        filter: ask.filter,
        mode: Mode::Hybrid,
        limit: Some(EVIDENCE),
        offset: 0,
    };
    let query = Query::parse(input, ask.reader)?;
    let found = engine.search(&query).await?.passages;
    let idf = engine.idf(query.collections());
    let weighed = evidence::weigh(query.text(), &found, &*idf, engine.decline_below(query.collections()));
    let prompt = build(&route, &turns, &ask.message, query.text(), found.clone())?;
    let title: String = ask.message.chars().take(80).collect();
    let conversation = engine
        .store()
        .conversation(ask.conversation.as_deref(), &title, &ask.owner)
        .await?;
    engine.store().add_question(&conversation, &ask.message).await?;
    let run = prompt.run.clone();
    Ok(Run {
        id: run,
        conversation,
        message: Uuid::now_v7().to_string(),
        route,
        reason,
        question: query.text().to_owned(),
        weighed,
        prompt: Arc::new(prompt),
        found,
    })
}

fn build(route: &Route, turns: &[Message], message: &str, question: &str, found: Vec<Passage>) -> Result<Prompt> {
    // The extractive route has no window.
    let window = route
        .targets
        .iter()
        .map(|target| target.window)
        .min()
        .unwrap_or(WITHOUT_LIMIT);
    let answer = route
        .targets
        .iter()
        .map(|target| target.max_output)
        .min()
        .unwrap_or(512)
        .min(window / 4);
    let model = route
        .targets
        .first()
        .map_or("", |target| target.model.as_str())
        .to_owned();
    let count = move |text: &str| tokens::count(&model, text);
    let room = window.saturating_sub(answer + OVERHEAD + count(message));
    if room < LEAST_ROOM {
        let detail = format!(
            "the message leaves no room in the window of route `{}`; shorten it",
            route.name
        );
        return Err(Error::bad_input("/message", detail));
    }
    let turns = pack::recent(turns, room / 4, &count);
    let spent: usize = turns.iter().map(|turn| count(&turn.text) + 4).sum();
    let context = pack::fit(found, room.saturating_sub(spent), &count);
    let messages = prompt::render(&context, turns, message)?;
    let run = Uuid::now_v7().to_string();
    Ok(Prompt {
        messages,
        question: question.to_owned(),
        context,
        max_tokens: answer,
        run,
    })
}

async fn stream(engine: &Arc<Engine>, run: Run, events: &mpsc::Sender<Event>) {
    let started = Event::Started {
        run: run.id.clone(),
        conversation: run.conversation.clone(),
        message: run.message.clone(),
        route: run.route.name.clone(),
        reason: run.reason.clone(),
        question: run.question.clone(),
    };
    let declined = run.weighed.outcome == Outcome::Declined;
    let context = if declined {
        Context::default()
    } else {
        run.prompt.context.clone()
    };
    // A send fails only when the reader has left; `follow` sees it.
    let _ = events.send(started).await;
    let _ = events.send(Event::Sources(context.passages.clone())).await;
    let mut tracker = Tracker::new(context.passages);
    let mut told = Told::default();
    let began = Instant::now();
    let outcome = if declined {
        decline(events).await
    } else {
        follow(engine, &run, &mut tracker, &mut told, events).await
    };
    let text = if declined { DECLINED } else { tracker.text() };
    let verdict = verdict(&run, &tracker);
    let record = AnswerRecord {
        id: run.message.clone(),
        run: run.id.clone(),
        route: run.route.name.clone(),
        text: text.to_owned(),
        complete: outcome.is_ok(),
        outcome: Some(verdict.outcome),
        sources: if declined {
            record::numbered(&[])
        } else {
            record::numbered(&run.prompt.context.passages)
        },
        citations: tracker.citations().to_vec(),
        usage: told.usage.clone(),
        problem: outcome.as_ref().err().map(ToString::to_string),
    };
    let stored = keep(engine, &run, &record).await;
    measure(&run, &told, outcome.as_ref().err(), began.elapsed());
    let _ = events.send(Event::Verdict(verdict)).await;
    let _ = events
        .send(Event::Usage(told.usage.unwrap_or_default(), told.first_text_ms))
        .await;
    let last = match (outcome, stored) {
        (Ok(reason), Ok(())) => Event::Done(reason),
        (Err(error), _) | (Ok(_), Err(error)) => {
            tracing::warn!(run = run.id, route = run.route.name, %error, "an answer failed");
            Event::Failed(Arc::new(error))
        }
    };
    let _ = events.send(last).await;
}

const DECLINED: &str = "The documents do not say.";

/// Stores the answer. A document that was erased meanwhile is erased from it too.
async fn keep(engine: &Arc<Engine>, run: &Run, record: &AnswerRecord) -> Result<()> {
    engine.store().add_answer(&run.conversation, record).await?;
    for passage in &run.prompt.context.passages {
        let held = engine
            .collection(&passage.collection)
            .is_ok_and(|collection| collection.holds(passage.document.id));
        if !held {
            engine
                .store()
                .erase_document(&passage.collection, passage.document.id)
                .await?;
        }
    }
    Ok(())
}

/// Records the call under the names of the `GenAI` conventions. The labels are bounded: routes and kinds of failure.
fn measure(run: &Run, told: &Told, error: Option<&Error>, took: std::time::Duration) {
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

/// What the model told besides the text.
#[derive(Default)]
struct Told {
    usage: Option<Usage>,
    first_text_ms: Option<u64>,
}

async fn decline(events: &mpsc::Sender<Event>) -> Result<String> {
    let _ = events.send(Event::Text(DECLINED.into())).await;
    Ok("stop".into())
}

async fn follow(
    engine: &Arc<Engine>,
    run: &Run,
    tracker: &mut Tracker,
    told: &mut Told,
    events: &mpsc::Sender<Event>,
) -> Result<String> {
    let started = Instant::now();
    let stopping = engine.stopping();
    let mut deltas = tokio::select! {
        deltas = engine.model(&run.route.name)?.stream(run.prompt.clone()) => deltas?,
        () = stopping.cancelled() => return Err(stopped()),
        () = events.closed() => return Err(left()),
    };
    loop {
        let delta = tokio::select! {
            delta = deltas.next() => delta,
            () = stopping.cancelled() => return Err(stopped()),
            () = events.closed() => return Err(left()),
        };
        let Some(delta) = delta else { break };
        let pieces = match delta? {
            Delta::Text(text) => {
                told.first_text_ms.get_or_insert(started.elapsed().as_millis() as u64);
                tracker.push(&text)
            }
            Delta::Usage(usage) => {
                told.usage = Some(usage);
                Vec::new()
            }
            Delta::Finish(reason) => {
                send(tracker.finish(), events).await;
                return Ok(reason);
            }
        };
        send(pieces, events).await;
    }
    Err(Error::upstream(
        UpstreamKind::Cut,
        None,
        "the stream ended without a finish reason",
    ))
}

fn left() -> Error {
    Error::upstream(UpstreamKind::Cut, None, "the reader left before the end")
}

fn stopped() -> Error {
    let retry_after = std::time::Duration::from_secs(5);
    Error::Overloaded {
        detail: "the service is stopping; ask again in a moment".into(),
        retry_after,
    }
}

async fn send(pieces: Vec<Piece>, events: &mpsc::Sender<Event>) {
    for piece in pieces {
        let event = match piece {
            Piece::Text(text) => Event::Text(text),
            Piece::Citation(citation) => Event::Citation(citation),
        };
        let _ = events.send(event).await;
    }
}

fn verdict(run: &Run, tracker: &Tracker) -> Verdict {
    let outcome = match run.weighed.outcome {
        Outcome::Declined => Outcome::Declined,
        _ if tracker.citations().is_empty() && support::is_refusal(tracker.text()) => Outcome::Declined,
        // An answer that cites nothing is not called an answer.
        _ if tracker.citations().is_empty() => Outcome::Partial,
        outcome => outcome,
    };
    let nearest = if outcome == Outcome::Declined {
        run.found.iter().take(3).cloned().collect()
    } else {
        Vec::new()
    };
    Verdict {
        outcome,
        missing: run.weighed.missing.clone(),
        nearest,
    }
}
