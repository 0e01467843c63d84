//! What a reranker does to a search and to an answer, and what happens when it does not come.

use std::sync::Arc;
use std::time::Duration;

use indexer::chunk::Chunking;
use indexer::types::{Item, Metadata};
use portolan::engine::rerank::{Kind, Reranking};
use portolan::gateway::portkey::Gateway;
use portolan::gateway::rerank::{RemoteModel, RemoteReranker};
use portolan::gateway::secret::Secret;
use portolan::index::Replacement;
use serde_json::{Value, json};

use crate::app::{DIMENSION, QUESTION, TestApp};
use crate::portkey;
use crate::upstream::Upstream;

/// Longer than any test waits.
const LONG: Duration = Duration::from_mins(2);
const SHORT: Duration = Duration::from_millis(300);

fn late_interaction(budget: Duration) -> Reranking {
    Reranking {
        kind: Kind::LateInteraction,
        weight: 1.0,
        budget,
    }
}

/// Through the real gateway to the scripted provider.
fn remote(upstream: &Upstream, provider: &str, model: &str, budget: Duration) -> Reranking {
    let gateway = Gateway {
        url: portkey::url().to_owned(),
        portkey_api_key: None,
    };
    let remote = RemoteModel {
        provider: provider.into(),
        model: model.into(),
        base_url: Some(upstream.url.clone()),
        api_key: Some(Secret::new("secret-key")),
        budget,
    };
    Reranking {
        kind: Kind::Model(Arc::new(RemoteReranker::new(&gateway, remote).unwrap())),
        weight: 1.0,
        budget,
    }
}

async fn search(app: &TestApp, mode: &str) -> Value {
    let body = json!({ "query": QUESTION, "mode": mode, "explain": true });
    let (status, found) = app.post("/v1/search", &body).await;
    assert_eq!(status, 200, "{found}");
    found
}

fn uris(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    results.iter().map(|result| result["uri"].as_str().unwrap()).collect()
}

/// The count of the step `rerank`, if there was one.
fn reranked(found: &Value) -> Option<u64> {
    let steps = found["trace"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "rerank");
    step.map(|step| step["count"].as_u64().unwrap())
}

/// The ranks of a result before and after the reranker.
fn ranks(result: &Value) -> [u64; 2] {
    let steps = result["explain"].as_array().unwrap();
    let rank = |name: &str| {
        steps.iter().find(|step| step["step"] == name).unwrap()["rank"]
            .as_u64()
            .unwrap()
    };
    ["fuse", "rerank"].map(rank)
}

#[tokio::test]
async fn late_interaction_tells_its_score_and_the_ranks_before_and_after() {
    let app = TestApp::reranked(|_| late_interaction(LONG)).await;
    let found = search(&app, "hybrid").await;
    assert_eq!((reranked(&found), &found["degraded"]), (Some(2), &json!([])));
    let first = &found["results"][0];
    assert_eq!(first["uri"], "backup.md");
    // Most words of the question stand in the passage.
    let score = first["scores"]["rerank"].as_f64().unwrap();
    assert!(score > 0.5 && score <= 1.0, "{first}");
    assert!(score > found["results"][1]["scores"]["rerank"].as_f64().unwrap());
    assert_eq!(ranks(first), [1, 1]);
    for mode in ["lexical", "vector"] {
        let alone = search(&app, mode).await;
        assert_eq!(reranked(&alone), None, "{mode} shows its own order");
        assert_eq!(alone["results"][0]["scores"]["rerank"], Value::Null);
    }
}

#[tokio::test]
async fn a_document_that_was_replaced_is_compared_by_its_new_words() {
    let app = TestApp::reranked(|_| late_interaction(LONG)).await;
    app.put(json!({ "uri": "backup.md", "text": "# Backups\n\nNothing." }))
        .await;
    app.put(json!({ "uri": "leave.md", "text": QUESTION })).await;
    let found = search(&app, "hybrid").await;
    assert_eq!(uris(&found), ["leave.md", "backup.md"]);
    let score = |at: usize| found["results"][at]["scores"]["rerank"].as_f64().unwrap();
    assert!(score(0) > 0.95 && score(1) < 0.5, "{found}");
}

#[tokio::test]
async fn a_reranker_that_is_late_leaves_the_fused_order() {
    let plain = TestApp::indexed().await;
    let expected = search(&plain, "hybrid").await;
    for app in [
        TestApp::reranked(|_| late_interaction(Duration::ZERO)).await,
        TestApp::reranked(|upstream| remote(upstream, "cohere", "silent", SHORT)).await,
        TestApp::reranked(|upstream| remote(upstream, "cohere", "unknown", LONG)).await,
        TestApp::reranked(|upstream| remote(upstream, "cohere", "halved", LONG)).await,
    ] {
        let found = search(&app, "hybrid").await;
        assert_eq!(found["degraded"], json!(["rerank"]));
        assert_eq!(reranked(&found), Some(0));
        assert_eq!(found["results"], expected["results"]);
        let events = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
        assert_eq!(events.names().last(), Some(&"done"));
    }
}

