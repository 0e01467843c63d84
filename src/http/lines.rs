//! Documents as JSON lines: read as they come, so that a body of any length needs little memory. A line that is no
//! document is told by its number, and the others are taken.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use futures::StreamExt;
use serde_json::json;

use crate::engine::{Feed, Put};
use crate::error::Error;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::expected;
use crate::http::place::Place;
use crate::http::problem::{self, Answer, Problem};
use crate::http::puts::{Said, ended, item};
use crate::http::replay::{Claimed, Key, Print};
use crate::http::wire::DocumentBody;

/// The longest silence of the one who sends.
const SILENCE: Duration = Duration::from_mins(1);
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a body of that media type is read line by line.
pub fn are_meant(media_type: &str) -> bool {
    let names = [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/jsonlines",
    ];
    names.contains(&media_type)
}

/// Takes the lines of the body; answers once they are indexed.
pub async fn take(
    (state, caller): (HttpState, Caller),
    place: Place,
    key: Option<Key>,
    request: Request,
) -> Answer<Response> {
    expected::must_be_untold(request.headers())?;
    let mut print = Print::of(&request);
    let claimed = Claimed::of(&state, key).await?;
    let permit = state.upload_permit()?;
    let mut body = Body {
        stream: request.into_body().into_data_stream(),
        lines: Lines::new(state.settings().body_bytes),
    };
    if claimed.is_known() {
        while let Some(bytes) = body.bytes().await? {
            print.add(&bytes);
        }
        return claimed.again(&print);
    }
    let feed = state.engine().feed(&place.collection, &caller.reader()).await?;
    let job = feed.job.clone();
    while let Some(bytes) = body.bytes().await.map_err(|problem| of_job(problem, &job))? {
        print.add(&bytes);
        let lines = body.lines.push(&bytes);
        if !send(&feed, lines, state.settings().body_bytes).await {
            break;
        }
    }
    let last = body.lines.end().into_iter().collect();
    send(&feed, last, state.settings().body_bytes).await;
    feed.end().await;
    drop(permit);
    let (status, result) = ended(&state, &job).await?;
    let said: Said = (status, json!({ "job": job, "result": result }));
    // What is still running has no last word yet.
    if status == StatusCode::OK {
        claimed.keep(&print, &said).await?;
    }
    Ok(crate::http::puts::respond(&said))
}

struct Body {
    stream: axum::body::BodyDataStream,
    lines: Lines,
}

impl Body {
    /// What came next; none at the end.
    async fn bytes(&mut self) -> Answer<Option<Bytes>> {
        match tokio::time::timeout(SILENCE, self.stream.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(Error::bad_input(
                "",
                "the body ended early; send it again, what is there already costs nothing",
            )
            .into()),
            Err(_) => Err(problem::slow_body()),
        }
    }
}

fn of_job(problem: Problem, job: &str) -> Problem {
    Problem {
        detail: format!("{}; job `{job}` tells how far it came", problem.detail),
        ..problem
    }
}

/// Sends lines to the job; false when it has ended.
async fn send(feed: &Feed, lines: Vec<Line>, limit: usize) -> bool {
    for line in lines {
        let (number, read) = match line {
            Line::Whole(number, bytes) => (number, read(&bytes, limit)),
            Line::TooLong(number) => (
                number,
                Err(format!("the line is longer than the limit of {limit} bytes")),
            ),
        };
        let taken = match read {
            Ok(put) => {
                let line = Some(number);
                feed.put(Put { line, ..put }).await
            }
            Err(detail) => feed.bad(number, detail).await,
        };
        if !taken {
            return false;
        }
    }
    true
}

fn read(line: &[u8], limit: usize) -> Result<Put, String> {
    // There is but one line, and which one is told beside.
    let plain = |problem: Problem| problem.detail.replace("line 1, ", "");
    let body: DocumentBody = problem::parse(line).map_err(|error| plain(error.into()))?;
    let expected = body.if_version.as_deref().map(expected::in_body).unwrap_or_default();
    let put = Put::from(item(body, "", limit).map_err(plain)?);
    Ok(Put { expected, ..put })
}

/// A line of a body.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// With its number, from 1.
    Whole(u64, Vec<u8>),
    /// Longer than it may be.
    TooLong(u64),
}

/// Bytes to lines; holds no more of them than one line may have.
struct Lines {
    limit: usize,
    number: u64,
    begun: Vec<u8>,
    too_long: bool,
}

impl Lines {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            number: 0,
            begun: Vec::new(),
            too_long: false,
        }
    }

    /// The lines that end in `bytes`; empty ones are counted and left out.
    fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            self.too_long |= self.begun.len() + text.len() > self.limit;
            if self.too_long {
                self.begun = Vec::new();
            } else {
                self.begun.extend_from_slice(text);
            }
            if ends {
                lines.extend(self.end());
            }
        }
        lines
    }

    /// The line that has begun.
    fn end(&mut self) -> Option<Line> {
        self.number += 1;
        let mut text = std::mem::take(&mut self.begun);
        if std::mem::take(&mut self.too_long) {
            return Some(Line::TooLong(self.number));
        }
        if self.number == 1 && text.starts_with(MARK) {
            text.drain(..MARK.len());
        }
        (!text.trim_ascii().is_empty()).then_some(Line::Whole(self.number, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_come() {
        let body = b"\xef\xbb\xbfone\r\n\n  \nlonger than it may be\nfive\nsix";
        for size in 1..=body.len() {
            let mut lines = Lines::new(8);
            let mut found: Vec<Line> = body.chunks(size).flat_map(|bytes| lines.push(bytes)).collect();
            found.extend(lines.end());
            let whole = |number: u64, text: &[u8]| Line::Whole(number, text.to_vec());
            let expected = [
                whole(1, b"one\r"),
                Line::TooLong(4),
                whole(5, b"five"),
                whole(6, b"six"),
            ];
            assert_eq!(found, expected, "in pieces of {size}");
        }
        assert_eq!(Lines::new(8).end(), None);
    }
}
