//! `portolan search QUERY`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::place::{self, Place};
use crate::cli::print;
use crate::config::Config;
use crate::error::Result;

/// Search a collection.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan search \"parental leave\" --mode lexical --filter department=hr")]
pub struct Search {
    /// Words, a question, codes; "quoted parts" must occur as they are, -words must not; field:value is a condition.
    query: String,
    /// Where to look; may be repeated.
    #[arg(long, default_value = "default")]
    collection: Vec<String>,
    /// hybrid, lexical or vector.
    #[arg(long, default_value = "hybrid")]
    mode: String,
    /// KEY=VALUE of the metadata; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// How many results.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// Tell scores, ranks and times.
    #[arg(long)]
    explain: bool,
}

pub(super) async fn run(config: &Config, command: Search, json: bool) -> Result<ExitCode> {
    let body = json!({
        "query": command.query,
        "collection": command.collection,
        "mode": command.mode,
        "filter": place::filter(&command.filter)?,
        "limit": command.limit,
        "explain": command.explain,
    });
    let found = Place::open(config).await?.search(body).await?;
    if json {
        print(&format!("{found}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let results = found["results"].as_array().cloned().unwrap_or_default();
    for (at, result) in results.iter().enumerate() {
        print_result(at + 1, result, command.explain);
    }
    if results.is_empty() {
        print("nothing was found\n");
    }
    if command.explain {
        for step in found["trace"]["steps"].as_array().into_iter().flatten() {
            print(&format!("{step}\n"));
        }
    }
    for leg in found["degraded"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        eprintln!("portolan: the {leg} leg did not answer; the results are those of the other one");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_result(number: usize, result: &Value, explain: bool) {
    let part = |key: &str| result[key].as_str().unwrap_or_default();
    let headings: Vec<&str> = result["heading_path"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    print(&format!(
        "{number}. {}  [{}] {}\n",
        part("title"),
        part("uri"),
        headings.join(" > ")
    ));
    let text = part("text").split_whitespace().collect::<Vec<_>>().join(" ");
    print(&format!("   {}\n", text.chars().take(200).collect::<String>()));
    if explain {
        print(&format!("   {}\n", result["scores"]));
    }
}
