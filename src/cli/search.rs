//! `portolan search QUERY`.

mod excerpt;

use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::place::{self, Place};
use crate::cli::print;
use crate::config::Config;
use crate::error::{Error, Result};
use excerpt::{Marks, excerpt, highlights};

/// Search a collection.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  portolan search \"parental leave\" --mode lexical --filter department=People\n  \
                  portolan search leave --facet department --sort date:desc --group"
)]
pub struct Search {
    /// Words, a question, codes; "quoted parts" must occur as they are, -words must not; field:value is a condition.
    #[arg(allow_hyphen_values = true)]
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
    #[arg(long, value_name = "FIELD[:asc|:desc]")]
    sort: Vec<String>,
    /// One result a document, with its best passages.
    #[arg(long)]
    group: bool,
    /// Tell scores, ranks and times, and what was dropped.
    #[arg(long)]
    explain: bool,
}

pub(super) async fn run(config: &Config, command: Search, json: bool) -> Result<ExitCode> {
    let body = body(&command)?;
    let found = Place::open(config).await?.search(body).await?;
    if json {
        print(&format!("{found}\n"));
        return Ok(ExitCode::SUCCESS);
    }
    let bold = std::io::stdout().is_terminal() && !config.environment.contains_key("NO_COLOR");
    let marks = if bold { Marks::Bold } else { Marks::Plain };
    print(&corrected(&found));
    for (at, result) in list(&found["results"]).enumerate() {
        print(&shown(at + 1, result, marks));
        if command.explain {
            print(&explained(result));
        }
    }
    print(&counted(&found, command.group));
    for (field, values) in found["facets"].as_object().into_iter().flatten() {
        let counts = list(values).map(|one| format!("{} {}", plain(&one["value"]), one["count"]));
        print(&format!("{field}: {}\n", counts.collect::<Vec<_>>().join(", ")));
    }
    if command.explain {
        for line in ["steps", "dropped"]
            .iter()
            .flat_map(|part| list(&found["trace"][*part]))
        {
            print(&format!("{line}\n"));
        }
    }
    warn_of(&found["degraded"]);
    Ok(ExitCode::SUCCESS)
}

/// As `POST /v1/search` takes it.
fn body(command: &Search) -> Result<Value> {
    let sort: Result<Vec<Value>> = command.sort.iter().map(|field| sort(field)).collect();
    let mut body = json!({
        "query": command.query,
        "collection": command.collection,
        "mode": command.mode,
        "filter": place::filter(&command.filter)?,
        "limit": command.limit,
        "facets": command.facet,
        "sort": sort?,
        "explain": command.explain,
    });
    if command.group {
        body["group_by"] = json!("document");
    }
    Ok(body)
}

