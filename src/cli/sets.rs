//! The shapes in which questions with known answers come, told apart by their files.

pub(super) mod answers;
mod beir;
pub(super) mod golden;
pub(super) mod spans;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

pub(super) use answers::Asked;
pub(super) use golden::Golden;
pub(super) use spans::Spans;

use crate::engine::measure::Judged;
use crate::error::{Error, Result};
use crate::types::{Item, Metadata};

/// What a path holds.
pub(super) enum Set {
    /// A BEIR folder: corpus.jsonl, queries.jsonl, qrels.tsv (Thakur et al. 2021).
    Beir(Beir),
    /// golden.jsonl: questions for answers, with the documents in `corpus` beside it.
    Golden(Golden),
    /// Questions whose answers are exact spans of long texts (Smith, Troynikov 2024).
    Spans(Spans),
}

/// Documents and judged questions.
pub(super) struct Beir {
    /// Of the collection that the documents go to.
    pub name: String,
    /// The documents.
    pub items: Vec<Item>,
    /// The judged ones among the queries.
    pub questions: Vec<Judged>,
}

/// Reads what is at `path`.
pub(super) fn read(path: &Path) -> Result<Set> {
    if path.is_file() {
        return golden::read(path).map(Set::Golden);
    }
    if beir::FILES.iter().all(|file| path.join(file).is_file()) {
        return beir::read(path, &collection(path)).map(Set::Beir);
    }
    if let Some(folder) = spans::find(path) {
        return spans::read(&folder, &collection(path)).map(Set::Spans);
    }
    let shown = path.display();
    let detail = if path.is_dir() {
        format!(
            "`{shown}` holds no set that is known here: a BEIR folder has {}; chunking-evaluation has {} and {}/; \
             golden questions are one .jsonl file",
            beir::FILES.join(", "),
            spans::QUESTIONS,
            spans::TEXTS,
        )
    } else {
        format!("nothing is at `{shown}`; name a BEIR folder, a chunking-evaluation folder or a golden.jsonl file")
    };
    Err(Error::bad_input("/path", detail))
}

/// A collection's name made from a folder's.
fn collection(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| PathBuf::from(folder));
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let known = |c: char| {
        if c.is_ascii_alphanumeric() || "-_".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(known).take(64).collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() { "eval".into() } else { name.into() }
}

/// Reads the questions for answers at `path`.
pub(super) fn read_answers(path: &Path) -> Result<Asked> {
    answers::read(read(path)?, path)
}

/// A plain text with a name and perhaps a title.
fn item(uri: String, title: Option<String>, text: String) -> Item {
    Item {
        uri,
        media_type: Some("text/plain".into()),
        bytes: text.into_bytes(),
        metadata: title.map_or_else(Metadata::new, |title| {
            Metadata::from([("title".to_owned(), title.into())])
        }),
        principals: Vec::new(),
        modified: None,
    }
}

fn read_text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input("/path", format!("cannot read `{}`: {error}", file.display())))
}

/// The lines of a JSONL file, parsed.
pub(super) fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>> {
    let text = read_text(file)?;
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row = serde_json::from_str(line)
            .map_err(|error| Error::bad_input("/path", format!("`{}` line {}: {error}", file.display(), at + 1)))?;
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_known_set_is_told_what_would_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: &Path| read(path).map(|_| ()).unwrap_err().to_string();
        let said = error(folder.path());
        assert!(
            said.contains("qrels.tsv") && said.contains("questions_df.csv"),
            "{said}"
        );
        assert!(error(&folder.path().join("none")).contains("nothing is at"));
    }

    #[test]
    fn any_folder_names_a_collection() {
        let check = |folder: &str, expected: &str| assert_eq!(collection(Path::new(folder)), expected, "{folder}");
        check("/x/SciFact", "scifact");
        check("/x/my set (2)", "my-set--2-");
        check("/x/__a", "a");
        check("/", "eval");
    }
}
