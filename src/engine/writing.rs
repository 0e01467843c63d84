//! The model's writing becomes events. A stream that is cut off goes on once, with the model given what it wrote; a part
//! is never taken for the whole.

use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;

use crate::engine::answer::{Run, Told};
use crate::engine::citations::{Piece, Tracker};
use crate::engine::runs::Recording;
use crate::engine::trace::Call;
use crate::engine::{Engine, prompt};
use crate::error::{Error, Result, UpstreamKind};
use crate::gateway::{ChatModel, tokens};
use crate::types::{Delta, Event, Prompt, Usage};

/// So much of a continuation is looked at for what was written before: models like to repeat themselves.
const LOOKED_AT: usize = 200;
/// Shorter repetitions may be chance.
const REPEATED: usize = 8;
/// An answer with less room left than this many tokens is not gone on with.
const LEAST: usize = 32;

/// Follows the model to its end; returns its finish reason.
pub(super) async fn follow(
    engine: &Engine,
    run: &Run,
    (tracker, told): (&mut Tracker, &mut Told),
    recording: &Recording,
) -> Result<String> {
    let mut writing = Writing {
        engine,
        recording,
        tracker,
        told,
        began: Instant::now(),
        first: None,
        written: String::new(),
        opening: None,
    };
    let model = engine.model(&run.route.name)?;
    let cut = match writing.take(model, run.prompt.clone()).await {
        Err(cut) if writing.goes_on(run, &cut) => cut,
        ended => return ended,
    };
    let Some(prompt) = continued(run, &writing.written)? else {
        return Err(cut);
    };
    tracing::warn!(run = run.id, route = run.route.name, error = %cut, "the model is asked to go on");
    writing.opening = Some(String::new());
    let before = writing.told.usage.take();
    // Of two failures the first is the cause.
    let ended = writing.take(model, Arc::new(prompt)).await.map_err(|_| cut);
    writing.add_usage(run, before);
    ended
}

/// The prompt with what was written, where there is room for more.
fn continued(run: &Run, written: &str) -> Result<Option<Prompt>> {
    let used = model_of(run).map_or(0, |model| tokens::count(model, written));
    let max_tokens = run.prompt.max_tokens.saturating_sub(used);
    if max_tokens < LEAST {
        return Ok(None);
    }
    let mut prompt = Prompt::clone(&run.prompt);
    prompt.max_tokens = max_tokens;
    prompt.messages.extend(prompt::go_on(written)?);
    Ok(Some(prompt))
}

fn model_of(run: &Run) -> Option<&str> {
    run.route.targets.first().map(|target| target.model.as_str())
}

struct Writing<'a> {
    engine: &'a Engine,
    recording: &'a Recording,
    tracker: &'a mut Tracker,
    told: &'a mut Told,
    began: Instant,
    /// When the call under way gave its first text.
    first: Option<Instant>,
    /// What the model wrote, with its marks.
    written: String,
    /// The beginning of a continuation, until it is known what it repeats.
    opening: Option<String>,
}

