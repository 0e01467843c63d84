//! `portolan tune`: the fusion and the evidence gate that suit one collection.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::place::Place;
use crate::cli::print;
use crate::cli::sets::{self, Set};
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
    let fusion = &report["fusion"];
    let mut text = format!("{}: {} questions", word(&report["collection"]), report["questions"]);
    if report["made"] == true {
        text.push_str(" made from its headings");
    }
    if report["unknown"] != 0 {
        text.push_str(&format!(
            ", {} of them about documents that it does not have",
            report["unknown"]
        ));
    }
    text.push_str("\n\n");
    text.push_str(&table(
        "nDCG@10",
        &[
            "questions",
            "lexical",
            "vector",
            "default",
            "chosen",
            "difference",
            "low",
            "high",
            "p",
        ],
        &[
            ("fitted half", &fusion["fitted_half"]),
            ("held-out half", &fusion["held_out_half"]),
            ("all", &fusion["all"]),
        ],
    ));
    for (name, value) in [("chosen", &fusion["chosen"]), ("kept", &fusion["kept"])] {
        if !value.is_null() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push_str(&format!("{}\n", word(&fusion["why"])));
    let repeated = &fusion["halvings"];
    if !repeated.is_null() {
        text.push_str(&format!(
            "\nOn questions that were not fitted on, mean of {} halvings:\n\n",
            repeated["times"]
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
        text.push_str(&table("nDCG@10", &columns, &[("unseen", repeated)]));
    }
    let gate = &report["gate"];
    if !gate.is_null() {
        text.push_str(&format!(
            "\nEvidence gate: declined below {} now, {} chosen, {} kept\n\n",
            gate["now"], gate["chosen"], gate["kept"]
        ));
        let halves = ["fitted_half", "held_out_half"].map(|half| &gate[half]);
        text.push_str(&table(
            "",
            &["balance", "declined", "over_refusal"],
            &[
                ("fitted half, now", &halves[0]["now"]),
                ("fitted half, chosen", &halves[0]["chosen"]),
                ("held-out half, now", &halves[1]["now"]),
                ("held-out half, chosen", &halves[1]["chosen"]),
            ],
        ));
    }
    text.push_str(if report["written"] == true {
        "\nThe settings are written.\n"
    } else {
        "\nNothing was written.\n"
    });
    text
}

/// A table in Markdown; a row without figures is left out, and so is a column.
fn table(corner: &str, columns: &[&str], rows: &[(&str, &Value)]) -> String {
    let rows: Vec<_> = rows.iter().filter(|(_, figures)| figures.is_object()).collect();
    let there = |column: &&&str| rows.iter().any(|(_, figures)| !figures[**column].is_null());
    let columns: Vec<&&str> = columns.iter().filter(there).collect();
    let mut text = format!("| {corner} |");
    for column in &columns {
        text.push_str(&format!(" {column} |"));
    }
    text.push_str(&format!("\n|{}\n", " --- |".repeat(columns.len() + 1)));
    for (name, figures) in rows {
        text.push_str(&format!("| {name} |"));
        for column in &columns {
            let figure = &figures[**column];
            match figure.as_f64().filter(|_| figure.is_f64()) {
                Some(figure) => text.push_str(&format!(" {figure:.4} |")),
                None => text.push_str(&format!(" {figure} |")),
            }
        }
        text.push('\n');
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
