//! What happens to a document that goes, and to one that not everybody may read.

use futures::StreamExt;
use portolan::engine::Ask;
use portolan::types::{Event, Filter, Reader};
use serde_json::json;

use crate::app::{QUESTION, TestApp};

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
        reader,
        owner: "somebody".into(),
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
