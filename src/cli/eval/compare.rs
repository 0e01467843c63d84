//! Two runs over the same questions, side by side.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::report::{Report, head};
use crate::cli::table::table;
use crate::engine::measure::{self, Difference};
use crate::error::{Error, Result};

/// Every figure that both runs have for the same questions.
pub(super) struct Comparison {
    rows: Vec<(String, String, usize, [f64; 2], Difference)>,
}

/// Sets `ours` against `theirs`; questions that only one of them has are left out.
pub(super) fn compare(ours: &Report, theirs: &Report) -> Result<Comparison> {
    let mut rows = Vec::new();
    for (part, questions) in &ours.per_question {
        let Some(others) = theirs.per_question.get(part) else {
            continue;
        };
        let mut figures: BTreeMap<&String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for (id, row) in questions {
            for (name, value) in row {
                if let Some(other) = others.get(id).and_then(|other| other.get(name)) {
                    let (mine, their) = figures.entry(name).or_default();
                    mine.push(*value);
                    their.push(*other);
                }
            }
        }
        for (name, (mine, their)) in figures {
            let means = [measure::mean(&mine), measure::mean(&their)];
            rows.push((
                part.clone(),
                name.clone(),
                mine.len(),
                means,
                measure::compare(&mine, &their),
            ));
        }
    }
    if rows.is_empty() {
        let detail = format!(
            "`{}` and `{}` have no question and figure in common",
            ours.set, theirs.set
        );
        return Err(Error::bad_input("/compare", detail));
    }
    Ok(Comparison { rows })
}

impl Comparison {
    /// A table in Markdown.
    pub fn table(&self) -> String {
        let heads = [
            "",
            "figure",
            "questions",
            "this run",
            "other run",
            "difference",
            "95 % interval",
            "p",
        ];
        let row = |(part, name, count, [mine, their], apart): &(String, String, usize, [f64; 2], Difference)| {
            let Difference { mean, low, high, p } = apart;
            vec![
                part.clone(),
                head(name),
                count.to_string(),
                format!("{mine:.4}"),
                format!("{their:.4}"),
                format!("{mean:+.4}"),
                format!("{low:+.4} to {high:+.4}"),
                format!("{p:.4}"),
            ]
        };
        table(
            &heads.map(str::to_owned),
            &self.rows.iter().map(row).collect::<Vec<_>>(),
        )
    }

    /// The same for scripts.
    pub fn json(&self) -> Value {
        let row = |(part, name, count, means, apart): &(String, String, usize, [f64; 2], Difference)| {
            json!({ "part": part, "figure": name, "questions": count, "this": means[0], "other": means[1],
                "difference": apart.mean, "low": apart.low, "high": apart.high, "p": apart.p })
        };
        self.rows.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::eval::report::Row;

    fn report(values: &[(&str, f64)]) -> Report {
        let mut report = Report::default();
        for (id, value) in values {
            report.add("hybrid", id, Row::from([("ndcg_at_10".into(), *value)]));
        }
        report
    }

    #[test]
    fn only_questions_of_both_runs_are_compared() {
        let ours = report(&[("a", 1.0), ("b", 0.5), ("c", 0.0)]);
        let found = compare(&ours, &report(&[("a", 0.5), ("b", 0.5), ("d", 1.0)]))
            .unwrap()
            .json();
        assert_eq!(found[0]["questions"], 2);
        assert_eq!(found[0]["difference"], 0.25);
        assert!(compare(&ours, &report(&[("x", 1.0)])).is_err());
    }
}
