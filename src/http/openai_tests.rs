//! The frames that clients of `OpenAI`'s interface read.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use serde_json::{from_str, json};

use super::*;
use crate::error::UpstreamKind;
use crate::types::{Citation, DocumentId};

fn started() -> Event {
    Event::Started {
        run: "r".into(),
        conversation: "c".into(),
        message: "m".into(),
        route: "local".into(),
        reason: "named".into(),
        question: "q".into(),
        degraded: Vec::new(),
    }
}

fn lines(events: &[Event], include_usage: bool) -> Vec<String> {
    let mut writer = Completion::new("local", include_usage);
    events.iter().flat_map(|event| writer.write(event)).collect()
}

fn citation() -> Event {
    Event::Citation(Citation {
        number: 1,
        answer_range: 0..6,
        document: DocumentId::of("a.md"),
        version: "v".into(),
        source_range: 0..3,
        quote: "abc".into(),
        checked: true,
    })
}

#[test]
fn a_whole_answer_ends_with_annotations_usage_and_done() {
    let usage = Usage {
        tokens_in: 3,
        tokens_out: 2,
        ..Usage::default()
    };
    let text = "d\u{e9}j\u{e0} [1]";
    let events = [
        started(),
        Event::Text(text.into()),
        citation(),
        Event::Usage(usage, None),
        Event::Done("stop".into()),
    ];
    let lines = lines(&events, true);
    assert_eq!(lines.len(), 5);
    let frames: Vec<Value> = lines[..4].iter().map(|line| from_str(line).expect("JSON")).collect();
    assert_eq!(
        frames[0]["choices"][0]["delta"],
        json!({ "role": "assistant", "content": "" })
    );
    assert_eq!(
        (&frames[0]["id"], &frames[0]["model"]),
        (&json!("chatcmpl-r"), &json!("local"))
    );
    assert_eq!(frames[1]["choices"][0]["delta"]["content"], text);
    assert_eq!(frames[1]["usage"], Value::Null);
    assert_eq!(frames[2]["choices"][0]["finish_reason"], "stop");
    // Six bytes are four characters.
    assert_eq!(
        frames[2]["choices"][0]["delta"]["annotations"][0]["url_citation"]["end_index"],
        4
    );
    assert_eq!(
        (&frames[3]["choices"], &frames[3]["usage"]["total_tokens"]),
        (&json!([]), &json!(5))
    );
    assert_eq!(lines[4], "[DONE]");
}

#[test]
fn a_failed_answer_ends_with_an_error_and_never_with_done() {
    let error = Error::upstream(UpstreamKind::Cut, None, "no end");
    let lines = lines(
        &[started(), Event::Text("half".into()), Event::Failed(Arc::new(error))],
        true,
    );
    assert_eq!(lines.len(), 3);
    let last: Value = from_str(&lines[2]).expect("JSON");
    assert_eq!(last["error"]["type"], "server_error");
    assert_eq!(last["error"]["code"], "upstream-cut");
    assert!(!lines.iter().any(|line| line == "[DONE]"));
}

fn read(body: Value) -> Result<Ask> {
    let body = serde_json::from_value(body).expect("the right shape");
    ask(
        body,
        Caller {
            owner: "local".into(),
            operator: false,
        },
    )
}

#[test]
fn the_last_user_message_is_the_question() {
    let body = json!({
        "model": "default", "temperature": 0.1, "metadata": { "conversation": "c" },
        "messages": [
            { "role": "user", "content": "first" },
            { "role": "assistant", "content": "yes" },
            { "role": "user", "content": [{ "type": "text", "text": "second" }] },
        ],
    });
    let ask = read(body).expect("good");
    assert_eq!(
        (ask.message.as_str(), ask.conversation.as_deref(), ask.route),
        ("second", Some("c"), None)
    );
}

fn bad(body: Value, pointer: &str) {
    match read(body) {
        Err(Error::BadInput { faults, .. }) => assert_eq!(faults[0].pointer, pointer),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_body_without_a_question_is_refused_at_its_place() {
    bad(json!({ "messages": [] }), "/messages");
    bad(
        json!({ "messages": [{ "role": "system", "content": "x" }] }),
        "/messages",
    );
    bad(
        json!({ "messages": [{ "role": "user", "content": " " }] }),
        "/messages/0/content",
    );
    bad(
        json!({ "messages": [{ "role": "user", "content": "x" }], "n": 2 }),
        "/n",
    );
}
