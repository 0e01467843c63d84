//! What happens to a document that goes, and to one that not everybody may read.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::future::BoxFuture;
use portolan::engine::Ask;
use portolan::types::{Event, Filter, Reader};
use serde_json::json;

use portolan::error::Result;
use portolan::gateway::{Embedder, TextKind};
use tokio::sync::Semaphore;

use crate::app::{QUESTION, TestApp, WordHash, eventually, settings};

#[tokio::test]
async fn a_removed_document_leaves_no_quote_in_stored_answers() {
    let app = TestApp::indexed().await;
    let cited = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let ask = json!({ "message": "How many days of paid leave does an employee have?", "route": "leave" });
    let other = app.chat(&ask).await;
    let document = app.document("backup.md").await;
    let path = format!("/v1/documents/{document}");
    let (status, answer) = app.delete(&path).await;
    assert_eq!((status, &answer["removed"]), (200, &json!(true)));

    let stored = app.stored(&cited).await;
    assert_eq!(stored["text"], "[removed] [1].", "{stored}");
    let citation = &stored["citations"][0];
    assert_eq!(citation["removed"], true, "{stored}");
    assert_eq!(citation["quote"], json!(null), "{stored}");
    assert!(!stored.to_string().contains("two o'clock"), "{stored}");
    let kept = app.stored(&other).await;
    assert_eq!(kept["citations"][0]["removed"], false, "{kept}");
    assert_eq!(kept["text"], other.text(), "{kept}");
    assert!(!kept.to_string().contains("two o'clock"), "{kept}");

    assert_eq!(app.get(&format!("{path}/source")).await.0, 404);
    assert_eq!(app.delete(&path).await.0, 404);
    let (_, found) = app.post("/v1/search", &json!({ "query": QUESTION })).await;
    assert!(!found.to_string().contains("backup.md"), "{found}");
}

#[tokio::test]
async fn as_many_conversations_are_listed_as_are_asked_for() {
    let app = TestApp::indexed().await;
    for _ in 0..3 {
        app.chat(&json!({ "message": QUESTION })).await;
    }
    let count = async |path: &str| app.get(path).await.1["conversations"].as_array().map(Vec::len);
    assert_eq!(count("/v1/conversations").await, Some(3));
    assert_eq!(count("/v1/conversations?limit=2").await, Some(2));
    for limit in ["0", "201"] {
        let (status, problem) = app.get(&format!("/v1/conversations?limit={limit}")).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!("/limit")),
            "{problem}"
        );
    }
    assert_eq!(app.get("/v1/conversations?page=2").await.0, 400);
}

#[tokio::test]
async fn a_removed_conversation_is_gone() {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION })).await;
    let id = events.data("started")["conversation"].as_str().unwrap();
    let path = format!("/v1/conversations/{id}");
    assert_eq!(app.delete(&path).await.0, 200);
    assert_eq!(app.get(&path).await.0, 404);
}

/// Whether the secret document was shown and whether the model saw it.
async fn sees_the_secret(reader: Reader) -> (bool, bool) {
    let app = TestApp::indexed().await;
    let secret = json!({
        "uri": "secret.md", "text": "The backup runs every night under the code name Marigold.",
        "principals": ["operations"],
    });
    app.put(secret).await;
    let ask = Ask {
        history: Vec::new(),
        message: QUESTION.into(),
        conversation: None,
        collections: Vec::new(),
        filter: Filter::default(),
        route: Some("backups".into()),
        expand: None,
        reader,
        owner: "somebody".into(),
        resumable: false,
    };
    let events: Vec<Event> = app.engine.answer(ask).await.unwrap().collect().await;
    assert!(matches!(events.last(), Some(Event::Done(_))), "{events:?}");
    let requests = app.upstream.requests();
    assert_eq!(requests.len(), 1);
    let shown = format!("{events:?}").contains("Marigold");
    (shown, requests[0].to_string().contains("Marigold"))
}

#[tokio::test]
async fn a_document_reaches_its_principals_and_nobody_else() {
    let reader = |name: &str| Reader::Principals(vec![name.to_owned()]);
    assert_eq!(sees_the_secret(reader("operations")).await, (true, true));
    assert_eq!(sees_the_secret(reader("kitchen")).await, (false, false));
    assert_eq!(sees_the_secret(Reader::Principals(Vec::new())).await, (false, false));
}

/// Whether any file below `folder` holds `word`.
fn stands_in(folder: &Path, word: &str) -> bool {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return stands_in(&path, word);
        }
        // A file may go away meanwhile.
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

