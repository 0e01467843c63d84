//! A BEIR folder: documents, queries and graded judgements.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::{Beir, item, read_lines, read_text};
use crate::engine::measure::Judged;
use crate::error::{Error, Result};

/// Where it lies.
pub(super) const FILES: [&str; 3] = ["corpus.jsonl", "queries.jsonl", "qrels.tsv"];

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

pub(super) fn read(folder: &Path, name: &str) -> Result<Beir> {
    let [corpus, _, qrels] = FILES.map(|file| folder.join(file));
    let mut judgements = judgements(&qrels)?;
    let documents: Vec<Row> = read_lines(&corpus)?;
    let judged = queries(folder)?.into_iter().filter_map(|(id, text)| {
        let wanted = judgements.remove(&id)?;
        Some(Judged {
            id,
            text,
            wanted,
            quote: None,
        })
    });
    let questions: Vec<Judged> = judged.collect();
    if questions.is_empty() {
        let detail = format!(
            "`{}` judges none of the queries; its first column is their `_id`",
            qrels.display()
        );
        return Err(Error::bad_input("/path", detail));
    }
    let items = documents.into_iter().map(|row| item(row.id, Some(row.title), row.text));
    Ok(Beir {
        name: name.to_owned(),
        items: items.collect(),
        questions,
    })
}

/// All queries, judged or not: id and words.
pub(super) fn queries(folder: &Path) -> Result<Vec<(String, String)>> {
    let rows: Vec<Row> = read_lines(&folder.join(FILES[1]))?;
    Ok(rows.into_iter().map(|row| (row.id, row.text)).collect())
}

/// Grades by query and document; queries without a relevant document have nothing to be found.
fn judgements(file: &Path) -> Result<BTreeMap<String, BTreeMap<String, f64>>> {
    let mut judgements: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for (at, line) in read_text(file)?.lines().enumerate() {
        let parts: Vec<&str> = line.split('\t').map(str::trim).collect();
        let grade = match parts[..] {
            [_, _, grade] | [_, _, _, grade] => grade.parse::<f64>().ok(),
            _ => None,
        };
        match (grade, &parts[..]) {
            (Some(grade), [query, document, _] | [query, _, document, _]) => {
                let of_query = judgements.entry((*query).to_owned()).or_default();
                of_query.insert((*document).to_owned(), grade);
            }
            // The first line may name the columns.
            _ if at == 0 || line.trim().is_empty() => {}
            _ => {
                let detail = format!(
                    "`{}` line {}: a query, a document and a grade, parted by tabs",
                    file.display(),
                    at + 1
                );
                return Err(Error::bad_input("/path", detail));
            }
        }
    }
    judgements.retain(|_, wanted| wanted.values().any(|grade| *grade > 0.0));
    Ok(judgements)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(qrels: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let corpus = "{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"words\"}\n\n{\"_id\":\"d2\",\"text\":\"more\"}\n";
        let queries = "{\"_id\":\"q1\",\"text\":\"one\"}\n{\"_id\":\"q2\",\"text\":\"two\"}\n";
        for (file, text) in FILES.iter().zip([corpus, queries, qrels]) {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn only_judged_queries_are_asked() {
        let set = read(folder("query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t0\n").path(), "n").unwrap();
        let asked: Vec<&str> = set.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(asked, ["q1"]);
        assert_eq!(set.questions[0].wanted, BTreeMap::from([("d1".to_owned(), 2.0)]));
        assert_eq!(set.items.len(), 2);
        let four = read(folder("q1\t0\td1\t1\n").path(), "n").unwrap();
        assert_eq!(four.questions[0].wanted, BTreeMap::from([("d1".to_owned(), 1.0)]));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let error = |qrels: &str| read(folder(qrels).path(), "n").map(|_| ()).unwrap_err().to_string();
        assert!(error("q1\td1\t1\nq1 d2 1\n").contains("line 2"));
        assert!(error("q9\td1\t1\n").contains("judges none"));
    }
}