#[tokio::test]
async fn remote_rerankers_of_three_providers_decide_the_order() {
    for provider in ["cohere", "jina", "voyage"] {
        let app = TestApp::reranked(|upstream| remote(upstream, provider, provider, LONG)).await;
        let found = search(&app, "hybrid").await;
        assert_eq!(uris(&found), ["leave.md", "backup.md"], "{provider}: {found}");
        let scores = &found["results"][0]["scores"];
        assert!((scores["rerank"].as_f64().unwrap() - 0.9).abs() < 1e-6, "{scores}");
        assert_eq!(ranks(&found["results"][0]), [2, 1], "{scores}");
        let asked = &app.upstream.requests()[0];
        assert_eq!((&asked["query"], &asked["model"]), (&json!(QUESTION), &json!(provider)));
        assert_eq!(asked["authorization"], "Bearer secret-key");
        let sent = asked["documents"][0].as_str().unwrap();
        assert!(sent.starts_with("Backups") && sent.contains("two o'clock"), "{sent}");
        // An answer takes its evidence in the same order.
        let events = app.chat(&json!({ "message": QUESTION, "route": "extractive" })).await;
        assert_eq!(events.data("sources")["passages"][0]["uri"], "leave.md");
    }
}

#[tokio::test]
async fn a_passage_that_the_reader_may_not_see_is_not_sent_away() {
    let app = TestApp::reranked(|upstream| remote(upstream, "cohere", "cohere", LONG)).await;
    let secret =
        json!({ "uri": "secret.md", "text": "The backup runs every night in the cellar.", "principals": ["ops"] });
    app.put(secret).await;
    search(&app, "hybrid").await;
    let operator = app.request("POST", "/v1/search").bearer_auth("operator");
    operator.json(&json!({ "query": QUESTION })).send().await.unwrap();
    let sent = app.upstream.requests();
    let holds: Vec<bool> = sent
        .iter()
        .map(|request| request.to_string().contains("cellar"))
        .collect();
    assert_eq!(holds, [false, true]);
}

/// A document as a version without reranking, or another kind of it, has left it.
fn without_tokens(uri: &str, text: &str) -> Replacement {
    let item = Item {
        uri: uri.into(),
        media_type: None,
        bytes: text.into(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    let document = indexer::parse::document(&item, &indexer::fingerprint::of(&item, Chunking::default())).unwrap();
    let chunks = indexer::chunk::split(&document, Chunking::default());
    Replacement {
        document,
        vectors: vec![vec![1.0; DIMENSION]; chunks.len()],
        chunks,
        tokens: Vec::new(),
        texts: Vec::new(),
    }
}

#[tokio::test]
async fn what_has_no_tokens_keeps_its_place_until_it_is_indexed_again() {
    let app = TestApp::reranked(|_| late_interaction(LONG)).await;
    let before = search(&app, "hybrid").await;
    assert_eq!(
        (reranked(&before), &before["trace"]["not_reranked"]),
        (Some(2), &json!(0))
    );
    let text = "No backup in the night before the audit.";
    let collection = app.engine.collection("default").unwrap();
    collection
        .publish(vec![without_tokens("audit.md", text)], Vec::new())
        .await
        .unwrap();
    let old = search(&app, "hybrid").await;
    assert_eq!((reranked(&old), &old["trace"]["not_reranked"]), (Some(2), &json!(1)));
    assert_eq!(old["degraded"], json!([]), "that is no fault");
    let place = old["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["uri"] == "audit.md")
        .unwrap();
    assert_eq!(place["scores"]["rerank"], Value::Null);
    let changed = async || app.put(json!({ "uri": "audit.md", "text": text })).await["changed"].clone();
    assert_eq!(changed().await, 1);
    let new = search(&app, "hybrid").await;
    assert_eq!((reranked(&new), &new["trace"]["not_reranked"]), (Some(3), &json!(0)));
    assert_eq!(changed().await, 0, "nothing is missing now");
}

#[tokio::test]
async fn an_identifier_that_was_asked_for_stays_first_whatever_a_model_thinks() {
    let app = TestApp::reranked(|upstream| remote(upstream, "cohere", "cohere", LONG)).await;
    app.put(json!({ "uri": "fault.md", "text": "ERR_0042 stops the backup." }))
        .await;
    let body = json!({ "query": "backup ERR_0042 leave", "explain": true });
    let (_, found) = app.post("/v1/search", &body).await;
    assert!(reranked(&found) > Some(0), "{found}");
    assert_eq!(found["results"][0]["uri"], "fault.md", "{found}");
}

#[tokio::test]
async fn a_late_reranker_is_not_remembered() {
    let app = TestApp::reranked(|upstream| remote(upstream, "cohere", "silent", SHORT)).await;
    for calls in 1..=2 {
        let (_, found) = app.post("/v1/search", &json!({ "query": QUESTION })).await;
        assert_eq!(found["degraded"], json!(["rerank"]));
        assert_eq!(app.upstream.requests().len(), calls);
    }
    let app = TestApp::reranked(|upstream| remote(upstream, "cohere", "cohere", LONG)).await;
    for _ in 1..=2 {
        let (_, found) = app.post("/v1/search", &json!({ "query": QUESTION })).await;
        assert_eq!(uris(&found), ["leave.md", "backup.md"]);
        assert_eq!(app.upstream.requests().len(), 1);
    }
}
