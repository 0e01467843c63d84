//! The endpoint in `OpenAI`'s shapes, whole and as a stream.

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp};

const PATH: &str = "/v1/chat/completions";

fn ask(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": QUESTION }], "temperature": 0.5 })
}

/// The data lines of a stream.
async fn lines(app: &TestApp, mut body: Value) -> Vec<String> {
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let response = app.request("POST", PATH).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(ToOwned::to_owned).collect()
}

fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn said(chunks: &[Value]) -> String {
    let parts = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    parts.collect()
}

#[tokio::test]
async fn a_whole_answer_has_its_citations_as_annotations() {
    let app = TestApp::indexed().await;
    let (status, answer) = app.post(PATH, &ask("backups")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "backups");
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    let message = &choice["message"];
    assert_eq!(message["content"], "The backup runs every night at two o'clock [1].");
    assert_eq!(message["annotations"][0]["url_citation"]["url"], "backup.md");
    assert_eq!(answer["usage"]["total_tokens"], 212);
}

#[tokio::test]
async fn a_stream_ends_with_its_citations_its_usage_and_done() {
    let app = TestApp::indexed().await;
    let lines = lines(&app, ask("backups")).await;
    let (last, chunks) = lines.split_last().unwrap();
    assert_eq!(last, "[DONE]");
    let chunks = parsed(chunks);
    assert_eq!(said(&chunks), "The backup runs every night at two o'clock [1].");
    let [.., end, usage] = chunks.as_slice() else {
        panic!("{chunks:?}")
    };
    assert_eq!(end["choices"][0]["finish_reason"], "stop");
    let annotation = &end["choices"][0]["delta"]["annotations"][0];
    assert_eq!(annotation["url_citation"]["url"], "backup.md");
    assert_eq!(annotation["portolan"]["checked"], true);
    assert_eq!(usage["usage"]["prompt_tokens"], 200);
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_an_error_and_without_done() {
    let app = TestApp::indexed().await;
    let lines = lines(&app, ask("cut")).await;
    assert!(!lines.contains(&"[DONE]".to_owned()), "{lines:?}");
    let chunks = parsed(&lines);
    assert_eq!(said(&chunks), "The backup runs ");
    assert_eq!(chunks.last().unwrap()["error"]["code"], "upstream-cut");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["choices"][0]["finish_reason"].is_null())
    );
    let (status, answer) = app.post(PATH, &ask("cut")).await;
    assert_eq!((status, &answer["error"]["type"]), (502, &json!("server_error")));
}

#[tokio::test]
async fn a_conversation_goes_on_by_its_metadata() {
    let app = TestApp::indexed().await;
    let (_, first) = app.post(PATH, &ask("backups")).await;
    let mut second = ask("backups");
    second["metadata"] = json!({ "conversation": first["metadata"]["conversation"] });
    let (_, second) = app.post(PATH, &second).await;
    assert_eq!(first["metadata"], second["metadata"]);
    let path = format!(
        "/v1/conversations/{}",
        first["metadata"]["conversation"].as_str().unwrap()
    );
    let (_, conversation) = app.get(&path).await;
    assert_eq!(conversation["messages"].as_array().unwrap().len(), 4, "{conversation}");
}

#[tokio::test]
async fn a_fault_has_the_shape_of_their_errors() {
    let app = TestApp::indexed().await;
    for (body, parameter) in [
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": 1 }), "messages"),
        (
            json!({ "messages": [{ "role": "user", "content": 5 }] }),
            "messages.0.content",
        ),
        (json!({ "messages": [{ "role": "user" }, {}] }), "messages.1.role"),
        (json!({ "messages": [{ "role": "user", "content": "a" }], "n": 2 }), "n"),
    ] {
        let (status, answer) = app.post(PATH, &body).await;
        assert_eq!(status, 400, "{answer}");
        assert_eq!(answer["error"]["type"], "invalid_request_error", "{answer}");
        assert_eq!(answer["error"]["param"], parameter, "{answer}");
    }
    assert!(app.get(PATH).await.1["error"].is_object());
}

