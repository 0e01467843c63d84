//! Equal searches are made once, and never answered with what is stale, another reader's or only half of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{BoxFuture, join_all};
use portolan::error::{Error, Result};
use portolan::gateway::{Embedder, TextKind};
use portolan::http::search_body::SearchBody;
use portolan::types::Reader;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::app::{TestApp, WordHash, settings};
use crate::library::{open, search, search_all, uris};

#[tokio::test]
async fn an_equal_search_is_answered_anew_after_a_change() {
    let app = open().await;
    let body = json!({ "query": "sextant", "mode": "lexical" });
    assert_eq!(search(&app, body.clone()).await["total"], 0);
    app.put(json!({ "uri": "sextant.md", "text": "# Sextant\n\nThe sextant hangs in the office." }))
        .await;
    assert_eq!(uris(&search(&app, body.clone()).await), ["sextant.md"]);
    let id = app.document("sextant.md").await;
    app.delete(&format!("/v1/documents/{id}")).await;
    assert_eq!(search(&app, body).await["total"], 0);
}

#[tokio::test]
async fn two_readers_never_share_an_answer() {
    let app = open().await;
    let body = json!({ "query": "governor gold", "mode": "lexical" });
    assert_eq!(uris(&search_all(&app, &body).await), ["secret.md"]);
    assert_eq!(search(&app, body.clone()).await["total"], 0);
    assert_eq!(uris(&search_all(&app, &body).await), ["secret.md"]);
}

#[tokio::test]
async fn equal_searches_at_the_same_time_are_made_once() {
    let embedder = Arc::new(Counted::default());
    let app = TestApp::over(settings(), embedder.clone()).await;
    app.index().await;
    let body = json!({ "query": "backup", "limit": 1 });
    let query = serde_json::from_value::<SearchBody>(body.clone()).unwrap();
    let query = query.query(Reader::Principals(Vec::new())).unwrap();
    // All of them have begun before the first one gets its vector.
    let searches = join_all((0..8).map(|_| app.engine.search(&query)));
    let release = async { embedder.gate.add_permits(100) };
    let (found, ()) = tokio::join!(searches, release);
    for one in found {
        assert_eq!(one.unwrap().passages[0].document.uri, "backup.md");
    }
    assert_eq!(uris(&search(&app, body).await), ["backup.md"]);
    assert_eq!(embedder.queries.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn half_an_answer_is_not_kept() {
    let embedder = Arc::new(Counted::default());
    embedder.gate.add_permits(100);
    let app = TestApp::over(settings(), embedder.clone()).await;
    app.index().await;
    for count in 1..=2 {
        let found = search(&app, json!({ "query": "backup mute" })).await;
        assert_eq!(
            (&found["degraded"], &found["total_relation"]),
            (&json!(["vector"]), &json!("at_least"))
        );
        assert_eq!(embedder.queries.load(Ordering::SeqCst), count);
    }
}

/// Counts the queries that it embeds, each when a permit is there; the word `mute` it cannot.
struct Counted {
    queries: AtomicUsize,
    gate: Semaphore,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            queries: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        }
    }
}

impl Embedder for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn dimension(&self) -> usize {
        WordHash.dimension()
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            if matches!(kind, TextKind::Query) {
                self.queries.fetch_add(1, Ordering::SeqCst);
                drop(self.gate.acquire().await.unwrap());
                if texts.iter().any(|text| text.contains("mute")) {
                    return Err(Error::Internal("it says nothing".into()));
                }
            }
            WordHash.embed(texts, kind).await
        })
    }
}
