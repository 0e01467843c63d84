//! Answers on golden questions: is the right document cited, is what cannot be answered declined?

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::{Eval, read_lines};
use crate::app;
use crate::cli::print;
use crate::config::Config;
use crate::engine::{Ask, Engine};
use crate::error::{Error, Result};
use crate::types::{DocumentId, Event, Filter, Outcome, Reader};

/// The collection that the corpus beside the questions goes to.
const COLLECTION: &str = "golden";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    #[serde(rename = "question")]
    text: String,
    answerable: bool,
    document: Option<String>,
    #[serde(rename = "quote")]
    _quote: Option<String>,
    follows: Option<String>,
    #[serde(default)]
    kind: String,
}

/// Shares from 0 to 1; `over_refusal` is a ceiling, the others are floors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gate {
    cited: f64,
    identifiers: f64,
    declined: f64,
    over_refusal: f64,
}

#[derive(Default)]
struct Tally {
    good: usize,
    all: usize,
}

impl Tally {
    fn add(&mut self, good: bool) {
        self.all += 1;
        self.good += usize::from(good);
    }

    fn share(&self) -> f64 {
        self.good as f64 / self.all.max(1) as f64
    }
}

pub(super) async fn run(config: &Config, command: &Eval, json: bool) -> Result<ExitCode> {
    let questions: Vec<Question> = read_lines(&command.path)?;
    let gate = command.gate.as_deref().map(read_gate).transpose()?;
    let corpus = command.path.with_file_name("corpus");
    let engine = app::open(config).await?;
    index(&engine, &corpus).await?;
    let (mut cited, mut identifiers, mut declined, mut refused) =
        (Tally::default(), Tally::default(), Tally::default(), Tally::default());
    let mut conversations: BTreeMap<String, String> = BTreeMap::new();
    for question in &questions {
        let conversation = question.follows.as_ref().and_then(|id| conversations.get(id)).cloned();
        let (conversation, documents, outcome) = ask(&engine, question, conversation).await?;
        conversations.insert(question.id.clone(), conversation);
        let right = question
            .document
            .as_deref()
            .is_some_and(|uri| documents.contains(&DocumentId::of(uri)));
        let good = if question.answerable {
            right
        } else {
            outcome == Outcome::Declined
        };
        if question.answerable {
            cited.add(right);
            refused.add(outcome == Outcome::Declined);
        } else {
            declined.add(outcome == Outcome::Declined);
        }
        if question.kind == "identifier" {
            identifiers.add(right);
        }
        if !good && !json {
            print(&format!(
                "  miss {} ({}, {}): {}\n",
                question.id,
                question.kind,
                outcome.as_str(),
                question.text
            ));
        }
    }
    let figures = [cited.share(), identifiers.share(), declined.share(), refused.share()];
    report(figures, questions.len(), json);
    Ok(if gate.is_none_or(|gate| passes(&gate, figures)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report([cited, identifiers, declined, refused]: [f64; 4], questions: usize, json: bool) {
    if json {
        let row = json!({"questions": questions, "cited": cited, "identifiers": identifiers, "declined": declined,
            "over_refusal": refused});
        print(&format!("{row}\n"));
        return;
    }
    print(&format!(
        "{questions} questions: right document cited {:.1} %, identifiers {:.1} %, unanswerable declined {:.1} %, \
         answerable declined {:.1} %\n",
        cited * 100.0,
        identifiers * 100.0,
        declined * 100.0,
        refused * 100.0
    ));
}

fn passes(gate: &Gate, [cited, identifiers, declined, refused]: [f64; 4]) -> bool {
    let mut good = true;
    let floors = [
        ("cited", cited, gate.cited),
        ("identifiers", identifiers, gate.identifiers),
        ("declined", declined, gate.declined),
        ("over_refusal", -refused, -gate.over_refusal),
    ];
    for (name, figure, floor) in floors {
        if figure < floor {
            eprintln!(
                "portolan: `{name}` is {:.3}, the gate asks for {:.3}",
                figure.abs(),
                floor.abs()
            );
            good = false;
        }
    }
    good
}

async fn ask(
    engine: &Arc<Engine>,
    question: &Question,
    conversation: Option<String>,
) -> Result<(String, Vec<DocumentId>, Outcome)> {
    let ask = Ask {
        message: question.text.clone(),
        conversation,
        history: Vec::new(),
        collections: vec![COLLECTION.to_owned()],
        filter: Filter::default(),
        route: Some("extractive".to_owned()),
        reader: Reader::Everything,
        owner: "eval".to_owned(),
    };
    let mut events = engine.answer(ask).await?;
    let (mut id, mut documents, mut outcome) = (String::new(), Vec::new(), Outcome::Declined);
    while let Some(event) = events.next().await {
        match event {
            Event::Started { conversation, .. } => id = conversation,
            Event::Citation(citation) => documents.push(citation.document),
            Event::Verdict(verdict) => outcome = verdict.outcome,
            Event::Failed(error) => return Err(Error::Internal(format!("`{}` failed: {error}", question.id))),
            _ => {}
        }
    }
    Ok((id, documents, outcome))
}

async fn index(engine: &Arc<Engine>, corpus: &Path) -> Result<()> {
    let job = engine.index_path(COLLECTION, corpus.to_owned()).await?;
    let mut pulse = tokio::time::interval(Duration::from_millis(200));
    loop {
        pulse.tick().await;
        let state = engine.job(&job).await?;
        match state["state"].as_str() {
            Some("running") => {}
            Some("done") => return Ok(()),
            _ => return Err(Error::Internal(format!("indexing failed: {}", state["errors"]))),
        }
    }
}

fn read_gate(file: &Path) -> Result<Gate> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::bad_input("/gate", format!("cannot read `{}`: {error}", file.display())))?;
    toml::from_str(&text).map_err(|error| Error::bad_input("/gate", format!("`{}`: {error}", file.display())))
}
