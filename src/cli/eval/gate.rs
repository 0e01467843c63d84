//! A file of floors under a report's figures.

use std::path::Path;

use toml::{Table, Value};

use super::report::Report;
use crate::error::{Error, Result};

/// Figures of which less is better; for them the file names ceilings.
const CEILINGS: [&str; 8] = [
    "over_refusal",
    "refused_at_5",
    "p50_ms",
    "p95_ms",
    "words",
    "most_words",
    "invented_shown",
    "sound_marked",
];

/// One floor: figures of the answers stand at the top of the file, those of a mode under its name.
struct Floor {
    part: String,
    name: String,
    limit: f64,
}

/// What a file asks for.
pub(super) struct Gate(Vec<Floor>);

impl Gate {
    /// Reads it.
    pub fn read(file: &Path) -> Result<Self> {
        let shown = file.display();
        let wrong = |why: &str| Error::bad_input("/gate", format!("`{shown}`: {why}"));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
        let table: Table = toml::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        let mut floors = Vec::new();
        let mut take = |part: &str, name: &str, value: &Value| {
            let limit = value
                .as_float()
                .or_else(|| value.as_integer().map(|whole| whole as f64));
            let limit = limit.ok_or_else(|| wrong(&format!("`{name}` takes a number")))?;
            floors.push(Floor {
                part: part.to_owned(),
                name: name.to_owned(),
                limit,
            });
            Ok::<(), Error>(())
        };
        for (name, value) in &table {
            match value {
                Value::Table(figures) => figures
                    .iter()
                    .try_for_each(|(figure, value)| take(name, figure, value))?,
                value => take("answers", name, value)?,
            }
        }
        Ok(Self(floors))
    }

    /// What falls short, a line each; a floor under a figure that was not measured is a mistake in the file.
    pub fn failures(&self, report: &Report) -> Result<Vec<String>> {
        let mut failures = Vec::new();
        for Floor { part, name, limit } in &self.0 {
            let figure = report
                .figures
                .get(part)
                .and_then(|figures| figures.get(name))
                .ok_or_else(|| {
                    let known: Vec<String> = report
                        .figures
                        .iter()
                        .flat_map(|(part, figures)| figures.keys().map(move |name| format!("{part}.{name}")))
                        .collect();
                    let detail = format!("the gate names `{part}.{name}`; this run has {}", known.join(", "));
                    Error::bad_input("/gate", detail)
                })?;
            let (fails, asked) = if CEILINGS.contains(&name.as_str()) {
                (figure > limit, "at most")
            } else {
                (figure < limit, "at least")
            };
            if fails {
                failures.push(format!(
                    "`{part}.{name}` is {figure:.4}, the gate asks for {asked} {limit}"
                ));
            }
        }
        Ok(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::report::Row;

    fn check(gate: &str, expected: std::result::Result<&[&str], &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), gate).unwrap();
        let mut report = Report::default();
        let answers = Row::from([("cited".into(), 0.9), ("over_refusal".into(), 0.1)]);
        report.figures.insert("answers".into(), answers);
        report
            .figures
            .insert("hybrid".into(), Row::from([("ndcg_at_10".into(), 0.7)]));
        let found = Gate::read(file.path()).and_then(|gate| gate.failures(&report));
        match expected {
            Ok(expected) => {
                let found = found.unwrap();
                assert_eq!(found.len(), expected.len(), "{gate}: {found:?}");
                assert!(
                    found.iter().zip(expected).all(|(line, part)| line.contains(part)),
                    "{found:?}"
                );
            }
            Err(part) => {
                let said = found.unwrap_err().to_string();
                assert!(said.contains(part), "{gate}: {said}");
            }
        }
    }

    #[test]
    fn floors_and_ceilings_hold_or_name_what_fails() {
        check("cited = 0.9\nover_refusal = 0.1\n[hybrid]\nndcg_at_10 = 0.7", Ok(&[]));
        check(
            "cited = 0.91",
            Ok(&["`answers.cited` is 0.9000, the gate asks for at least 0.91"]),
        );
        check("over_refusal = 0", Ok(&["at most 0"]));
        check("[hybrid]\nndcg_at_10 = 1", Ok(&["hybrid.ndcg_at_10"]));
        check("recall = 0.5", Err("answers.cited"));
        check("[lexical]\nndcg_at_10 = 0.1", Err("hybrid.ndcg_at_10"));
        check("cited = \"much\"", Err("`cited` takes a number"));
    }
}
