//! Questions whose answers are known word by word: golden.jsonl, or a BEIR folder with answers.json beside its files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Beir, Golden, Set, beir, read_text};
use crate::engine::measure::Judged;
use crate::error::{Error, Result};
use crate::types::Item;

/// The file beside those of a BEIR folder.
const FILE: &str = "answers.json";

/// Where the documents of a set lie.
pub(in crate::cli) enum Documents {
    /// In a folder.
    Corpus(Golden),
    /// Here.
    Items(Vec<Item>),
}

/// Questions and the documents that they are about.
pub(in crate::cli) struct Asked {
    /// Of the collection that the documents go to.
    pub name: String,
    /// The documents.
    pub documents: Documents,
    /// The questions, in the order of their file.
    pub questions: Vec<AskedQuestion>,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct AskedQuestion {
    /// Names it.
    pub id: String,
    /// The reader's words.
    pub text: String,
    /// Whether the documents answer it.
    pub answerable: bool,
    /// URI of the document that it is about.
    pub document: Option<String>,
    /// Any of these words is the answer; none where they are not known.
    pub answers: Vec<String>,
    /// The question before it in the same conversation.
    pub follows: Option<String>,
}

/// A known answer in answers.json.
#[derive(Deserialize)]
#[serde(untagged)]
enum Known {
    /// `SQuAD` 2.0: spans of a paragraph; none where it only seems to answer.
    Spans {
        impossible: bool,
        answers: Vec<String>,
        paragraph: String,
    },
    /// Free words, that no text needs to hold.
    #[allow(dead_code, reason = "only that there are some is of use")]
    Words(String),
}

pub(super) fn read(set: Set, path: &Path) -> Result<Asked> {
    match set {
        Set::Golden(golden) => Ok(of_golden(golden)),
        Set::Beir(beir) => of_beir(beir, path),
        Set::Spans(_) => Err(Error::bad_input(
            "/path",
            "questions with spans of several texts are none for answers; `portolan eval PATH` measures them",
        )),
    }
}

fn of_golden(golden: Golden) -> Asked {
    let questions = golden.questions.iter().map(|question| AskedQuestion {
        id: question.id.clone(),
        text: question.text.clone(),
        answerable: question.answerable,
        document: question.document.clone(),
        answers: question.quote.iter().cloned().collect(),
        follows: question.follows.clone(),
    });
    Asked {
        name: "golden".to_owned(),
        questions: questions.collect(),
        documents: Documents::Corpus(golden),
    }
}

fn of_beir(set: Beir, folder: &Path) -> Result<Asked> {
    let file = folder.join(FILE);
    let wrong = |error: serde_json::Error| Error::bad_input("/path", format!("`{}`: {error}", file.display()));
    let mut known: BTreeMap<String, Known> = serde_json::from_str(&read_text(&file)?).map_err(wrong)?;
    let first = |judged: &Judged| Some((judged.id.clone(), judged.wanted.keys().next()?.clone()));
    let mut wanted: BTreeMap<String, String> = set.questions.iter().filter_map(first).collect();
    let questions = beir::queries(folder)?.into_iter().filter_map(|(id, text)| {
        let judged = wanted.remove(&id);
        let (answerable, document, answers) = match known.remove(&id)? {
            Known::Spans {
                impossible,
                answers,
                paragraph,
            } => (!impossible, Some(paragraph), answers),
            Known::Words(_) => (judged.is_some(), judged, Vec::new()),
        };
        Some(AskedQuestion {
            id,
            text,
            answerable,
            document,
            answers,
            follows: None,
        })
    });
    Ok(Asked {
        name: set.name,
        questions: questions.collect(),
        documents: Documents::Items(set.items),
    })
}

impl Asked {
    /// At most `most` questions that have an answer and half as many that have none, at even distances, always the
    /// same ones. Conversations stay whole.
    pub fn sample(&mut self, most: usize) {
        if self.questions.iter().any(|question| question.follows.is_some()) {
            return;
        }
        let (with, without): (Vec<AskedQuestion>, Vec<AskedQuestion>) = std::mem::take(&mut self.questions)
            .into_iter()
            .partition(|question| question.answerable);
        self.questions = spread(with, most);
        self.questions.extend(spread(without, most / 2));
    }
}

fn spread(questions: Vec<AskedQuestion>, most: usize) -> Vec<AskedQuestion> {
    let all = questions.len();
    let taken = |at: usize| all <= most || (at * most) / all != ((at + 1) * most) / all;
    let kept = questions.into_iter().enumerate().filter(|(at, _)| taken(*at));
    kept.map(|(_, question)| question).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_from_beside_the_questions() {
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            (
                "corpus.jsonl",
                "{\"_id\":\"p0\",\"title\":\"T\",\"text\":\"It is in France.\"}\n",
            ),
            (
                "queries.jsonl",
                "{\"_id\":\"a\",\"text\":\"where\"}\n{\"_id\":\"b\",\"text\":\"when\"}\n{\"_id\":\"c\",\"text\":\"how\"}\n",
            ),
            ("qrels.tsv", "a\tp0\t1\nc\tp0\t1\n"),
            (
                FILE,
                r#"{"a": {"impossible": false, "answers": ["France"], "paragraph": "p0"},
                    "b": {"impossible": true, "answers": [], "paragraph": "p0"}, "c": "So."}"#,
            ),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let asked = super::super::read_answers(folder.path()).unwrap();
        let told: Vec<(&str, bool, usize)> = asked
            .questions
            .iter()
            .map(|one| (one.id.as_str(), one.answerable, one.answers.len()))
            .collect();
        assert_eq!(told, [("a", true, 1), ("b", false, 0), ("c", true, 0)]);
        assert!(asked.questions.iter().all(|one| one.document.as_deref() == Some("p0")));
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
        let error = super::super::read_answers(folder.path())
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains(FILE), "{error}");
    }

    #[test]
    fn a_sample_is_spread_over_all() {
        let question = |at: usize| AskedQuestion {
            id: at.to_string(),
            ..AskedQuestion::default()
        };
        let taken = |all: usize, most: usize| -> Vec<String> {
            spread((0..all).map(question).collect(), most)
                .into_iter()
                .map(|one| one.id)
                .collect()
        };
        assert_eq!(taken(6, 3), ["1", "3", "5"]);
        assert_eq!(taken(2, 3), ["0", "1"]);
        assert_eq!(taken(1000, 7).len(), 7);
    }
}
