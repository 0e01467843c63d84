//! What the engine shows of itself and lets go of: routes, collections, documents, conversations, jobs.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::{Engine, record};
use crate::error::{Error, Result};
use crate::gateway::routes::RouteKind;
use crate::index::work::blocking;
use crate::index::{Collection, Settings};
use crate::store::{ConversationRow, MessageRow, Replay, StoredCitation};
use crate::types::{Document, DocumentCard, DocumentId, Item, Reader};

/// A route, without secrets.
#[derive(Clone, Debug)]
pub struct RouteView {
    /// Its name.
    pub name: String,
    /// One line for the reader.
    pub description: String,
    /// `extractive` or `gateway`.
    pub kind: &'static str,
    /// Whether it answers when none is named.
    pub default: bool,
    /// Why it cannot be used now, and the mend.
    pub unavailable: Option<String>,
    /// Where it leads.
    pub targets: Vec<TargetView>,
}

/// A route's target, without secrets.
#[derive(Clone, Debug)]
pub struct TargetView {
    /// The provider's name at the gateway.
    pub provider: String,
    /// The model's name.
    pub model: String,
    /// Context window in tokens.
    pub window: usize,
}

/// A collection and its size.
#[derive(Clone, Debug)]
pub struct CollectionView {
    /// Its name.
    pub name: String,
    /// Documents that the reader may read.
    pub documents: usize,
    /// Their chunks.
    pub chunks: usize,
    /// Whether it can be searched; one whose folder does not open cannot.
    pub available: bool,
    /// Why it cannot, and the mend; for who may read everything, since paths are in it.
    pub reason: Option<String>,
}

impl Engine {
    /// The routes, with those marked whose models on this machine do not answer now.
    pub async fn routes(&self) -> Vec<RouteView> {
        let mut routes = self.declared_routes();
        let now = routes.iter_mut().filter(|route| route.unavailable.is_none());
        let now = now.map(async |route| {
            if let Ok(model) = self.model(&route.name) {
                route.unavailable = model.fault().await;
            }
        });
        futures::future::join_all(now).await;
        routes
    }

    /// The routes as they are declared.
    pub fn declared_routes(&self) -> Vec<RouteView> {
        let view = |route: &crate::gateway::routes::Route| RouteView {
            name: route.name.clone(),
            description: route.description.clone(),
            kind: if route.kind == RouteKind::Extractive {
                "extractive"
            } else {
                "gateway"
            },
            default: route.default,
            unavailable: route.unavailable.clone(),
            targets: route
                .targets
                .iter()
                .map(|target| TargetView {
                    provider: target.provider.clone(),
                    model: target.model.clone(),
                    window: target.window,
                })
                .collect(),
        };
        self.routes_list().iter().map(view).collect()
    }

    /// The collections by name, with what `reader` may read of them.
    pub fn collections(&self, reader: &Reader) -> Result<Vec<CollectionView>> {
        let view = |collection: &Arc<Collection>| {
            let statistics = collection.readable(reader)?;
            Ok(CollectionView {
                name: collection.name().to_owned(),
                documents: statistics.documents,
                chunks: statistics.chunks,
                available: true,
                reason: None,
            })
        };
        let mut all: Vec<CollectionView> = self.open_collections().iter().map(view).collect::<Result<_>>()?;
        let told = *reader == Reader::Everything;
        all.extend(
            self.broken_collections()
                .into_iter()
                .map(|(name, cause)| CollectionView {
                    name,
                    documents: 0,
                    chunks: 0,
                    available: false,
                    reason: told.then_some(cause),
                }),
        );
        all.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(all)
    }

    /// What is set for a collection.
    pub fn settings(&self, collection: &str) -> Result<Settings> {
        Ok(self.collection(collection)?.settings())
    }

    /// Sets what `change` names, a JSON object; the rest stays. Returns all of it.
    pub async fn change_settings(&self, collection: &str, change: Value) -> Result<Settings> {
        let collection = self.collection(collection)?;
        if let Some(route) = change["context_sentences"]["route"].as_str() {
            self.writer_of_sentences(route)?;
        }
        if change.get("context_sentences").is_some() {
            self.writers.forget();
        }
        blocking(move || collection.change_settings(change)).await
    }

    /// How many documents `reader` may read, and one page of them by URI.
    pub fn documents(
        &self,
        collection: &str,
        reader: &Reader,
        offset: usize,
        limit: usize,
    ) -> Result<(usize, Vec<DocumentCard>)> {
        self.collection(collection)?.documents(reader, offset, limit)
    }

    /// One document with its text.
    pub fn document(&self, collection: &str, id: DocumentId, reader: &Reader) -> Result<Document> {
        let document = self.collection(collection)?.document(id, reader)?;
        document.ok_or_else(|| no_document(collection, id))
    }

