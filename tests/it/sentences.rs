//! Sentences that a model writes of chunks: embedded with them, shown to nobody, asked for once, and never in the way.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, eventually, settings};
use crate::removal::Gated;

/// Words of the sentence that `situating` writes; no document has them.
const SENTENCE: &str = "quarterly zephyr";

pub async fn set(app: &TestApp, change: Value) -> (u16, Value) {
    let request = app.request("PUT", "/v1/collections/default/settings");
    let response = request.bearer_auth("operator").json(&change).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

pub async fn written_by(app: &TestApp, route: &str) {
    let (status, settings) = set(app, json!({ "context_sentences": { "route": route } })).await;
    assert_eq!(status, 200, "{settings}");
    assert_eq!(
        settings["context_sentences"],
        json!({ "route": route, "chunks": 10_000 })
    );
}

pub async fn leave(app: &TestApp, uri: &str) -> Value {
    let text = "# Leave\n\nEvery employee has 28 days of paid leave a year.";
    app.put(json!({ "uri": uri, "text": text })).await
}

/// A folder of two documents, a chunk each.
pub fn two_pages() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one.md"), "# One\n\nShips wait here.").unwrap();
    std::fs::write(folder.path().join("two.md"), "# Two\n\nPilots read charts.").unwrap();
    folder
}

/// The job of indexing a folder, when it has ended.
pub async fn index(app: &TestApp, folder: &Path) -> Value {
    let body = json!({ "path": folder, "collection": "default" });
    let request = app.request("POST", "/v1/index").bearer_auth("operator").json(&body);
    app.indexing(request).await
}

/// Three chunks.
async fn long(app: &TestApp) -> Value {
    let part = |name: &str| {
        format!(
            "## {name}\n\n{}",
            format!("{name} is told here in some words. ").repeat(20)
        )
    };
    let text = format!("# Long\n\n{}\n\n{}\n\n{}", part("First"), part("Second"), part("Third"));
    app.put(json!({ "uri": "long.md", "text": text })).await
}

pub fn sentences(job: &Value) -> [u64; 3] {
    let sentences = &job["context_sentences"];
    ["written", "kept", "missing"].map(|key| sentences[key].as_u64().unwrap_or_else(|| panic!("{job}")))
}

/// How near the first chunk of `uri` is to the sentence.
async fn nearness(app: &TestApp, uri: &str) -> f64 {
    let body = json!({ "query": SENTENCE, "mode": "vector", "limit": 10 });
    let (_, found) = app.post("/v1/search", &body).await;
    let results = found["results"].as_array().unwrap();
    let own = results.iter().find(|result| result["uri"] == uri);
    own.unwrap()["scores"]["vector"].as_f64().unwrap()
}

#[tokio::test]
async fn a_sentence_is_embedded_with_its_chunk_and_shown_to_nobody() {
    let app = TestApp::indexed().await;
    let before = nearness(&app, "leave.md").await;
    written_by(&app, "situating").await;
    let job = leave(&app, "leave.md").await;
    assert_eq!((sentences(&job), &job["changed"]), ([1, 0, 0], &json!(1)));
    assert_eq!(job["context_sentences"].get("fault"), None);
    assert!(nearness(&app, "leave.md").await > before + 0.2);
    // What was told to the model.
    let asked = app.upstream.requests().remove(0);
    let said = asked["messages"][0]["content"].as_str().unwrap();
    for part in [
        "Write one sentence",
        "<passage part=\"title\">\nLeave\n",
        "# Leave\n",
        "28 days of paid leave",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Words find what documents say.
    let (_, found) = app
        .post("/v1/search", &json!({ "query": "zephyr", "mode": "lexical" }))
        .await;
    assert_eq!(found["results"], json!([]));
    let (_, found) = app
        .post("/v1/search", &json!({ "query": SENTENCE, "neighbours": 1 }))
        .await;
    assert!(found["results"].as_array().unwrap().len() > 1);
    let (_, document) = app
        .get(&format!("/v1/documents/{}", app.document("leave.md").await))
        .await;
    let events = app.chat(&json!({ "message": format!("{SENTENCE} {QUESTION}") })).await;
    for shown in [&found["results"], &document, events.data("sources")] {
        assert!(!shown.to_string().contains("zephyr"), "{shown}");
    }
}

#[tokio::test]
async fn nothing_is_asked_twice() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "situating").await;
    assert_eq!(sentences(&long(&app).await), [3, 0, 0]);
    assert_eq!(long(&app).await["unchanged"], 1);
    assert_eq!(sentences(&leave(&app, "leave.md").await), [1, 0, 0]);
    // The same under another name, and with other facts.
    assert_eq!(sentences(&leave(&app, "copy.md").await), [0, 1, 0]);
    let text = "# Leave\n\nEvery employee has 28 days of paid leave a year.";
    let put = json!({ "uri": "leave.md", "text": text, "metadata": { "team": "hr" } });
    assert_eq!(sentences(&app.put(put).await), [0, 1, 0]);
    assert_eq!(app.upstream.requests().len(), 4);
    // Two at once: the second waits for what the first asks.
    let both = json!({ "documents": [
        { "uri": "a.md", "text": "# Port\n\nShips wait." }, { "uri": "b.md", "text": "# Port\n\nShips wait." },
    ]});
    let job = app.indexing(app.request("POST", "/v1/documents").json(&both)).await;
    assert_eq!(sentences(&job)[2], 0);
    assert_eq!(app.upstream.requests().len(), 5);
}

