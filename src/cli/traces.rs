//! `portolan traces`: how answers came about, and their evidence made again.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::cli::place::Place;
use crate::cli::print;
use crate::cli::table::table;
use crate::config::Config;
use crate::error::{Error, Result};

/// Show how answers came about; make their evidence again and tell what differs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  portolan traces --rating down\n  portolan traces show 019a7f0e-5d3c-7cc1-9b8e-0d7f8f0a4b11\n  \
                        portolan traces replay 019a7f0e-5d3c-7cc1-9b8e-0d7f8f0a4b11 --mode lexical"
)]
pub struct Traces {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: List,
}

#[derive(Clone, Debug, Default, clap::Args)]
struct List {
    /// How many, latest first.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
    /// Only answers that readers rated so: `up` or `down`.
    #[arg(long, value_name = "RATING", value_parser = ["up", "down"])]
    rating: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The latest answers, latest first.
    List(List),
    /// One answer: the question, the gate, the evidence, each call of a model.
    Show {
        /// As `portolan traces` names it.
        run: String,
    },
    /// Make the evidence of an answer again, as it was or with something changed. Exit code 1 when it differs.
    Replay {
        /// As `portolan traces` names it.
        run: String,
        /// Another route, with another window.
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        /// Other legs: `hybrid`, `lexical` or `vector`.
        #[arg(long, value_name = "MODE")]
        mode: Option<String>,
        /// Another threshold of the evidence gate, 0 to 1.
        #[arg(long, value_name = "SHARE")]
        decline_below: Option<f32>,
    },
    /// Print the question of an answer as a line of golden.jsonl, which `portolan eval` and `portolan tune` read.
    Golden {
        /// As `portolan traces` names it.
        run: String,
        /// The document that answers it; without one, none does.
        #[arg(long, value_name = "URI")]
        document: Option<String>,
        /// Words of the document that answer it.
        #[arg(long, value_name = "WORDS", requires = "document")]
        quote: Option<String>,
    },
}

pub(super) async fn run(config: &Config, command: Traces, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let mut code = ExitCode::SUCCESS;
    let (answer, told) = match command.what.unwrap_or(What::List(command.list)) {
        What::List(list) => {
            let answer = place.traces(list.limit.into(), list.rating.as_deref()).await?;
            let told = listed(&answer["traces"]);
            (answer, told)
        }
        What::Show { run } => {
            let answer = place.trace(&run).await?;
            let told = shown(&answer);
            (answer, told)
        }
        What::Replay {
            run,
            route,
            mode,
            decline_below,
        } => {
            let answer = place.replay_trace(&run, body(route, mode, decline_below)?).await?;
            if answer["identical"] != true {
                code = ExitCode::FAILURE;
            }
            let told = replayed(&answer);
            (answer, told)
        }
        What::Golden { run, document, quote } => {
            let answer = place
                .golden(&run, json!({ "document": document, "quote": quote }))
                .await?;
            let told = format!("{answer}\n");
            (answer, told)
        }
    };
    print(&if json { format!("{answer}\n") } else { told });
    Ok(code)
}

fn body(route: Option<String>, mode: Option<String>, decline_below: Option<f32>) -> Result<Value> {
    let mut body = Map::new();
    body.extend(route.map(|route| ("route".to_owned(), json!(route))));
    body.extend(mode.map(|mode| ("mode".to_owned(), json!(mode))));
    if let Some(share) = decline_below {
        let number = serde_json::Number::from_f64(share.into());
        let number =
            number.ok_or_else(|| Error::bad_input("/decline_below", "--decline-below goes from 0.0 to 1.0"))?;
        body.insert("decline_below".to_owned(), Value::Number(number));
    }
    Ok(Value::Object(body))
}

fn listed(traces: &Value) -> String {
    let heads = ["run", "at", "route", "verdict", "rated", "question"];
    let row = |trace: &Value| {
        let verdict = if trace["problem"].is_null() {
            word(&trace["verdict"])
        } else {
            "failed".to_owned()
        };
        let question: String = word(&trace["question"]).chars().take(60).collect();
        let rating = word(&trace["feedback"]["rating"]);
        vec![
            word(&trace["run"]),
            word(&trace["at"]),
            word(&trace["route"]),
            verdict,
            rating,
            question,
        ]
    };
    let rows: Vec<_> = traces.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "no traces are kept; `portolan ask` makes one\n".to_owned();
    }
    table(&heads.map(str::to_owned), &rows)
}