#[tokio::test]
async fn a_model_that_nobody_can_use_is_not_found() {
    let app = TestApp::indexed().await;
    for model in ["gpt-9", "keyless"] {
        let mut streamed = ask(model);
        streamed["stream"] = json!(true);
        for (status, answer) in [
            app.post(PATH, &ask(model)).await,
            app.post(PATH, &streamed).await,
            app.get(&format!("/v1/models/{model}")).await,
        ] {
            assert_eq!(status, 404, "{answer}");
            assert_eq!(answer["error"]["type"], "invalid_request_error", "{answer}");
            assert_eq!(answer["error"]["code"], "model_not_found", "{answer}");
            assert_eq!(answer["error"]["param"], "model", "{answer}");
        }
    }
    let (_, answer) = app.post(PATH, &ask("gpt-9")).await;
    let words = answer["error"]["message"].as_str().unwrap();
    assert!(
        words.contains("`extractive`") && !words.contains("`keyless`"),
        "{words}"
    );
    assert!(!words.contains("`refused`"), "its server is down: {words}");
    let (_, answer) = app.post(PATH, &ask("keyless")).await;
    assert!(
        answer["error"]["message"].as_str().unwrap().contains("SOME_KEY"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_word_is_no_200() {
    let app = TestApp::indexed().await;
    for (model, expected) in [("limited", 503), ("broken", 502), ("silent", 504)] {
        let mut body = ask(model);
        body["stream"] = json!(true);
        let (status, answer) = app.post(PATH, &body).await;
        assert_eq!(status, expected, "{model}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{model}: {answer}");
    }
}

#[tokio::test]
async fn a_call_without_a_conversation_files_none_and_is_erased_like_the_others() {
    let app = TestApp::indexed().await;
    let (_, first) = app.post(PATH, &ask("backups")).await;
    let (_, list) = app.get("/v1/conversations").await;
    assert_eq!(list["conversations"], json!([]), "{list}");
    let id = app.document("backup.md").await;
    assert_eq!(app.delete(&format!("/v1/documents/{id}")).await.0, 200);
    // Whoever goes on with it makes it a conversation.
    let mut second = ask("extractive");
    second["metadata"] = json!({ "conversation": first["metadata"]["conversation"] });
    let (status, second) = app.post(PATH, &second).await;
    assert_eq!(status, 200, "{second}");
    let (_, list) = app.get("/v1/conversations").await;
    let filed = list["conversations"][0]["id"].as_str().unwrap();
    let (_, conversation) = app.get(&format!("/v1/conversations/{filed}")).await;
    assert_eq!(conversation["messages"].as_array().unwrap().len(), 4, "{conversation}");
    assert_eq!(conversation["messages"][1]["text"], "[removed] [1].", "{conversation}");
}

#[tokio::test]
async fn the_routes_are_the_models() {
    let app = TestApp::indexed().await;
    let (_, list) = app.get("/v1/models").await;
    let ids: Vec<&Value> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert!(
        ids.contains(&&json!("extractive")) && ids.contains(&&json!("backups")),
        "{list}"
    );
    assert!(!ids.contains(&&json!("keyless")), "{list}");
    // Its server is down.
    assert!(!ids.contains(&&json!("refused")), "{list}");
    assert_eq!(app.get("/v1/models/refused").await.0, 404);
    let (_, routes) = app.get("/v1/routes").await;
    let routes = routes["routes"].as_array().unwrap();
    let down = routes.iter().find(|route| route["name"] == "refused").unwrap();
    assert_eq!(down["available"], false, "{down}");
    assert!(
        down["reason"]
            .as_str()
            .unwrap()
            .contains("nothing answers at 127.0.0.1"),
        "{down}"
    );
    assert_eq!(app.get("/v1/models/backups").await.1["object"], "model");
}
