//! What indexing a folder would do, and what it does: plans, moves, and deletions that must be allowed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use serde_json::{Value, json};

use crate::app::{DIMENSION, TestApp, WordHash, settings};
use crate::cli::run;
use crate::indexing::{index, uris, write};

/// Counts the passages that it embeds.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Embedder for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        if kind == TextKind::Passage {
            self.0.fetch_add(texts.len(), Ordering::Relaxed);
        }
        WordHash.embed(texts, kind)
    }
}

async fn plan(app: &TestApp, collection: &str, folder: &Path) -> Value {
    let body = json!({ "path": folder, "collection": collection, "plan": true });
    let request = app.request("POST", "/v1/index").bearer_auth("operator").json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

fn counts(value: &Value) -> [u64; 5] {
    ["added", "changed", "moved", "deleted", "unchanged"].map(|key| value[key].as_u64().unwrap())
}

/// A folder of so many documents, each with a word of its own.
fn numbered(folder: &Path, count: usize) {
    for number in 0..count {
        write(
            folder,
            &format!("{number:03}.md"),
            &format!("# Note {number}\n\nA note."),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_the_run_then_does_and_changes_nothing() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    numbered(place.path(), 3);
    let first = plan(&app, "default", place.path()).await;
    assert_eq!(counts(&first), [3, 0, 0, 0, 0], "{first}");
    assert!(first["chunks"] == 3 && first["bytes"].as_u64() > Some(50), "{first}");
    assert!(first["estimated_ms"].is_u64(), "{first}");
    let (_, list) = app.get("/v1/collections").await;
    assert_eq!(list["collections"], json!([]), "a plan makes no collection");

    index(&app, "default", place.path()).await;
    std::fs::create_dir(place.path().join("sub")).unwrap();
    std::fs::rename(place.path().join("000.md"), place.path().join("sub/moved.md")).unwrap();
    std::fs::remove_file(place.path().join("001.md")).unwrap();
    write(place.path(), "002.md", "# Note 2\n\nAnother text.");
    write(place.path(), "new.md", "# New\n\nA new one.");
    write(place.path(), "data.bin", "\0\u{1}\0\u{2}");
    let before = uris(&app).await;
    let second = plan(&app, "default", place.path()).await;
    assert_eq!(counts(&second), [1, 1, 1, 1, 0], "{second}");
    assert_eq!(second["chunks"], 2, "what is moved is not embedded: {second}");
    let moved = json!([{ "from": "000.md", "to": "sub/moved.md" }]);
    assert_eq!(second["names"]["moved"], moved, "{second}");
    assert_eq!(second["names"]["deleted"], json!(["001.md"]), "{second}");
    assert_eq!(second["skipped"], json!({ "bin": 1 }), "{second}");
    assert_eq!(uris(&app).await, before);

    let job = index(&app, "default", place.path()).await;
    assert_eq!(counts(&job), counts(&second), "{job}");
    assert_eq!(uris(&app).await, ["002.md", "new.md", "sub/moved.md"]);
    let third = plan(&app, "default", place.path()).await;
    assert_eq!(
        (counts(&third), &third["chunks"]),
        ([0, 0, 0, 0, 3], &json!(0)),
        "{third}"
    );
}

/// File name and distance of each document.
async fn nearest(app: &TestApp) -> BTreeMap<String, String> {
    let body = json!({ "query": "note 13", "mode": "vector", "limit": 50 });
    let (_, found) = app.post("/v1/search", &body).await;
    let one = |result: &Value| {
        let uri = result["uri"].as_str().unwrap();
        let name = uri.rsplit('/').next().unwrap().to_owned();
        (name, result["scores"]["vector"].to_string())
    };
    found["results"].as_array().unwrap().iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_in_the_index_is_not_embedded_again() {
    let counting = Arc::new(Counting::default());
    let (app, place) = (
        TestApp::over(settings(), counting.clone()).await,
        tempfile::tempdir().unwrap(),
    );
    let embedded = || counting.0.swap(0, Ordering::Relaxed);
    numbered(place.path(), 20);
    index(&app, "default", place.path()).await;
    assert_eq!(embedded(), 20);
    let before = nearest(&app).await;
    // The whole folder under another name, and one document twice.
    let sub = place.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    for number in 0..20 {
        let name = format!("{number:03}.md");
        std::fs::rename(place.path().join(&name), sub.join(&name)).unwrap();
    }
    std::fs::copy(sub.join("007.md"), sub.join("copy.md")).unwrap();
    let job = index(&app, "default", place.path()).await;
    assert_eq!((counts(&job), &job["embedded"]), ([1, 0, 20, 0, 0], &json!(0)), "{job}");
    assert_eq!(embedded(), 0);
    std::fs::remove_file(sub.join("copy.md")).unwrap();
    index(&app, "default", place.path()).await;
    assert_eq!(nearest(&app).await, before, "they have their own vectors");
    // 200 times one text: more than is embedded at once, less than is published at once.
    for number in 0..200 {
        write(
            &place.path().join("same"),
            &format!("{number}.md"),
            "# Same\n\nThe same.",
        );
    }
    index(&app, "default", place.path()).await;
    assert_eq!(embedded(), 1);
    // Of a document that changes, only the chunk that changed.
    let section = |word: &str| format!("## {word}\n\n{}\n\n", format!("{word} ").repeat(60));
    let text = |last: &str| format!("# Long\n\n{}{}{}", section("one"), section("two"), section(last));
    write(&sub, "long.md", &text("three"));
    index(&app, "default", place.path()).await;
    let chunks = embedded();
    assert!(chunks >= 3, "{chunks}");
    write(&sub, "long.md", &text("four"));
    index(&app, "default", place.path()).await;
    assert_eq!(embedded(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_vanishes_only_when_that_is_allowed() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    numbered(place.path(), 40);
    index(&app, "default", place.path()).await;
    for number in 0..13 {
        std::fs::remove_file(place.path().join(format!("{number:03}.md"))).unwrap();
    }
    write(place.path(), "new.md", "# New\n\nA new one.");
    let planned = plan(&app, "default", place.path()).await;
    assert_eq!(planned["needs_allow_deletes"], true, "{planned}");
    let job = index(&app, "default", place.path()).await;
    assert_eq!((&job["state"], &job["deleted"]), (&json!("failed"), &json!(0)), "{job}");
    let detail = job["errors"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("--allow-deletes") && detail.contains("13 of 40"),
        "{job}"
    );
    assert_eq!(uris(&app).await.len(), 41);
    let body = json!({ "path": place.path(), "collection": "default", "allow_deletes": true });
    let request = app.request("POST", "/v1/index").bearer_auth("operator").json(&body);
    assert_eq!(app.indexing(request).await["deleted"], 13);
    assert_eq!(uris(&app).await.len(), 28);
    // What moves does not vanish.
    let sub = place.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    for number in 13..40 {
        let name = format!("{number:03}.md");
        std::fs::rename(place.path().join(&name), sub.join(&name)).unwrap();
    }
    assert_eq!(counts(&index(&app, "default", place.path()).await), [0, 0, 27, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_plans_through_the_service() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    app.leave_address();
    numbered(place.path(), 12);
    let folder = place.path().to_str().unwrap();
    let (code, text, _) = run(&app.data, &["index", folder, "--plan"]).await;
    assert_eq!(code, Some(0), "{text}");
    for part in ["12 to add", "+ 000.md", "+ and 2 more", "about 12 chunks"] {
        assert!(text.contains(part), "{text}");
    }
    let (code, text, _) = run(&app.data, &["index", folder, "--plan", "--json"]).await;
    let planned: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, counts(&planned)), (Some(0), [12, 0, 0, 0, 0]), "{text}");
    assert_eq!(run(&app.data, &["index", folder]).await.0, Some(0));
    for number in 0..11 {
        std::fs::remove_file(place.path().join(format!("{number:03}.md"))).unwrap();
    }
    let (_, text, _) = run(&app.data, &["index", folder, "--plan"]).await;
    assert!(
        text.contains("11 to delete") && text.contains("--allow-deletes"),
        "{text}"
    );
    let (code, text, _) = run(&app.data, &["index", folder]).await;
    assert!(code == Some(1) && text.contains("--allow-deletes"), "{text}");
    let (code, text, _) = run(&app.data, &["index", folder, "--allow-deletes"]).await;
    assert!(code == Some(0) && text.contains("11 deleted"), "{text}");
}
