//! Turns the gateway's bytes into deltas: server-sent frames in, text, usage and a finish out.
//!
//! The gateway ends a broken answer like a whole one, so an answer counts as whole only with a finish reason. Chunks are
//! read leniently, as providers leave fields out; the format is that of chat completion chunks.

use std::collections::VecDeque;
use std::time::Duration;

use eventsource_stream::{EventStreamError, Eventsource};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::DeltaStream;
use super::failure;
use super::routes::Timers;
use super::secret::Secret;
use crate::error::{Error, Result, UpstreamKind};
use crate::types::{Delta, Usage};

/// The longest frame, in bytes.
const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// The longest answer, in bytes; more than any model writes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// More tokens than any call has; up to here counts are exact in JSON.
const MOST_TOKENS: u64 = 1 << 53;

/// What is known of a call besides its bytes.
#[derive(Clone, Debug)]
pub struct Call {
    /// How long each part may take.
    pub timers: Timers,
    /// When the request was sent.
    pub started: Instant,
    /// Attempts that the gateway made.
    pub attempts: u32,
    /// Keys that no error may repeat.
    pub secrets: Vec<Secret>,
}

/// The deltas in `bytes`. Ends after `Delta::Finish` or with one error; dropping it drops `bytes`.
pub fn deltas<S, B>(bytes: S, call: Call) -> DeltaStream
where
    S: Stream<Item = Result<B>> + Send + Unpin + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    let answer = Answer {
        frames: frames(bytes),
        reader: Reader::new(call.attempts),
        ready: VecDeque::new(),
        last_frame: None,
        bytes: 0,
        ended: false,
        call,
    };
    stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        match answer.next().await {
            Ok(Some(delta)) => Some((Ok(delta), Some(answer))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

struct Answer {
    frames: BoxStream<'static, Result<String>>,
    reader: Reader,
    ready: VecDeque<Delta>,
    /// When the last frame came; none before the first text.
    last_frame: Option<Instant>,
    /// Of the text so far.
    bytes: usize,
    ended: bool,
    call: Call,
}

impl Answer {
    async fn next(&mut self) -> Result<Option<Delta>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Ok(Some(delta));
            }
            if self.ended {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// Waits for one frame and reads it.
    async fn read(&mut self) -> Result<()> {
        let (deadline, words) = self.deadline();
        let frame = match tokio::time::timeout_at(deadline, self.frames.next()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return self.end(),
            // Past the finish reason nothing that is missing matters.
            Ok(Some(Err(_))) | Err(_) if self.reader.finish.is_some() => return self.end(),
            Ok(Some(Err(error))) => return Err(error),
            Err(_) => return Err(Error::upstream(UpstreamKind::TimedOut, None, words)),
        };
        match self.reader.frame(&frame, &self.call.secrets)? {
            Frame::Text(text) => {
                self.bytes += text.len();
                if self.bytes > MAX_ANSWER_BYTES {
                    // What came is kept; the answer has no end.
                    self.reader.finish = Some("length".to_owned());
                    return self.end();
                }
                self.last_frame = Some(Instant::now());
                self.ready.push_back(Delta::Text(text));
            }
            Frame::Silent => self.last_frame = self.last_frame.map(|_| Instant::now()),
            Frame::Done => self.end()?,
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        self.ready.extend(self.reader.end()?);
        Ok(())
    }

    /// The timer that runs out next, and what to say when it does.
    fn deadline(&self) -> (Instant, String) {
        let Call { timers, started, .. } = &self.call;
        let total = (*started + timers.total, late("the answer was not whole", timers.total));
        let other = match self.last_frame {
            None => (*started + timers.first_token, late("no text came", timers.first_token)),
            Some(last) => (
                last + timers.stall,
                late("the answer stood still and nothing came", timers.stall),
            ),
        };
        if other.0 <= total.0 { other } else { total }
    }
}

/// Words for a timer that ran out.
pub fn late(what: &str, limit: Duration) -> String {
    format!(
        "{what} within {} s; `routes.toml` holds the timers",
        limit.as_secs_f64()
    )
}

/// The data of each frame; comments are not frames.
fn frames<S, B>(bytes: S) -> BoxStream<'static, Result<String>>
where
    S: Stream<Item = Result<B>> + Send + Unpin + 'static,
    B: AsRef<[u8]> + Send + 'static,
{
    let mut guard = Guard::default();
    bytes
        .map(move |chunk| {
            let chunk = chunk?;
            guard.pass(chunk.as_ref())?;
            Ok(chunk)
        })
        .eventsource()
        .map(|event| match event {
            Ok(event) => Ok(event.data),
            Err(EventStreamError::Transport(error)) => Err(error),
            // The parser tells of half a letter only when no more bytes come.
            Err(EventStreamError::Utf8(_)) => {
                let detail = "the stream ended in the middle of a letter";
                Err(Error::upstream(UpstreamKind::Cut, None, detail))
            }
            Err(EventStreamError::Parser(_)) => Err(broken("the stream is no event stream")),
        })
        .boxed()
}

/// Bounds what the parser keeps in memory: all of a frame, and everything after a byte that is no UTF-8.
#[derive(Default)]
struct Guard {
    bytes: usize,
    line_is_empty: bool,
    /// The begun letter at the end of the last chunk.
    begun: Vec<u8>,
}

impl Guard {
    fn pass(&mut self, chunk: &[u8]) -> Result<()> {
        self.begun.extend_from_slice(chunk);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(cause) if cause.error_len().is_none() => cause.valid_up_to(),
            Err(_) => return Err(broken("the stream is not UTF-8 text")),
        };
        self.begun.drain(..whole);
        for byte in chunk {
            self.bytes += 1;
            match byte {
                b'\n' if self.line_is_empty => self.bytes = 0,
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
            if self.bytes > MAX_FRAME_BYTES {
                return Err(broken(&format!("a frame is longer than {MAX_FRAME_BYTES} bytes")));
            }
        }
        Ok(())
    }
}

fn broken(detail: &str) -> Error {
    Error::upstream(UpstreamKind::Failed, None, detail)
}

/// What one frame brings.
#[derive(Debug, PartialEq)]
enum Frame {
    Text(String),
    Silent,
    Done,
}

/// What was read so far besides the text.
struct Reader {
    attempts: u32,
    model: Option<String>,
    usage: Option<ChunkUsage>,
    finish: Option<String>,
}

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<ChunkChoice>>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct ChunkChoice {
    delta: Option<ChunkDelta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct ChunkDelta {
    content: Option<String>,
}

/// Token counts as the provider writes them. What is no count counts as none: a good answer must not fail for it.
#[derive(Default)]
struct ChunkUsage {
    prompt: u64,
    completion: u64,
    cached: u64,
    cost: Option<f64>,
}

impl ChunkUsage {
    fn of(value: &Value) -> Self {
        let count = |pointer: &str| match value.pointer(pointer).and_then(Value::as_f64) {
            Some(count) if count > 0.0 => (count as u64).min(MOST_TOKENS),
            _ => 0,
        };
        Self {
            prompt: count("/prompt_tokens"),
            completion: count("/completion_tokens"),
            cached: count("/prompt_tokens_details/cached_tokens"),
            cost: value["cost"].as_f64().filter(|cost| *cost >= 0.0),
        }
    }
}

impl Reader {
    fn new(attempts: u32) -> Self {
        Self {
            attempts,
            model: None,
            usage: None,
            finish: None,
        }
    }

    fn frame(&mut self, data: &str, secrets: &[Secret]) -> Result<Frame> {
        if data.trim() == "[DONE]" {
            return Ok(Frame::Done);
        }
        if data.contains("\"error\"") || data.contains("\"failure\"") || data.contains("\"html-message\"") {
            let masked = secrets
                .iter()
                .fold(data.to_owned(), |text, key| text.replace(key.expose(), "[secret]"));
            if let Some(failure) = failure::within(&masked) {
                return Err(Error::Upstream(Box::new(failure)));
            }
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| broken("a frame is no chat completion chunk"))?;
        self.model = chunk.model.filter(|model| !model.is_empty()).or(self.model.take());
        self.usage = chunk.usage.as_ref().map(ChunkUsage::of).or(self.usage.take());
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
            return Ok(Frame::Silent);
        };
        if let Some(reason) = choice.finish_reason {
            self.finish = Some(finish(&reason)?);
        }
        match choice.delta.and_then(|delta| delta.content) {
            Some(text) if !text.is_empty() => Ok(Frame::Text(text)),
            _ => Ok(Frame::Silent),
        }
    }

    /// The last deltas; an error when the answer is not whole.
    fn end(&mut self) -> Result<Vec<Delta>> {
        let Some(reason) = self.finish.take() else {
            let detail = "the stream ended without a finish reason";
            return Err(Error::upstream(UpstreamKind::Cut, None, detail));
        };
        let usage = self.usage.take().map(|usage| {
            Delta::Usage(Usage {
                tokens_in: usage.prompt,
                tokens_out: usage.completion,
                cached: usage.cached,
                estimated: false,
                cost_usd: usage.cost.map(|cost| cost.to_string()),
                attempts: self.attempts,
                model: self.model.take(),
            })
        });
        Ok(usage.into_iter().chain([Delta::Finish(reason)]).collect())
    }
}

/// The three reasons that callers know, from the words of the providers.
fn finish(reason: &str) -> Result<String> {
    let known = match reason {
        "error" => return Err(broken("the provider stopped with an error")),
        "length" | "max_tokens" => "length",
        "content_filter" | "refusal" | "safety" | "SAFETY" => "content_filter",
        _ => "stop",
    };
    Ok(known.to_owned())
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
