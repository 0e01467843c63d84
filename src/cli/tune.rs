//! `portolan tune`: the fusion and the evidence gate that suit one collection.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::print;
use crate::cli::sets::{self, Set};
use crate::cli::table::table;
use crate::config::Config;
use crate::engine::measure::Judged;
use crate::error::{Error, Result};
use crate::http::tune::{QuestionBody, TuneBody};

/// Fit a collection's search to its questions.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Half of the questions are fitted on; the other half decides whether the default is left.\n\nExamples:\n  \
                  portolan tune golden.jsonl --collection handbook --dry-run\n  portolan tune scifact/ --data \
                  .portolan/eval --halvings 10 --dry-run\n  portolan tune --collection handbook"
)]
pub struct Tune {
    /// A golden.jsonl file or a BEIR folder; without it questions are made from the collection's own headings.
    path: Option<PathBuf>,
    /// Which collection; that of a BEIR folder is named like it.
    #[arg(long)]
    collection: Option<String>,
    /// Halve the questions so often again, and tell what each way of fusing is worth on the halves not fitted on.
    #[arg(long, default_value_t = 0, value_name = "TIMES")]
    halvings: usize,
    /// Only report; the settings stay as they are.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(config: &Config, command: Tune, json: bool) -> Result<ExitCode> {
    let (questions, named) = match command.path.as_deref().map(sets::read).transpose()? {
        None => (None, None),
        Some(Set::Golden(set)) => (Some(set.judged()), None),
        Some(Set::Beir(set)) => (Some(set.questions), Some(set.name)),
        Some(Set::Spans(_)) => {
            let detail = "chunking-evaluation judges chunks, not documents; tune takes a BEIR folder or golden.jsonl";
            return Err(Error::bad_input("/path", detail));
        }
    };
    let questions = questions.map(|questions| questions.into_iter().map(question).collect());
    let body = TuneBody {
        collection: command.collection.or(named).unwrap_or_else(|| "default".to_owned()),
        questions,
        halvings: command.halvings,
        dry_run: command.dry_run,
    };
    let report = Place::open(config).await?.tune(body).await?;
    print(&if json { format!("{report}\n") } else { told(&report) });
    Ok(ExitCode::SUCCESS)
}

fn question(judged: Judged) -> QuestionBody {
    QuestionBody {
        id: judged.id,
        text: judged.text,
        wanted: judged.wanted,
        quote: judged.quote,
    }
}

/// The report for a person.
fn told(report: &Value) -> String {
    let (fusion, gate) = (&report["fusion"], &report["gate"]);
    let mut parts = vec![asked(report)];
    parts.extend(told_of_fusion(fusion));
    if !gate.is_null() {
        parts.extend(told_of_gate(gate));
    }
    let written = report["written"] == true;
    parts.push(
        if written {
            "The settings are written.\n"
        } else {
            "Nothing was written.\n"
        }
        .to_owned(),
    );
    parts.join("\n")
}

fn told_of_fusion(fusion: &Value) -> Vec<String> {
    let halves = [
        ("fitted half", &fusion["fitted_half"]),
        ("held-out half", &fusion["held_out_half"]),
        ("all", &fusion["all"]),
    ];
    let columns = [
        "questions",
        "lexical",
        "vector",
        "default",
        "chosen",
        "difference",
        "low",
        "high",
        "p",
    ];
    let mut parts = vec![figures("nDCG@10", &columns, &halves)];
    let named = [("chosen", &fusion["chosen"]), ("kept", &fusion["kept"])];
    let named = named.iter().filter(|(_, value)| !value.is_null());
    let named: Vec<String> = named.map(|(name, value)| format!("{name}: {value}\n")).collect();
    parts.push(format!("{}{}\n", named.concat(), word(&fusion["why"])));
    let repeated = &fusion["halvings"];
    if !repeated.is_null() {
        let times = &repeated["times"];
        parts.push(format!(
            "On questions that were not fitted on, mean of {times} halvings:\n"
        ));
        let columns = [
            "lexical",
            "vector",
            "default",
            "convex",
            "reciprocal_rank",
            "learned",
            "chosen",
        ];
        parts.push(figures("nDCG@10", &columns, &[("unseen", repeated)]));
    }
    parts
}

