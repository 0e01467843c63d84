//! Fitting a collection's search to its questions, through the route that the command line uses.

use serde_json::{Value, json};

use crate::app::TestApp;

/// Documents that share most of their words, each with one of its own.
async fn indexed() -> TestApp {
    let app = TestApp::start().await;
    let items = (0..60).map(|at| json!({ "uri": format!("{at}.md"), "text": format!("# Pump {at}\n\nThe pump code{at} runs in hall {}.", at % 7) }));
    for item in items {
        app.put(item).await;
    }
    app
}

fn body() -> Value {
    let question = |at: u32| {
        let uri = format!("{at}.md");
        json!({ "id": at.to_string(), "text": format!("Where does code{at} run?"), "wanted": { uri: 1.0 } })
    };
    json!({ "collection": "default", "questions": (0..60).map(question).collect::<Vec<_>>(), "halvings": 2 })
}

async fn tune(app: &TestApp, body: &Value) -> (u16, Value) {
    let response = app
        .request("POST", "/v1/tune")
        .bearer_auth("operator")
        .json(body)
        .send();
    let response = response.await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The fused score of the first result, as it is written.
async fn fused(app: &TestApp) -> Value {
    let body = json!({ "query": "Where does code7 run?", "explain": true });
    let (_, found) = app.post("/v1/search", &body).await;
    let score = &found["results"][0]["scores"]["fused"];
    assert!(score.is_f64(), "{found}");
    score.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_halves_are_told_and_only_a_real_run_changes_the_search() {
    let app = indexed().await;
    let mut body = body();
    body["dry_run"] = json!(true);
    let before = fused(&app).await;
    let (status, report) = tune(&app, &body).await;
    assert_eq!(status, 200, "{report}");
    let fusion = &report["fusion"];
    let [fitted, held] = ["fitted_half", "held_out_half"].map(|half| fusion[half]["questions"].as_u64().unwrap());
    assert_eq!(fitted + held, 60);
    assert!(
        fusion["held_out_half"]["p"].is_number() && fusion["halvings"]["times"] == 2,
        "{report}"
    );
    assert_eq!(report["written"], false);
    assert_eq!(fused(&app).await, before);

    body["dry_run"] = json!(false);
    let (_, written) = tune(&app, &body).await;
    assert_eq!(
        (&written["fusion"], &written["written"]),
        (&report["fusion"], &json!(true))
    );
    let settings = app.engine.collection("default").unwrap().settings();
    assert_eq!(json!(settings.fusion), report["fusion"]["kept"]);
    let is_default = report["fusion"]["kept"] == json!(portolan::index::Fusion::default());
    assert_eq!(fused(&app).await == before, is_default, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learned_fusion_is_searched_with() {
    let app = indexed().await;
    let collection = app.engine.collection("default").unwrap();
    // Nothing but the share of the words that a passage holds.
    let weights = json!({ "kind": "learned", "lexical": 0.0, "vector": 0.0, "lexical_log": 0.0, "coverage": 1.0 });
    collection.change_settings(json!({ "fusion": weights })).unwrap();
    let body = json!({ "query": "pump code7", "limit": 2 });
    let (_, found) = app.post("/v1/search", &body).await;
    assert_eq!(found["results"][0]["uri"], "7.md", "{found}");
    let scores = [0, 1].map(|at: usize| found["results"][at]["scores"]["fused"].as_f64().unwrap());
    assert!(scores[0] > scores[1] && scores[1] < 0.0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_is_told() {
    let app = indexed().await;
    let (status, _) = app.post("/v1/tune", &body()).await;
    assert_eq!(status, 403);
    let check = async |change: Value, expected: u16, words: &str| {
        let mut body = body();
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (status, problem) = tune(&app, &body).await;
        assert_eq!(status, expected, "{problem}");
        assert!(problem.to_string().contains(words), "{problem}");
    };
    check(
        json!({ "collection": "none" }),
        404,
        "portolan index PATH --collection none",
    )
    .await;
    check(json!({ "questions": [{ "text": " " }] }), 400, "/questions/0/text").await;
    let wordless = json!({ "questions": [{ "text": "a", "quote": "" }] });
    check(wordless, 400, "/questions/0/quote").await;
    check(
        json!({ "questions": [{ "text": "x", "wanted": { "y.md": 1 } }] }),
        400,
        "none of the documents",
    )
    .await;
    check(json!({ "halvings": 1_000 }), 400, "it goes to 100").await;
    check(json!({ "weights": 1 }), 400, "weights").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_questions_the_headings_ask() {
    let app = TestApp::start().await;
    for at in 0..50 {
        let text = format!("# Pump {at}\n\nIt stands.\n\n## Care of {at}\n\nOil code{at}.");
        app.put(json!({ "uri": format!("{at}.md"), "text": text })).await;
    }
    let (status, report) = tune(&app, &json!({ "collection": "default" })).await;
    assert_eq!(
        (status, &report["made"], &report["questions"]),
        (200, &json!(true), &json!(50)),
        "{report}"
    );
}