impl Writing<'_> {
    /// One call, which is noted.
    async fn take(&mut self, model: &Arc<dyn ChatModel>, prompt: Arc<Prompt>) -> Result<String> {
        let began = Instant::now();
        self.first = None;
        let ended = self.read(model, prompt).await;
        let call = Call {
            first_text_ms: self.first.map(|first| first.duration_since(began).as_millis() as u64),
            took_ms: began.elapsed().as_millis() as u64,
            usage: self.told.usage.clone(),
            ended: ended.clone().map_err(|error| (error.kind(), error.to_string())),
        };
        self.told.calls.push(call);
        ended
    }

    async fn read(&mut self, model: &Arc<dyn ChatModel>, prompt: Arc<Prompt>) -> Result<String> {
        let stopping = self.engine.stopping();
        let mut deltas = self.recording.wait(model.stream(prompt), stopping).await??;
        while let Some(delta) = self.recording.wait(deltas.next(), stopping).await? {
            match delta? {
                Delta::Text(text) => {
                    self.first.get_or_insert_with(Instant::now);
                    self.text(&text)?;
                }
                Delta::Usage(usage) => self.told.usage = Some(usage),
                Delta::Finish(reason) => {
                    self.open()?;
                    let rest = self.tracker.finish();
                    self.send(rest)?;
                    return Ok(reason);
                }
            }
        }
        let detail = "the stream ended without a finish reason";
        Err(Error::upstream(UpstreamKind::Cut, None, detail))
    }

    fn text(&mut self, text: &str) -> Result<()> {
        if let Some(opening) = &mut self.opening {
            opening.push_str(text);
            return if opening.len() < LOOKED_AT.min(self.written.len()) {
                Ok(())
            } else {
                self.open()
            };
        }
        let waited = self.began.elapsed().as_millis() as u64;
        self.told.first_text_ms.get_or_insert(waited);
        let pieces = self.tracker.push(text);
        self.written.push_str(text);
        self.send(pieces)
    }

    /// Lets the beginning of a continuation pass, without what stands there already.
    fn open(&mut self) -> Result<()> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        let fresh = &opening[repeated(&self.written, &opening)..];
        if fresh.is_empty() { Ok(()) } else { self.text(fresh) }
    }

    fn send(&self, pieces: Vec<Piece>) -> Result<()> {
        for piece in pieces {
            let event = match piece {
                Piece::Text(text) => Event::Text(text),
                Piece::Citation(citation) => Event::Citation(citation),
            };
            self.recording.tell(event)?;
        }
        Ok(())
    }

    /// Whether the model is worth asking again: it wrote something, time is left, and somebody waits for the rest.
    fn goes_on(&self, run: &Run, cut: &Error) -> bool {
        let Error::Upstream(cut) = cut else { return false };
        let cut = matches!(cut.kind, UpstreamKind::Cut | UpstreamKind::TimedOut);
        let wanted = !self.recording.is_over() && !self.engine.stopping().is_cancelled();
        cut && wanted && !self.written.is_empty() && self.began.elapsed() < run.route.timers.total
    }

    /// The tokens of both calls; of the one that was cut nobody told them.
    fn add_usage(&mut self, run: &Run, before: Option<Usage>) {
        let Some(usage) = &mut self.told.usage else {
            self.told.usage = before;
            return;
        };
        let count = |text: &str| model_of(run).map_or(0, |model| tokens::count(model, text)) as u64;
        let before = before.unwrap_or_else(|| Usage {
            tokens_in: run.prompt.messages.iter().map(|message| count(&message.text)).sum(),
            tokens_out: count(&self.written).saturating_sub(usage.tokens_out),
            attempts: 1,
            ..Usage::default()
        });
        usage.tokens_in += before.tokens_in;
        usage.tokens_out += before.tokens_out;
        usage.cached += before.cached;
        usage.attempts += before.attempts;
        usage.estimated = true;
        // What the first call cost is not known.
        usage.cost_usd = None;
    }
}

/// How many bytes at the beginning of `opening` only repeat `written`: all of it from its start, or its end.
fn repeated(written: &str, opening: &str) -> usize {
    if opening.len() >= written.len() && opening.starts_with(written) {
        return written.len();
    }
    let ends = (REPEATED..=opening.len().min(written.len())).rev();
    ends.filter(|end| opening.is_char_boundary(*end))
        .find(|end| written.ends_with(&opening[..*end]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_loses_what_it_repeats() {
        let check = |written: &str, opening: &str, fresh: &str| {
            assert_eq!(&opening[repeated(written, opening)..], fresh);
        };
        check("The backup runs ", "every night.", "every night.");
        check("The backup runs ", "The backup runs every night.", "every night.");
        check(
            "First. The backup runs ",
            "The backup runs every night.",
            "every night.",
        );
        check("It runs at", "at night", "at night");
        check("Größe ist", "Größe ist groß", " groß");
        check("Über alle Größen", "Größen ä", " ä");
        check("ab", "ab", "");
    }
}