#[tokio::test]
async fn a_model_that_fails_costs_the_sentence_alone() {
    for route in ["broken", "silent", "cut", "refused", "wordless"] {
        let app = TestApp::indexed().await;
        let before = nearness(&app, "leave.md").await;
        written_by(&app, route).await;
        let job = leave(&app, "leave.md").await;
        assert_eq!(sentences(&job), [0, 0, 1], "{route}");
        assert!(!job["context_sentences"]["fault"].as_str().unwrap().is_empty());
        let (_, found) = app.post("/v1/search", &json!({ "query": "paid leave" })).await;
        assert_eq!(found["results"][0]["uri"], "leave.md");
        // The text is shorter than that of `indexed`, so it is not the same, and no sentence is in it.
        assert!(nearness(&app, "leave.md").await < before + 0.2, "{route}");
    }
}

#[tokio::test]
async fn a_model_that_hangs_holds_up_one_job_alone() {
    let app = TestApp::indexed().await;
    written_by(&app, "silent").await;
    assert_eq!(sentences(&leave(&app, "one.md").await), [0, 0, 1]);
    let asked = app.upstream.requests().len();
    let job = leave(&app, "two.md").await;
    assert_eq!(sentences(&job), [0, 0, 1]);
    let fault = job["context_sentences"]["fault"].as_str().unwrap();
    assert!(fault.contains("did not answer in time"), "{fault}");
    assert_eq!(app.upstream.requests().len(), asked);
    // Who sets it again says that it is mended.
    written_by(&app, "silent").await;
    leave(&app, "three.md").await;
    assert!(app.upstream.requests().len() > asked);
}

#[tokio::test]
async fn what_is_missing_is_asked_for_at_the_next_run() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "moody").await;
    let folder = two_pages();
    let index = async || index(&app, folder.path()).await;
    let first = index().await;
    assert_eq!((sentences(&first), &first["added"]), ([0, 0, 2], &json!(2)));
    let one = nearness(&app, "one.md").await;
    let second = index().await;
    assert_eq!((sentences(&second), &second["unchanged"]), ([2, 0, 0], &json!(0)));
    assert!(nearness(&app, "one.md").await > one + 0.2);
    let third = index().await;
    assert_eq!((sentences(&third), &third["unchanged"]), ([0, 0, 0], &json!(2)));
    assert_eq!(app.upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_run_asks_no_more_than_it_may_and_gives_a_dead_model_up() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    let change = json!({ "context_sentences": { "route": "situating", "chunks": 2 } });
    assert_eq!(set(&app, change).await.0, 200);
    let job = long(&app).await;
    assert_eq!(sentences(&job), [2, 0, 1]);
    assert!(
        job["context_sentences"]["fault"]
            .as_str()
            .unwrap()
            .contains("the next one goes on")
    );
    assert_eq!(sentences(&long(&app).await), [1, 2, 0]);

    written_by(&app, "broken").await;
    let before = app.upstream.requests().len();
    let documents: Vec<Value> = (0..30)
        .map(|n| json!({ "uri": format!("{n}.md"), "text": format!("# Number {n}\n\nWords.") }))
        .collect();
    let many = app
        .request("POST", "/v1/documents")
        .json(&json!({ "documents": documents }));
    let job = app.indexing(many).await;
    assert_eq!(sentences(&job), [0, 0, 30]);
    let asked = app.upstream.requests().len() - before;
    // Those that were under way when the eighth failed are heard out.
    assert!((8..12).contains(&asked), "{asked}");
}

