//! Every way in which a model fails: the last event says so, what came before stays, and the service goes on.

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp, eventually, settings};

/// What is wanted of an answer on the route of that failure.
struct Expected {
    kind: &'static str,
    words: &'static str,
    text: &'static str,
    retry: bool,
}

async fn check(route: &str, expected: Expected) -> TestApp {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION, "route": route })).await;
    let names = events.names();
    assert_eq!(names.last(), Some(&"failed"), "{names:?}");
    assert!(!names.contains(&"done") && !names.contains(&"verdict"), "{names:?}");
    let failed = events.data("failed");
    let kind = format!("urn:portolan:problem:{}", expected.kind);
    assert_eq!(failed["problem"]["type"], kind.as_str(), "{failed}");
    assert_eq!(failed["retry"], expected.retry, "{failed}");
    let detail = failed["problem"]["detail"].as_str().unwrap();
    assert!(detail.contains(expected.words), "{detail}");
    assert_eq!(events.text(), expected.text);
    let stored = app.stored(&events).await;
    assert_eq!(stored["state"], "incomplete", "{stored}");
    assert_eq!(stored["text"], expected.text, "{stored}");
    let kept = stored["problem"].as_str().unwrap();
    assert!(
        detail.starts_with(&format!("{kept}: ")),
        "only what happened is stored: {stored}"
    );
    answers_on(&app, events.data("started")["conversation"].clone()).await;
    app
}

/// The same conversation goes on.
async fn answers_on(app: &TestApp, conversation: Value) {
    let ask = json!({ "message": QUESTION, "route": "backups", "conversation": conversation });
    let events = app.chat(&ask).await;
    assert_eq!(events.names().last(), Some(&"done"));
}

#[tokio::test]
async fn a_limit_of_the_provider_is_told_with_its_wait() {
    let expected = Expected {
        kind: "upstream-rate-limited",
        words: "slow down",
        text: "",
        retry: true,
    };
    let app = check("limited", expected).await;
    let ask = json!({ "message": QUESTION, "route": "limited", "stream": false });
    let response = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_provider_that_breaks_is_told() {
    let expected = Expected {
        kind: "upstream-failed",
        words: "boom",
        text: "",
        retry: true,
    };
    check("broken", expected).await;
}

#[tokio::test]
async fn a_provider_that_refuses_the_connection_is_told() {
    let expected = Expected {
        kind: "upstream-unreachable",
        words: "ECONNREFUSED",
        text: "",
        retry: true,
    };
    check("refused", expected).await;
}

#[tokio::test]
async fn an_error_under_a_good_status_is_an_error() {
    let expected = Expected {
        kind: "upstream-refused",
        words: "no credit left",
        text: "",
        retry: false,
    };
    check("disguised", expected).await;
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_left() {
    let expected = Expected {
        kind: "upstream-timed-out",
        words: "the model did not answer in time",
        text: "",
        retry: true,
    };
    check("silent", expected).await;
}

#[tokio::test]
async fn a_stream_that_stands_still_is_left() {
    let expected = Expected {
        kind: "upstream-timed-out",
        words: "stood still",
        text: "The backup runs ",
        retry: true,
    };
    check("stalling", expected).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_is_no_whole_answer() {
    let expected = Expected {
        kind: "upstream-cut",
        words: "cut off",
        text: "The backup runs ",
        retry: true,
    };
    check("cut", expected).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_goes_on_once_and_repeats_nothing() {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION, "route": "resuming" })).await;
    assert_eq!(events.text(), "The backup runs every night at two o'clock [1].");
    assert_eq!(events.data("done")["finish_reason"], "stop");
    assert_eq!(events.data("citation")["checked"], true);
    let usage = events.data("usage");
    assert!(usage["attempts"] == 2 && usage["estimated"] == true, "{usage}");
    assert!(usage["tokens_in"].as_u64() > Some(200), "both calls count: {usage}");
    let requests = app.upstream.requests();
    assert_eq!(requests.len(), 2);
    let last = requests[1]["messages"].as_array().unwrap();
    let written = &last[last.len() - 2];
    assert_eq!(
        (&written["role"], &written["content"]),
        (&json!("assistant"), &json!("The backup runs "))
    );
    app.chat(&json!({ "message": QUESTION, "route": "cut" })).await;
    assert_eq!(app.upstream.requests().len(), 4, "once, not more");
}

#[tokio::test]
async fn an_error_in_the_stream_is_told_in_its_words() {
    let expected = Expected {
        kind: "upstream-failed",
        words: "out of memory",
        text: "The backup runs ",
        retry: true,
    };
    check("faulty", expected).await;
}

#[tokio::test]
async fn a_reader_who_leaves_stops_the_call_and_frees_the_place() {
    let mut one = settings();
    one.streams = 1;
    let app = TestApp::with(one).await;
    app.index().await;
    // The model goes on for as long as anybody listens: its timers are long.
    let ask = json!({ "message": QUESTION, "route": "endless" });
    let mut leaving = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("event: text") {
        seen.extend_from_slice(&leaving.chunk().await.unwrap().expect("the stream goes on"));
    }
    let next = json!({ "message": QUESTION, "route": "backups", "stream": false });
    let (status, _) = app.post("/v1/chat", &next).await;
    assert_eq!(status, 503, "the one place is taken");
    assert_eq!(app.upstream.listeners(), 1);
    drop(leaving);
    let answer = eventually(async || {
        let (status, answer) = app.post("/v1/chat", &next).await;
        (status != 503).then_some(answer)
    })
    .await;
    assert_eq!(answer["finish_reason"], "stop", "{answer}");
    eventually(async || {
        assert_eq!(app.get("/v1/routes").await.0, 200);
        (app.upstream.listeners() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_met_its_limit_is_not_a_whole_one() {
    let app = TestApp::indexed().await;
    let events = app.chat(&json!({ "message": QUESTION, "route": "limit" })).await;
    assert_eq!(events.data("done")["finish_reason"], "length");
    assert_eq!(events.data("verdict")["verdict"], "partial");
    let stored = app.stored(&events).await;
    assert_eq!(stored["state"], "incomplete", "{stored}");
    assert!(
        stored["problem"].as_str().unwrap().contains("limit of tokens"),
        "{stored}"
    );
}

#[tokio::test]
async fn a_reader_who_takes_nothing_does_not_keep_the_service_from_stopping() {
    let mut one = settings();
    one.streams = 1;
    let app = TestApp::with(one).await;
    app.index().await;
    let ask = json!({ "message": QUESTION, "route": "flood" });
    // Held and never read.
    let reader = app.request("POST", "/v1/chat").json(&ask).send().await.unwrap();
    assert_eq!(reader.status(), 200);
    app.engine.stop();
    let next = json!({ "message": QUESTION, "route": "extractive", "stream": false });
    eventually(async || (app.post("/v1/chat", &next).await.0 != 503).then_some(())).await;
    let (_, list) = app.get("/v1/conversations").await;
    let path = format!(
        "/v1/conversations/{}",
        list["conversations"].as_array().unwrap().last().unwrap()["id"]
            .as_str()
            .unwrap()
    );
    let stored = eventually(async || {
        let message = app.get(&path).await.1["messages"][1].clone();
        message.is_object().then_some(message)
    })
    .await;
    assert_eq!(stored["state"], "incomplete", "{stored}");
    drop(reader);
}
