//! The golden questions over the demo corpus, through the real gateway to a model that quotes its evidence.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portolan::gateway::local::{LocalEmbedder, LocalModel};
use portolan::types::DocumentId;
use serde_json::{Value, json};

use crate::app::{Events, TestApp, settings};

/// Of the answerable questions: the right document is cited. The model quotes what shares most words with the
/// question, which is less than the extractive route does; the floor catches a broken road, not a weak model.
const CITED: f32 = 0.75;

/// The real embedder where `scripts/models` has put it.
fn embedder() -> Option<LocalEmbedder> {
    let place = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let model = LocalModel {
        folder: Path::new(&place("PORTOLAN_MODELS", ".portolan/models")).join("all-MiniLM-L6-v2"),
        name: "all-MiniLM-L6-v2".into(),
        onnxruntime: place("ORT_DYLIB_PATH", ".portolan/lib/libonnxruntime.so").into(),
        threads: 2,
    };
    let there = model.folder.exists() && model.onnxruntime.exists();
    there.then(|| LocalEmbedder::load(&model).unwrap())
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn questions() -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join("golden.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every answer is whole, and every citation that it shows is checked and stands in its document.
fn sound(events: &Events, question: &Value) {
    let names = events.names();
    assert_eq!(names.last(), Some(&"done"), "{question}: {names:?}");
    for citation in events.all("citation") {
        assert_eq!(citation["checked"], true, "{question}: {citation}");
        assert!(
            !citation["quote"].as_str().unwrap().is_empty(),
            "{question}: {citation}"
        );
    }
}

#[tokio::test]
async fn the_golden_questions_take_the_road_through_the_gateway() {
    let Some(embedder) = embedder() else {
        println!("skipped: no models; `scripts/models embedding` fetches them");
        return;
    };
    let app = TestApp::over(settings(), Arc::new(embedder)).await;
    let corpus = fixtures().join("corpus");
    let index = app.request("POST", "/v1/index").bearer_auth("operator");
    app.indexing(index.json(&json!({ "path": corpus, "collection": "default" })))
        .await;
    let questions = questions();
    let mut conversations: BTreeMap<&str, Value> = BTreeMap::new();
    let (mut asked, mut answerable, mut cited) = (0, 0.0_f32, 0.0_f32);
    for question in &questions {
        let mut body = json!({ "message": question["question"], "route": "quoting" });
        if let Some(before) = question["follows"].as_str() {
            body["conversation"] = conversations[before].clone();
        }
        let events = app.chat(&body).await;
        sound(&events, question);
        let started = events.data("started");
        conversations.insert(question["id"].as_str().unwrap(), started["conversation"].clone());
        asked += usize::from(events.data("verdict")["verdict"] != "declined");
        if question["answerable"] == true {
            let right = json!(DocumentId::of(question["document"].as_str().unwrap()));
            answerable += 1.0;
            cited += f32::from(u8::from(
                events.all("citation").iter().any(|one| one["document"] == right),
            ));
        }
    }
    let share = cited / answerable;
    assert!(
        share >= CITED,
        "the right document is cited in {share:.3} of {answerable}"
    );
    let requests = app.upstream.requests().len();
    assert!(
        requests >= asked && requests < questions.len(),
        "{requests} reached the model, {asked} were not declined"
    );
}
