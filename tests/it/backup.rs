//! The drill: a backup of a service at work, restored elsewhere, and what is refused.

use std::sync::Arc;

use portolan::types::DocumentId;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, eventually, folder, settings};
use crate::cli::run;
use crate::removal::Gated;
use crate::uploads::send;

/// A service with two documents, a conversation, and a job that stands in its middle; and how many documents it shows.
async fn at_work(gate: &Arc<Semaphore>) -> (TestApp, String, u64) {
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.index().await;
    app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let file = |at: usize| json!({ "uri": format!("{at:03}.md"), "text": format!("Rope number {at} is coiled.") });
    let documents: Vec<Value> = (0..400).map(file).collect();
    let (status, answer) = app.post("/v1/documents", &json!({ "documents": documents })).await;
    assert_eq!(status, 202, "{answer}");
    let job = answer["job"].as_str().unwrap().to_owned();
    let path = format!("/v1/jobs/{job}");
    let mut embedded = 0;
    while embedded < 128 {
        gate.add_permits(1);
        let more = async || {
            app.get(&path).await.1["embedded"]
                .as_u64()
                .filter(|now| *now > embedded)
        };
        embedded = eventually(more).await;
    }
    let shown = embedded + 2;
    eventually(async || (app.get("/v1/documents?limit=1").await.1["total"] == shown).then_some(())).await;
    (app, job, shown)
}

async fn backed_up(app: &TestApp) -> std::path::PathBuf {
    let place = folder();
    let request = app.request("POST", "/v1/backup").bearer_auth("operator");
    let (status, _, made) = send(request.json(&json!({ "path": place }))).await;
    assert_eq!((status, &made["left_out"]), (200, &json!([])), "{made}");
    made["file"].as_str().unwrap().into()
}