#[tokio::test]
async fn a_removed_text_leaves_the_disk_with_all_its_versions() {
    let app = TestApp::indexed().await;
    let lexical = app.data.join("collections/default/lexical");
    // Others share its segment: a segment without any living text would go by itself.
    let folder = tempfile::tempdir().unwrap();
    for at in 0..8 {
        let text = format!("Number {at} is about something else.");
        std::fs::write(folder.path().join(format!("{at}.md")), text).unwrap();
    }
    let put = async |word: &str| {
        let text = format!("The password of the old safe is {word}.");
        std::fs::write(folder.path().join("safe.md"), text).unwrap();
        let body = json!({ "path": folder.path(), "collection": "default" });
        let index = app.request("POST", "/v1/index").bearer_auth("operator");
        app.indexing(index.json(&body)).await;
        assert!(stands_in(&lexical, word));
    };
    put("zanzibarquill").await;
    put("marmaladewren").await;
    let path = format!("/v1/documents/{}", app.document("safe.md").await);
    assert_eq!(app.delete(&path).await.0, 200);
    for word in ["zanzibarquill", "marmaladewren"] {
        eventually(async || {
            assert_eq!(app.get("/v1/routes").await.0, 200);
            (!stands_in(&lexical, word)).then_some(())
        })
        .await;
    }
    let found = app.post("/v1/search", &json!({ "query": QUESTION })).await.1;
    assert_eq!(found["results"][0]["uri"], "backup.md", "the rest is still found");
}

#[tokio::test]
async fn nobody_removes_replaces_or_counts_what_he_may_not_read() {
    let app = TestApp::indexed().await;
    app.put(json!({ "uri": "secret.md", "text": "The safe stands in the cellar.", "principals": ["board"] }))
        .await;
    let hidden = portolan::types::DocumentId::of("secret.md");
    for _ in 0..2 {
        let (status, problem) = app.delete(&format!("/v1/documents/{hidden}")).await;
        assert_eq!(status, 404, "{problem}");
    }
    let replace = json!({ "uri": "secret.md", "text": "Nothing." });
    assert_eq!(app.post("/v1/documents", &replace).await.0, 403);
    let (_, list) = app.get("/v1/collections").await;
    let sizes = &list["collections"][0];
    assert_eq!(
        (&sizes["documents"], &sizes["chunks"]),
        (&json!(2), &json!(2)),
        "{list}"
    );
    let path = format!("/v1/documents/{hidden}");
    let operator = app
        .request("DELETE", &path)
        .bearer_auth("operator")
        .send()
        .await
        .unwrap();
    assert_eq!(operator.status(), 200, "it was there all the time");
}

#[tokio::test]
async fn what_the_operator_was_told_is_not_for_everyone() {
    let app = TestApp::indexed().await;
    let ask = json!({ "message": QUESTION, "route": "backups", "stream": false });
    let request = app.request("POST", "/v1/chat").bearer_auth("operator").json(&ask);
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let path = format!("/v1/conversations/{}", answer["conversation"].as_str().unwrap());
    assert_eq!(app.get(&path).await.0, 404);
    let operator = app.request("GET", &path).bearer_auth("operator").send().await.unwrap();
    assert_eq!(operator.status(), 200);
}

/// Embeds passages only while it holds permits.
pub struct Gated(pub Arc<Semaphore>);

impl Embedder for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn dimension(&self) -> usize {
        WordHash.dimension()
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            if kind == TextKind::Passage {
                self.0.acquire().await.unwrap().forget();
            }
            WordHash.embed(texts, kind).await
        })
    }
}

#[tokio::test]
async fn a_removal_waits_for_no_job_and_is_not_undone_by_one() {
    let gate = Arc::new(Semaphore::new(1));
    let app = TestApp::over(settings(), Arc::new(Gated(gate.clone()))).await;
    app.put(json!({ "uri": "a.md", "text": "The first version." })).await;
    let document = app.document("a.md").await;
    let again = json!({ "uri": "a.md", "text": "The second version." });
    let (status, job) = app.post("/v1/documents", &again).await;
    assert_eq!(status, 202);
    // The job holds the second version and waits for its vectors.
    let (status, _) = app.delete(&format!("/v1/documents/{document}")).await;
    assert_eq!(status, 200);
    gate.add_permits(1);
    let path = format!("/v1/jobs/{}", job["job"].as_str().unwrap());
    eventually(async || (app.get(&path).await.1["state"] != "running").then_some(())).await;
    let (_, list) = app.get("/v1/documents").await;
    assert_eq!(list["total"], 0, "{list}");
}
