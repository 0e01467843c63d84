//! `portolan ask QUESTION`.

use std::process::ExitCode;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::cli::place::{self, Place};
use crate::cli::{print, search};
use crate::config::Config;
use crate::error::Result;

/// Ask a question.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  portolan ask \"How many days of leave do we get?\" --model extractive")]
pub struct Ask {
    /// The question.
    question: String,
    /// Where to look; may be repeated.
    #[arg(long, default_value = "default")]
    collection: Vec<String>,
    /// KEY=VALUE of the metadata; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// A route of routes.toml.
    #[arg(long, value_name = "ROUTE")]
    model: Option<String>,
    /// Go on with this conversation.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
}

/// What the events came to; the shape of `--json`.
#[derive(Default)]
struct Told {
    started: Value,
    text: String,
    sources: Value,
    citations: Vec<Value>,
    verdict: Value,
    end: Value,
}

pub(super) async fn run(config: &Config, command: Ask, json: bool) -> Result<ExitCode> {
    let body = json!({
        "message": command.question,
        "collection": command.collection,
        "filter": place::filter(&command.filter)?,
        "route": command.model,
        "conversation": command.conversation,
    });
    let mut events = Place::open(config).await?.ask(body).await?;
    let mut told = Told::default();
    let mut whole = false;
    while let Some(event) = events.next().await {
        let (name, data) = event?;
        match name.as_str() {
            "started" => told.started = data,
            "sources" => told.sources = data["passages"].clone(),
            "text" => {
                let delta = data["delta"].as_str().unwrap_or_default();
                if !json {
                    print(delta);
                }
                told.text.push_str(delta);
            }
            "citation" => told.citations.push(data),
            "verdict" => told.verdict = data,
            "done" => {
                whole = true;
                told.end = data;
            }
            "failed" => told.end = data,
            _ => {}
        }
    }
    if json {
        print(&format!("{}\n", told.to_json(whole)));
    } else {
        told.print_end();
    }
    search::warn_of(&told.started["degraded"]);
    if !whole {
        let why = told.end["problem"]["detail"].as_str().unwrap_or("the stream was cut");
        eprintln!("portolan: the answer is incomplete: {why}");
    }
    if told.end["finish_reason"] == "length" {
        eprintln!("portolan: the answer was cut at the model's limit and may lack its end");
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Told {
    fn to_json(&self, whole: bool) -> Value {
        json!({
            "conversation": self.started["conversation"],
            "route": self.started["route"],
            "text": self.text,
            "citations": self.citations,
            "sources": self.sources,
            "verdict": self.verdict["verdict"],
            "whole": whole,
            "end": self.end,
        })
    }

    fn print_end(&self) {
        print("\n\n");
        let declined = self.verdict["verdict"] == "declined";
        let shown = if declined {
            &self.verdict["nearest"]
        } else {
            &self.sources
        };
        if declined {
            print("The nearest passages:\n");
        }
        for (at, source) in shown.as_array().into_iter().flatten().enumerate() {
            let number = at + 1;
            let cited = self.citations.iter().filter(|citation| citation["number"] == number);
            let cited: Vec<&Value> = cited.collect();
            if declined || !cited.is_empty() {
                let part = |key: &str| source[key].as_str().unwrap_or_default();
                let pages = if declined {
                    search::pages(source)
                } else {
                    search::pages(&together(&cited))
                };
                print(&format!("  [{number}] {} ({}{pages})\n", part("title"), part("uri")));
            }
        }
        if let Some(conversation) = self.started["conversation"].as_str() {
            print(&format!("\nGo on with --conversation {conversation}\n"));
        }
    }
}

/// The first and the last page of what was cited of one source: fewer than those of the passage around it.
fn together(cited: &[&Value]) -> Value {
    let ends = |at: usize| cited.iter().filter_map(move |citation| citation["pages"][at].as_u64());
    json!({ "pages": [ends(0).min(), ends(1).max()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_were_cited_are_told_together() {
        let check = |cited: &[Value], expected: &str| {
            assert_eq!(search::pages(&together(&cited.iter().collect::<Vec<_>>())), expected);
        };
        let [third, fifth] = [json!({ "pages": [3, 3] }), json!({ "pages": [4, 5] })];
        check(std::slice::from_ref(&third), ", page 3");
        check(&[fifth, third], ", pages 3-5");
        check(&[json!({})], "");
    }
}
