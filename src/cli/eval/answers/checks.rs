//! The checks of sentences: answers as a model would write them, sound ones and the same with one known fault each.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::super::report::{Report, Row};
use super::super::retrieval;
use super::corrupt::{Corrupted, KINDS, Kind, Stock, corrupt};
use super::share;
use crate::cli::sets::{self, Asked};
use crate::cli::{print, progress};
use crate::engine::Engine;
use crate::engine::answer::EVIDENCE;
use crate::engine::checks;
use crate::engine::citations::Tracker;
use crate::error::{Error, Result};
use crate::types::{Finding, Passage, SentenceCheck};

/// The file beside golden questions.
const FILE: &str = "answers.jsonl";
/// Answers with a fault of one kind.
const EACH: usize = 50;

/// An answer that its documents say; `[n]` in it is the n-th of `documents`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sound {
    id: String,
    documents: Vec<String>,
    text: String,
}

/// A sound answer over what a search found.
struct Case {
    id: String,
    question: String,
    text: String,
    passages: Vec<Passage>,
}

/// Checks the answers that lie beside the questions; without them there is nothing to measure.
pub(super) async fn measure(
    engine: &Arc<Engine>,
    set: &Asked,
    (path, tell): (&Path, bool),
    report: &mut Report,
) -> Result<()> {
    let file = path.with_file_name(FILE);
    if !file.is_file() {
        return Ok(());
    }
    let mut cases = Vec::new();
    for sound in sets::read_lines::<Sound>(&file)? {
        let Some(question) = set.questions.iter().find(|question| question.id == sound.id) else {
            continue;
        };
        let mut passages = super::found(engine, set, &question.text).await?;
        let text = numbered(engine, (set, &sound), &mut passages).await?;
        cases.push(Case {
            id: sound.id.clone(),
            question: question.text.clone(),
            text,
            passages,
        });
    }
    let bar = progress::bar("checks", (cases.len() + KINDS.len() * EACH) as u64);
    let stock = Stock::of(cases.iter().map(|case| &case.passages));
    for case in &cases {
        let found = checked(case, &case.text);
        let wrong: Vec<&SentenceCheck> = found.1.iter().filter(|check| is_marked(check)).collect();
        if tell && !wrong.is_empty() {
            bar.suspend(|| tell_of(case, "sound", &found.0, &wrong));
        }
        let row = Row::from([(
            "sound_marked".to_owned(),
            wrong.len() as f64 / found.1.len().max(1) as f64,
        )]);
        report.add("checks", &case.id, row);
        bar.inc(1);
    }
    for kind in KINDS {
        let faulty = cases.iter().enumerate().filter_map(|(at, case)| {
            let corrupted = corrupt(kind, (at, &case.text), &case.passages, &stock)?;
            Some((case, corrupted))
        });
        for (case, corrupted) in faulty.take(EACH) {
            let (text, found) = checked(case, &corrupted.text);
            let marked = holds(kind, &corrupted, (&text, &found));
            if tell && !marked {
                bar.suspend(|| tell_of(case, kind.as_str(), &text, &found.iter().collect::<Vec<_>>()));
            }
            let name = format!("{} {}", case.id, kind.as_str());
            let row = Row::from([
                ("marked".to_owned(), share(marked)),
                (kind.as_str().to_owned(), share(marked)),
            ]);
            report.add("checks", &name, row);
            bar.inc(1);
        }
    }
    Ok(())
}

/// The answer with the numbers that its documents have among the passages: for each sentence the passage of its
/// document that a search for the sentence finds first; where it was not found for the question, it is added.
async fn numbered(engine: &Arc<Engine>, (set, sound): (&Asked, &Sound), passages: &mut Vec<Passage>) -> Result<String> {
    let mut text = String::new();
    let mut start = 0;
    while let Some(mark) = mark_from(&sound.text, start) {
        let sentence = sound.text[start..mark.start].trim_start_matches('.').trim();
        let document = sound.text[mark.start + 1..mark.end - 1].parse::<usize>().ok();
        let document = document.and_then(|number| sound.documents.get(number.checked_sub(1)?));
        let query = retrieval::query_of(&set.name, sentence, EVIDENCE)?;
        let found = engine.search(&query).await?.passages;
        let own = found
            .into_iter()
            .find(|passage| Some(&passage.document.uri) == document);
        let Some(own) = own else {
            let detail = format!("`{}`: no search finds `{sentence}` in its document", sound.id);
            return Err(Error::bad_input("/path", detail));
        };
        let known = passages.iter().position(|passage| covers(passage, &own));
        let place = known.unwrap_or(passages.len());
        if known.is_none() {
            passages.push(own);
        }
        text.push_str(&sound.text[start..mark.start]);
        text.extend(["[", &(place + 1).to_string(), "]"]);
        start = mark.end;
    }
    text.push_str(&sound.text[start..]);
    Ok(text)
}

/// Whether the passage is the other one, or was joined from it and what stands beside it.
fn covers(passage: &Passage, other: &Passage) -> bool {
    let (span, within) = (&passage.chunk.span, &other.chunk.span);
    passage.document.id == other.document.id && span.start <= within.start && within.end <= span.end
}

fn mark_from(text: &str, start: usize) -> Option<Range<usize>> {
    let open = start + text[start..].find('[')?;
    Some(open..open + text[open..].find(']')? + 1)
}

fn checked(case: &Case, answer: &str) -> (String, Vec<SentenceCheck>) {
    let mut tracker = Tracker::new(case.passages.clone(), &case.question);
    tracker.push(answer);
    tracker.finish();
    (tracker.text().to_owned(), checks::of(&tracker))
}

fn is_marked(check: &SentenceCheck) -> bool {
    matches!(check.finding, Finding::Unsupported(_))
}

/// Whether the fault was found where it is.
fn holds(kind: Kind, corrupted: &Corrupted, (text, found): (&str, &[SentenceCheck])) -> bool {
    if let Some(number) = corrupted.invented {
        let shown = text.contains(&format!("[{number}]"));
        return !shown && found.iter().any(|check| check.removed.contains(&number));
    }
    let own = found
        .iter()
        .filter(|check| text[check.range.clone()].contains(&corrupted.words));
    own.into_iter()
        .any(|check| is_marked(check) || (kind == Kind::Citation && !check.removed.is_empty()))
}

fn tell_of(case: &Case, kind: &str, text: &str, checks: &[&SentenceCheck]) {
    print(&format!("  {} {kind}:\n", case.id));
    for check in checks {
        let words = &text[check.range.clone()];
        print(&format!(
            "    {words} -> {:?} {:?} {:?}\n",
            check.finding, check.cited, check.removed
        ));
    }
}