fn told_of_gate(gate: &Value) -> [String; 2] {
    let (now, chosen, kept) = (&gate["now"], &gate["chosen"], &gate["kept"]);
    let [fitted, held] = [&gate["fitted_half"], &gate["held_out_half"]];
    let rows = [
        ("fitted half, now", &fitted["now"]),
        ("fitted half, chosen", &fitted["chosen"]),
        ("held-out half, now", &held["now"]),
        ("held-out half, chosen", &held["chosen"]),
    ];
    [
        format!("Evidence gate: declined below {now} now, {chosen} chosen, {kept} kept\n"),
        figures("share", &["balance", "declined", "over_refusal"], &rows),
    ]
}

/// What was asked.
fn asked(report: &Value) -> String {
    let made = if report["made"] == true {
        " made from its headings"
    } else {
        ""
    };
    let unknown = match &report["unknown"] {
        none if *none == 0 => String::new(),
        some => format!(", and {some} about documents that it does not have"),
    };
    let (name, questions) = (word(&report["collection"]), &report["questions"]);
    format!("{name}: {questions} questions{made}{unknown}\n")
}

/// A table; a row without figures is left out, and so is a column.
fn figures(corner: &str, columns: &[&str], rows: &[(&str, &Value)]) -> String {
    let rows: Vec<_> = rows.iter().filter(|(_, figures)| figures.is_object()).collect();
    let there = |column: &&&str| rows.iter().any(|(_, figures)| !figures[**column].is_null());
    let columns: Vec<&str> = columns.iter().filter(there).copied().collect();
    let heads: Vec<String> = [corner].iter().chain(&columns).map(|head| (*head).to_owned()).collect();
    let cell = |figure: &Value| match figure.as_f64().filter(|_| figure.is_f64()) {
        Some(figure) => format!("{figure:.4}"),
        None => figure.to_string(),
    };
    let row = |(name, figures): &&(&str, &Value)| {
        let cells = columns.iter().map(|column| cell(&figures[*column]));
        [(*name).to_owned()].into_iter().chain(cells).collect()
    };
    table(&heads, &rows.iter().map(row).collect::<Vec<_>>())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told() {
        let half = json!({ "questions": 20, "lexical": 0.5, "vector": 0.25, "default": 0.5, "chosen": 0.75,
            "difference": 0.25, "low": 0.1, "high": 0.4, "p": 0.01 });
        let at = json!({ "balance": 0.5, "declined": 0.25, "over_refusal": 0.25 });
        let both = json!({ "now": at, "chosen": at });
        let report = json!({
            "collection": "docs", "questions": 42, "unknown": 2, "made": false, "written": true,
            "fusion": { "fitted_half": half, "held_out_half": half, "chosen": { "kind": "convex" },
                "kept": { "kind": "convex" }, "why": "because", "halvings": null },
            "gate": { "now": 0.5, "chosen": 0.4, "kept": 0.4, "fitted_half": both, "held_out_half": both },
        });
        insta::assert_snapshot!(told(&report), @r#"
        docs: 42 questions, and 2 about documents that it does not have

        | nDCG@10 | questions | lexical | vector | default | chosen | difference | low | high | p |
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
        | fitted half | 20 | 0.5000 | 0.2500 | 0.5000 | 0.7500 | 0.2500 | 0.1000 | 0.4000 | 0.0100 |
        | held-out half | 20 | 0.5000 | 0.2500 | 0.5000 | 0.7500 | 0.2500 | 0.1000 | 0.4000 | 0.0100 |

        chosen: {"kind":"convex"}
        kept: {"kind":"convex"}
        because

        Evidence gate: declined below 0.5 now, 0.4 chosen, 0.4 kept

        | share | balance | declined | over_refusal |
        | --- | --- | --- | --- |
        | fitted half, now | 0.5000 | 0.2500 | 0.2500 |
        | fitted half, chosen | 0.5000 | 0.2500 | 0.2500 |
        | held-out half, now | 0.5000 | 0.2500 | 0.2500 |
        | held-out half, chosen | 0.5000 | 0.2500 | 0.2500 |

        The settings are written.
        "#);
    }
}
