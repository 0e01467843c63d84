//! What a reader can type, through the public route: identifiers, phrases, exclusions, fields, typos, synonyms.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::TestApp;

/// Of typos, this share must lead to the right document among the first three.
const TYPOS_FOUND: f64 = 0.95;

/// A line of fixtures/exact.jsonl or fixtures/typos.jsonl.
#[derive(Deserialize)]
struct Question {
    id: String,
    #[serde(default)]
    kind: String,
    query: String,
    document: String,
    /// What the first passage must hold.
    #[serde(default)]
    holds: String,
    /// What no passage may hold.
    without: Option<String>,
}

fn questions(file: &str) -> Vec<Question> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A service with the documents of fixtures/corpus.
async fn with_corpus() -> TestApp {
    let app = TestApp::start().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let request = app.request("POST", "/v1/index").bearer_auth("operator");
    app.indexing(request.json(&json!({ "path": path, "collection": "default" })))
        .await;
    app
}

async fn search(app: &TestApp, body: &Value) -> Value {
    let (status, found) = app.post("/v1/search", body).await;
    assert_eq!(status, 200, "{body}: {found}");
    found
}

fn uris(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    results.iter().map(|result| result["uri"].as_str().unwrap()).collect()
}

/// All that is searched of a passage, in lower case with single spaces.
fn whole(passage: &Value) -> String {
    let text = format!(
        "{} {} {}",
        passage["title"],
        passage["heading_path"],
        passage["text"].as_str().unwrap()
    );
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn exact_questions_find_the_right_passage_first() {
    let app = with_corpus().await;
    let all = questions("exact.jsonl");
    assert!(all.len() >= 150, "{} questions", all.len());
    let mut faults = Vec::new();
    for mode in ["hybrid", "lexical"] {
        for question in &all {
            let found = search(&app, &json!({ "query": question.query, "mode": mode, "limit": 20 })).await;
            let passages = found["results"].as_array().unwrap();
            let right = |passage: &Value| {
                passage["uri"] == question.document.as_str() && whole(passage).contains(&question.holds.to_lowercase())
            };
            let excluded = |word: &String| passages.iter().any(|passage| whole(passage).contains(word));
            // What an exclusion leaves is put in order by both legs, and the vectors of this test know no order.
            let first = passages.first().is_some_and(right) || (mode == "hybrid" && question.kind == "exclusion");
            if !first || question.without.as_ref().is_some_and(excluded) {
                faults.push(format!(
                    "{mode} {} `{}`: {:?}",
                    question.id,
                    question.query,
                    uris(&found)
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}: {faults:#?}", faults.len(), all.len() * 2);
}

#[tokio::test]
async fn mistyped_questions_find_the_right_document_among_three() {
    let app = with_corpus().await;
    let all = questions("typos.jsonl");
    assert!(all.len() >= 100, "{} questions", all.len());
    let mut faults = Vec::new();
    for question in &all {
        let found = search(
            &app,
            &json!({ "query": question.query, "mode": "lexical", "limit": 10 }),
        )
        .await;
        let mut documents = uris(&found);
        documents.dedup();
        if !documents.iter().take(3).any(|uri| *uri == question.document) {
            faults.push(format!(
                "{} `{}` {}: {documents:?}",
                question.id, question.query, question.document
            ));
        }
    }
    let share = 1.0 - faults.len() as f64 / all.len() as f64;
    println!("{share:.3} of {} found, not: {faults:#?}", all.len());
    assert!(share >= TYPOS_FOUND, "{share:.3}, {faults:#?}");
}

#[tokio::test]
async fn exclusions_and_fields_hold_in_every_mode() {
    let app = TestApp::start().await;
    let put = async |uri: &str, text: &str, department: &str| {
        let metadata = json!({ "department": department });
        app.put(json!({ "uri": uri, "text": text, "metadata": metadata })).await;
    };
    put("a.md", "Reset the password of a colleague.", "IT").await;
    put("b.md", "Reset the passwords of all colleagues.", "hr").await;
    put("c.md", "Reset the clock of the tide gauge.", "hr").await;
    let check = async |query: &str, expected: &[&str]| {
        for mode in ["hybrid", "lexical", "vector"] {
            let found = search(&app, &json!({ "query": query, "mode": mode })).await;
            let mut seen = uris(&found);
            seen.sort_unstable();
            assert_eq!(seen, expected, "{mode} `{query}`");
        }
    };
    check("reset -password", &["c.md"]).await;
    check("reset -\"of all\"", &["a.md", "c.md"]).await;
    check("reset \"tide gauge\"", &["c.md"]).await;
    check("reset department:hr", &["b.md", "c.md"]).await;
    check("reset department:Hr", &["b.md", "c.md"]).await;
    check("reset department:it", &["a.md"]).await;
    check("reset -department:hr", &["a.md"]).await;
    check("reset department:hr -clock", &["b.md"]).await;
    check("reset std::string note: http://x", &["a.md", "b.md", "c.md"]).await;
    check("-password", &[]).await;
    check("-password -\"tide gauge\"", &[]).await;
    check("reset \"gauge tide\"", &[]).await;
}

#[tokio::test]
async fn the_answer_tells_what_a_word_was_read_as() {
    let app = TestApp::indexed().await;
    let found = search(&app, &json!({ "query": "nigth bakcup" })).await;
    assert_eq!(found["results"][0]["uri"], "backup.md", "{found}");
    let corrections = json!([
        { "word": "nigth", "read_as": ["night"] },
        { "word": "bakcup", "read_as": ["backup"] },
    ]);
    assert_eq!(found["corrections"], corrections);
    let text = found["results"][0]["text"].as_str().unwrap();
    let marks = found["results"][0]["highlights"].as_array().unwrap();
    let marked = marks
        .iter()
        .map(|mark| &text[mark[0].as_u64().unwrap() as usize..mark[1].as_u64().unwrap() as usize]);
    assert!(marked.into_iter().any(|word| word == "night"), "{found}");
    let found = search(&app, &json!({ "query": "backup" })).await;
    assert_eq!(found["corrections"], json!([]));
}

#[tokio::test]
async fn a_word_that_is_being_typed_is_found_by_its_beginning() {
    let app = TestApp::indexed().await;
    let lexical = async |query: &str, typing: bool| {
        let body = json!({ "query": query, "typing": typing, "mode": "lexical" });
        uris(&search(&app, &body).await)
            .into_iter()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(lexical("every emplo", true).await[0], "leave.md");
    assert_eq!(lexical("emplo", true).await, ["leave.md"]);
    assert!(lexical("emplo ", true).await.is_empty());
    assert!(lexical("emplo", false).await.is_empty());
}

#[tokio::test]
async fn synonyms_are_set_for_one_collection() {
    let app = TestApp::indexed().await;
    let path = "/v1/collections/default/settings";
    let lexical = json!({ "query": "vacation", "mode": "lexical" });
    assert!(uris(&search(&app, &lexical).await).is_empty());
    let (_, unset) = app.get(path).await;
    assert_eq!(unset["synonyms"], json!([]));
    let put = async |body: Value| {
        let request = app.request("PUT", path).bearer_auth("operator");
        let response = request.json(&body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    let change = json!({ "synonyms": [["vacation", "paid leave"]] });
    let without_token = app.request("PUT", path).json(&change).send().await.unwrap();
    assert_eq!(without_token.status(), 403);
    assert_eq!(app.get(path).await.1, unset);
    let mut settings = unset;
    settings["synonyms"] = change["synonyms"].clone();
    assert_eq!(put(change).await, (200, settings.clone()));
    assert_eq!(put(json!({})).await, (200, settings.clone()));
    assert_eq!(app.get(path).await, (200, settings));
    assert_eq!(uris(&search(&app, &lexical).await), ["leave.md"]);
    for (body, pointer) in [
        (json!({ "synonyms": [["alone"]] }), "/synonyms/0"),
        (json!({ "synonyms": [["a", "?"]] }), "/synonyms/0/1"),
        (json!({ "synonims": [] }), "/synonims"),
    ] {
        let (status, problem) = put(body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
    assert_eq!(app.get("/v1/collections/nowhere/settings").await.0, 404);
}

#[tokio::test]
async fn a_question_finds_documents_of_its_language() {
    let app = TestApp::start().await;
    let german = "Die H\u{e4}user am Hafen werden jedes Jahr von den Bewohnern der Stadt gestrichen.";
    let japanese = "\u{6e2f}\u{306e}\u{6d77}\u{56f3}\u{306f}\u{6771}\u{4eac}\u{99c5}\u{306e}\u{524d}\u{3067}\u{8cb7}\u{3048}\u{307e}\u{3059}\u{3002}";
    app.put(json!({ "uri": "de.txt", "text": german })).await;
    app.put(json!({ "uri": "ja.txt", "text": japanese })).await;
    for (query, expected) in [
        ("wo steht das Haus?", "de.txt"),
        ("H\u{c4}USERN", "de.txt"),
        ("\u{6771}\u{4eac}", "ja.txt"),
        ("\u{99c5}", "ja.txt"),
        ("\"\u{6d77}\u{56f3}\"", "ja.txt"),
    ] {
        let found = search(&app, &json!({ "query": query, "mode": "lexical" })).await;
        assert_eq!(uris(&found), [expected], "{query}");
    }
}

#[tokio::test]
async fn hostile_queries_are_answered() {
    let app = TestApp::indexed().await;
    let texts = [
        "the of and ".repeat(2_900),
        "\u{1f600}\u{200d}".repeat(4_000),
        "(a+)+$ [x-z]{99999} .*.*".repeat(1_000),
        "\"".repeat(10_000),
        "-\"".repeat(10_000),
        "-".repeat(10_000),
        "((-".repeat(5_000),
        "backup ".repeat(4_000),
        "field:\"".repeat(3_000),
    ];
    for text in &texts {
        let (status, found) = app.post("/v1/search", &json!({ "query": text, "typing": true })).await;
        assert_eq!(status, 200, "{found}");
    }
    let (status, problem) = app
        .post("/v1/search", &json!({ "query": "word ".repeat(50_000) }))
        .await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/query")));
    let endless = json!({ "query": "word ".repeat(100_000) });
    assert_eq!(app.post("/v1/search", &endless).await.0, 413);
}
