//! Jobs under way: they are paused, resumed, cancelled and followed.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{TestApp, eventually, settings};
use crate::cli::run;
use crate::events::Events;
use crate::indexing::{all_of, index, uris, write};
use crate::removal::Gated;

/// How soon a wish is to be granted.
const SOON: Duration = Duration::from_secs(1);

/// A service that embeds only while the gate has permits, a folder of documents, and the job that indexes it.
struct Held {
    app: TestApp,
    gate: Arc<Semaphore>,
    folder: tempfile::TempDir,
    job: String,
}

impl Held {
    async fn begin(permits: usize) -> Self {
        let gate = Arc::new(Semaphore::new(permits));
        let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
        let folder = tempfile::tempdir().unwrap();
        for number in 0..400 {
            write(
                folder.path(),
                &format!("{number:03}.md"),
                &format!("# Note {number}\n\nA note."),
            );
        }
        let path = folder.path().to_owned();
        let job = app.engine.index("default", all_of(path)).await.unwrap();
        Self { app, gate, folder, job }
    }

    async fn now(&self) -> Value {
        self.app.get(&format!("/v1/jobs/{}", self.job)).await.1
    }

    /// Lets the embedder take so many more groups, one after the other; returns how much is embedded then.
    async fn embed(&self, groups: usize) -> u64 {
        let mut embedded = 0;
        for _ in 0..groups {
            self.gate.add_permits(1);
            let job = self.until(|job| job["embedded"].as_u64() > Some(embedded)).await;
            embedded = job["embedded"].as_u64().unwrap();
        }
        embedded
    }

    async fn until(&self, is: impl Fn(&Value) -> bool) -> Value {
        eventually(async || Some(self.now().await).filter(&is)).await
    }

    /// Posts the wish; it must be granted soon.
    async fn wish(&self, word: &str) -> (u16, Value) {
        let began = Instant::now();
        let answer = wish(&self.app, &self.job, word).await;
        assert!(began.elapsed() < SOON, "{word} took {:?}", began.elapsed());
        answer
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Status and job after the operator's wish.
async fn wish(app: &TestApp, job: &str, word: &str) -> (u16, Value) {
    let request = app.request("POST", &format!("/v1/jobs/{job}/{word}"));
    let response = request.bearer_auth("operator").send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_at_once_and_the_next_one_goes_on_from_there() {
    let held = Held::begin(0).await;
    let embedded = held.embed(3).await;
    eventually(async || (!uris(&held.app).await.is_empty()).then_some(())).await;
    // The embedder hangs.
    let (status, job) = held.wish("cancel").await;
    assert_eq!((status, &job["state"]), (200, &json!("cancelled")), "{job}");
    assert_eq!(job["left_ms"], json!(null), "{job}");
    for word in ["cancel", "pause", "resume"] {
        assert_eq!(held.wish(word).await.0, 409);
    }
    assert_eq!(wish(&held.app, "none", "cancel").await.0, 404);
    held.gate.add_permits(100);
    let next = index(&held.app, "default", held.path()).await;
    let rest = json!(400 - embedded);
    assert_eq!((&next["state"], &next["added"]), (&json!("done"), &rest), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_job_waits_until_it_is_resumed() {
    let held = Held::begin(0).await;
    let embedded = held.embed(1).await;
    let (status, job) = held.wish("pause").await;
    assert_eq!((status, &job["state"]), (200, &json!("paused")), "{job}");
    held.gate.add_permits(100);
    // What was at the embedder may come back; nothing more is sent there.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let paused = held.now().await;
    assert!(
        paused["state"] == "paused" && paused["embedded"].as_u64() <= Some(embedded + 128),
        "{paused}"
    );
    let (_, list) = held.app.get("/v1/jobs").await;
    assert_eq!(list["status"], 403, "only the operator sees all: {list}");
    for word in ["pause", "resume", "cancel"] {
        let path = format!("/v1/jobs/{}/{word}", held.job);
        assert_eq!(held.app.post(&path, &json!({})).await.0, 403, "{word} holds up others");
    }
    assert_eq!(held.wish("resume").await.1["state"], "running");
    let done = held.until(|job| job["state"] != "running").await;
    assert_eq!(
        (&done["state"], &done["added"]),
        (&json!("done"), &json!(400)),
        "{done}"
    );
    assert!(done["documents_per_s"].as_f64() > Some(0.0), "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_can_be_cancelled() {
    let held = Held::begin(0).await;
    let body = json!({ "uri": "a.md", "text": "A word." });
    let (_, second) = held.app.post("/v1/documents", &body).await;
    let (_, job) = wish(&held.app, second["job"].as_str().unwrap(), "cancel").await;
    assert_eq!(job.get("source"), None, "it was sent: {job}");
    let waits = held
        .app
        .engine
        .index("default", all_of(held.path().to_owned()))
        .await
        .unwrap();
    let (_, waiting) = held.app.get(&format!("/v1/jobs/{waits}")).await;
    assert_eq!(waiting["source"], held.path().to_str().unwrap(), "{waiting}");
    assert_eq!(wish(&held.app, &waits, "cancel").await.1["state"], "cancelled");
    assert_eq!(job["state"], "cancelled", "{job}");
    assert_eq!(held.now().await["state"], "running", "the other one goes on");
    assert_eq!(held.wish("cancel").await.1["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_followed_as_events_until_its_end() {
    let held = Held::begin(1).await;
    let request = held.app.request("GET", &format!("/v1/jobs/{}/events", held.job));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    held.gate.add_permits(100);
    let events = Events::read(&response.text().await.unwrap());
    assert!(events.all("progress").len() > 1, "{events:?}");
    assert_eq!(events.data("done")["added"], 400, "{events:?}");
    let request = held.app.request("GET", &format!("/v1/jobs/{}", held.job));
    let response = request.header("accept", "text/event-stream").send().await.unwrap();
    assert_eq!(Events::read(&response.text().await.unwrap()).names(), ["done"]);
    assert_eq!(held.app.get("/v1/jobs/none/events").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lists_and_ends_jobs() {
    let held = Held::begin(0).await;
    held.app.leave_address();
    held.embed(1).await;
    let (code, text, notes) = run(&held.app.data, &["jobs"]).await;
    assert!(
        code == Some(0) && text.contains(&held.job) && text.contains("running"),
        "{text} {notes}"
    );
    assert!(text.contains(held.path().to_str().unwrap()), "{text}");
    let (code, text, _) = run(&held.app.data, &["jobs", "pause", &held.job]).await;
    assert!(code == Some(0) && text.contains("paused"), "{text}");
    let (code, text, _) = run(&held.app.data, &["jobs", "cancel", &held.job, "--json"]).await;
    let job: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &job["state"]), (Some(0), &json!("cancelled")), "{text}");
    let (code, _, problem) = run(&held.app.data, &["jobs", "resume", &held.job]).await;
    assert!(code == Some(1) && problem.contains("cancelled"), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_counted_by_kind() {
    let (app, folder) = (TestApp::start().await, tempfile::tempdir().unwrap());
    write(folder.path(), "a.md", "A word.");
    for name in ["b.pdf", "c.pdf"] {
        write(folder.path(), name, "%PDF-1.4 no more than that");
    }
    let job = index(&app, "default", folder.path()).await;
    assert_eq!(job["error_kinds"], json!({ "unparsable": 2 }), "{job}");
    assert_eq!(job["errors"][0]["kind"], "unparsable", "{job}");
    assert_eq!((&job["added"], &job["bytes_done"]), (&json!(1), &job["bytes"]), "{job}");
}