#[tokio::test]
async fn another_setting_is_another_version_and_without_it_sentences_are_forgotten() {
    let app = TestApp::indexed().await;
    let version = async || {
        let (_, document) = app
            .get(&format!("/v1/documents/{}", app.document("leave.md").await))
            .await;
        document["version"].clone()
    };
    leave(&app, "leave.md").await;
    let (plain, near) = (version().await, nearness(&app, "leave.md").await);
    written_by(&app, "situating").await;
    leave(&app, "leave.md").await;
    let first = version().await;
    assert_ne!(first, plain);
    written_by(&app, "moody").await;
    assert_eq!(sentences(&leave(&app, "leave.md").await), [0, 0, 1]);
    assert!(version().await != first && version().await != plain);
    assert_eq!(set(&app, json!({ "context_sentences": null })).await.0, 200);
    let job = leave(&app, "leave.md").await;
    assert_eq!((&job["changed"], job.get("context_sentences")), (&json!(1), None));
    assert_eq!((version().await, nearness(&app, "leave.md").await), (plain, near));
    // They were forgotten, so they are asked for.
    written_by(&app, "situating").await;
    assert_eq!(sentences(&leave(&app, "leave.md").await), [1, 0, 0]);
}

#[tokio::test]
async fn sentences_stay_with_a_changed_title_and_go_with_their_document() {
    let app = TestApp::start().await;
    app.put(json!({ "uri": "first.md", "text": "words" })).await;
    written_by(&app, "situating").await;
    leave(&app, "leave.md").await;
    let near = nearness(&app, "leave.md").await;
    let path = format!("/v1/documents/{}", app.document("leave.md").await);
    let renaming = app.request("PATCH", &path).bearer_auth("operator");
    let renaming = renaming.json(&json!({ "title": "Days off" })).send().await;
    assert_eq!(renaming.unwrap().status(), 200);
    assert_eq!(nearness(&app, "leave.md").await.to_bits(), near.to_bits());
    assert!(is_on_disk(&app));
    assert_eq!(app.delete(&path).await.0, 200);
    assert!(!is_on_disk(&app), "a sentence of a deleted document is on the disk");
}

#[tokio::test]
async fn a_document_that_is_deleted_while_its_job_waits_leaves_no_sentence() {
    let gate = Arc::new(Semaphore::new(1));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "a.md", "text": "The first version." })).await;
    let (_, first) = app
        .post("/v1/documents", &json!({ "uri": "a.md", "text": "The second." }))
        .await;
    let path = format!("/v1/jobs/{}", first["job"].as_str().unwrap());
    // Then it has looked at the settings.
    eventually(async || (app.get(&path).await.1["documents"] == 1).then_some(())).await;
    written_by(&app, "situating").await;
    let text = json!({ "uri": "leave.md", "text": "# Leave\n\nFive days may be carried over." });
    let (_, second) = app.post("/v1/documents", &text).await;
    let document = second["documents"][0]["id"].as_str().unwrap();
    assert_eq!(app.delete(&format!("/v1/documents/{document}")).await.0, 404);
    gate.add_permits(2);
    let path = format!("/v1/jobs/{}", second["job"].as_str().unwrap());
    let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!(sentences(&job), [1, 0, 0]);
    assert!(
        !is_on_disk(&app),
        "a sentence of a document that never came to be is on the disk"
    );
}

/// Whether a file of the database has the sentence.
pub fn is_on_disk(app: &TestApp) -> bool {
    let files = std::fs::read_dir(&app.data).unwrap().map(|file| file.unwrap().path());
    let mut files = files.filter(|file| file.to_string_lossy().contains("portolan.sqlite"));
    files.any(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).contains("zephyr"))
}

#[tokio::test]
async fn who_cannot_write_is_refused_at_his_place() {
    let app = TestApp::indexed().await;
    for (route, words) in [
        ("extractive", "no model"),
        ("keyless", "SOME_KEY"),
        ("nobody", "no route named"),
    ] {
        let (status, problem) = set(&app, json!({ "context_sentences": { "route": route } })).await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], "/context_sentences/route", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
    let (status, problem) = set(&app, json!({ "context_sentences": "situating" })).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/context_sentences"))
    );
    let (_, settings) = app.get("/v1/collections/default/settings").await;
    assert_eq!(settings["context_sentences"], Value::Null);
}
