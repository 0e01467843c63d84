//! The tools at `/mcp`, as they stand on the wire.

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp, eventually, settings};

/// A call of a method, in a version of the protocol that all clients know.
fn request(app: &TestApp, method: &str, params: &Value) -> reqwest::RequestBuilder {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    app.request("POST", "/mcp")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .json(&call)
}

/// The messages that answer it, the last of them being its result.
async fn messages(request: reqwest::RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// What a tool says, and whether it failed.
async fn tool(app: &TestApp, token: &str, name: &str, arguments: Value) -> (Value, bool) {
    let params = json!({ "name": name, "arguments": arguments });
    let answer = messages(request(app, "tools/call", &params).bearer_auth(token)).await;
    let result = &answer.last().unwrap()["result"];
    let text = result["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"));
    let failed = result["isError"] == true;
    if failed {
        return (json!(text), true);
    }
    let told: Value = serde_json::from_str(text).unwrap();
    assert_eq!(told, result["structuredContent"], "text and structure say the same");
    (told, false)
}

#[tokio::test]
async fn the_service_says_who_it_is_and_what_it_can() {
    let app = TestApp::start().await;
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let answer = messages(request(&app, "initialize", &hello)).await;
    let result = &answer.last().unwrap()["result"];
    assert_eq!(result["protocolVersion"], "2025-06-18", "{answer:?}");
    assert_eq!(result["serverInfo"]["name"], "portolan", "{answer:?}");
    let answer = messages(request(&app, "tools/list", &json!({}))).await;
    let tools = answer.last().unwrap()["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["search", "fetch", "ask"]);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["inputSchema"]["required"].as_array().unwrap().len(), 1, "{tool}");
    }
}

#[tokio::test]
async fn what_search_finds_can_be_fetched_and_asked_about() {
    let app = TestApp::indexed().await;
    let (found, _) = tool(&app, "", "search", json!({ "query": "backup every night" })).await;
    let first = &found["results"][0];
    assert_eq!(
        (&first["title"], &first["url"]),
        (&json!("Backups"), &json!("backup.md")),
        "{found}"
    );
    let (document, _) = tool(&app, "", "fetch", json!({ "id": first["id"] })).await;
    let text = document["text"].as_str().unwrap();
    assert!(text.contains("Copies are kept for thirty days."), "{document}");
    assert!(document.get("next_offset").is_none(), "{document}");
    let (rest, _) = tool(&app, "", "fetch", json!({ "id": first["id"], "offset": 11 })).await;
    assert_eq!(rest["text"], text[11..], "{rest}");

    let (answer, _) = tool(&app, "", "ask", json!({ "question": QUESTION, "route": "backups" })).await;
    assert_eq!(
        answer["answer"], "The backup runs every night at two o'clock [1].",
        "{answer}"
    );
    assert_eq!(
        (&answer["verdict"], &answer["finish_reason"]),
        (&json!("answered"), &json!("stop")),
        "{answer}"
    );
    assert_eq!(answer["citations"][0]["checked"], true, "{answer}");
    assert_eq!(
        app.get("/v1/conversations").await.1["conversations"],
        json!([]),
        "it is filed nowhere"
    );
    let more = json!({ "question": QUESTION, "route": "leave", "conversation": answer["conversation"] });
    let (more, _) = tool(&app, "", "ask", more).await;
    assert_eq!(more["conversation"], answer["conversation"]);
    let path = format!("/v1/conversations/{}", answer["conversation"].as_str().unwrap());
    let (_, conversation) = app.get(&path).await;
    assert_eq!(conversation["messages"].as_array().unwrap().len(), 4, "{conversation}");
}

#[tokio::test]
async fn a_long_document_comes_in_parts() {
    let app = TestApp::start().await;
    let text = "Größe und Länge. ".repeat(4_000);
    app.put(json!({ "uri": "long.md", "text": text })).await;
    let id = format!("default/{}", app.document("long.md").await);
    let (mut offset, mut read, mut parts) = (json!(0), String::new(), 0);
    while !offset.is_null() {
        let (part, _) = tool(&app, "", "fetch", json!({ "id": id, "offset": offset })).await;
        read.push_str(part["text"].as_str().unwrap());
        offset = part["next_offset"].clone();
        parts += 1;
    }
    assert_eq!(parts, 2);
    assert_eq!(read.trim(), text.trim());
}

