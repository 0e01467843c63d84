//! What callers do while a job is under way stays done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use serde_json::json;
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
