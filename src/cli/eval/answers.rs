//! `portolan eval answers`: what an answer holds and cites, what is packed for a model, and when none is given.

mod checks;
mod corrupt;
mod gate;
mod packing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::asked::{Told, ask};
use super::report::{Report, Row};
use super::retrieval;
use super::{Ends, index, index_corpus};
use crate::app;
use crate::cli::sets::{self, Asked, answers::AskedQuestion, answers::Documents};
use crate::cli::{print, progress};
use crate::config::Config;
use crate::engine::{Engine, answer, citations};
use crate::error::Result;
use crate::types::{Citation, DocumentId, Finding, Outcome, Passage, Reader};

/// Measure answers of the extractive route, the evidence gate and packing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portolan eval answers fixtures/golden.jsonl --gate fixtures/answers.toml --data \
                  .portolan/eval\n  portolan eval answers squad2-dev-half/ --sample 1000 --out before.json --data \
                  .portolan/eval\n  portolan eval answers squad2-dev-half/ --compare before.json --json"
)]
pub(super) struct Answers {
    /// A golden.jsonl, or a BEIR folder with answers.json in it.
    path: PathBuf,
    /// Questions with an answer that are asked, always the same ones, and half as many without.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    sample: usize,
    #[command(flatten)]
    pub ends: Ends,
}

/// Indexes what is at the path, where it has changed, and asks.
pub(super) async fn measure(config: &Config, command: &Answers, tell: bool) -> Result<Report> {
    let mut set = sets::read_answers(&command.path)?;
    set.sample(command.sample);
    let engine = app::open(config).await?;
    let mut report = Report::default();
    match &set.documents {
        Documents::Corpus(golden) => index_corpus(&engine, golden, &mut report).await?,
        Documents::Items(items) => index(&engine, &set.name, items.clone(), &mut report).await?,
    }
    ask_all(&engine, &set, &mut report, tell).await?;
    gate::measure(&engine, &set, &mut report).await?;
    packing::measure(&engine, &set, &mut report).await?;
    checks::measure(&engine, &set, (&command.path, tell), &mut report).await?;
    report.sum_up();
    Ok(report)
}

async fn ask_all(engine: &Arc<Engine>, set: &Asked, report: &mut Report, tell: bool) -> Result<()> {
    let bar = progress::bar("answers", set.questions.len() as u64);
    let mut conversations: BTreeMap<&str, String> = BTreeMap::new();
    let mut most = 0.0_f64;
    for question in &set.questions {
        let before = question
            .follows
            .as_deref()
            .and_then(|id| conversations.get(id))
            .cloned();
        let told = ask(engine, (&set.name, &question.text), before).await?;
        let row = judge(engine, set, question, &told);
        most = most.max(row.get("words").copied().unwrap_or_default());
        if tell && row.get("gold_span") == Some(&0.0) {
            bar.suspend(|| print(&format!("  miss {}: {}\n", question.id, question.text)));
        }
        report.add("answers", &question.id, row);
        conversations.insert(&question.id, told.conversation);
        bar.inc(1);
    }
    let figures = report.figures.entry("answers".to_owned()).or_default();
    figures.insert("most_words".to_owned(), most);
    Ok(())
}

/// What is found for an answer, joined as it is there before it is weighed and packed.
async fn found(engine: &Arc<Engine>, set: &Asked, question: &str) -> Result<Vec<Passage>> {
    let query = retrieval::query_of(&set.name, question, answer::EVIDENCE)?;
    answer::joined(engine, engine.search(&query).await?.passages).await
}

fn judge(engine: &Engine, set: &Asked, question: &AskedQuestion, told: &Told) -> Row {
    let mut row = Row::new();
    let mut add = |name: &str, value: f64| row.insert(name.to_owned(), value);
    let declined = told.verdict.outcome == Outcome::Declined;
    add(
        if question.answerable {
            "over_refusal"
        } else {
            "declined"
        },
        share(declined),
    );
    if question.answerable && !question.answers.is_empty() {
        add("gold_span", share(holds(&told.text, &question.answers)));
        let sources = told.sources.iter();
        add(
            "gold_in_source",
            share(
                sources
                    .map(|one| &one.chunk.text)
                    .any(|text| holds(text, &question.answers)),
            ),
        );
    }
    if let Some(document) = question.document.as_deref().filter(|_| question.answerable) {
        let wanted = DocumentId::of(document);
        add("cited", share(told.citations.iter().any(|one| one.document == wanted)));
    }
    if declined {
        return row;
    }
    let words = citations::without_marks(&told.text).split_whitespace().count();
    add("words", words as f64);
    let marks = citations::marks(&told.text);
    add("invented_shown", marks.saturating_sub(told.citations.len()) as f64);
    let verbatim = told
        .citations
        .iter()
        .filter(|one| is_verbatim(engine, &set.name, one))
        .count();
    add("verbatim", verbatim as f64 / told.citations.len().max(1) as f64);
    add("supported", supported(told));
    row
}

/// Whether the words stand in the stored document at their range.
fn is_verbatim(engine: &Engine, collection: &str, citation: &Citation) -> bool {
    let document = engine.document(collection, citation.document, &Reader::Everything);
    let held = document.is_ok_and(|document| document.text.get(citation.source_range.clone()) == Some(&citation.quote));
    held && citation.checked && !citation.quote.is_empty()
}

/// Share of the sentences that say something and that their passages support.
fn supported(told: &Told) -> f64 {
    let checks = told.verdict.sentences.iter();
    let said: Vec<bool> = checks
        .filter(|check| check.finding != Finding::Plain)
        .map(|check| check.finding == Finding::Supported)
        .collect();
    said.iter().filter(|supported| **supported).count() as f64 / said.len().max(1) as f64
}

/// Whether a text has any of the words, in whatever case and with whatever white space.
fn holds(text: &str, any: &[String]) -> bool {
    let text = flat(text);
    any.iter().any(|words| text.contains(&flat(words)))
}

fn flat(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

fn share(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_over_lines() {
        let check = |text: &str, words: &str, expected: bool| {
            assert_eq!(holds(text, &["none".into(), words.into()]), expected, "{text} {words}");
        };
        check("In the 10th\nand 11th centuries.", "the 10th and  11th Centuries", true);
        check("In the 12th century.", "10th", false);
    }
}
