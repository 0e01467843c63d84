//! golden.jsonl: questions for answers, some of which go on with another or have no answer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::read_lines;
use crate::engine::measure::Judged;
use crate::engine::memory;
use crate::error::{Error, Result};
use crate::types::{Message, Role};

/// Golden questions and where their documents lie.
pub(in crate::cli) struct Golden {
    /// The questions.
    pub questions: Vec<Question>,
    /// The folder `corpus` beside them.
    pub corpus: PathBuf,
}

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::cli) struct Question {
    /// Names it.
    pub id: String,
    /// The reader's words.
    #[serde(rename = "question")]
    pub text: String,
    /// Whether the documents answer it.
    pub answerable: bool,
    /// The one that does.
    pub document: Option<String>,
    /// Its words.
    #[serde(default, deserialize_with = "words")]
    pub quote: Option<String>,
    /// The question before it in the same conversation.
    pub follows: Option<String>,
    /// What it tests, such as `identifier`.
    #[serde(default)]
    pub kind: String,
}

/// Every text holds the empty one, so it would tell nothing.
fn words<'a, D: Deserializer<'a>>(field: D) -> std::result::Result<Option<String>, D::Error> {
    let quote = Option::<String>::deserialize(field)?;
    if quote.as_ref().is_some_and(|quote| quote.trim().is_empty()) {
        return Err(D::Error::custom(
            "`quote` is empty; copy the words of the document that answer, or leave it out",
        ));
    }
    Ok(quote)
}

pub(super) fn read(file: &Path) -> Result<Golden> {
    let questions: Vec<Question> = read_lines(file)?;
    if questions.is_empty() {
        let detail = format!(
            "`{}` has no question; a line is {{id, question, answerable, …}}",
            file.display()
        );
        return Err(Error::bad_input("/path", detail));
    }
    if let Some(wrong) = questions
        .iter()
        .find(|question| question.answerable && question.document.is_none())
    {
        let detail = format!(
            "`{}`: `{}` is answerable but names no `document`",
            file.display(),
            wrong.id
        );
        return Err(Error::bad_input("/path", detail));
    }
    Ok(Golden {
        questions,
        corpus: file.with_file_name("corpus"),
    })
}

impl Golden {
    /// The questions as they are searched for, each standing for itself.
    pub fn judged(&self) -> Vec<Judged> {
        let by_id: BTreeMap<&str, &Question> = self.questions.iter().map(|one| (one.id.as_str(), one)).collect();
        let judged = self.questions.iter().map(|question| {
            let mut turns = Vec::new();
            let mut before = question.follows.as_deref();
            // A circle of questions ends as well.
            while let Some(earlier) = before.and_then(|id| by_id.get(id)).filter(|_| turns.len() < 8) {
                turns.push(Message {
                    role: Role::User,
                    text: earlier.text.clone(),
                });
                before = earlier.follows.as_deref();
            }
            turns.reverse();
            let document = question.document.clone().filter(|_| question.answerable);
            Judged {
                id: question.id.clone(),
                text: memory::stand_alone(&question.text, &turns),
                wanted: document.into_iter().map(|uri| (uri, 1.0)).collect(),
                quote: question.quote.clone(),
            }
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_follow_up_is_searched_with_the_words_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("golden.jsonl");
        let lines = [
            r#"{"id":"a","question":"How long is parental leave?","answerable":true,"document":"leave.md"}"#,
            r#"{"id":"b","question":"And who pays for it?","answerable":false,"follows":"a"}"#,
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let judged = read(&file).unwrap().judged();
        assert_eq!(judged[0].wanted.len(), 1);
        assert!(judged[1].text.contains("parental leave") && judged[1].wanted.is_empty());
        for quote in ["", " "] {
            let line =
                json!({ "id": "b", "question": "x", "answerable": true, "document": "leave.md", "quote": quote });
            std::fs::write(&file, format!("{}\n\n{line}\n", lines[0])).unwrap();
            let said = read(&file).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains("line 3: `quote` is empty; copy"), "{said}");
        }
        std::fs::write(&file, r#"{"id":"a","question":"x","answerable":true}"#).unwrap();
        assert!(read(&file).map(|_| ()).unwrap_err().to_string().contains("`a`"));
    }
}
