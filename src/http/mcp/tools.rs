//! What the tools of `/mcp` do: the same as `/v1/search`, `/v1/documents/{id}/source` and `/v1/chat`, for the same reader.

use std::sync::Arc;

use futures::{StreamExt, stream};
use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::engine::{self, Ask, EventStream};
use crate::error::{Error, Result, UpstreamKind};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::chat::whole;
use crate::http::filter;
use crate::http::mcp::arguments::{AskArguments, FetchArguments, PART, SearchArguments, read};
use crate::http::problem::Answer;
use crate::http::wire::{self, Collected, names};
use crate::types::{DocumentId, Event, Options, Passage, Query, QueryInput};

/// Pieces of an answer after which who waits is told that it goes on.
const TOLD_EVERY: usize = 20;

/// `search`.
pub async fn search(state: &HttpState, caller: &Caller, arguments: Value) -> Answer<Value> {
    let arguments: SearchArguments = read(&arguments)?;
    let input = QueryInput {
        text: arguments.query,
        collections: names(arguments.collection)?,
        filter: filter::parse(arguments.filter.as_ref())?,
        limit: Some(arguments.limit),
        options: Options {
            whole: true,
            ..Options::default()
        },
        ..QueryInput::default()
    };
    let query = Query::parse(input, caller.reader())?;
    let _permit = state.search_permit()?;
    let found = state.engine().search(&query).await?;
    let mut value = json!({ "results": found.passages.iter().map(result).collect::<Vec<_>>() });
    if !found.degraded.is_empty() {
        value["degraded"] = json!(found.degraded);
    }
    Ok(value)
}

/// `id`, `title`, `text` and `url` are the names that clients of search tools look for.
fn result(passage: &Passage) -> Value {
    json!({
        "id": format!("{}/{}", passage.collection, passage.document.id),
        "title": passage.document.title,
        "url": passage.document.uri,
        "heading_path": passage.chunk.heading_path,
        "text": passage.chunk.text,
        "span": [passage.chunk.span.start, passage.chunk.span.end],
        "metadata": passage.document.metadata,
    })
}

/// `fetch`.
pub fn fetch(state: &HttpState, caller: &Caller, arguments: &Value) -> Answer<Value> {
    let arguments: FetchArguments = read(arguments)?;
    let (collection, document) = named(&arguments.id)?;
    let _permit = state.search_permit()?;
    let document = state.engine().document(collection, document, &caller.reader())?;
    let text = &document.text;
    if arguments.offset > text.len() {
        let detail = format!("the document has {} bytes; `offset` goes up to there", text.len());
        return Err(Error::bad_input("/offset", detail).into());
    }
    let start = text.floor_char_boundary(arguments.offset);
    let end = text.floor_char_boundary((start + PART).min(text.len()));
    let mut value = json!({
        "id": arguments.id,
        "title": document.title,
        "url": document.uri,
        "text": text[start..end],
        "metadata": document.metadata,
        "version": document.fingerprint,
        "bytes": text.len(),
    });
    if end < text.len() {
        value["next_offset"] = json!(end);
    }
    Ok(value)
}

/// `COLLECTION/DOCUMENT`, as `search` gives it.
fn named(id: &str) -> Result<(&str, DocumentId)> {
    let parts = id.split_once('/');
    let read = parts.and_then(|(collection, document)| Some((collection, document.parse().ok()?)));
    read.ok_or_else(|| Error::bad_input("/id", format!("`{id}` is no id of a result of `search`")))
}

/// `ask`.
pub async fn ask(
    state: &HttpState,
    caller: Caller,
    arguments: Value,
    context: &RequestContext<RoleServer>,
) -> Answer<Value> {
    let arguments: AskArguments = read(&arguments)?;
    let topic = wire::topic(
        &arguments.question,
        arguments.collection,
        arguments.filter.as_ref(),
        "/question",
    )?;
    let permit = state.stream_permit()?;
    let owner = match &arguments.conversation {
        Some(conversation) => {
            state.engine().file_conversation(conversation, &caller.owner).await?;
            caller.owner.clone()
        }
        // What another program asks by the way is in nobody's list.
        None => engine::unfiled(&caller.owner),
    };
    let ask = Ask {
        message: topic.message,
        conversation: arguments.conversation,
        history: Vec::new(),
        collections: topic.collections,
        filter: topic.filter,
        route: arguments.route,
        expand: None,
        reader: caller.reader(),
        owner,
        resumable: false,
    };
    let events = state.engine().answer_in(ask, permit).await?;
    // Whoever leaves or cancels drops the events, and that stops the model.
    let mut events = unless_cancelled(events, context.ct.clone());
    let mut collected = Collected::default();
    let mut count = 0_usize;
    while let Some(event) = events.next().await {
        collected.add(&event)?;
        if matches!(event, Event::Sources(_)) || (count + 1).is_multiple_of(TOLD_EVERY) {
            tell(context, count).await;
        }
        count += 1;
    }
    Ok(answer(&collected.finish()))
}

/// The events up to `Done` or `Failed`: a part of an answer that is cancelled must not pass for the whole.
fn unless_cancelled(events: EventStream, cancelled: CancellationToken) -> EventStream {
    let cut = Error::upstream(UpstreamKind::Cut, None, "the call was cancelled; ask again");
    let end = stream::iter([Event::Failed(Arc::new(cut))]);
    let events = whole(events).take_until(cancelled.cancelled_owned()).chain(end);
    whole(events.boxed())
}

/// Clients give up on a call that is silent for long.
async fn tell(context: &RequestContext<RoleServer>, count: usize) {
    let Some(token) = context.meta.get_progress_token() else {
        return;
    };
    let words = if count < TOLD_EVERY {
        "found passages"
    } else {
        "the answer is being written"
    };
    let progress = ProgressNotificationParam::new(token, count as f64).with_message(words);
    // Who does not hear it any more has left, which ends the call.
    drop(context.peer.notify_progress(progress).await);
}

/// The answer without the passages that it does not cite: `search` gives those.
fn answer(collected: &Value) -> Value {
    let verdict = &collected["verdict"];
    json!({
        "answer": collected["text"],
        "verdict": verdict["verdict"],
        "missing": verdict["missing"],
        "citations": collected["citations"],
        "finish_reason": collected["finish_reason"],
        "route": collected["route"],
        "run": collected["run"],
        "conversation": collected["conversation"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_an_answer_that_came_to_its_end_is_one() {
        let check = async |events: EventStream, is_cancelled: bool, expected: &str| {
            let token = CancellationToken::new();
            if is_cancelled {
                token.cancel();
            }
            let events: Vec<Event> = unless_cancelled(events, token).collect().await;
            let end = match events.last() {
                Some(Event::Done(reason)) => reason.clone(),
                Some(Event::Failed(error)) => error.to_string(),
                other => format!("{other:?}"),
            };
            assert!(end.contains(expected), "{expected}: {end}");
        };
        let part = || stream::iter([Event::Text("The backup ".into())]);
        let done = stream::iter([Event::Done("stop".into())]);
        check(part().chain(done).boxed(), false, "stop").await;
        check(part().boxed(), false, "without an end").await;
        check(part().chain(stream::pending()).boxed(), true, "the call was cancelled").await;
    }
}
