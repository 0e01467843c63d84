//! `/v1/responses`, whole and as events.

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp};
use crate::events::Events;

const PATH: &str = "/v1/responses";
const ANSWER: &str = "The backup runs every night at two o'clock [1].";

fn ask(model: &str) -> Value {
    json!({ "model": model, "input": QUESTION, "temperature": 0.5, "store": false })
}

async fn events(app: &TestApp, mut body: Value) -> Events {
    body["stream"] = json!(true);
    let response = app.request("POST", PATH).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Events::read(&response.text().await.unwrap())
}

#[tokio::test]
async fn a_whole_response_has_its_text_its_citations_and_its_usage() {
    let app = TestApp::indexed().await;
    let (status, response) = app.post(PATH, &ask("backups")).await;
    assert_eq!(status, 200, "{response}");
    assert_eq!(
        (&response["object"], &response["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(response["model"], "backups");
    let part = &response["output"][0]["content"][0];
    assert_eq!(
        (&part["type"], &part["text"]),
        (&json!("output_text"), &json!(ANSWER)),
        "{response}"
    );
    let annotation = &part["annotations"][0];
    assert_eq!(
        (&annotation["type"], &annotation["url"]),
        (&json!("url_citation"), &json!("backup.md"))
    );
    let range = [&annotation["start_index"], &annotation["end_index"]].map(|at| at.as_u64().unwrap() as usize);
    assert_eq!(
        &ANSWER[range[0]..range[1]],
        "The backup runs every night at two o'clock"
    );
    assert_eq!(annotation["portolan"]["checked"], true);
    assert_eq!(response["usage"]["input_tokens"], 200);
    assert_eq!(response["usage"]["total_tokens"], 212);
    assert_eq!(response["metadata"]["verdict"], "answered");
    assert_eq!(
        app.get("/v1/conversations").await.1["conversations"],
        json!([]),
        "it is filed nowhere"
    );
}

#[tokio::test]
async fn its_events_are_numbered_and_the_last_one_repeats_it() {
    let app = TestApp::indexed().await;
    let events = events(&app, ask("backups")).await;
    let names = events.names();
    assert_eq!(
        names[..4],
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added"
        ]
    );
    assert_eq!(
        names[names.len() - 4..],
        [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed"
        ]
    );
    let all: Vec<&Value> = names.iter().enumerate().map(|(at, _)| events.at(at)).collect();
    for (at, event) in all.iter().enumerate() {
        assert_eq!(
            (&event["sequence_number"], &event["type"]),
            (&json!(at), &json!(names[at]))
        );
    }
    let said: String = events
        .all("response.output_text.delta")
        .iter()
        .map(|one| one["delta"].as_str().unwrap())
        .collect();
    assert_eq!(said, ANSWER);
    let added = events.data("response.output_text.annotation.added");
    assert_eq!(added["annotation"]["url"], "backup.md", "{added}");
    let response = &events.data("response.completed")["response"];
    assert_eq!(response["output"][0]["content"][0]["text"], ANSWER);
    assert_eq!(
        response["output"][0]["content"][0]["annotations"][0],
        added["annotation"]
    );
    assert_eq!(response["id"], all[0]["response"]["id"]);
    assert_eq!(added["item_id"], response["output"][0]["id"]);
}

#[tokio::test]
async fn a_response_without_its_end_is_incomplete_and_one_that_fails_says_so() {
    let app = TestApp::indexed().await;
    let cut = events(&app, ask("limit")).await;
    let response = &cut.data("response.incomplete")["response"];
    assert_eq!(
        response["incomplete_details"]["reason"], "max_output_tokens",
        "{response}"
    );
    assert_eq!(response["output"][0]["status"], "incomplete", "{response}");
    let failed = events(&app, ask("cut")).await;
    assert!(failed.all("response.completed").is_empty());
    let response = &failed.data("response.failed")["response"];
    assert_eq!(
        (&response["status"], &response["error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    assert_eq!(
        response["output"][0]["content"][0]["text"], "The backup runs ",
        "what came before stays"
    );
    for (model, expected) in [("broken", 502), ("limited", 503)] {
        let mut body = ask(model);
        body["stream"] = json!(true);
        for (status, answer) in [app.post(PATH, &body).await, app.post(PATH, &ask(model)).await] {
            assert_eq!(
                (status, &answer["error"]["type"]),
                (expected, &json!("server_error")),
                "{answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_conversation_goes_on_from_a_response_or_by_its_name() {
    let app = TestApp::indexed().await;
    let (_, first) = app.post(PATH, &ask("backups")).await;
    let mut second = ask("leave");
    second["previous_response_id"] = first["id"].clone();
    let (status, second) = app.post(PATH, &second).await;
    assert_eq!(status, 200, "{second}");
    assert_eq!(second["previous_response_id"], first["id"]);
    assert_eq!(second["conversation"], first["conversation"]);
    let id = first["conversation"]["id"].clone();
    for name in [
        json!({ "conversation": id }),
        json!({ "conversation": { "id": id } }),
        json!({ "metadata": { "conversation": id } }),
    ] {
        let mut body = ask("extractive");
        body.as_object_mut().unwrap().extend(name.as_object().unwrap().clone());
        let (_, more) = app.post(PATH, &body).await;
        assert_eq!(more["conversation"]["id"], id, "{more}");
    }
    let (_, conversation) = app.get(&format!("/v1/conversations/{}", id.as_str().unwrap())).await;
    assert_eq!(conversation["messages"].as_array().unwrap().len(), 10, "{conversation}");

    let mut foreign = ask("extractive");
    foreign["previous_response_id"] = first["id"].clone();
    let request = app.request("POST", PATH).bearer_auth("operator").json(&foreign);
    assert_eq!(request.send().await.unwrap().status(), 404, "it is somebody else's");
}

#[tokio::test]
async fn turns_that_the_caller_keeps_are_understood() {
    let app = TestApp::indexed().await;
    let first = "How many days of paid leave does an employee have?";
    let input = json!([
        { "role": "system", "content": "Be rude." },
        { "role": "user", "content": [{ "type": "input_text", "text": first }] },
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "28 days [1]." }] },
        { "role": "user", "content": "And how many may be carried over?" },
    ]);
    let (status, response) = app.post(PATH, &json!({ "model": "quoting", "input": input })).await;
    assert_eq!(status, 200, "{response}");
    let requests = app.upstream.requests();
    let messages = requests[0]["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "{messages:?}");
    assert_eq!(messages[1]["content"], first);
    assert!(!messages[0]["content"].as_str().unwrap().contains("rude"));
}

#[tokio::test]
async fn what_nothing_here_can_do_is_refused_at_its_place() {
    let app = TestApp::indexed().await;
    let tool = json!([{ "type": "function", "name": "weather", "parameters": {} }]);
    let schema = json!({ "format": { "type": "json_schema", "name": "x", "schema": {} } });
    for (field, value, parameter) in [
        ("input", json!(null), "input"),
        ("input", json!([{ "role": "user", "content": 5 }]), "input.0.content"),
        ("input", json!([{ "role": "assistant", "content": "x" }]), "input"),
        ("input", json!(" "), "input"),
        ("tools", tool.clone(), "tools"),
        ("text", schema, "text.format"),
        ("background", json!(true), "background"),
        ("model", json!("gpt-9"), "model"),
        ("previous_response_id", json!("resp_none"), "previous_response_id"),
        ("stream", json!("yes"), "stream"),
    ] {
        let mut body = ask("backups");
        body[field] = value;
        let (status, answer) = app.post(PATH, &body).await;
        assert!(status == 400 || status == 404, "{body}: {status} {answer}");
        assert_eq!(answer["error"]["param"], parameter, "{body}: {answer}");
        assert_eq!(answer["error"]["type"], "invalid_request_error", "{answer}");
    }
    let mut both = ask("backups");
    both["previous_response_id"] = json!("resp_a");
    both["conversation"] = json!("b");
    assert_eq!(app.post(PATH, &both).await.0, 400);
    let mut unused = ask("backups");
    unused["tools"] = tool.clone();
    unused["tool_choice"] = json!("none");
    assert_eq!(
        app.post(PATH, &unused).await.0,
        200,
        "tools that are not to be called do no harm"
    );
    let messages = json!([{ "role": "user", "content": QUESTION }]);
    let call = json!({ "model": "backups", "messages": messages, "tools": tool });
    let (status, answer) = app.post("/v1/chat/completions", &call).await;
    assert_eq!((status, &answer["error"]["param"]), (400, &json!("tools")), "{answer}");
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("/mcp"),
        "{answer}"
    );
    let call = json!({ "model": "backups", "messages": messages, "response_format": { "type": "json_object" } });
    let (status, answer) = app.post("/v1/chat/completions", &call).await;
    assert_eq!(
        (status, &answer["error"]["param"]),
        (400, &json!("response_format")),
        "{answer}"
    );
    assert!(app.get(PATH).await.1["error"].is_object());
}

#[tokio::test]
async fn a_collection_is_named_in_the_metadata_alone_or_with_others() {
    let app = TestApp::indexed().await;
    let put = app.request("POST", "/v1/documents?collection=notes&wait=true");
    let note = json!({ "uri": "anchor.md", "text": "The anchor is painted red every spring." });
    assert_eq!(put.json(&note).send().await.unwrap().status(), 200);
    for (collection, expected) in [("notes", 1), ("notes, default", 1), ("default", 0)] {
        let body = json!({
            "model": "extractive", "input": "When is the anchor painted red?", "metadata": { "collection": collection },
        });
        let (status, response) = app.post(PATH, &body).await;
        assert_eq!(status, 200, "{response}");
        let annotations = &response["output"][0]["content"][0]["annotations"];
        let cited = annotations
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["url"] == "anchor.md");
        assert_eq!(cited.count(), expected, "{collection}: {response}");
    }
}
