//! One answer, from the question to the last event. The stream's end is always `Done` or `Failed`.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::engine::citations::Tracker;
use crate::engine::room::Room;
use crate::engine::runs::Recording;
use crate::engine::{
    Ask, Engine, EventStream, checks, conflicts, evidence, keep, memory, pack, prompt, sentences, trace, writing,
};
use crate::error::Result;
use crate::gateway::routes::{Route, RouteKind};
use crate::gateway::selector;
use crate::index::work::blocking;
use crate::types::{
    Conflict, Context, Event, Expand, Found, Message, Mode, Options, Outcome, Passage, Prompt, Query, QueryInput,
    Reader, SentenceCheck, Usage, Verdict,
};

/// Passages that a prompt can hold.
pub const EVIDENCE: usize = 12;
/// Turns of the conversation that are looked at.
const TURNS: usize = 12;

/// What is known before the model is asked.
pub(super) struct Run {
    pub id: String,
    pub conversation: String,
    pub message: String,
    pub route: Route,
    pub reason: String,
    pub question: String,
    pub weighed: evidence::Weighed,
    pub prompt: Arc<Prompt>,
    pub found: Vec<Passage>,
    /// Tokens that the evidence could have.
    pub budget: usize,
    pub searched: trace::Searched,
    /// What of the search did not work.
    pub degraded: Vec<String>,
    pub asked: Asked,
}

/// What is stored of the question.
pub(super) struct Asked {
    /// The reader's words.
    pub message: String,
    pub owner: String,
    /// Whether the conversation begins with it.
    pub begins: bool,
}

/// Prepares the run and starts it; an error here means that nothing was sent. `place` is held until the run ends.
pub async fn start(engine: &Arc<Engine>, ask: Ask, place: impl Send + 'static) -> Result<EventStream> {
    let resumable = ask.resumable;
    let run = prepare(engine, ask).await?;
    let recording = engine.runs().begin(&run.id, &run.asked.owner, resumable);
    let events = recording.follow();
    let engine = engine.clone();
    // The task sees that nobody reads any more, drops its call to the model and stores what there is.
    engine.tasks().clone().spawn(async move {
        let id = run.id.clone();
        let end = End {
            engine: &engine,
            id: &id,
            recording: &recording,
            whole_after: None,
        };
        stream(&engine, run, end).await;
        drop(place);
    });
    Ok(events)
}

async fn prepare(engine: &Arc<Engine>, ask: Ask) -> Result<Run> {
    let (route, reason) = selector::choose(engine.routes_list(), ask.route.as_deref())?;
    let route = route.clone();
    let turns = match &ask.conversation {
        Some(id) => {
            engine.store().check_conversation(id, &ask.owner).await?;
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
        options: Options {
            expand: ask.expand.map(|kind| Expand {
                kind,
                // Where no model answers, another one may still write other words.
                route: (route.kind == RouteKind::Gateway).then(|| route.name.clone()),
            }),
            ..Options::default()
        },
        ..QueryInput::default()
    };
    let query = Query::parse(input, ask.reader)?;
    let Found {
        passages,
        degraded,
        trace: steps,
        corrections,
        ..
    } = engine.search(&query).await?;
    let found = joined(engine, passages).await?;
    let idf = engine.idf(query.collections());
    let decline_below = engine.decline_below(query.collections());
    let (message, question) = (ask.message.clone(), query.text().to_owned());
    let asked_turns = turns.len();
    // Analysing words and counting tokens takes milliseconds.
    let work = move || {
        let weighed = evidence::weigh(&question, &found, &*idf, decline_below);
        let (prompt, budget) = build(&route, &turns, (&message, &question), found.clone())?;
        Ok((weighed, prompt, found, route, budget))
    };
    let (weighed, prompt, found, route, budget) = blocking(work).await?;
    let run = prompt.run.clone();
    Ok(Run {
        id: run,
        asked: Asked {
            begins: ask.conversation.is_none(),
            message: ask.message,
            owner: ask.owner,
        },
        conversation: ask.conversation.unwrap_or_else(|| Uuid::now_v7().to_string()),
        message: Uuid::now_v7().to_string(),
        route,
        reason,
        question: query.text().to_owned(),
        weighed,
        prompt: Arc::new(prompt),
        found,
        degraded,
        budget,
        searched: trace::Searched {
            query,
            steps,
            corrections,
            decline_below,
            turns: asked_turns,
        },
    })
}

/// The prompt, and the tokens that its evidence could have.
fn build(
    route: &Route,
    turns: &[Message],
    (message, question): (&str, &str),
    found: Vec<Passage>,
) -> Result<(Prompt, usize)> {
    let room = Room::of(route, message)?;
    let count = |text: &str| room.count(text);
    let turns = pack::recent(turns, room.left / 4, &count);
    let memory = room.memory(turns);
    let budget = room.left.saturating_sub(memory);
    let mut context = pack::fit(question, found, budget, &count);
    context.ledger = room.ledger(memory, context.tokens);
    let messages = prompt::render(&context, turns, message)?;
    let prompt = Prompt {
        messages,
        question: question.to_owned(),
        context,
        max_tokens: room.answer,
        run: Uuid::now_v7().to_string(),
    };
    Ok((prompt, budget))
}

/// Passages that follow one another in a document become one.
pub async fn joined(engine: &Arc<Engine>, passages: Vec<Passage>) -> Result<Vec<Passage>> {
    let engine = engine.clone();
    let text = move |passage: &Passage| {
        let document = engine
            .document(&passage.collection, passage.document.id, &Reader::Everything)
            .ok()?;
        // Of another version the places mean nothing.
        (document.fingerprint == passage.document.version).then_some(document.text)
    };
    blocking(move || Ok(pack::join(passages, &text))).await
}

/// The end of a recording, however it comes about: its readers wait for it.
struct End<'a> {
    engine: &'a Engine,
    id: &'a str,
    recording: &'a Arc<Recording>,
    /// It can be read again if nothing was removed after so many removals.
    whole_after: Option<u64>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.engine.runs().end(self.id, self.recording, self.whole_after);
    }
}

