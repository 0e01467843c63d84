//! An answer's evidence made again, as it was asked for then or with something changed; what differs is told.

use std::sync::Arc;

use serde_json::{Value, json};

use super::views::Viewer;
use super::{diff, evidence_hash, filter, gate, mode, rows, step};
use crate::engine::room::Room;
use crate::engine::{Engine, answer, evidence, pack};
use crate::error::{Error, Result};
use crate::gateway::routes::Route;
use crate::gateway::{selector, tokens};
use crate::index::work::blocking;
use crate::store::TraceRow;
use crate::types::{Expand, Expansion, Found, Mode, Options, Passage, Query, QueryInput, Reader};

/// What is to be other than it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// The route.
    pub route: Option<String>,
    /// The legs.
    pub mode: Option<Mode>,
    /// Support below which an answer is declined.
    pub decline_below: Option<f32>,
}

/// A trace, as far as its evidence can be made again from it.
struct Before {
    message: String,
    query: Query,
    route: String,
    budget: usize,
    decline_below: f32,
}

impl Engine {
    /// Makes the evidence of a run again and compares; no model is asked for an answer, and nothing is kept.
    pub async fn replay_trace(self: &Arc<Self>, run: &str, changes: &Changes, viewer: &Viewer) -> Result<Value> {
        let row = self.trace_row(run, viewer).await?;
        let before = before(&row, changes, &viewer.reader)?;
        let then = self.find_route(&before.route, "");
        let route = match &changes.route {
            Some(name) => self.find_route(name, "/route")?,
            None => then.clone()?,
        };
        let room = |route: &Route| Room::of(route, &before.message).map(|room| room.left);
        let budget = match &then {
            // The turns that were in the prompt take the room that they took.
            Ok(then) => (before.budget + room(&route)?).saturating_sub(room(then)?),
            Err(_) => room(&route)?,
        };
        let Found {
            passages,
            degraded,
            trace,
            ..
        } = self.search(&before.query).await?;
        let passages = answer::joined(self, passages).await?;
        let idf = self.idf(before.query.collections());
        let again = Again {
            route,
            budget,
            mode: mode(before.query.mode()),
            decline_below: changes.decline_below.unwrap_or(before.decline_below),
            degraded,
            question: before.query.text().to_owned(),
            passages,
        };
        let work = move || Ok(again.make(&*idf));
        let (now, passages) = blocking(work).await?;
        let show = |list: Vec<Value>| {
            list.into_iter()
                .map(|one| self.shown(one, &viewer.reader))
                .collect::<Vec<_>>()
        };
        let (was, is) = (show(row.trace.passages.clone()), show(passages));
        let mut value = diff::compare(&row.trace, [&was, &is], &now);
        value["passages"] = json!(is);
        value["steps"] = trace.iter().map(step).collect();
        Ok(value)
    }

    fn find_route(&self, name: &str, pointer: &str) -> Result<Route> {
        let found = selector::choose(self.routes_list(), Some(name)).map(|(route, _)| route.clone());
        found.map_err(|error| Error::bad_input(pointer, error.to_string()))
    }
}

/// What the evidence is made of once more.
struct Again {
    route: Route,
    budget: usize,
    mode: &'static str,
    decline_below: f32,
    degraded: Vec<String>,
    question: String,
    passages: Vec<Passage>,
}

impl Again {
    /// What a trace would have of it, and its passages.
    fn make(&self, idf: &dyn Fn(&str) -> f32) -> (Value, Vec<Value>) {
        let weighed = evidence::weigh(&self.question, &self.passages, idf, self.decline_below);
        let model = self.route.targets.first().map(|target| target.model.as_str());
        let count = |text: &str| model.map_or(0, |model| tokens::count(model, text));
        let context = pack::fit(&self.question, self.passages.clone(), self.budget, &count);
        let now = json!({
            "route": self.route.name, "mode": self.mode, "evidence_hash": evidence_hash(&context),
            "degraded": self.degraded, "gate": gate(&weighed, self.decline_below),
            "packing": { "budget": self.budget, "tokens": context.tokens },
        });
        (now, rows(&self.passages, &context, true))
    }
}

fn before(row: &TraceRow, changes: &Changes, reader: &Reader) -> Result<Before> {
    let record = &row.trace.record;
    let (asked, word) = (&record["asked"], |value: &Value| value.as_str().map(ToOwned::to_owned));
    let (Some(message), Some(question)) = (word(&asked["message"]), word(&asked["question"])) else {
        return Err(kept_without_words());
    };
    let collections = asked["collections"].as_array().into_iter().flatten();
    let input = QueryInput {
        text: question,
        collections: collections.filter_map(word).collect(),
        filter: filter::read(&asked["filter"]).unwrap_or_default(),
        mode: match (changes.mode, asked["mode"].as_str()) {
            (Some(mode), _) => mode,
            (None, Some(mode)) => mode.parse()?,
            (None, None) => Mode::Hybrid,
        },
        limit: Some(answer::EVIDENCE),
        options: Options {
            expand: expand(&asked["expand"])?,
            ..Options::default()
        },
        ..QueryInput::default()
    };
    Ok(Before {
        message,
        query: Query::parse(input, reader_of(asked, reader))?,
        route: word(&record["route"]["name"]).unwrap_or_default(),
        budget: record["packing"]["budget"].as_u64().unwrap_or_default() as usize,
        decline_below: record["gate"]["decline_below"].as_f64().unwrap_or_default() as f32,
    })
}

/// What is said where the words are missing.
pub(super) fn kept_without_words() -> Error {
    let detail = "this trace was kept without words, so nothing can be asked again; `[traces] words = true` keeps them";
    Error::Conflict(detail.into())
}

/// Who may read everything sees what was seen then; everybody else what he may read now.
fn reader_of(asked: &Value, reader: &Reader) -> Reader {
    match (reader, asked["principals"].as_array()) {
        (Reader::Everything, Some(principals)) => {
            let own = principals.iter().filter_map(Value::as_str);
            Reader::Principals(own.map(ToOwned::to_owned).collect())
        }
        _ => reader.clone(),
    }
}

fn expand(kept: &Value) -> Result<Option<Expand>> {
    let Some(kind) = kept["kind"].as_str() else {
        return Ok(None);
    };
    let kind: Expansion = kind.parse()?;
    let route = kept["route"].as_str().map(ToOwned::to_owned);
    Ok(Some(Expand { kind, route }))
}
