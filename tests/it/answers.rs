//! Answers that end well, and conversations that go on.

use serde_json::json;

use crate::app::{QUESTION, TestApp};

#[tokio::test]
async fn an_answer_ends_with_its_text_and_a_checked_citation() {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let names = events.names();
    assert_eq!(names[..2], ["started", "sources"], "{names:?}");
    assert_eq!(names[names.len() - 3..], ["verdict", "usage", "done"], "{names:?}");
    assert_eq!(events.text(), "The backup runs every night at two o'clock [1].");
    let citation = events.data("citation");
    assert_eq!(citation["checked"], true);
    assert_eq!(citation["uri"], "backup.md");
    let quote = citation["quote"].as_str().unwrap();
    assert!(quote.contains("two o'clock"), "{quote}");
    assert_eq!(events.data("usage")["tokens_in"], 200);
    assert_eq!(events.data("done")["finish_reason"], "stop");
    let path = format!("/v1/documents/{}/source", citation["document"].as_str().unwrap());
    let (_, source) = app.get(&path).await;
    let end = |at: usize| citation["source_range"][at].as_u64().unwrap() as usize;
    assert_eq!(&source["text"].as_str().unwrap()[end(0)..end(1)], quote);
    let stored = app.stored(&events).await;
    assert_eq!(stored["state"], "complete", "{stored}");
    assert_eq!(stored["text"], events.text(), "{stored}");
    assert_eq!(stored["citations"][0]["quote"], quote, "{stored}");
}

#[tokio::test]
async fn each_sentence_is_held_against_its_passages() {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION, "route": "mistaken" })).await;
    let text = "The backup runs every night at three o'clock . Copies are kept for thirty days . Copies are kept for \
                thirty days. [1] Ask again.";
    assert_eq!(events.text(), text);
    let sentences = events.data("verdict")["sentences"].clone();
    let told = |at: usize, key: &str| sentences[at][key].clone();
    let states: Vec<&str> = (0..4).map(|at| sentences[at]["state"].as_str().unwrap()).collect();
    assert_eq!(
        states,
        ["unsupported", "unsupported", "supported", "plain"],
        "{sentences}"
    );
    assert_eq!(
        (told(0, "reason"), told(0, "lacking")),
        (json!("numbers"), json!(["three"])),
        "{sentences}"
    );
    assert_eq!(
        (told(1, "reason"), told(1, "removed"), told(1, "found_in")),
        (json!("citation"), json!([9]), json!(1))
    );
    assert_eq!(told(2, "cited"), json!([1]));
    assert_eq!(app.stored(&events).await["sentences"], sentences);
    let ledger = &events.data("sources")["ledger"];
    assert!(
        ledger["system"].as_u64().unwrap() > 50 && ledger["evidence"].as_u64().unwrap() > 20,
        "{ledger}"
    );
    let (_, whole) = app
        .post(
            "/v1/chat",
            &json!({ "message": QUESTION, "route": "mistaken", "stream": false }),
        )
        .await;
    assert_eq!((&whole["verdict"]["sentences"], &whole["ledger"]), (&sentences, ledger));
}

#[tokio::test]
async fn a_question_that_no_document_answers_reaches_no_model() {
    let app = TestApp::indexed().await;
    let ask = json!({ "message": "What does ERR_9999 mean?", "route": "backups" });
    let events = app.chat(&ask).await;
    assert_eq!(events.data("verdict")["verdict"], "declined");
    assert_eq!(events.names().last(), Some(&"done"));
    assert!(app.upstream.requests().is_empty());
}

#[tokio::test]
async fn a_follow_up_takes_up_what_was_asked_before() {
    let app = TestApp::indexed().await;
    let first = "How many days of paid leave does an employee have?";
    let events = app.chat(&json!({ "message": first, "route": "leave" })).await;
    let conversation = &events.data("started")["conversation"];
    let second = "And how many may be carried over?";
    let ask = json!({ "message": second, "route": "leave", "conversation": conversation });
    let events = app.chat(&ask).await;
    assert_eq!(&events.data("started")["conversation"], conversation);
    assert_eq!(events.data("started")["question"], format!("{first} {second}"));
    assert_eq!(events.data("sources")["passages"][0]["uri"], "leave.md");
    let requests = app.upstream.requests();
    let messages = requests[1]["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    assert_eq!(messages[1]["content"], first);
    assert_eq!(messages[3]["content"], second);
    let (_, list) = app.get("/v1/conversations").await;
    assert_eq!(list["conversations"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn a_conversation_that_does_not_exist_is_not_found() {
    let app = TestApp::indexed().await;
    let ask = json!({ "message": QUESTION, "conversation": "018f0000-0000-7000-8000-000000000000" });
    let (status, problem) = app.post("/v1/chat", &ask).await;
    assert_eq!(status, 404, "{problem}");
    assert_eq!(problem["type"], "urn:portolan:problem:not-found");
}
