//! `portolan collections`: what there is, and how to let go of it.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::place::Place;
use crate::cli::print;
use crate::config::Config;
use crate::error::{Error, Result};

/// List the collections, or delete one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  portolan collections\n  portolan collections delete handbook --yes")]
pub struct Collections {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Delete a collection: its documents, its settings and what answers quoted of them. Nothing brings it back.
    Delete {
        /// Which one.
        name: String,
        /// Do it; without this only what would be deleted is told.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(config: &Config, command: Collections, json: bool) -> Result<ExitCode> {
    let place = Place::open(config).await?;
    let list = place.collections().await?;
    match command.action {
        None if json => print(&format!("{list}\n")),
        None => print(&told(&list)),
        Some(Action::Delete { name, yes: true }) => {
            place.delete_collection(&name).await?;
            let removed = json!({ "removed": name });
            print(&if json {
                format!("{removed}\n")
            } else {
                format!("`{name}` is deleted\n")
            });
        }
        Some(Action::Delete { name, yes: false }) => return Err(unsure(&list, &name)),
    }
    Ok(ExitCode::SUCCESS)
}

fn told(list: &Value) -> String {
    let mut text = String::new();
    for one in list["collections"].as_array().into_iter().flatten() {
        let name = one["name"].as_str().unwrap_or_default();
        if one["available"] == false {
            let reason = one["reason"].as_str().unwrap_or("`portolan doctor` tells why");
            text.extend([name, ": does not open: ", reason, "\n"]);
        } else {
            let sizes = format!(": {} documents, {} chunks\n", one["documents"], one["chunks"]);
            text.extend([name, &sizes]);
        }
    }
    if text.is_empty() {
        text.push_str("there is no collection; `portolan index PATH` makes one\n");
    }
    text
}

fn unsure(list: &Value, name: &str) -> Error {
    let mut all = list["collections"].as_array().into_iter().flatten();
    match all.find(|one| one["name"] == name) {
        Some(one) => Error::bad_input(
            "/yes",
            format!(
                "`{name}` has {} documents; they, the settings and what answers quoted of them would be gone for good. \
                 `portolan collections delete {name} --yes` does it",
                one["documents"]
            ),
        ),
        None => Error::NotFound(format!(
            "no collection named `{name}`; `portolan collections` lists them"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_told_with_their_sizes() {
        let list = json!({ "collections": [
            { "name": "docs", "documents": 3, "chunks": 9, "available": true },
            { "name": "old", "documents": 0, "chunks": 0, "available": false, "reason": "`meta.json` is missing" },
        ]});
        let expected = "docs: 3 documents, 9 chunks\nold: does not open: `meta.json` is missing\n";
        assert_eq!(told(&list), expected);
        assert!(told(&json!({ "collections": [] })).contains("portolan index PATH"));
    }
}
