//! A small library for the tests of search: memos of a harbour with departments, dates and readers.

use serde_json::{Value, json};

use crate::app::TestApp;

/// Texts that have `anchor` in common; the last one is only for the operator.
pub async fn open() -> TestApp {
    let app = TestApp::start().await;
    // As long as a chunk, so that what follows is another one.
    let rope = "Ropes and sails are kept dry. ".repeat(70);
    let memo = |uri: &str, text: &str, metadata: Value| json!({ "uri": uri, "text": text, "metadata": metadata });
    let mut all = vec![
        memo(
            "anchor.md",
            &format!(
                "# Anchor chains\n\nThe anchor chain is checked every spring. {rope}\n\n## Painting the anchor\n\n\
                 Each anchor is painted red. {rope}"
            ),
            json!({ "department": "Deck", "date": "2025-06-01", "size": 3, "tags": ["iron", "paint"] }),
        ),
        memo(
            "buoy.md",
            "# Buoys\n\nA buoy has an anchor of its own and a lamp.",
            json!({ "department": "Deck", "date": "2023-01-15", "size": 12, "tags": ["iron"] }),
        ),
        memo(
            "office.md",
            "# Office hours\n\nAsk the office about the anchor fees between nine and five.",
            json!({ "department": "Office", "date": "2024-03-01", "size": "large" }),
        ),
        memo(
            "stray.md",
            "# Stray notes\n\nAn anchor was found near the pier.",
            json!({}),
        ),
        memo(
            "lamp.md",
            "# Lamps\n\nLamps are cleaned on Mondays.",
            json!({ "department": "Deck" }),
        ),
    ];
    let mut secret = memo(
        "secret.md",
        "# Secret anchorage\n\nThe anchor of the governor is made of gold. Secret anchorage plans, secret anchorage \
         dates, secret anchorage fees.",
        json!({ "department": "Governor", "date": "2025-06-30", "tags": ["gold"] }),
    );
    secret["principals"] = json!(["governor"]);
    all.push(secret);
    for document in all {
        app.put(document).await;
    }
    app
}

/// A search that must succeed.
pub async fn search(app: &TestApp, body: Value) -> Value {
    let (status, found) = app.post("/v1/search", &body).await;
    assert_eq!(status, 200, "{body} {found}");
    found
}

/// The same for the operator, who may read everything.
pub async fn search_all(app: &TestApp, body: &Value) -> Value {
    let request = app.request("POST", "/v1/search").bearer_auth("operator").json(body);
    request.send().await.unwrap().json().await.unwrap()
}

/// The URIs of the results, in order.
pub fn uris(found: &Value) -> Vec<&str> {
    results(found).iter().map(|one| one["uri"].as_str().unwrap()).collect()
}

/// The results.
pub fn results(found: &Value) -> &Vec<Value> {
    found["results"].as_array().unwrap()
}

/// The text of a byte range.
pub fn at<'a>(text: &'a Value, range: &Value) -> &'a str {
    let end = |at: usize| range[at].as_u64().unwrap() as usize;
    &text.as_str().unwrap()[end(0)..end(1)]
}