/// What was searched for in place of words that no document has; collections may agree on it.
fn corrected(found: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    for one in list(&found["corrections"]) {
        let read_as: Vec<String> = list(&one["read_as"])
            .map(|word| format!("\"{}\"", plain(word)))
            .collect();
        let line = format!(
            "no document has \"{}\"; searched for {}\n",
            plain(&one["word"]),
            read_as.join(", ")
        );
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.concat()
}

fn shown(number: usize, result: &Value, marks: Marks) -> String {
    let part = |key: &str| result[key].as_str().unwrap_or_default();
    let headings: Vec<String> = list(&result["heading_path"]).map(plain).collect();
    let text = format!(
        "{number}. {}  [{}{}] {}",
        part("title"),
        part("uri"),
        pages(result),
        headings.join(" > ")
    );
    let mut text = format!("{}\n", text.trim_end());
    let line = |one: &Value| excerpt(one["text"].as_str().unwrap_or_default(), &highlights(one), marks);
    text.extend(["   ", &line(result), "\n"]);
    for more in list(&result["group"]["more"]) {
        text.extend(["   + ", &line(more), "\n"]);
    }
    text
}

/// `, page 3` or `, pages 3-4` behind the name of a file that has pages.
pub(super) fn pages(place: &Value) -> String {
    match (place["pages"][0].as_u64(), place["pages"][1].as_u64()) {
        (Some(first), Some(last)) if first < last => format!(", pages {first}-{last}"),
        (Some(first), _) => format!(", page {first}"),
        _ => String::new(),
    }
}

fn explained(result: &Value) -> String {
    let steps = list(&result["explain"]).map(|step| format!("   {step}\n"));
    format!("   {}\n{}", result["scores"], steps.collect::<String>())
}

/// How many there are, and how many of them are shown.
fn counted(found: &Value, grouped: bool) -> String {
    let shown = list(&found["results"]).count() as u64;
    let total = found["total"].as_u64().unwrap_or(shown);
    if shown == 0 {
        return "nothing was found\n".to_owned();
    }
    let what = match (grouped, total) {
        (true, 1) => "document",
        (true, _) => "documents",
        (false, 1) => "passage",
        (false, _) => "passages",
    };
    let relation = if found["total_relation"] == "exact" {
        ""
    } else {
        "at least "
    };
    if shown < total || !relation.is_empty() {
        format!("{shown} of {relation}{total} {what}\n")
    } else {
        format!("{total} {what}\n")
    }
}

pub(super) fn warn_of(degraded: &Value) {
    for leg in list(degraded).filter_map(Value::as_str) {
        if leg == "rerank" {
            eprintln!("portolan: the reranker did not answer in time; the results are as both legs together have them");
        } else if leg == "expand" {
            eprintln!("portolan: the model wrote no other words in time; the results are those of the query's own");
        } else {
            eprintln!("portolan: the {leg} leg did not answer; the results are those of the other one");
        }
    }
}

/// `FIELD`, `FIELD:asc` or `FIELD:desc` as the API has it. A field with a colon in its name needs the order behind it.
fn sort(typed: &str) -> Result<Value> {
    match typed.rsplit_once(':') {
        Some((field, order @ ("asc" | "desc"))) => Ok(json!({ "field": field, "order": order })),
        Some((_, order)) => {
            let detail = format!("no order named `{order}`; write `FIELD`, `FIELD:asc` or `FIELD:desc`");
            Err(Error::bad_input("/sort", detail))
        }
        None => Ok(json!({ "field": typed })),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_may_follow_the_field_and_is_one_of_two() {
        let check = |typed: &str, expected: Value| assert_eq!(sort(typed).unwrap(), expected, "{typed}");
        check("date", json!({ "field": "date" }));
        check("date:desc", json!({ "field": "date", "order": "desc" }));
        check("dc:date:asc", json!({ "field": "dc:date", "order": "asc" }));
        for typed in ["date:down", "dc:date", "date:", "date:DESC"] {
            let error = sort(typed).unwrap_err().to_string();
            assert!(error.contains("`FIELD:asc` or `FIELD:desc`"), "{error}");
        }
    }

    #[test]
    fn a_result_tells_its_pages() {
        let check = |pages: Value, expected: &str| {
            let result = json!({ "title": "T", "uri": "a.pdf", "heading_path": ["H"], "text": "x", "pages": pages });
            assert_eq!(shown(1, &result, Marks::Plain).lines().next(), Some(expected));
        };
        check(json!([3, 3]), "1. T  [a.pdf, page 3] H");
        check(json!([3, 4]), "1. T  [a.pdf, pages 3-4] H");
        check(Value::Null, "1. T  [a.pdf] H");
    }

    #[test]
    fn it_is_told_how_many_there_are() {
        let check = |shown: usize, total: usize, relation: &str, grouped: bool, expected: &str| {
            let found = json!({ "results": vec![0; shown], "total": total, "total_relation": relation });
            assert_eq!(counted(&found, grouped), expected);
        };
        check(0, 0, "exact", false, "nothing was found\n");
        check(1, 1, "exact", false, "1 passage\n");
        check(3, 40, "exact", true, "3 of 40 documents\n");
        check(10, 10, "at_least", false, "10 of at least 10 passages\n");
    }

    #[test]
    fn what_a_word_was_read_as_is_told_once() {
        let one = json!({ "word": "nigth", "read_as": ["night", "nighs"] });
        let found = json!({ "corrections": [one, one] });
        let expected = "no document has \"nigth\"; searched for \"night\", \"nighs\"\n";
        assert_eq!(corrected(&found), expected);
    }
}
