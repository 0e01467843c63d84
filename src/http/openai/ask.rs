//! What requests in `OpenAI`'s shapes have in common: a question with its turns, a model that is a route, and what is
//! refused because nothing here can do it.

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;

use crate::engine::{self, Ask, EventStream};
use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::whole;
use crate::http::models;
use crate::http::problem::{Answer, Problem};
use crate::http::wire::{self, OneOrMany};
use crate::types::{Event, Message};

/// What of `metadata` means something here; clients file more there for themselves.
#[derive(Debug, Default, Deserialize)]
pub struct CallMetadata {
    /// The conversation that goes on.
    pub conversation: Option<String>,
    /// Where to look; several names with commas, since values are text there.
    pub collection: Option<OneOrMany>,
}

/// A request, read.
pub struct Asked {
    /// The last words of the user.
    pub question: String,
    /// Where they stand in the body.
    pub pointer: String,
    /// The turns before them.
    pub history: Vec<Message>,
    /// The model's name.
    pub model: Option<String>,
    /// The conversation that goes on.
    pub conversation: Option<String>,
    /// Where to look.
    pub collection: Option<OneOrMany>,
}

/// Refuses tools that the model is to call: it is given passages and asked for words.
pub fn no_tools(name: &str, tools: Option<&[Value]>, choice: Option<&Value>) -> Result<()> {
    let are_named = tools.is_some_and(|tools| !tools.is_empty());
    if !are_named || choice.is_some_and(|choice| choice == "none") {
        return Ok(());
    }
    let detail = format!(
        "answers come from the documents and call no tools; leave `{name}` out, send `\"tool_choice\": \"none\"`, or give \
         your own model Portolan's tools at `/mcp`"
    );
    Err(Error::bad_input(&format!("/{name}"), detail))
}

/// Refuses another form than text, since nothing makes an answer keep to a schema.
pub fn only_text(format: Option<&Value>, pointer: &str) -> Result<()> {
    let kind = format.and_then(|format| format["type"].as_str());
    match kind {
        None | Some("text") => Ok(()),
        Some(other) => {
            let detail = format!("answers are text with citations, not `{other}`; leave it out or ask for `text`");
            Err(Error::bad_input(pointer, detail))
        }
    }
}

/// The question for the engine, on behalf of `caller`.
pub fn ask(asked: Asked, caller: Caller) -> Result<Ask> {
    let collection = asked.collection.map(split);
    let topic = wire::topic(&asked.question, collection, None, &asked.pointer)?;
    let reader = caller.reader();
    let owner = match asked.conversation {
        Some(_) => caller.owner,
        None => engine::unfiled(&caller.owner),
    };
    Ok(Ask {
        message: topic.message,
        conversation: asked.conversation,
        history: asked.history,
        collections: topic.collections,
        filter: topic.filter,
        // The names that stand for whatever route is the default.
        route: asked
            .model
            .filter(|model| !matches!(model.as_str(), "" | "default" | "portolan")),
        expand: None,
        reader,
        owner,
        resumable: false,
    })
}

/// No name of a collection has a comma.
fn split(collection: OneOrMany) -> OneOrMany {
    match collection {
        OneOrMany::One(names) if names.contains(',') => {
            OneOrMany::Many(names.split(',').map(|name| name.trim().to_owned()).collect())
        }
        other => other,
    }
}

/// Begins the answer; a model that cannot be used is told in `OpenAI`'s words.
pub async fn begin(state: &HttpState, ask: Ask) -> Answer<EventStream> {
    if let Some(model) = ask.route.as_deref().filter(|model| *model != "auto") {
        // As declared: whether its server answers shows in a moment, with the reason. Who errs hears what answers now.
        if models::usable(&state.engine().declared_routes(), model).is_err() {
            models::usable(&state.engine().routes().await, model)?;
        }
    }
    let permit = state.stream_permit()?;
    if let Some(conversation) = &ask.conversation {
        state.engine().file_conversation(conversation, &ask.owner).await?;
    }
    Ok(whole(state.engine().answer_in(ask, permit).await?))
}

/// The events again, once there is a word or the end: what fails before that has a status of its own.
pub async fn begun(mut events: EventStream) -> Answer<EventStream> {
    let mut first = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Failed(error) = &event {
            return Err(Problem::from(error));
        }
        let begins = matches!(event, Event::Text(_) | Event::Done(_));
        first.push(event);
        if begins {
            break;
        }
    }
    Ok(stream::iter(first).chain(events).boxed())
}
