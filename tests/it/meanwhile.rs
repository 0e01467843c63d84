//! What callers do while a job is under way stays done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::app::{TestApp, eventually, settings};
use crate::indexing::{index, uris, write};
use crate::removal::Gated;
use crate::uploads::send;

/// Tells how many passages it was asked for before it waits for its gate.
struct Waiting(Arc<AtomicUsize>, Gated);

impl Embedder for Waiting {
    fn name(&self) -> &'static str {
        "waiting"
    }

    fn dimension(&self) -> usize {
        self.1.dimension()
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        self.0.fetch_add(texts.len(), Ordering::SeqCst);
        self.1.embed(texts, kind)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_under_way_does_not_undo_what_was_changed_meanwhile() {
    let (gate, asked) = (Arc::new(Semaphore::new(1)), Arc::<AtomicUsize>::default());
    let embedder = Waiting(asked.clone(), Gated(gate.clone()));
    let app = TestApp::over(settings(), Arc::new(embedder)).await;
    let place = tempfile::tempdir().unwrap();
    write(place.path(), "a.md", "The first version.");
    index(&app, "default", place.path()).await;
    assert_eq!(uris(&app).await, ["a.md"]);
    write(place.path(), "a.md", "The second version.");
    let indexing = index(&app, "default", place.path());
    let patching = async {
        // The job has read the file and waits for its vectors.
        eventually(async || {
            app.get("/v1/routes").await;
            (asked.load(Ordering::SeqCst) == 2).then_some(())
        })
        .await;
        let path = format!("/v1/documents/{}", app.document("a.md").await);
        let board = json!({ "principals": ["board"] });
        assert_eq!(send(app.request("PATCH", &path).json(&board)).await.0, 200);
        gate.add_permits(1);
    };
    let (job, ()) = tokio::join!(indexing, patching);
    assert_eq!((&job["changed"], &job["errors"]), (&json!(1), &json!([])), "{job}");
    assert_eq!(uris(&app).await, [""; 0], "it is for the board alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_tells_what_of_its_last_batch_was_refused() {
    let (gate, asked) = (Arc::new(Semaphore::new(1)), Arc::<AtomicUsize>::default());
    let embedder = Waiting(asked.clone(), Gated(gate.clone()));
    let app = TestApp::over(settings(), Arc::new(embedder)).await;
    app.put(json!({ "uri": "000.md", "text": "The first version." })).await;
    let file = |at: usize| json!({ "uri": format!("{at:03}.md"), "text": format!("Rope number {at} is coiled.") });
    let documents: Vec<Value> = (0..100).map(file).collect();
    let (status, answer) = app.post("/v1/documents", &json!({ "documents": documents })).await;
    assert_eq!(status, 202, "{answer}");
    let job = format!("/v1/jobs/{}", answer["job"].as_str().unwrap());
    // All were looked at when the embedder is asked; from then on the first of them is not for its sender.
    eventually(async || {
        app.get("/v1/routes").await;
        (asked.load(Ordering::SeqCst) > 64).then_some(())
    })
    .await;
    let path = format!("/v1/documents/{}", app.document("000.md").await);
    let board = json!({ "principals": ["board"] });
    assert_eq!(send(app.request("PATCH", &path).json(&board)).await.0, 200);
    gate.add_permits(1);
    eventually(async || app.get(&job).await.1["embedded"].as_u64().filter(|count| *count > 0)).await;
    let cancel = app.request("POST", &format!("{job}/cancel")).bearer_auth("operator");
    let (_, _, cancelled) = send(cancel).await;
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let told = eventually(async || Some(app.get(&job).await.1).filter(|job| job["error_kinds"]["hidden"] == 1)).await;
    assert_eq!(
        (&told["state"], &told["error_count"]),
        (&json!("cancelled"), &json!(2)),
        "{told}"
    );
    assert_eq!(told["errors"][1]["uri"], "000.md", "{told}");
}