fn shown(trace: &Value) -> String {
    let (asked, gate, packing) = (&trace["asked"], &trace["gate"], &trace["packing"]);
    let mut lines = vec![
        format!("asked       {}\n", word(&asked["message"])),
        format!("searched    {}\n", word(&asked["question"])),
        format!(
            "route       {} ({})\n",
            word(&trace["route"]["name"]),
            word(&trace["route"]["reason"])
        ),
        format!(
            "gate        {}: support {} of at least {}, coverage {}, cosine {}\n",
            word(&gate["outcome"]),
            share(&gate["support"]),
            share(&gate["decline_below"]),
            share(&gate["coverage"]),
            share(&gate["cosine"]),
        ),
        format!(
            "packed      {} passages in {} of {} tokens, {} dropped\n",
            packing["packed"], packing["tokens"], packing["budget"], packing["dropped"],
        ),
        format!(
            "prompt      {} {:.12}\n",
            word(&trace["prompt"]["name"]),
            word(&trace["prompt"]["hash"])
        ),
    ];
    for call in trace["calls"].as_array().into_iter().flatten() {
        let ended = if call["problem"].is_null() {
            &call["finish_reason"]
        } else {
            &call["problem"]["detail"]
        };
        lines.push(format!(
            "call        {} ms, {} tokens in, {} out, {} attempts: {}\n",
            call["took_ms"],
            call["tokens_in"],
            call["tokens_out"],
            call["attempts"],
            word(ended),
        ));
    }
    let checks = &trace["checks"];
    lines.push(format!(
        "checked     {} citations, {} marks taken out\n",
        checks["citations"], checks["removed_marks"]
    ));
    let ended = if trace["problem"].is_null() {
        &trace["verdict"]
    } else {
        &trace["problem"]["detail"]
    };
    lines.push(format!("ended       {} after {} ms\n\n", word(ended), trace["took_ms"]));
    let of = |list: &Value| list.as_array().cloned().unwrap_or_default();
    lines.push(passages(&[of(&trace["evidence"]), of(&trace["dropped"])].concat()));
    lines.concat()
}

fn replayed(answer: &Value) -> String {
    if answer["identical"] == true {
        let same = "identical: the evidence is the same, byte by byte\n";
        return format!("{same}{}", differences(&answer["differences"]));
    }
    let mut lines = vec![
        "different: the evidence is another\n".to_owned(),
        differences(&answer["differences"]),
    ];
    for one in answer["diff"].as_array().into_iter().flatten() {
        let place = |side: &Value| match (&side["number"], &side["dropped"]) {
            (Value::Number(number), _) => format!("[{number}]"),
            (_, Value::String(reason)) => format!("dropped, {reason}"),
            _ => "not found".to_owned(),
        };
        let (before, after) = (place(&one["before"]), place(&one["after"]));
        lines.push(format!(
            "  {} {}: {before} -> {after}  {}\n",
            word(&one["change"]),
            word(&one["id"]),
            word(&one["title"])
        ));
    }
    lines.push("\n".to_owned());
    lines.push(passages(answer["passages"].as_array().map_or(&[], Vec::as_slice)));
    lines.concat()
}

fn differences(list: &Value) -> String {
    let line = |one: &Value| format!("  {}: {} -> {}\n", word(&one["field"]), one["before"], one["after"]);
    list.as_array().into_iter().flatten().map(line).collect()
}

fn passages(list: &[Value]) -> String {
    let heads = ["number", "rank", "fused", "lexical", "vector", "rerank", "title"];
    let row = |one: &Value| {
        let number = one["number"]
            .as_u64()
            .map_or_else(|| word(&one["dropped"]), |number| number.to_string());
        let scores = &one["scores"];
        let title = match (&one["removed"], &one["withheld"]) {
            (Value::Bool(true), _) => "(removed)".to_owned(),
            (_, Value::Bool(true)) => "(not for you)".to_owned(),
            _ => word(&one["title"]),
        };
        let rank = |name: &str| scores[name].as_u64().map(|rank| rank.to_string()).unwrap_or_default();
        vec![
            number,
            one["rank"].as_u64().map(|rank| rank.to_string()).unwrap_or_default(),
            share(&scores["fused"]),
            rank("lexical_rank"),
            rank("vector_rank"),
            share(&scores["rerank"]),
            title,
        ]
    };
    table(&heads.map(str::to_owned), &list.iter().map(row).collect::<Vec<_>>())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn share(value: &Value) -> String {
    value.as_f64().map(|share| format!("{share:.3}")).unwrap_or_default()
}
