//! A model's other words beside the question's own, in searches and answers, and what happens when they do not come.

use serde_json::{Value, json};

use crate::app::TestApp;

/// What `rewording` writes has words of `leave.md`, what is asked has none.
const QUESTION: &str = "vacation entitlement";

async fn search(app: &TestApp, body: Value) -> Value {
    let (status, found) = app.post("/v1/search", &body).await;
    assert_eq!(status, 200, "{body}: {found}");
    found
}

fn uris(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    results.iter().map(|result| result["uri"].as_str().unwrap()).collect()
}

/// A search by words alone, so that nothing is found by chance.
fn by_words(query: &str, route: &str) -> Value {
    json!({ "query": query, "mode": "lexical", "expand": "queries", "route": route, "explain": true })
}

#[tokio::test]
async fn other_words_find_what_the_own_words_do_not() {
    let app = TestApp::indexed().await;
    let plain = search(&app, json!({ "query": QUESTION, "mode": "lexical" })).await;
    assert_eq!(uris(&plain), [""; 0]);
    let found = search(&app, by_words(QUESTION, "rewording")).await;
    // `days` is in both.
    assert_eq!(uris(&found), ["leave.md", "backup.md"]);
    assert_eq!(found["degraded"], json!([]));
    assert!(found["results"][0]["scores"]["expanded"].is_number(), "{found}");
    let steps = found["trace"]["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == "expand").unwrap();
    assert_eq!(step["count"], 2);
    let asked = app.upstream.requests();
    assert_eq!(asked.len(), 1, "the model is asked once");
    let said = &asked[0]["messages"];
    assert!(said[0]["content"].as_str().unwrap().contains("three other queries"));
    assert_eq!(said[1]["content"], QUESTION);

    let passage = json!({ "query": QUESTION, "expand": "passage", "route": "rewording", "limit": 1 });
    let found = search(&app, passage).await;
    assert_eq!(uris(&found), ["leave.md"]);
    let said = &app.upstream.requests()[1]["messages"];
    assert!(
        said[0]["content"]
            .as_str()
            .unwrap()
            .contains("the passage of a document")
    );
}

#[tokio::test]
async fn the_own_words_stay_first_and_their_demands_hold() {
    let app = TestApp::indexed().await;
    let found = search(&app, by_words("backup", "rewording")).await;
    assert_eq!(uris(&found), ["backup.md", "leave.md"]);
    for demanding in ["backup -carried", "backup \"every night\""] {
        let found = search(&app, by_words(demanding, "rewording")).await;
        assert_eq!(uris(&found), ["backup.md"], "{demanding}");
    }
    let mut filtered = by_words("backup", "rewording");
    filtered["filter"] = json!({ "department": "hr" });
    assert_eq!(uris(&search(&app, filtered).await), [""; 0]);
}

#[tokio::test]
async fn without_the_model_the_own_words_answer_and_say_so() {
    let app = TestApp::indexed().await;
    let plain = search(&app, json!({ "query": "backup", "mode": "lexical" })).await;
    for route in ["silent", "broken", "refused", "cut", "wordless"] {
        let found = search(&app, by_words("backup", route)).await;
        assert_eq!(
            (uris(&found), &found["degraded"]),
            (uris(&plain), &json!(["expand"])),
            "{route}"
        );
        assert_eq!(found["results"][0]["scores"], plain["results"][0]["scores"], "{route}");
    }
}

#[tokio::test]
async fn an_answer_is_searched_for_with_other_words_too() {
    let app = TestApp::indexed().await;
    let sources = async |expand: Value, route: &str| {
        let body = json!({ "message": QUESTION, "route": route, "expand": expand });
        let events = app.chat(&body).await;
        let passages = events.data("sources")["passages"].as_array().unwrap().clone();
        (passages[0]["uri"].clone(), events.data("started").clone())
    };
    let (first, started) = sources(json!("queries"), "rewording").await;
    assert_eq!((first, &started["degraded"]), (json!("leave.md"), &Value::Null));
    assert_eq!(started["question"], QUESTION);
    // Another model writes the words where none writes the answer.
    let before = app.upstream.requests().len();
    sources(json!("passage"), "extractive").await;
    assert_eq!(app.upstream.requests()[before..].len(), 1);
    let (_, started) = sources(json!("queries"), "limited").await;
    assert_eq!(started["degraded"], json!(["expand"]));
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_at_its_place() {
    let app = TestApp::indexed().await;
    for (body, pointer) in [
        (json!({ "query": "a", "expand": "poem" }), "/expand"),
        (
            json!({ "query": "a", "expand": "passage", "mode": "lexical" }),
            "/expand",
        ),
        (
            json!({ "query": "a", "expand": "queries", "route": "extractive" }),
            "/route",
        ),
        (
            json!({ "query": "a", "expand": "queries", "route": "keyless" }),
            "/route",
        ),
        (json!({ "query": "a", "route": "rewording" }), "/route"),
    ] {
        let (status, problem) = app.post("/v1/search", &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{body}: {problem}"
        );
    }
    let (status, _) = app.post("/v1/chat", &json!({ "message": "a", "expand": "poem" })).await;
    assert_eq!(status, 400);
    assert!(app.upstream.requests().is_empty());
}
