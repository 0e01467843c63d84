//! Where a command does its work: in this process, or in the running service that owns the data.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::BoxStream;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::app;
use crate::config::Config;
use crate::engine::trace::Viewer;
use crate::engine::{Ask, Engine, Wish};
use crate::error::{Error, Result};
use crate::gateway::peer::Peer;
use crate::http::auth::OPERATOR;
use crate::http::collections::view;
use crate::http::index_body::IndexBody;
use crate::http::search_body::SearchBody;
use crate::http::traces::{GoldenBody, ReplayBody};
use crate::http::tune::TuneBody;
use crate::http::wire::{ChatBody, EventWriter};
use crate::http::{backup, documents, found, puts};
use crate::types::{Checked, Reader};

/// How long a command waits for another one that uses the data.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const PULSE: Duration = Duration::from_millis(200);

/// Both speak the same JSON, so a command prints one shape.
pub(super) enum Place {
    Here(Arc<Engine>),
    Peer(Peer),
}

impl Place {
    /// The running service, if one owns the data; otherwise the data itself, once no other command uses it.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        let began = Instant::now();
        let mut told = false;
        loop {
            if let Some(peer) = app::peer(config).await {
                return Ok(Self::Peer(peer));
            }
            let late = began.elapsed() > PATIENCE;
            if late || !app::is_busy(config) {
                match app::open(config).await {
                    // Another one came first.
                    Err(Error::Conflict(_)) if !late && app::is_busy(config) => {}
                    opened => return Ok(Self::Here(opened?)),
                }
            }
            if !told {
                eprintln!(
                    "portolan: waiting for another portolan that uses `{}`",
                    config.data.display()
                );
                told = true;
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// `POST /v1/search`.
    pub(super) async fn search(&self, body: Value) -> Result<Value> {
        match self {
            Self::Here(engine) => {
                let body = parse::<SearchBody>(body)?;
                let explain = body.explain;
                let query = body.query(Reader::Everything)?;
                let begun = Instant::now();
                let found = engine.search(&query).await?;
                Ok(found::found(&found, explain, begun.elapsed().as_millis() as u64))
            }
            Self::Peer(peer) => peer.post("/v1/search", &body).await,
        }
    }

    /// `POST /v1/chat`: name and data of each event.
    pub(super) async fn ask(&self, body: Value) -> Result<BoxStream<'static, Result<(String, Value)>>> {
        let engine = match self {
            Self::Here(engine) => engine,
            Self::Peer(peer) => return peer.events("/v1/chat", &body).await,
        };
        let body = parse::<ChatBody>(body)?;
        let topic = body.topic()?;
        let expand = body.expansion()?;
        let ask = Ask {
            message: topic.message,
            conversation: body.conversation,
            history: Vec::new(),
            collections: topic.collections,
            filter: topic.filter,
            expand,
            route: body.route,
            reader: Reader::Everything,
            owner: OPERATOR.to_owned(),
            resumable: false,
        };
        let mut writer = EventWriter::default();
        let events = engine.answer(ask).await?.map(move |event| {
            let (name, data) = writer.write(&event);
            Ok((name.to_owned(), data))
        });
        Ok(events.boxed())
    }

    /// `POST /v1/index`: a job, or the plan.
    pub(super) async fn index(&self, body: IndexBody) -> Result<Value> {
        match self {
            Self::Here(engine) => documents::index(engine, body).await,
            Self::Peer(peer) => {
                let body = json!({
                    "source": body.origin()?,
                    "collection": body.collection,
                    "plan": body.plan,
                    "allow_deletes": body.allow_deletes,
                });
                peer.post("/v1/index", &body).await
            }
        }
    }

    /// `POST /v1/documents`, one file: a job.
    pub(super) async fn put(&self, collection: &str, uri: &str, bytes: Vec<u8>) -> Result<Value> {
        let item = puts::file(uri.to_owned(), bytes)?;
        match self {
            Self::Here(engine) => {
                let made = engine.put(collection, vec![item.into()], &Reader::Everything).await?;
                // Nothing was expected of an earlier version.
                let Checked::Made(job) = made else {
                    return Err(Error::Internal("a put without conditions was not made".into()));
                };
                Ok(json!({ "job": job }))
            }
            Self::Peer(peer) => {
                let path = format!("/v1/documents?collection={collection}");
                peer.upload(&path, uri, item.bytes).await
            }
        }
    }

    /// `POST /v1/tune`.
    pub(super) async fn tune(&self, body: TuneBody) -> Result<Value> {
        match self {
            Self::Here(engine) => engine.tune(body.tuning()?).await,
            Self::Peer(peer) => {
                let body = serde_json::to_value(body).map_err(|error| Error::Internal(error.to_string()))?;
                peer.post("/v1/tune", &body).await
            }
        }
    }

    /// `GET /v1/traces`.
    pub(super) async fn traces(&self, limit: usize, rating: Option<&str>) -> Result<Value> {
        match self {
            Self::Here(engine) => engine.traces(&operator(), rating, limit).await,
            Self::Peer(peer) => {
                let rating = rating.map(|rating| format!("&rating={rating}")).unwrap_or_default();
                peer.get(&format!("/v1/traces?limit={limit}{rating}")).await
            }
        }
    }

    /// `GET /v1/traces/{run}`.
    pub(super) async fn trace(&self, run: &str) -> Result<Value> {
        match self {
            Self::Here(engine) => engine.trace(run, &operator()).await,
            Self::Peer(peer) => peer.get(&format!("/v1/traces/{run}")).await,
        }
    }

    /// `POST /v1/traces/{run}/replay`.
    pub(super) async fn replay_trace(&self, run: &str, body: Value) -> Result<Value> {
        match self {
            Self::Here(engine) => {
                let changes = parse::<ReplayBody>(body)?.changes()?;
                engine.replay_trace(run, &changes, &operator()).await
            }
            Self::Peer(peer) => peer.post(&format!("/v1/traces/{run}/replay"), &body).await,
        }
    }

    /// `POST /v1/traces/{run}/golden`.
    pub(super) async fn golden(&self, run: &str, body: Value) -> Result<Value> {
        match self {
            Self::Here(engine) => {
                let wanted = parse::<GoldenBody>(body)?.wanted();
                engine.golden(run, &wanted, &operator()).await
            }
            Self::Peer(peer) => peer.post(&format!("/v1/traces/{run}/golden"), &body).await,
        }
    }

    /// `GET /v1/collections`.
    pub(super) async fn collections(&self) -> Result<Value> {
        match self {
            Self::Here(engine) => {
                let list: Value = engine.collections(&Reader::Everything)?.iter().map(view).collect();
                Ok(json!({ "collections": list }))
            }
            Self::Peer(peer) => peer.get("/v1/collections").await,
        }
    }

    /// `DELETE /v1/collections/{name}`.
    pub(super) async fn delete_collection(&self, name: &str) -> Result<()> {
        match self {
            Self::Here(engine) => engine.delete_collection(name).await,
            Self::Peer(peer) => peer.delete(&format!("/v1/collections/{name}")).await.map(drop),
        }
    }

    /// `POST /v1/backup`.
    pub(super) async fn backup(&self, path: &Path) -> Result<Value> {
        let path =
            std::path::absolute(path).map_err(|error| Error::storage("cannot tell the working folder", error))?;
        match self {
            Self::Here(engine) => Ok(backup::view(&engine.backup(&path).await?)),
            Self::Peer(peer) => peer.post("/v1/backup", &json!({ "path": path })).await,
        }
    }

    /// How far a job is.
    pub(super) async fn job(&self, id: &str) -> Result<Value> {
        match self {
            Self::Here(engine) => engine.job(id).await,
            Self::Peer(peer) => peer.get(&format!("/v1/jobs/{id}")).await,
        }
    }

    /// The latest jobs.
    pub(super) async fn jobs(&self) -> Result<Value> {
        match self {
            Self::Here(engine) => engine.jobs().await,
            Self::Peer(peer) => peer.get("/v1/jobs").await,
        }
    }

    /// `POST /v1/jobs/{id}/pause`, `resume` or `cancel`.
    pub(super) async fn wish(&self, id: &str, wish: Wish) -> Result<Value> {
        let word = match wish {
            Wish::Go => "resume",
            Wish::Pause => "pause",
            Wish::Stop => "cancel",
        };
        match self {
            Self::Here(engine) => engine.wish(id, wish).await,
            Self::Peer(peer) => peer.post(&format!("/v1/jobs/{id}/{word}"), &json!({})).await,
        }
    }
}

/// Who commands reads everything.
fn operator() -> Viewer {
    Viewer {
        owner: OPERATOR.to_owned(),
        reader: Reader::Everything,
    }
}

/// `KEY=VALUE` pairs as the filter object of the API; a number or truth value also matches as such.
pub(super) fn filter(pairs: &[String]) -> Result<Value> {
    let mut object = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::bad_input(
                "/filter",
                format!("`{pair}` is no filter; write KEY=VALUE"),
            ));
        };
        let wanted = object.entry(key.to_owned()).or_insert_with(|| json!([]));
        if let Some(wanted) = wanted.as_array_mut() {
            wanted.push(json!(value));
            wanted.extend(value.parse::<i64>().ok().map(|number| json!(number)));
            wanted.extend(value.parse::<bool>().ok().map(|truth| json!(truth)));
        }
    }
    Ok(Value::Object(object))
}