#[tokio::test]
async fn who_may_not_read_a_document_hears_nothing_of_it() {
    let app = TestApp::indexed().await;
    let secret = json!({
        "uri": "salaries.md", "text": "# Salaries\n\nThe harbour master earns 90,000 a year.", "principals": ["board"],
    });
    app.indexing(
        app.request("POST", "/v1/documents")
            .bearer_auth("operator")
            .json(&secret),
    )
    .await;
    let (list, query) = ("/v1/documents", json!({ "query": "harbour master salaries" }));
    let found = app.request("GET", list).bearer_auth("operator").send().await.unwrap();
    let found: Value = found.json().await.unwrap();
    let own = |one: &&Value| one["uri"] == "salaries.md";
    let id = found["documents"].as_array().unwrap().iter().find(own).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = json!({ "id": format!("default/{id}") });

    let (seen, _) = tool(&app, "operator", "search", query.clone()).await;
    assert_eq!(seen["results"][0]["url"], "salaries.md", "{seen}");
    assert!(!tool(&app, "operator", "fetch", id.clone()).await.1);
    let (seen, _) = tool(&app, "somebody", "search", query).await;
    assert!(!seen.to_string().contains("90,000"), "{seen}");
    let (words, failed) = tool(&app, "somebody", "fetch", id).await;
    assert!(failed && words.as_str().unwrap().contains("no document"), "{words}");
    let question = json!({ "question": "What does the harbour master earn?", "route": "extractive" });
    let (answer, _) = tool(&app, "somebody", "ask", question).await;
    let told = answer.to_string();
    assert!(!told.contains("90,000") && !told.contains("salaries.md"), "{answer}");
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_to_the_model_that_made_it() {
    let app = TestApp::indexed().await;
    for (name, arguments, words) in [
        ("search", json!({}), "query"),
        ("search", json!({ "query": "a", "limit": 0 }), "/limit"),
        ("search", json!({ "query": "a", "colection": "x" }), "colection"),
        ("search", json!({ "query": "a", "collection": "nowhere" }), "nowhere"),
        ("fetch", json!({ "id": "backup.md" }), "/id"),
        (
            "fetch",
            json!({ "id": "default/00000000-0000-0000-0000-000000000000" }),
            "no document",
        ),
        ("ask", json!({ "question": " " }), "/question"),
        ("ask", json!({ "question": QUESTION, "route": "gpt-9" }), "gpt-9"),
        ("ask", json!({ "question": QUESTION, "route": "broken" }), "boom"),
        (
            "ask",
            json!({ "question": QUESTION, "conversation": "no-such" }),
            "no-such",
        ),
    ] {
        let (told, failed) = tool(&app, "", name, arguments.clone()).await;
        assert!(failed && told.as_str().unwrap().contains(words), "{arguments}: {told}");
    }
    let answer = messages(request(&app, "tools/call", &json!({ "name": "drop", "arguments": {} }))).await;
    let error = &answer.last().unwrap()["error"];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("`search`, `fetch` and `ask`"),
        "{answer:?}"
    );
    let get = app
        .request("GET", "/mcp")
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    assert_eq!(get.status(), 405, "there is no session to listen to");
}

#[tokio::test]
async fn the_tools_want_the_key_and_no_foreign_page_has_them() {
    let mut with_key = settings();
    with_key.api_key = Some("key".into());
    let app = TestApp::with(with_key).await;
    let list = || request(&app, "tools/list", &json!({}));
    assert_eq!(list().send().await.unwrap().status(), 401);
    assert_eq!(list().bearer_auth("other").send().await.unwrap().status(), 401);
    assert_eq!(messages(list().bearer_auth("key")).await.len(), 1);
    let foreign = list().bearer_auth("key").header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn who_waits_is_told_that_it_goes_on_and_who_leaves_stops_the_model() {
    let app = TestApp::indexed().await;
    let call = |route: &str| {
        let arguments = json!({ "question": QUESTION, "route": route });
        let params = json!({ "name": "ask", "arguments": arguments, "_meta": { "progressToken": "t" } });
        request(&app, "tools/call", &params)
    };
    let answer = messages(call("backups")).await;
    assert_eq!(answer[0]["method"], "notifications/progress", "{answer:?}");
    assert_eq!(answer[0]["params"]["progressToken"], "t", "{answer:?}");
    assert!(answer.last().unwrap()["result"].is_object(), "{answer:?}");

    let mut leaving = call("endless").send().await.unwrap();
    leaving.chunk().await.unwrap();
    let listens = async || (app.get("/v1/routes").await.0, app.upstream.listeners());
    eventually(async || (listens().await.1 == 1).then_some(())).await;
    drop(leaving);
    eventually(async || (listens().await.1 == 0).then_some(())).await;
}
