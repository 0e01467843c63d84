//! What is suggested while a reader types.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::library::{open, uris};

async fn suggest(app: &TestApp, query: &str) -> Value {
    let (status, answer) = app.get(&format!("/v1/suggest?{query}")).await;
    assert_eq!(status, 200, "{query} {answer}");
    answer
}

fn texts(answer: &Value) -> Vec<&str> {
    let completions = answer["completions"].as_array().unwrap();
    completions.iter().map(|one| one["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn titles_headings_and_phrases_complete_what_is_typed() {
    let app = open().await;
    let answer = suggest(&app, "q=anch").await;
    assert_eq!(texts(&answer), ["Anchor chains", "Painting the anchor"]);
    assert!(
        uris(&answer).contains(&"anchor.md"),
        "a beginning finds documents, too: {answer}"
    );
    assert_eq!(
        answer["completions"][0],
        json!({ "text": "Anchor chains", "kind": "title", "documents": 1 })
    );
    assert_eq!(
        uris(&suggest(&app, "q=sprin").await)[0],
        "anchor.md",
        "the last word is still being typed"
    );
    assert_eq!(
        texts(&suggest(&app, "q=Painting%20the%20an").await),
        ["Painting the anchor"]
    );
    assert_eq!(
        texts(&suggest(&app, "q=ofice").await),
        ["Office hours"],
        "one letter is missing"
    );
    assert_eq!(texts(&suggest(&app, "q=office%20").await), ["Office hours"]);
    assert_eq!(texts(&suggest(&app, "q=zebra").await), [""; 0]);
    assert_eq!(texts(&suggest(&app, "q=anch&limit=1").await), ["Anchor chains"]);
    assert_eq!(suggest(&app, "q=anch&results=0").await["results"], json!([]));
    let phrase = "The night watch sleeps. A night watch is long. Our night watch ends.";
    app.put(json!({ "uri": "watch.md", "text": format!("# Rota\n\n{phrase}") }))
        .await;
    let answer = suggest(&app, "q=nigh").await;
    assert_eq!(
        answer["completions"][0],
        json!({ "text": "night watch", "kind": "phrase", "documents": 1 })
    );
}

#[tokio::test]
async fn what_may_not_be_read_is_not_suggested() {
    let app = open().await;
    for typed in ["secr", "anchorage", "secret%20anchor", "governor", "sekret"] {
        let answer = suggest(&app, &format!("q={typed}")).await;
        let shown = answer.to_string().to_lowercase();
        assert!(
            !shown.contains("secret") && !shown.contains("anchorage"),
            "{typed}: {shown}"
        );
        assert!(!uris(&answer).contains(&"secret.md"), "{typed}");
    }
    let request = app.request("GET", "/v1/suggest?q=secr").bearer_auth("operator");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(texts(&answer)[0].to_lowercase(), "secret anchorage");
    assert_eq!(
        texts(&answer).len(),
        1,
        "a title, a heading and a phrase of the same words are one"
    );
}

#[tokio::test]
async fn a_removed_title_is_forgotten_at_once() {
    let app = open().await;
    let id = app.document("office.md").await;
    app.delete(&format!("/v1/documents/{id}")).await;
    assert_eq!(texts(&suggest(&app, "q=office").await), [""; 0]);
}

#[tokio::test]
async fn a_wrong_question_is_told() {
    let app = open().await;
    for (query, words) in [
        ("q=", "/q"),
        ("", "missing field `q`"),
        ("q=a&limit=21", "/limit"),
        ("q=a&collection=../x", "/collection"),
        ("q=a&kind=title", "unknown field `kind`"),
    ] {
        let (status, problem) = app.get(&format!("/v1/suggest?{query}")).await;
        assert_eq!(status, 400, "{query}: {problem}");
        assert!(problem.to_string().contains(words), "{query}: {problem}");
    }
    let (status, _) = app.get("/v1/suggest?q=a&collection=nowhere").await;
    assert_eq!(status, 404);
}
