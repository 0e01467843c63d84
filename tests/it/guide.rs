//! The requests of the guides in docs/: each can be pasted, and is answered.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::app::{TestApp, eventually};

#[tokio::test]
async fn every_request_of_the_search_guide_is_answered() {
    let app = TestApp::indexed().await;
    assert!(paste(&app, include_str!("../../docs/search.md")).await > 10);
}

#[tokio::test]
async fn every_request_of_the_interface_guide_is_answered() {
    let app = TestApp::indexed().await;
    assert!(paste(&app, include_str!("../../docs/api.md")).await > 25);
}

#[tokio::test]
async fn every_request_of_the_guides_to_clients_and_traces_is_answered() {
    let app = TestApp::indexed().await;
    assert_eq!(paste(&app, include_str!("../../docs/clients.md")).await, 6);
    assert_eq!(paste(&app, include_str!("../../docs/traces.md")).await, 11);
}

/// Sends every request of a guide in its order, with what earlier ones gave; tells how many there were.
async fn paste(app: &TestApp, guide: &str) -> usize {
    let guide = guide.replace("\\\n", " ").replace("'$PWD'", env!("CARGO_MANIFEST_DIR"));
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    let mut count = 0;
    // Files are sent by other tests.
    for line in guide.lines().filter(|line| is_request(line) && !line.contains(" -F ")) {
        let mut line = line.to_owned();
        for (name, value) in &given {
            line = line
                .replace(&format!("'${name}'"), value)
                .replace(&format!("${name}"), value);
        }
        let (status, answer) = send(app, &line).await;
        assert!(status == 200 || status == 202, "{line}: {status} {answer}");
        given.extend(gives(&answer));
        if let Some(job) = given.get("JOB").filter(|_| status == 202) {
            let path = format!("/v1/jobs/{job}");
            eventually(async || (app.get(&path).await.1["state"] == "done").then_some(())).await;
        }
        count += 1;
    }
    count
}

fn is_request(line: &str) -> bool {
    line.starts_with("curl ") || line.contains("=$(curl ")
}

/// What later requests name of an answer.
fn gives(answer: &Value) -> Vec<(&'static str, String)> {
    let places = [
        ("CONVERSATION", "/conversations/0/id"),
        ("DOCUMENT", "/documents/0/id"),
        ("JOB", "/job"),
        ("RUN", "/traces/0/run"),
        ("MESSAGE", "/traces/0/message"),
    ];
    let found = places
        .iter()
        .filter_map(|(name, place)| Some((*name, answer.pointer(place)?.as_str()?.to_owned())));
    // Of events the first has the run.
    let run = answer.as_str().and_then(|events| events.split_once("\"run\":\""));
    let run = run.and_then(|(_, rest)| rest.split_once('"'));
    found.chain(run.map(|(run, _)| ("RUN", run.to_owned()))).collect()
}

async fn send(app: &TestApp, line: &str) -> (u16, Value) {
    let path = between(line, "127.0.0.1:8080", &[' ', '\'', '"']);
    let body = line.split_once("-d '").map(|(_, body)| {
        let end = body.rfind('}').map_or(0, |end| end + 1);
        // What follows in the same line works on the answer.
        let body = body.split_once("' ").map_or(&body[..end], |(body, _)| body);
        serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{error}: {body}"))
    });
    let method = match line.split_once("-X ") {
        Some((_, named)) => named.split(' ').next().unwrap(),
        None if body.is_some() => "POST",
        None => "GET",
    };
    let mut request = app.request(method, path);
    if let Some(body) = &body {
        request = request.json(body);
    }
    if line.contains("-H 'accept: ") {
        request = request.header("accept", between(line, "-H 'accept: ", &['\'']));
    }
    if line.contains("Bearer $TOKEN") {
        request = request.bearer_auth("operator");
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    // Events and metrics are no JSON.
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn between<'a>(line: &'a str, start: &str, ends: &[char]) -> &'a str {
    let (_, rest) = line.split_once(start).unwrap_or_else(|| panic!("no address in {line}"));
    rest.split(ends).next().unwrap()
}
