//! The stages of a run: they work at once, none waits for more than it has to, and what one made outlives another's end.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use indexer::sources::{Before, Filter, Folder, Source};
use portolan::engine::Parts;
use portolan::error::{Error, Result};
use portolan::gateway::{Embedder, TextKind};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{DIMENSION, TestApp, WordHash, eventually, folder, settings};
use crate::indexing::{all_of, index, uris, write};
use crate::isolation::{fragile, starts};
use crate::removal::Gated;

/// A folder of so many small documents.
fn notes(folder: &Path, count: usize) {
    for number in 0..count {
        let text = format!("# Note {number}\n\nA note of its own.");
        write(folder, &format!("{number:03}.md"), &text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_parsed_while_others_wait_for_the_embedder() {
    let (work, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let gate = Arc::new(Semaphore::new(0));
    let parsers = fragile(work.path());
    let embedder = Arc::new(Gated(gate.clone()));
    let app = TestApp::made(folder(), settings(), embedder, |parts, _| Parts { parsers, ..parts }).await;
    notes(place.path(), 90);
    let begun = app.engine.index("default", all_of(place.path())).await.unwrap();
    let path = format!("/v1/jobs/{begun}");
    eventually(async || {
        assert_eq!(app.get(&path).await.1["state"], "running");
        (starts(work.path()) == 90).then_some(())
    })
    .await;
    gate.add_permits(100);
    let job = eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] != "running")).await;
    assert_eq!((&job["state"], &job["added"]), (&json!("done"), &json!(90)), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_appear_while_others_wait_for_the_embedder() {
    let gate = Arc::new(Semaphore::new(1));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    let place = tempfile::tempdir().unwrap();
    notes(place.path(), 100);
    let job = app.engine.index("default", all_of(place.path())).await.unwrap();
    let path = format!("/v1/jobs/{job}");
    let seen = eventually(async || Some(uris(&app).await.len()).filter(|seen| *seen > 0)).await;
    assert!(seen < 100 && app.get(&path).await.1["state"] == "running", "{seen}");
    gate.add_permits(100);
    eventually(async || Some(app.get(&path).await.1).filter(|job| job["state"] == "done")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_larger_than_all_that_may_be_on_its_way_goes_alone() {
    let place = tempfile::tempdir().unwrap();
    for name in ["a.md", "b.md", "c.md"] {
        write(place.path(), name, &format!("{name} {}", "words ".repeat(500)));
    }
    let small = |parts, _: &_| Parts {
        in_flight_bytes: 1_000,
        ..parts
    };
    let app = TestApp::made(folder(), settings(), Arc::new(WordHash), small).await;
    let job = index(&app, "default", place.path()).await;
    assert_eq!((&job["state"], &job["added"]), (&json!("done"), &json!(3)), "{job}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_documents_of_one_name_in_a_body_the_last_one_stays() {
    let app = TestApp::start().await;
    let documents: Vec<Value> = ["one", "two", "one", "three"]
        .into_iter()
        .map(|version| json!({ "uri": "a.md", "text": format!("Version {version}") }))
        .collect();
    let body = json!({ "documents": documents });
    app.indexing(app.request("POST", "/v1/documents").json(&body)).await;
    let (_, found) = app
        .post("/v1/search", &json!({ "query": "version", "mode": "lexical" }))
        .await;
    let texts: Vec<&Value> = found["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["text"])
        .collect();
    assert_eq!(texts, ["Version three"], "{found}");
}

/// Fails from a certain call on.
struct Failing(AtomicUsize);

impl Embedder for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn dimension(&self) -> usize {
        DIMENSION
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        let works = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if works.is_err() {
            return Box::pin(async { Err(Error::Unavailable("the model is gone".into())) });
        }
        WordHash.embed(texts, kind)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_embedded_before_the_model_was_gone_is_kept() {
    let failing = Arc::new(Failing(AtomicUsize::new(2)));
    let app = TestApp::over(settings(), failing.clone()).await;
    let place = tempfile::tempdir().unwrap();
    notes(place.path(), 250);
    let job = index(&app, "default", place.path()).await;
    let embedded = job["embedded"].as_u64().unwrap();
    assert!(job["state"] == "failed" && embedded > 0 && embedded < 250, "{job}");
    failing.0.store(100, Ordering::SeqCst);
    let next = index(&app, "default", place.path()).await;
    assert_eq!(next["embedded"], 250 - embedded, "nothing is embedded twice: {next}");
    assert_eq!(next["unchanged"], embedded, "{next}");
}

/// Sets when the file was changed last: long ago, so that its time tells the next change.
fn settle(folder: &Path, name: &str) {
    let file = File::options().append(true).open(folder.join(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        .unwrap();
}

/// The tag that the file has now.
fn tag(folder: &Path, name: &str) -> String {
    let mut source = Folder::open(folder, &Filter::default(), &Path::to_path_buf).unwrap();
    let entries = source.list(&Before::new()).unwrap().entries;
    entries
        .into_iter()
        .find(|entry| entry.uri == name)
        .unwrap()
        .tag
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_again_unless_everything_tells_that_it_is_as_it_was() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let ledger = app.data.join("collections/default/sources.json");
    for name in ["a.md", "b.md"] {
        write(place.path(), name, "The first text");
        settle(place.path(), name);
    }
    // What cannot be looked at keeps nothing from being told.
    File::create(place.path().join("large.md"))
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    assert_eq!(index(&app, "default", place.path()).await["added"], 2);
    let told = tag(place.path(), "a.md");
    let text = std::fs::read_to_string(&ledger).unwrap();
    assert!(text.contains(&told), "{text}");

    // The file says otherwise, but its tag is said to be that of what was read: it is not looked at.
    write(place.path(), "a.md", "Another text..");
    settle(place.path(), "a.md");
    let changed = tag(place.path(), "a.md");
    assert_ne!(changed, told, "it is as long, and changed at the same time as before");
    let lying = text.replace(&told, &changed);
    std::fs::write(&ledger, &lying).unwrap();
    let job = index(&app, "default", place.path()).await;
    assert_eq!((&job["unchanged"], &job["changed"]), (&json!(2), &json!(0)), "{job}");

    let ledgers: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&lying).unwrap();
    let settings = ledgers.values().next().unwrap()["a.md"]["settings"]
        .as_str()
        .unwrap()
        .to_owned();
    let print = ledgers.values().next().unwrap()["a.md"]["print"]
        .as_str()
        .unwrap()
        .to_owned();
    for other in [
        text.clone(),
        lying.replace(&settings, "other parsers"),
        lying.replace(&print, "another version"),
        "{}".to_owned(),
    ] {
        write(place.path(), "a.md", "The first text");
        std::fs::write(&ledger, "{}").unwrap();
        index(&app, "default", place.path()).await;
        write(place.path(), "a.md", "Another text..");
        settle(place.path(), "a.md");
        let other = other.replace(&changed, &tag(place.path(), "a.md"));
        std::fs::write(&ledger, &other).unwrap();
        let job = index(&app, "default", place.path()).await;
        assert_eq!(
            (&job["unchanged"], &job["changed"]),
            (&json!(1), &json!(1)),
            "{other} {job}"
        );
    }
}