    pub(super) fn compact_later(&self, collection: Arc<Collection>) {
        self.tasks().spawn(async move {
            if let Err(error) = collection.compact().await {
                tracing::warn!(collection = collection.name(), %error, "a removed text stays on the disk for now");
            }
        });
    }

    /// The owner's `limit` last conversations, latest first.
    pub async fn conversations(&self, owner: &str, limit: usize) -> Result<Value> {
        let rows = self.store().conversations(owner, limit).await?;
        Ok(json!({ "conversations": rows.iter().map(head).collect::<Vec<_>>() }))
    }

    /// One conversation with its messages.
    pub async fn conversation(&self, id: &str, owner: &str) -> Result<Value> {
        let (row, messages) = self.store().messages(id, owner).await?;
        let mut value = head(&row);
        value["messages"] = messages.iter().map(message).collect();
        Ok(value)
    }

    /// How the request with this key was answered before, if it was.
    pub async fn replay(&self, owner: &str, key: &str) -> Result<Option<Replay>> {
        self.store().replay(owner, key).await
    }

    /// Keeps how the request with this key was answered.
    pub async fn keep_replay(&self, owner: &str, key: &str, replay: &Replay) -> Result<()> {
        self.store().keep_replay(owner, key, replay).await
    }

    /// Does `work` to its end, also when the caller leaves.
    pub async fn to_its_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
        let done = self.tasks().spawn(work).await;
        done.map_err(|error| Error::Internal(error.to_string()))
    }

    /// The id, the name and the version that an item will have as a document of that collection.
    pub fn foreseen(&self, collection: &str, item: &Item) -> (DocumentId, String, String) {
        let version = indexer::fingerprint::of(item, self.ground(collection).chunking);
        (DocumentId::of(&item.uri), item.uri.clone(), version)
    }

    /// Puts a conversation that was filed nowhere into the list of `owner`, who goes on with it.
    pub async fn file_conversation(&self, id: &str, owner: &str) -> Result<()> {
        self.store().change_owner(id, &unfiled(owner), owner).await
    }

    /// The conversation of `owner`, filed or not, in which the run answered.
    pub async fn conversation_of_run(&self, run: &str, owner: &str) -> Result<Option<String>> {
        self.store().conversation_of_run(run, [owner, &unfiled(owner)]).await
    }

    /// Removes a conversation of `owner`, filed or not, with its traces; false when there was none.
    pub async fn remove_conversation(&self, id: &str, owner: &str) -> Result<bool> {
        let removed = self.store().remove_conversation(id, [owner, &unfiled(owner)]).await?;
        self.forget_answers();
        Ok(removed)
    }

    /// Whether requests can be served: not any more once it is stopping.
    pub fn ready(&self) -> bool {
        !self.stopping().is_cancelled()
    }
}

/// Whose conversations those of `owner` are that no list shows: a caller who keeps the turns itself sends each anew.
pub fn unfiled(owner: &str) -> String {
    format!("unfiled {owner}")
}

pub(super) fn no_document(collection: &str, id: DocumentId) -> Error {
    Error::NotFound(format!(
        "no document `{id}` in `{collection}`; it may have been removed"
    ))
}

fn head(row: &ConversationRow) -> Value {
    json!({ "id": row.id, "title": row.title, "created_at": row.created_at, "updated_at": row.updated_at })
}

fn message(row: &MessageRow) -> Value {
    // The stored source of that number tells where the document lies.
    let sources = row.sources.as_array().map(Vec::as_slice).unwrap_or_default();
    let citation = |one: &StoredCitation| {
        let source = sources.iter().find(|source| source["number"] == one.number);
        let told = |key: &str| source.map(|source| source[key].clone()).unwrap_or_default();
        let mut value = json!({
            "collection": told("collection"),
            "title": told("title"),
            "uri": told("uri"),
            "number": one.number,
            "answer_range": [one.answer_range.start, one.answer_range.end],
            "document": one.document.to_string(),
            "version": one.version,
            "source_range": one.source_range.as_ref().map(|range| [range.start, range.end]),
            "quote": one.quote,
            "checked": one.checked,
            "removed": one.removed,
        });
        if let (Some(source), Some(range)) = (source, &one.source_range)
            && let Some(pages) = record::pages(source, range)
        {
            value["pages"] = json!(pages);
        }
        value
    };
    json!({
        "id": row.id,
        "role": row.role,
        "text": row.text,
        "state": row.state,
        "route": row.route,
        "created_at": row.created_at,
        "verdict": row.outcome.map(crate::types::Outcome::as_str),
        "sources": row.sources,
        "citations": row.citations.iter().map(citation).collect::<Vec<_>>(),
        "sentences": row.sentences,
        "problem": row.problem,
    })
}
