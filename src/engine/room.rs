//! What of a model's window goes to what, counted in its tokens.

use crate::engine::prompt;
use crate::error::{Error, Result};
use crate::gateway::routes::Route;
use crate::gateway::tokens;
use crate::types::{Ledger, Message};

/// Tokens of the frame around a message.
const TURN: usize = 4;
/// Tokens that are kept free for what a provider puts around a prompt.
const MARGIN: usize = 100;
/// Tokens that evidence and turns must be left with.
const LEAST: usize = 256;
/// More than all evidence together.
const WITHOUT_LIMIT: usize = 1_000_000;

/// A window before evidence and turns are in it.
#[derive(Clone, Debug)]
pub(super) struct Room {
    model: Option<String>,
    window: usize,
    system: usize,
    question: usize,
    /// For the answer.
    pub answer: usize,
    /// For evidence and turns together.
    pub left: usize,
}

impl Room {
    /// The smallest window of the route's targets, less what every prompt has; the extractive route has no window.
    pub fn of(route: &Route, message: &str) -> Result<Self> {
        let windows = route.targets.iter().map(|target| target.window);
        let window = windows.min().unwrap_or(WITHOUT_LIMIT);
        let outputs = route.targets.iter().map(|target| target.max_output);
        let answer = outputs.min().unwrap_or(512).min(window / 4);
        let mut room = Self {
            model: route.targets.first().map(|target| target.model.clone()),
            window,
            system: 0,
            question: 0,
            answer,
            left: 0,
        };
        room.system = room.count(&prompt::instructions()?) + TURN;
        room.question = room.count(message) + TURN;
        room.left = window.saturating_sub(answer + room.system + room.question + MARGIN);
        if room.left < LEAST {
            let detail = format!(
                "the message leaves no room in the window of route `{}`; shorten it",
                route.name
            );
            return Err(Error::bad_input("/message", detail));
        }
        Ok(room)
    }

    /// The tokens of a text; without a model there is no window to keep to.
    pub fn count(&self, text: &str) -> usize {
        self.model.as_ref().map_or(0, |model| tokens::count(model, text))
    }

    /// Those of earlier turns.
    pub fn memory(&self, turns: &[Message]) -> usize {
        turns.iter().map(|turn| self.count(&turn.text) + TURN).sum()
    }

    /// What went to what in the end.
    pub fn ledger(&self, memory: usize, evidence: usize) -> Option<Ledger> {
        let model = self.model.as_ref()?;
        Some(Ledger {
            window: self.window,
            system: self.system,
            memory,
            evidence,
            question: self.question,
            answer: self.answer,
            estimated: !tokens::is_exact(model),
        })
    }
}
