//! `portolan search QUERY`.

use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use crate::app;
use crate::cli::print;
use crate::config::Config;
use crate::engine::record;
use crate::error::{Error, Result};
use crate::types::{Filter, Query, QueryInput, Reader};

/// Search a collection.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan search \"parental leave\" --mode lexical --filter department=hr")]
pub struct Search {
    /// Words, a question, codes; \"quoted parts\" must occur as they are.
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
    let input = QueryInput {
        text: command.query,
        collections: command.collection,
        filter: filter(&command.filter)?,
        mode: command.mode.parse()?,
        limit: Some(command.limit),
        offset: 0,
    };
    let query = Query::parse(input, Reader::Everything)?;
    let engine = app::open(config).await?;
    let started = Instant::now();
    let found = engine.search(&query).await?;
    let took_ms = started.elapsed().as_secs_f64() * 1000.0;
    if json {
        let results: Vec<_> = found.passages.iter().map(record::passage).collect();
        let steps: Vec<_> = found
            .trace
            .iter()
            .map(|step| json!({"name": step.name, "took_ms": step.took.as_secs_f64() * 1000.0, "count": step.count}))
            .collect();
        let value =
            json!({"results": results, "degraded": found.degraded, "took_ms": took_ms, "trace": {"steps": steps}});
        print(&format!("{value}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    for (at, passage) in found.passages.iter().enumerate() {
        let headings = passage.chunk.heading_path.join(" > ");
        print(&format!(
            "{}. {}  [{}] {headings}\n",
            at + 1,
            passage.document.title,
            passage.document.uri
        ));
        let text = passage.chunk.text.split_whitespace().collect::<Vec<_>>().join(" ");
        print(&format!("   {}\n", text.chars().take(200).collect::<String>()));
        if command.explain {
            print(&format!("   {:?}\n", passage.scores));
        }
    }
    if command.explain {
        for step in &found.trace {
            print(&format!(
                "{:>10} {:8.2} ms {:5}\n",
                step.name,
                step.took.as_secs_f64() * 1000.0,
                step.count
            ));
        }
    }
    for leg in &found.degraded {
        eprintln!("portolan: the {leg} leg did not answer; the results are those of the other one");
    }
    Ok(ExitCode::SUCCESS)
}

/// `key=value` pairs that must all hold.
pub(super) fn filter(pairs: &[String]) -> Result<Filter> {
    let mut parts = Vec::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::bad_input(
                "/filter",
                format!("`{pair}` is no filter; write KEY=VALUE"),
            ));
        };
        let mut wanted = vec![json!(value)];
        if let Ok(number) = value.parse::<i64>() {
            wanted.push(json!(number));
        }
        if let Ok(truth) = value.parse::<bool>() {
            wanted.push(json!(truth));
        }
        parts.push(Filter::In(key.to_owned(), wanted));
    }
    Ok(Filter::All(parts))
}
