//! What readers think of answers, and the golden questions that come of it.

use serde_json::json;

use crate::app::{QUESTION, TestApp};
use crate::traces::{ask, operator, trace};

#[tokio::test]
async fn what_a_reader_thinks_of_an_answer_is_kept_with_it() {
    let app = TestApp::indexed().await;
    let (bad, good) = (ask(&app, "leave").await, ask(&app, "backups").await);
    let message = trace(&app, &bad).await["message"].as_str().unwrap().to_owned();
    let path = format!("/v1/messages/{message}/feedback");
    let down = json!({ "rating": "down", "comment": " It speaks of leave. " });
    let (status, kept) = app.post(&path, &down).await;
    let given = json!({ "rating": "down", "comment": "It speaks of leave." });
    assert_eq!((status, &kept["feedback"]), (200, &given), "{kept}");
    assert_eq!(trace(&app, &bad).await["feedback"], given);
    assert!(trace(&app, &good).await["feedback"].is_null());
    let (_, list) = app.get("/v1/traces?rating=down").await;
    assert_eq!(
        (list["traces"].as_array().unwrap().len(), &list["traces"][0]["run"]),
        (1, &json!(bad)),
        "{list}"
    );
    let (_, kept) = app.post(&path, &json!({ "rating": "up" })).await;
    assert_eq!(
        kept["feedback"],
        json!({ "rating": "up", "comment": null }),
        "it takes the place of the first"
    );
    assert_eq!(app.get("/v1/traces?rating=down").await.1, json!({ "traces": [] }));
    assert!(app.post(&path, &json!({})).await.1["feedback"].is_null());
    assert!(trace(&app, &bad).await["feedback"].is_null());

    for (body, pointer) in [
        (json!({ "rating": "great" }), "/rating"),
        (json!({ "comment": "hm" }), "/rating"),
        (json!({ "rating": "up", "comment": "x".repeat(5_000) }), "/comment"),
        (json!({ "stars": 5 }), "/stars"),
    ] {
        let (status, problem) = app.post(&path, &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
    assert_eq!(
        operator(&app, "POST", &path, Some(json!({ "rating": "up" }))).await.0,
        404,
        "it is another's answer"
    );
    assert_eq!(
        app.post("/v1/messages/none/feedback", &json!({ "rating": "up" }))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn an_answer_becomes_a_golden_question_in_one_call() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "leave").await;
    let path = format!("/v1/traces/{run}/golden");
    let (status, line) = app.post(&path, &json!({})).await;
    assert_eq!(
        (status, &line["answerable"], &line["question"]),
        (200, &json!(false), &json!(QUESTION)),
        "{line}"
    );
    let quote = "The backup runs every night at two o'clock.";
    let (status, line) = app
        .post(&path, &json!({ "document": "backup.md", "quote": quote }))
        .await;
    let expected = json!({
        "id": run, "question": QUESTION, "answerable": true, "kind": "feedback", "document": "backup.md", "quote": quote,
    });
    assert_eq!((status, line), (200, expected));
    for (body, pointer) in [
        (json!({ "document": "none.md" }), "/document"),
        (json!({ "document": "backup.md", "quote": "at three" }), "/quote"),
        (json!({ "document": "backup.md", "quote": "" }), "/quote"),
        (json!({ "quote": quote }), "/quote"),
        (json!({ "grade": 1 }), "/grade"),
    ] {
        let (status, problem) = app.post(&path, &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
    let (_, own) = operator(
        &app,
        "POST",
        "/v1/chat",
        Some(json!({ "message": QUESTION, "stream": false })),
    )
    .await;
    let foreign = format!("/v1/traces/{}/golden", own["run"].as_str().unwrap());
    assert_eq!(app.post(&foreign, &json!({})).await.0, 404, "it is another's answer");
}
