//! What is kept of answers goes with what it belongs to: conversations, documents, days.

use std::path::Path;
use std::sync::Arc;

use portolan::config::Traces;
use portolan::engine::Parts;
use portolan::store::{AnswerRecord, Store, TraceRecord};
use portolan::types::{Citation, DocumentId};
use serde_json::json;

use crate::app::{QUESTION, TestApp, WordHash, folder, settings};
use crate::cli::run;
use crate::traces::{operator, trace};
use crate::uploads::send;

/// A word that stands in nothing else.
const WORD: &str = "zanzibarquill";

#[tokio::test]
async fn a_conversation_that_is_in_no_list_takes_its_trace_along() {
    let app = TestApp::indexed().await;
    let ask = json!({ "model": "backups", "messages": [{ "role": "user", "content": QUESTION }] });
    let (status, answer) = app.post("/v1/chat/completions", &ask).await;
    assert_eq!(status, 200, "{answer}");
    let run = answer["id"].as_str().unwrap();
    let kept = trace(&app, run).await;
    let path = format!("/v1/conversations/{}", kept["conversation"].as_str().unwrap());
    assert_eq!(
        operator(&app, "DELETE", &path, None).await.0,
        404,
        "it is not the operator's"
    );
    assert_eq!(app.delete(&path).await.0, 200);
    assert_eq!(app.get(&format!("/v1/traces/{run}")).await.0, 404);
    assert_eq!(
        operator(&app, "GET", "/v1/traces", None).await.1,
        json!({ "traces": [] })
    );
    assert_eq!(app.delete(&path).await.0, 404);
}

/// Whether the database in the folder holds the word.
fn holds(data: &Path, word: &str) -> bool {
    ["portolan.sqlite", "portolan.sqlite-wal"].iter().any(|name| {
        let bytes = std::fs::read(data.join(name)).unwrap_or_default();
        bytes.windows(word.len()).any(|window| window == word.as_bytes())
    })
}

/// Leaves a trace with that word in the data folder, in a conversation of its own.
async fn leave_trace(store: &Store, word: &str) {
    store.begin_conversation("c", "t", "local").await.unwrap();
    let passage = json!({ "collection": "default", "document": DocumentId::of("gone.md"), "text": word });
    let record = TraceRecord {
        run: "r".into(),
        conversation: "c".into(),
        message: "m".into(),
        record: json!({ "asked": { "collections": ["default"] } }),
        passages: vec![passage],
    };
    store.keep_trace(&record, 30).await.unwrap();
}

#[tokio::test]
async fn where_no_trace_is_to_be_kept_those_that_are_there_go_at_the_next_start() {
    for (keep_days, remains) in [(30, true), (0, false)] {
        let data = folder();
        let store = Store::open(&data.join("portolan.sqlite")).await.unwrap();
        leave_trace(&store, WORD).await;
        store.close().await;
        assert!(holds(&data, WORD));
        let traces = Traces { keep_days, words: true };
        let change = |parts, _: &_| Parts { traces, ..parts };
        let app = TestApp::made(data, settings(), Arc::new(WordHash), change).await;
        assert_eq!(holds(&app.data, WORD), remains, "{keep_days} days");
    }
}

#[tokio::test]
async fn what_a_provider_says_of_a_failure_is_told_and_not_stored() {
    let app = TestApp::indexed().await;
    for (route, stored) in [
        ("broken", "the model's provider failed (status 500)"),
        ("disguised", "the model's provider refused the key (status 402)"),
        ("cut", "the answer was cut off before its end"),
        (
            "limit",
            "the model stopped at its limit of tokens; the answer has no end",
        ),
    ] {
        let events = app.chat(&json!({ "message": QUESTION, "route": route })).await;
        assert_eq!(app.stored(&events).await["problem"], stored, "{events:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_removed_document_goes_at_the_next_start() {
    let app = TestApp::indexed().await;
    let cited = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let backup = app.request("POST", "/v1/backup").bearer_auth("operator");
    let (status, _, made) = send(backup.json(&json!({ "path": folder() }))).await;
    assert_eq!(status, 200, "{made}");
    let data = folder().join("restored");
    let (code, _, problem) = run(&data, &["restore", made["file"].as_str().unwrap()]).await;
    assert_eq!(code, Some(0), "{problem}");
    // As if the index had lost the document, and the process had died before the answers did.
    let store = Store::open(&data.join("portolan.sqlite")).await.unwrap();
    leave_trace(&store, WORD).await;
    for (message, collection) in [("a", "default"), ("b", "elsewhere")] {
        store.add_answer("c", &answer(message, collection)).await.unwrap();
    }
    store.close().await;
    let app = TestApp::at(data, settings(), Arc::new(WordHash)).await;

    let (_, conversation) = app.get("/v1/conversations/c").await;
    let [lost, other] = [0, 1].map(|at| &conversation["messages"][at]);
    assert_eq!(
        (&lost["text"], &lost["sources"]),
        (&json!("[removed] [1]."), &json!([])),
        "{lost}"
    );
    assert_eq!(lost["citations"][0]["removed"], true, "{lost}");
    assert_eq!(
        other["citations"][0]["removed"], false,
        "nobody knows what that collection held: {other}"
    );
    let passage = &trace(&app, "r").await["evidence"];
    let dropped = &trace(&app, "r").await["dropped"][0];
    assert_eq!((passage, &dropped["removed"]), (&json!([]), &json!(true)), "{dropped}");
    let kept = app.stored(&cited).await;
    assert_eq!(kept["citations"][0]["removed"], false, "{kept}");
    assert_eq!(kept["text"], cited.text(), "{kept}");
}

/// An answer that cites a document of the collection which is not there.
fn answer(message: &str, collection: &str) -> AnswerRecord {
    let document = DocumentId::of("gone.md");
    let text = format!("{WORD} [1].");
    AnswerRecord {
        id: message.into(),
        question: None,
        run: message.into(),
        route: "extractive".into(),
        complete: true,
        outcome: None,
        sources: json!([{ "number": 1, "document": document, "collection": collection, "text": WORD }]),
        citations: vec![Citation {
            number: 1,
            answer_range: 0..WORD.len(),
            document,
            version: "v1".into(),
            source_range: 0..WORD.len(),
            quote: WORD.into(),
            checked: true,
        }],
        sentences: json!([]),
        usage: None,
        problem: None,
        text,
    }
}
