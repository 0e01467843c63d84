//! chunking-evaluation (Smith, Troynikov 2024): questions whose answers are exact spans of long texts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{item, read_text};
use crate::error::{Error, Result};
use crate::types::Item;

/// The questions with their spans.
pub(super) const QUESTIONS: &str = "questions_df.csv";
/// The folder of the texts.
pub(super) const TEXTS: &str = "corpora";
/// Where the published set keeps both.
const PUBLISHED: &str = "chunking_evaluation/evaluation_framework/general_evaluation_data";

/// Texts and questions about them.
pub(in crate::cli) struct Spans {
    /// Of the collection that the texts go to.
    pub name: String,
    /// The texts.
    pub items: Vec<Item>,
    /// The questions.
    pub questions: Vec<SpanQuestion>,
}

/// A question with the places of its answer.
pub(in crate::cli) struct SpanQuestion {
    /// Its line in the file, from 1.
    pub id: String,
    /// The reader's words.
    pub text: String,
    /// Names the text.
    pub corpus: String,
    /// Character ranges of the answer.
    pub references: Vec<Range<usize>>,
}

#[derive(Deserialize)]
struct Row {
    question: String,
    references: String,
    corpus_id: String,
}

#[derive(Deserialize)]
struct Reference {
    content: String,
    start_index: usize,
    end_index: usize,
}

/// Places of a text in characters, which the set counts, by bytes, which we count.
pub(in crate::cli) struct Characters(Vec<usize>);

impl Characters {
    /// Those of `text`.
    pub fn of(text: &str) -> Self {
        let starts = (0..=text.len()).map(|byte| usize::from(text.is_char_boundary(byte)));
        let counted = starts.scan(0, |seen, starts| {
            *seen += starts;
            Some(*seen - 1)
        });
        Self(counted.collect())
    }

    /// The character range of a byte range.
    pub fn range(&self, bytes: &Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.0.get(byte).or(self.0.last()).copied().unwrap_or_default();
        at(bytes.start)..at(bytes.end)
    }
}

/// The folder with the questions: `path` itself, or where the published set keeps them below it.
pub(super) fn find(path: &Path) -> Option<PathBuf> {
    let folders = [path.to_owned(), path.join(PUBLISHED)];
    folders
        .into_iter()
        .find(|folder| folder.join(QUESTIONS).is_file() && folder.join(TEXTS).is_dir())
}

pub(super) fn read(folder: &Path, name: &str) -> Result<Spans> {
    let file = folder.join(QUESTIONS);
    let wrong = |at: usize, why: &str| Error::bad_input("/path", format!("`{}` row {at}: {why}", file.display()));
    let mut texts: BTreeMap<String, Vec<char>> = BTreeMap::new();
    let mut questions = Vec::new();
    let table = read_text(&file)?;
    for (at, row) in csv::Reader::from_reader(table.as_bytes()).deserialize().enumerate() {
        let at = at + 1;
        let row: Row = row.map_err(|error| wrong(at, &error.to_string()))?;
        let references: Vec<Reference> =
            serde_json::from_str(&row.references).map_err(|error| wrong(at, &error.to_string()))?;
        if !texts.contains_key(&row.corpus_id) {
            let text = read_text(&folder.join(TEXTS).join(format!("{}.md", row.corpus_id)))?;
            texts.insert(row.corpus_id.clone(), text.chars().collect());
        }
        let text = &texts[&row.corpus_id];
        let lies_there = |one: &Reference| {
            let held = text.get(one.start_index..one.end_index);
            held.is_some_and(|held| held.iter().copied().eq(one.content.chars()))
        };
        if references.is_empty() || !references.iter().all(lies_there) {
            return Err(wrong(at, "a reference is not at its place in the text"));
        }
        questions.push(SpanQuestion {
            id: at.to_string(),
            text: row.question,
            corpus: row.corpus_id,
            references: references.iter().map(|one| one.start_index..one.end_index).collect(),
        });
    }
    // They are Markdown by name only: read as such, marks would go and every span would move.
    let items = texts
        .into_iter()
        .map(|(name, text)| item(name, None, text.into_iter().collect()));
    Ok(Spans {
        name: name.to_owned(),
        items: items.collect(),
        questions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(start: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(PUBLISHED);
        std::fs::create_dir_all(inner.join(TEXTS)).unwrap();
        std::fs::write(inner.join(TEXTS).join("a.md"), "É, the \"answer\" is here.").unwrap();
        let references = format!(r#"[{{""content"": ""\""answer\"""", ""start_index"": {start}, ""end_index"": 15}}]"#);
        std::fs::write(
            inner.join(QUESTIONS),
            format!("question,references,corpus_id\n\"Where, then?\",\"{references}\",a\n"),
        )
        .unwrap();
        folder
    }

    #[test]
    fn spans_are_read_and_checked() {
        let folder = folder(7);
        let set = read(&find(folder.path()).unwrap(), "n").unwrap();
        assert_eq!(set.questions[0].text, "Where, then?");
        assert_eq!(set.questions[0].references, vec![7..15]);
        // `É` has two bytes.
        let text = std::str::from_utf8(&set.items[0].bytes).unwrap();
        assert_eq!(Characters::of(text).range(&(8..16)), 7..15);
        assert_eq!(Characters::of(text).range(&(0..text.len())), 0..text.chars().count());
    }

    #[test]
    fn a_span_that_is_elsewhere_is_refused() {
        let folder = folder(6);
        let error = read(&find(folder.path()).unwrap(), "n").map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("row 1"), "{error}");
    }
}
