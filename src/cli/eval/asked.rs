//! One question to the extractive route, and all that was told in answer.

use std::sync::Arc;

use futures::StreamExt;

use crate::engine::{Ask, Engine};
use crate::error::{Error, Result};
use crate::types::{Citation, Event, Filter, Outcome, Passage, Reader, Verdict};

/// A whole answer.
pub(super) struct Told {
    /// Where it can be gone on with.
    pub conversation: String,
    /// With its marks.
    pub text: String,
    /// In the order of their marks.
    pub citations: Vec<Citation>,
    /// What it rests on, numbered from 1.
    pub sources: Vec<Passage>,
    /// What it came to.
    pub verdict: Verdict,
}

/// Asks `message` of a collection, in `conversation` where it is a follow-up.
pub(super) async fn ask(
    engine: &Arc<Engine>,
    (collection, message): (&str, &str),
    conversation: Option<String>,
) -> Result<Told> {
    let ask = Ask {
        message: message.to_owned(),
        conversation,
        history: Vec::new(),
        collections: vec![collection.to_owned()],
        filter: Filter::default(),
        route: Some("extractive".to_owned()),
        expand: None,
        reader: Reader::Everything,
        owner: "eval".to_owned(),
        resumable: false,
    };
    let mut events = engine.answer(ask).await?;
    let mut told = Told {
        conversation: String::new(),
        text: String::new(),
        citations: Vec::new(),
        sources: Vec::new(),
        verdict: Verdict {
            outcome: Outcome::Declined,
            missing: Vec::new(),
            nearest: Vec::new(),
            sentences: Vec::new(),
            conflicts: Vec::new(),
        },
    };
    while let Some(event) = events.next().await {
        match event {
            Event::Started { conversation, .. } => told.conversation = conversation,
            Event::Sources(context) => told.sources = context.passages,
            Event::Text(text) => told.text.push_str(&text),
            Event::Citation(citation) => told.citations.push(citation),
            Event::Verdict(verdict) => told.verdict = verdict,
            Event::Failed(error) => return Err(Error::Internal(format!("`{message}` failed: {error}"))),
            Event::Usage(..) | Event::Done(_) => {}
        }
    }
    Ok(told)
}
