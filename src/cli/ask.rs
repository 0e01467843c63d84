//! `portolan ask QUESTION`.

use std::process::ExitCode;

use futures::StreamExt;
use serde_json::json;

use crate::app;
use crate::cli::{print, search};
use crate::config::Config;
use crate::engine;
use crate::error::Result;
use crate::types::{Event, Outcome, Passage, Reader};

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

pub(super) async fn run(config: &Config, command: Ask, json: bool) -> Result<ExitCode> {
    let ask = engine::Ask {
        message: command.question,
        conversation: command.conversation,
        collections: command.collection,
        filter: search::filter(&command.filter)?,
        route: command.model,
        reader: Reader::Everything,
        owner: "local".to_owned(),
    };
    let engine = app::open(config).await?;
    let mut events = engine.answer(ask).await?;
    let mut sources: Vec<Passage> = Vec::new();
    let mut answer = json!({ "text": "", "citations": [] });
    let mut text = String::new();
    let mut code = ExitCode::FAILURE;
    while let Some(event) = events.next().await {
        match event {
            Event::Started {
                conversation, route, ..
            } => {
                answer["conversation"] = json!(conversation);
                answer["route"] = json!(route);
            }
            Event::Sources(passages) => sources = passages,
            Event::Text(delta) => {
                if !json {
                    print(&delta);
                }
                text.push_str(&delta);
            }
            Event::Citation(citation) => {
                let source = &sources[citation.number - 1];
                let cited = json!({"number": citation.number, "quote": citation.quote, "uri": source.document.uri});
                if let Some(list) = answer["citations"].as_array_mut() {
                    list.push(cited);
                }
            }
            Event::Verdict(verdict) => {
                answer["verdict"] = json!(verdict.outcome.as_str());
                if !json {
                    print("\n\n");
                    let shown = if verdict.outcome == Outcome::Declined {
                        &verdict.nearest
                    } else {
                        &sources
                    };
                    print_sources(shown, verdict.outcome);
                }
            }
            Event::Usage(..) => {}
            Event::Done(_) => code = ExitCode::SUCCESS,
            Event::Failed(error) => {
                answer["failed"] = json!(error.to_string());
                eprintln!("portolan: the answer is incomplete: {error}");
            }
        }
    }
    answer["text"] = json!(text);
    if json {
        print(&format!("{answer}\n"));
    }
    Ok(code)
}

fn print_sources(sources: &[Passage], outcome: Outcome) {
    if outcome == Outcome::Declined {
        print("The nearest passages:\n");
    }
    for (at, passage) in sources.iter().enumerate().take(6) {
        print(&format!(
            "  [{}] {} ({})\n",
            at + 1,
            passage.document.title,
            passage.document.uri
        ));
    }
}
