//! What a run measured: as a table for a person, as JSON for a script and for the next run to compare with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::table::table;
use crate::error::{Error, Result};

/// Figures by name.
pub(super) type Row = BTreeMap<String, f64>;

/// One run over one set.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// The set's name.
    pub set: String,
    /// How many questions were asked.
    pub questions: usize,
    /// How many documents there were to find.
    pub documents: usize,
    /// How many chunks they were cut into.
    pub chunks: usize,
    /// What the collection was searched with.
    pub settings: Value,
    /// Figures of each mode, and of the answers.
    pub figures: BTreeMap<String, Row>,
    /// The same for each question by its id.
    pub per_question: BTreeMap<String, BTreeMap<String, Row>>,
}

/// The order in which modes and figures are shown; others follow by name.
const ORDER: [&str; 8] = [
    "lexical", "vector", "hybrid", "answers", "checks", "packed", "in order", "whole",
];

/// Names of figures and their heads in tables, in the order of the columns.
const HEADS: [(&str, &str); 31] = [
    ("ndcg_at_10", "nDCG@10"),
    ("recall_at_10", "recall@10"),
    ("recall_at_100", "recall@100"),
    ("mrr_at_10", "MRR@10"),
    ("token_recall_at_5", "token recall@5"),
    ("token_precision_at_5", "precision@5"),
    ("token_iou_at_5", "IoU@5"),
    ("token_recall_at_10", "token recall@10"),
    ("token_precision_at_10", "precision@10"),
    ("token_iou_at_10", "IoU@10"),
    ("p50_ms", "p50 ms"),
    ("p95_ms", "p95 ms"),
    ("cited", "right document cited"),
    ("identifiers", "identifiers"),
    ("declined", "unanswerable declined"),
    ("over_refusal", "answerable declined"),
    ("gold_span", "gold words in the answer"),
    ("gold_in_source", "gold words in its sources"),
    ("words", "words, mean"),
    ("most_words", "words, most"),
    ("verbatim", "quotes verbatim"),
    ("invented_shown", "invented marks shown"),
    ("supported", "sentences supported"),
    ("declined_without", "gold removed: declined or partial"),
    ("refused_at_5", "held out: answerable declined"),
    ("declined_at_5", "held out: gold removed, declined"),
    ("gold_passage", "gold passage packed"),
    ("gold_words", "gold words packed"),
    ("tokens", "tokens"),
    ("marked", "corruptions marked"),
    ("sound_marked", "sound sentences marked"),
];

/// Figures that are no shares.
const COUNTS: [&str; 3] = ["words", "most_words", "tokens"];

impl Report {
    /// Takes the figures of one question.
    pub fn add(&mut self, part: &str, question: &str, row: Row) {
        self.per_question
            .entry(part.to_owned())
            .or_default()
            .insert(question.to_owned(), row);
    }

    /// Sums up what was added: a figure is the mean over the questions that have it.
    pub fn sum_up(&mut self) {
        let asked: BTreeSet<&String> = self.per_question.values().flat_map(BTreeMap::keys).collect();
        self.questions = asked.len();
        for (part, questions) in &self.per_question {
            let mut sums: BTreeMap<&String, (f64, usize)> = BTreeMap::new();
            for (name, value) in questions.values().flatten() {
                let (sum, count) = sums.entry(name).or_default();
                *sum += value;
                *count += 1;
            }
            let means = sums
                .into_iter()
                .map(|(name, (sum, count))| (name.clone(), sum / count as f64));
            self.figures.entry(part.clone()).or_default().extend(means);
        }
    }

    /// Reads what an earlier run wrote with `--out`.
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let bytes = std::fs::read(file)
            .map_err(|error| Error::bad_input("/compare", format!("cannot read `{shown}`: {error}")))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let detail = format!("`{shown}` is no report ({error}); `portolan eval … --out FILE` writes one");
            Error::bad_input("/compare", detail)
        })
    }

    /// Tables in Markdown, which a terminal shows as well: one for all parts with the same figures.
    pub fn tables(&self) -> String {
        let mut tables: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        for part in ordered(self.figures.keys().map(String::as_str), &ORDER) {
            let columns = ordered(
                self.figures[part].keys().map(String::as_str),
                &HEADS.map(|(name, _)| name),
            );
            match tables.iter_mut().find(|(known, _)| *known == columns) {
                Some((_, parts)) => parts.push(part),
                None => tables.push((columns, vec![part])),
            }
        }
        let mut text = format!(
            "{}: {} documents in {} chunks, {} questions\n",
            self.set, self.documents, self.chunks, self.questions
        );
        for (columns, parts) in tables {
            let heads = columns.iter().map(|column| head(column));
            let heads: Vec<String> = [String::new()].into_iter().chain(heads).collect();
            let row = |part: &&str| {
                let cells = columns.iter().map(|column| shown(column, self.figures[*part][*column]));
                [(*part).to_owned()].into_iter().chain(cells).collect()
            };
            text.push('\n');
            text.push_str(&table(&heads, &parts.iter().map(row).collect::<Vec<_>>()));
        }
        text
    }
}

/// A figure's name in tables.
pub(super) fn head(name: &str) -> String {
    let known = HEADS.iter().find(|(known, _)| *known == name);
    known.map_or(name, |(_, head)| head).to_owned()
}

fn shown(name: &str, value: f64) -> String {
    if name.ends_with("_ms") || COUNTS.contains(&name) {
        format!("{value:.1}")
    } else {
        format!("{value:.4}")
    }
}

/// `names` in the order of `known`, the unknown ones last.
fn ordered<'a>(names: impl Iterator<Item = &'a str>, known: &[&str]) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.collect();
    let place = |name: &str| known.iter().position(|one| *one == name).unwrap_or(known.len());
    names.sort_by_key(|name| (place(name), *name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_summed_up_and_shown() {
        let mut report = Report {
            set: "s".into(),
            questions: 2,
            documents: 3,
            chunks: 4,
            ..Report::default()
        };
        for (part, question, value) in [("hybrid", "a", 1.0), ("hybrid", "b", 0.5), ("lexical", "a", 0.25)] {
            report.add(
                part,
                question,
                Row::from([("ndcg_at_10".into(), value), ("mrr_at_10".into(), value)]),
            );
        }
        report.add("answers", "a", Row::from([("cited".into(), 1.0)]));
        report.sum_up();
        assert!((report.figures["hybrid"]["ndcg_at_10"] - 0.75).abs() < 1e-9);
        insta::assert_snapshot!(report.tables(), @r"
        s: 3 documents in 4 chunks, 2 questions

        |  | nDCG@10 | MRR@10 |
        | --- | --- | --- |
        | lexical | 0.2500 | 0.2500 |
        | hybrid | 0.7500 | 0.7500 |

        |  | right document cited |
        | --- | --- |
        | answers | 1.0000 |
        ");
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