/// The quote of the one conversation stands in its document.
async fn is_cited(app: &TestApp) {
    let (_, list) = app.get("/v1/conversations").await;
    let path = format!("/v1/conversations/{}", list["conversations"][0]["id"].as_str().unwrap());
    let (_, conversation) = app.get(&path).await;
    let citation = &conversation["messages"][1]["citations"][0];
    let (_, source) = app
        .get(&format!(
            "/v1/documents/{}/source",
            citation["document"].as_str().unwrap()
        ))
        .await;
    let range = &citation["source_range"];
    let (start, end) = (range[0].as_u64().unwrap() as usize, range[1].as_u64().unwrap() as usize);
    assert_eq!(
        source["text"].as_str().unwrap()[start..end],
        *citation["quote"].as_str().unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_service_at_work_is_restored_whole() {
    let gate = Arc::new(Semaphore::new(2));
    let (app, job, shown) = at_work(&gate).await;
    let file = backed_up(&app).await;
    // What comes later is not in it: neither the rest of the job nor a removal.
    gate.add_permits(100);
    eventually(async || (app.get(&format!("/v1/jobs/{job}")).await.1["state"] == "done").then_some(())).await;
    assert_eq!(
        app.delete(&format!("/v1/documents/{}", DocumentId::of("backup.md")))
            .await
            .0,
        200
    );
    let data = folder().join("restored");
    let (code, out, problem) = run(&data, &["restore", file.to_str().unwrap(), "--json"]).await;
    assert_eq!(code, Some(0), "{problem}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["collections"], json!({ "default": shown }), "{told}");
    let other = TestApp::at(data, settings(), Arc::new(Gated(gate))).await;
    assert_eq!(other.get("/v1/documents?limit=1").await.1["total"], shown);
    for mode in ["lexical", "vector"] {
        let (_, found) = other
            .post("/v1/search", &json!({ "query": QUESTION, "mode": mode }))
            .await;
        assert_eq!(found["results"][0]["uri"], "backup.md", "{mode}: {found}");
        let ask = json!({ "query": "rope coiled", "mode": mode, "limit": 100 });
        let (_, found) = other.post("/v1/search", &ask).await;
        assert_eq!(found["results"].as_array().unwrap().len(), 100, "{mode}");
    }
    let collection = other.engine.collection("default").unwrap();
    assert_eq!(
        collection.fingerprints().await.unwrap().len() as u64,
        shown,
        "no document has lost a vector"
    );
    is_cited(&other).await;
    let (_, left) = other.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!(
        (&left["state"], &left["errors"][0]["detail"]),
        (&json!("failed"), &json!("the process ended"))
    );
    other
        .put(json!({ "uri": "new.md", "text": "The restored service goes on." }))
        .await;
    assert!(
        !app.data.join("backup").read_dir().unwrap().any(|_| true),
        "nothing is left aside"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_as_it_was_made_is_refused_and_leaves_nothing() {
    let app = TestApp::indexed().await;
    let file = backed_up(&app).await;
    let whole = std::fs::read(&file).unwrap();
    let place = folder();
    let check = async |bytes: &[u8], words: &str| {
        let changed = place.join("changed.tar");
        std::fs::write(&changed, bytes).unwrap();
        let (code, _, problem) = run(&place.join("data"), &["restore", changed.to_str().unwrap()]).await;
        assert!(
            code == Some(1) && problem.contains(words),
            "{words}: {code:?} {problem}"
        );
        let left: Vec<_> = place
            .read_dir()
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(left, ["changed.tar"], "{problem}");
    };
    check(&[], "its end is missing").await;
    check(b"no tar", "is broken").await;
    check(&whole[..whole.len() / 2], "is broken").await;
    let end = whole.windows(13).rposition(|bytes| bytes == b"manifest.json").unwrap();
    check(&whole[..end], "its end is missing").await;
    let words = b"two o'clock";
    let at = whole.windows(words.len()).position(|bytes| bytes == words);
    let at = at.unwrap_or_else(|| whole.windows(15).position(|bytes| bytes == b"SQLite format 3").unwrap());
    let mut changed = whole.clone();
    changed[at] ^= 1;
    check(&changed, "is not as it was").await;
    let mut named = whole.clone();
    let name = named.windows(15).position(|bytes| bytes == b"portolan.sqlite").unwrap();
    named[name..name + 15].copy_from_slice(b"../olan.sqlite\0");
    check(&named, "is broken").await;
    let (code, _, problem) = run(
        &place.join("data"),
        &["restore", place.join("none.tar").to_str().unwrap()],
    )
    .await;
    assert!(
        code == Some(1) && problem.contains("cannot read the backup"),
        "{problem}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over() {
    let app = TestApp::indexed().await;
    let file = backed_up(&app).await;
    let data = folder();
    std::fs::write(data.join("mine.txt"), "mine").unwrap();
    let (code, _, problem) = run(&data, &["restore", file.to_str().unwrap()]).await;
    assert!(code == Some(1) && problem.contains("is not empty"), "{problem}");
    assert_eq!(data.read_dir().unwrap().count(), 1);
    let backup = async |path: &str, token: &str| {
        let request = app.request("POST", "/v1/backup").bearer_auth(token);
        send(request.json(&json!({ "path": path }))).await
    };
    assert_eq!(
        backup(file.to_str().unwrap(), "operator").await.0,
        400,
        "it is there already"
    );
    assert_eq!(backup("here.tar", "operator").await.0, 400);
    assert_eq!(backup("/nowhere/at/all.tar", "operator").await.0, 400);
    assert_eq!(backup(data.join("x.tar").to_str().unwrap(), "somebody").await.0, 403);
    app.leave_address();
    let other = data.join("by-command.tar");
    let (code, out, problem) = run(&app.data, &["backup", other.to_str().unwrap()]).await;
    assert!(
        code == Some(0) && out.contains("1 collections, 2 documents"),
        "{out} {problem}"
    );
    assert!(other.exists());
}