fn parse<T: DeserializeOwned>(body: Value) -> Result<T> {
    serde_json::from_value(body).map_err(|error| Error::bad_input("", error.to_string()))
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;
    use crate::engine::Parts;
    use crate::gateway::{Embedder, TextKind};
    use crate::store::Store;

    struct Nowhere;

    impl Embedder for Nowhere {
        fn name(&self) -> &'static str {
            "nowhere"
        }

        fn dimension(&self) -> usize {
            4
        }

        fn embed(&self, texts: Vec<String>, _: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
            Box::pin(async move { Ok(vec![vec![0.5; 4]; texts.len()]) })
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_steps_are_told_only_when_asked_for_as_by_the_service() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts {
            data: folder.path().to_owned(),
            buckets: std::collections::BTreeMap::new(),
            embedder: Arc::new(Nowhere),
            store: Store::open(&folder.path().join("portolan.sqlite")).await.unwrap(),
            routes: Vec::new(),
            models: std::collections::BTreeMap::new(),
            vectors: None,
            reranking: Arc::new(crate::engine::rerank::Reranking::nothing()),
            decline_below: 0.5,
            chunking: indexer::chunk::Chunking::default(),
            traces: crate::config::Traces::default(),
            parsers: crate::engine::Parsers::here(),
            in_flight_bytes: 256 << 20,
        };
        let engine = Engine::open(parts).await.unwrap();
        engine.open_collection("default").await.unwrap();
        let place = Place::Here(engine);
        for explain in [false, true] {
            let found = place.search(json!({ "query": "x", "explain": explain })).await.unwrap();
            assert_eq!(found.get("trace").is_some(), explain, "{found}");
        }
    }

    #[test]
    fn equal_keys_are_alternatives_and_numbers_match_both_ways() {
        let pairs = ["kind=memo", "kind=note", "year=2024"].map(str::to_owned);
        let expected = json!({ "kind": ["memo", "note"], "year": ["2024", 2024] });
        assert_eq!(filter(&pairs).unwrap(), expected);
        assert!(
            filter(&["memo".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("KEY=VALUE")
        );
    }
}