async fn stream(engine: &Arc<Engine>, run: Run, mut end: End<'_>) {
    let recording = end.recording;
    let declined = run.weighed.outcome == Outcome::Declined;
    let context = if declined {
        Context::default()
    } else {
        run.prompt.context.clone()
    };
    let mut tracker = Tracker::new(context.passages.clone(), &run.question);
    let mut told = Told::default();
    let began = Instant::now();
    let outcome = async {
        recording.tell(started(&run))?;
        recording.tell(Event::Sources(context))?;
        if declined {
            recording.tell(Event::Text(DECLINED.into()))?;
            return Ok("stop".to_owned());
        }
        writing::follow(engine, &run, (&mut tracker, &mut told), recording).await
    };
    // The question is stored while the model is asked: nobody waits for the disk.
    let (outcome, stored) = tokio::join!(outcome, keep::question(engine, &run));
    let (question, stored) = match stored {
        Ok(question) => (Some(question), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let outcome = outcome.and_then(|reason| stored.map(|()| reason));
    let (tracker, checks) = checked(tracker, declined).await;
    // Of an answer that failed nobody can say whether the documents would have answered.
    let verdict = outcome
        .is_ok()
        .then(|| verdict(&run, (&tracker, checks), keep::is_at_limit(&outcome)));
    let record = keep::record((&run, question), (&tracker, &told), (&outcome, verdict.as_ref()));
    let removals = engine.runs().removals();
    let ended = trace::Ended {
        tracker: &tracker,
        told: &told,
        outcome: &outcome,
        verdict: verdict.as_ref(),
        took: began.elapsed(),
    };
    let traced = trace::of(&run, &ended, engine.parts.traces);
    let stored = keep::keep(engine, &run, &record, traced).await;
    if !declined {
        keep::measure(&run, &told, outcome.as_ref().err(), began.elapsed());
    }
    end.whole_after = matches!(stored, Ok(true)).then_some(removals);
    let last = last(&run, outcome.and_then(|reason| stored.map(|_| reason)));
    let usage = Event::Usage(told.usage.unwrap_or_default(), told.first_text_ms);
    for event in verdict.map(Event::Verdict).into_iter().chain([usage, last]) {
        // A run that was to end has ended now.
        let _ = recording.tell(event);
    }
}

fn started(run: &Run) -> Event {
    Event::Started {
        run: run.id.clone(),
        conversation: run.conversation.clone(),
        message: run.message.clone(),
        route: run.route.name.clone(),
        reason: run.reason.clone(),
        question: run.question.clone(),
        degraded: run.degraded.clone(),
    }
}

fn last(run: &Run, outcome: Result<String>) -> Event {
    match outcome {
        Ok(reason) => Event::Done(reason),
        Err(error) => {
            tracing::warn!(run = run.id, route = run.route.name, %error, "an answer failed");
            Event::Failed(Arc::new(error))
        }
    }
}

/// What is said when nothing is asked of a model.
pub(super) const DECLINED: &str = "The documents do not say.";

/// What the model told besides the text.
#[derive(Default)]
pub(super) struct Told {
    pub usage: Option<Usage>,
    pub first_text_ms: Option<u64>,
    pub calls: Vec<trace::Call>,
}

/// What the checks of a whole answer found.
type Checks = (Vec<SentenceCheck>, Vec<Conflict>);

async fn checked(tracker: Tracker, declined: bool) -> (Arc<Tracker>, Checks) {
    let tracker = Arc::new(tracker);
    if declined {
        return (tracker, Checks::default());
    }
    let own = tracker.clone();
    let work = move || {
        let sentences = checks::of(&own);
        let conflicts = conflicts::of(&own, &sentences);
        Ok((sentences, conflicts))
    };
    let checks = blocking(work).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "an answer could not be checked");
        Checks::default()
    });
    (tracker, checks)
}

fn verdict(run: &Run, (tracker, checks): (&Tracker, Checks), at_limit: bool) -> Verdict {
    let outcome = match run.weighed.outcome {
        Outcome::Declined => Outcome::Declined,
        _ if tracker.citations().is_empty() && sentences::is_refusal(tracker.text()) => Outcome::Declined,
        // An answer that cites nothing or has no end is not called an answer.
        _ if tracker.citations().is_empty() || at_limit => Outcome::Partial,
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
        sentences: checks.0,
        conflicts: checks.1,
    }
}
