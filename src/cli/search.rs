//! `portolan search QUERY`.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::place::{self, Place};
use crate::cli::print;
use crate::config::Config;
use crate::error::Result;

/// Search a collection.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portolan search \"parental leave\" --mode lexical --filter department=People\n  \
                  portolan search leave --facet department --sort date:desc --group"
)]
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
    /// Count the values of a metadata field over the matching documents; may be repeated, `*` is all fields.
    #[arg(long, value_name = "FIELD")]
    facet: Vec<String>,
    /// Order by a metadata field; `FIELD:desc` puts the largest first; may be repeated.
    #[arg(long, value_name = "FIELD[:desc]")]
    sort: Vec<String>,
    /// One result a document, with its best passages.
    #[arg(long)]
    group: bool,
    /// Tell scores, ranks and times, and what was dropped.
    #[arg(long)]
    explain: bool,
}

pub(super) async fn run(config: &Config, command: Search, json: bool) -> Result<ExitCode> {
    let mut body = json!({
        "query": command.query,
        "collection": command.collection,
        "mode": command.mode,
        "filter": place::filter(&command.filter)?,
        "limit": command.limit,
        "facets": command.facet,
        "sort": command.sort.iter().map(|field| sort(field)).collect::<Vec<_>>(),
        "explain": command.explain,
    });
    if command.group {
        body["group_by"] = json!("document");
    }
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
    for (field, values) in found["facets"].as_object().into_iter().flatten() {
        let counts = values.as_array().into_iter().flatten();
        let counts = counts.map(|one| format!("{} {}", plain(&one["value"]), one["count"]));
        print(&format!("{field}: {}\n", counts.collect::<Vec<_>>().join(", ")));
    }
    if command.explain {
        for part in ["steps", "dropped"] {
            for line in found["trace"][part].as_array().into_iter().flatten() {
                print(&format!("{line}\n"));
            }
        }
    }
    for leg in found["degraded"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if leg == "rerank" {
            eprintln!("portolan: the reranker did not answer in time; the results are as both legs together have them");
        } else {
            eprintln!("portolan: the {leg} leg did not answer; the results are those of the other one");
        }
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
    print(&format!("   {}\n", beginning(result)));
    for more in result["group"]["more"].as_array().into_iter().flatten() {
        print(&format!("   + {}\n", beginning(more)));
    }
    if explain {
        print(&format!("   {}\n", result["scores"]));
        for step in result["explain"].as_array().into_iter().flatten() {
            print(&format!("   {step}\n"));
        }
    }
}

/// `FIELD`, `FIELD:asc` or `FIELD:desc` as the API has it; what follows another colon belongs to the field.
fn sort(typed: &str) -> Value {
    match typed.rsplit_once(':') {
        Some((field, order @ ("asc" | "desc"))) => json!({ "field": field, "order": order }),
        _ => json!({ "field": typed }),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The first 200 characters of a passage on one line.
fn beginning(result: &Value) -> String {
    let words: Vec<&str> = result["text"].as_str().unwrap_or_default().split_whitespace().collect();
    words.join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_may_follow_the_field() {
        let check = |typed: &str, expected: Value| assert_eq!(sort(typed), expected, "{typed}");
        check("date", json!({ "field": "date" }));
        check("date:desc", json!({ "field": "date", "order": "desc" }));
        check("dc:date:asc", json!({ "field": "dc:date", "order": "asc" }));
        check("dc:date", json!({ "field": "dc:date" }));
    }
}
