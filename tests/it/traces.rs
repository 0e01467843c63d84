//! How answers came about, their evidence made again, and what readers think of them.

use std::sync::Arc;

use portolan::config::Traces;
use portolan::engine::Parts;
use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp, WordHash, folder, settings};
use crate::cli;

/// The id of an answer's run, on that route.
pub async fn ask(app: &TestApp, route: &str) -> String {
    let events = app.chat(&json!({ "message": QUESTION, "route": route })).await;
    events.data("started")["run"].as_str().unwrap().to_owned()
}

pub async fn trace(app: &TestApp, run: &str) -> Value {
    let (status, trace) = app.get(&format!("/v1/traces/{run}")).await;
    assert_eq!(status, 200, "{trace}");
    trace
}

async fn replay(app: &TestApp, run: &str, changes: Value) -> Value {
    let (status, replayed) = app.post(&format!("/v1/traces/{run}/replay"), &changes).await;
    assert_eq!(status, 200, "{replayed}");
    replayed
}

/// Status and answer for the operator.
pub async fn operator(app: &TestApp, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = app.request(method, path).bearer_auth("operator");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn keeping(traces: Traces) -> TestApp {
    let change = |parts, _: &_| Parts { traces, ..parts };
    let app = TestApp::made(folder(), settings(), Arc::new(WordHash), change).await;
    app.index().await;
    app
}

#[tokio::test]
async fn a_trace_tells_each_step_of_an_answer() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let trace = trace(&app, &run).await;
    assert_eq!(
        (&trace["run"], &trace["asked"]["message"]),
        (&json!(run), &json!(QUESTION))
    );
    assert_eq!(trace["asked"]["question"], QUESTION);
    assert_eq!(trace["asked"]["collections"], json!(["default"]));
    assert_eq!(
        trace["route"],
        json!({ "name": "backups", "reason": "asked for by name", "model": "backups" })
    );
    let steps: Vec<&str> = trace["search"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert!(
        ["lexical", "vector", "fuse"].iter().all(|name| steps.contains(name)),
        "{steps:?}"
    );
    let gate = &trace["gate"];
    assert_eq!(gate["outcome"], "answered", "{trace}");
    assert!(gate["support"].as_f64() > gate["decline_below"].as_f64(), "{trace}");
    let first = &trace["evidence"][0];
    assert_eq!(
        (&first["number"], &first["rank"], &first["uri"]),
        (&json!(1), &json!(1), &json!("backup.md"))
    );
    assert_eq!(first["scores"]["lexical_rank"], 1, "{first}");
    assert!(first["text"].as_str().unwrap().contains("two o'clock"), "{first}");
    let packing = &trace["packing"];
    assert_eq!(
        packing["packed"],
        trace["evidence"].as_array().unwrap().len(),
        "{trace}"
    );
    assert!(packing["tokens"].as_u64() <= packing["budget"].as_u64(), "{trace}");
    assert_eq!(trace["prompt"]["hash"].as_str().unwrap().len(), 64, "{trace}");
    assert_eq!(trace["evidence_hash"].as_str().unwrap().len(), 64, "{trace}");
    let calls = trace["calls"].as_array().unwrap();
    assert_eq!(
        (calls.len(), &calls[0]["tokens_in"], &calls[0]["finish_reason"]),
        (1, &json!(200), &json!("stop"))
    );
    assert!(
        calls[0]["first_text_ms"].as_u64() <= calls[0]["took_ms"].as_u64(),
        "{trace}"
    );
    assert_eq!(trace["checks"], json!({ "citations": 1, "removed_marks": 0 }));
    assert_eq!(
        (&trace["verdict"], &trace["finish_reason"]),
        (&json!("answered"), &json!("stop"))
    );

    let (_, list) = app.get("/v1/traces?limit=1").await;
    assert_eq!(
        (&list["traces"][0]["run"], &list["traces"][0]["question"]),
        (&json!(run), &json!(QUESTION))
    );
    for id in [format!("resp_{run}"), format!("chatcmpl-{run}")] {
        assert_eq!(app.get(&format!("/v1/traces/{id}")).await.1["run"], json!(run));
    }
}

#[tokio::test]
async fn a_trace_tells_how_an_answer_failed_and_that_none_was_asked_for() {
    let app = TestApp::indexed().await;
    let cut = trace(&app, &ask(&app, "cut").await).await;
    assert_eq!(cut["problem"]["kind"], "cut", "{cut}");
    let calls = cut["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 2, "it was asked to go on: {cut}");
    assert!(calls.iter().all(|call| call["problem"]["kind"] == "cut"), "{cut}");
    assert!(cut["verdict"].is_null() && cut["finish_reason"].is_null(), "{cut}");
    let resumed = trace(&app, &ask(&app, "resuming").await).await;
    assert_eq!(resumed["calls"][1]["finish_reason"], "stop", "{resumed}");
    let unknown = json!({ "message": "What does ERR_9999 mean?", "route": "backups" });
    let events = app.chat(&unknown).await;
    let declined = trace(&app, events.data("started")["run"].as_str().unwrap()).await;
    assert_eq!(
        (&declined["gate"]["outcome"], &declined["calls"]),
        (&json!("declined"), &json!([])),
        "{declined}"
    );
}

#[tokio::test]
async fn the_same_state_gives_the_same_evidence_and_another_one_tells_the_difference() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let same = replay(&app, &run, json!({})).await;
    assert_eq!(
        (&same["identical"], &same["differences"], &same["diff"]),
        (&json!(true), &json!([]), &json!([]))
    );
    assert_eq!(same["evidence_hash"]["before"], same["evidence_hash"]["after"]);
    assert_eq!(app.upstream.requests().len(), 1, "no model is asked again");

    let stricter = replay(&app, &run, json!({ "decline_below": 1.0 })).await;
    let outcome = json!({ "field": "gate.outcome", "before": "answered", "after": "declined" });
    assert!(
        stricter["differences"].as_array().unwrap().contains(&outcome),
        "{stricter}"
    );
    assert_eq!(stricter["identical"], true, "what was packed is the same");
    let other = replay(&app, &run, json!({ "route": "extractive" })).await;
    let route = json!({ "field": "route", "before": "backups", "after": "extractive" });
    assert!(other["differences"].as_array().unwrap().contains(&route), "{other}");
    let lexical = replay(&app, &run, json!({ "mode": "lexical" })).await;
    let mode = json!({ "field": "mode", "before": "hybrid", "after": "lexical" });
    assert!(lexical["differences"].as_array().unwrap().contains(&mode), "{lexical}");
    assert!(
        lexical["diff"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["change"] == "changed"),
        "{lexical}"
    );

    let better = "# Backups at night\n\nThe backup run starts every night at three.";
    app.put(json!({ "uri": "night.md", "text": better })).await;
    let newer = replay(&app, &run, json!({})).await;
    assert_eq!(newer["identical"], false, "{newer}");
    let new: Vec<&Value> = newer["diff"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["change"] == "new")
        .collect();
    assert_eq!((new.len(), &new[0]["before"]), (1, &Value::Null), "{newer}");
    assert!(
        newer["passages"].to_string().contains("starts every night at three"),
        "{newer}"
    );
}

#[tokio::test]
async fn a_follow_up_and_a_filter_are_replayed_as_they_were() {
    let app = TestApp::indexed().await;
    let first = app.chat(&json!({ "message": QUESTION, "route": "backups" })).await;
    let filter = json!({ "not": { "kind": ["memo", "note"] }, "or": [{ "year": { "exists": false } }, { "year": { "gte": 2024 } }] });
    let second = json!({
        "message": "And how long are they kept?", "route": "backups", "filter": filter,
        "conversation": first.data("started")["conversation"],
    });
    let events = app.chat(&second).await;
    let run = events.data("started")["run"].as_str().unwrap();
    let trace = trace(&app, run).await;
    assert_eq!(trace["search"]["turns"], 2, "{trace}");
    assert_ne!(trace["asked"]["question"], trace["asked"]["message"]);
    let same = replay(&app, run, json!({})).await;
    assert_eq!(
        (&same["identical"], &same["differences"]),
        (&json!(true), &json!([])),
        "{same}"
    );
}

#[tokio::test]
async fn an_erased_document_leaves_no_word_in_a_trace() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let id = app.document("backup.md").await;
    assert_eq!(app.delete(&format!("/v1/documents/{id}")).await.0, 200);
    let erased = trace(&app, &run).await;
    let first = &erased["evidence"][0];
    assert_eq!(
        (&first["removed"], &first["number"]),
        (&json!(true), &json!(1)),
        "{erased}"
    );
    for words in ["two o'clock", "thirty days", "backup.md", "Backups"] {
        assert!(!erased.to_string().contains(words), "{words}: {erased}");
    }
    let replayed = replay(&app, &run, json!({})).await;
    assert_eq!(replayed["identical"], false, "{replayed}");
    assert!(!replayed.to_string().contains("thirty days"), "{replayed}");
    for name in ["portolan.sqlite", "portolan.sqlite-wal"] {
        let bytes = std::fs::read(app.data.join(name)).unwrap_or_default();
        let holds = bytes.windows(11).any(|window| window == b"thirty days");
        assert!(!holds, "{name} holds words of an erased document");
    }
}

#[tokio::test]
async fn a_trace_is_for_its_reader_and_for_what_he_may_read_by_now() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let (_, own) = operator(
        &app,
        "POST",
        "/v1/chat",
        Some(json!({ "message": QUESTION, "stream": false })),
    )
    .await;
    let foreign = own["run"].as_str().unwrap();
    assert_eq!(app.get(&format!("/v1/traces/{foreign}")).await.0, 404);
    assert_eq!(
        app.post(&format!("/v1/traces/{foreign}/replay"), &json!({})).await.0,
        404
    );
    let (_, list) = app.get("/v1/traces").await;
    assert_eq!(list["traces"].as_array().unwrap().len(), 1, "{list}");
    let (_, all) = operator(&app, "GET", "/v1/traces", None).await;
    assert_eq!(
        all["traces"].as_array().unwrap().len(),
        2,
        "the operator sees all: {all}"
    );

    let id = app.document("backup.md").await;
    let hidden = Some(json!({ "principals": ["board"] }));
    assert_eq!(
        operator(&app, "PATCH", &format!("/v1/documents/{id}"), hidden).await.0,
        200
    );
    let withheld = trace(&app, &run).await;
    assert_eq!(withheld["evidence"][0]["withheld"], true, "{withheld}");
    assert!(
        !withheld.to_string().contains("two o'clock") && !withheld.to_string().contains("backup.md"),
        "{withheld}"
    );
    let replayed = replay(&app, &run, json!({})).await;
    assert!(!replayed.to_string().contains("two o'clock"), "{replayed}");
    assert_eq!(replayed["identical"], false, "{replayed}");
    let (_, seen) = operator(&app, "GET", &format!("/v1/traces/{run}"), None).await;
    assert!(seen.to_string().contains("two o'clock"), "{seen}");
    let (_, again) = operator(&app, "POST", &format!("/v1/traces/{run}/replay"), Some(json!({}))).await;
    assert_eq!(
        again["identical"], false,
        "it is made for the reader who asked, who may not read it now: {again}"
    );
}

#[tokio::test]
async fn words_and_time_are_kept_as_the_settings_want_it() {
    let silent = keeping(Traces {
        keep_days: 30,
        words: false,
    })
    .await;
    let run = ask(&silent, "broken").await;
    let failed = trace(&silent, &run).await;
    assert_eq!(
        failed["problem"],
        json!({ "kind": "failed", "detail": null }),
        "{failed}"
    );
    let run = ask(&silent, "backups").await;
    let kept = trace(&silent, &run).await;
    assert_eq!(kept["evidence"][0]["scores"]["lexical_rank"], 1, "{kept}");
    for words in [QUESTION, "backup.md", "o'clock", "Backups"] {
        assert!(!kept.to_string().contains(words), "{words}: {kept}");
    }
    let (status, problem) = silent.post(&format!("/v1/traces/{run}/replay"), &json!({})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("words = true"),
        "{problem}"
    );

    let none = keeping(Traces {
        keep_days: 0,
        words: true,
    })
    .await;
    let run = ask(&none, "backups").await;
    let (status, problem) = none.get(&format!("/v1/traces/{run}")).await;
    assert!(
        status == 404 && problem["detail"].as_str().unwrap().contains("[traces]"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_conversation_takes_its_traces_along() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let conversation = trace(&app, &run).await["conversation"].as_str().unwrap().to_owned();
    assert_eq!(app.delete(&format!("/v1/conversations/{conversation}")).await.0, 200);
    assert_eq!(app.get(&format!("/v1/traces/{run}")).await.0, 404);
    assert_eq!(app.get("/v1/traces").await.1, json!({ "traces": [] }));
}

#[tokio::test]
async fn wrong_requests_for_traces_are_told() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    let path = format!("/v1/traces/{run}/replay");
    for (body, pointer) in [
        (json!({ "route": "gpt-9" }), "/route"),
        (json!({ "mode": "magic" }), "/mode"),
        (json!({ "decline_below": 2.0 }), "/decline_below"),
        (json!({ "temperature": 1 }), "/temperature"),
    ] {
        let (status, problem) = app.post(&path, &body).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{problem}"
        );
    }
    assert_eq!(app.post("/v1/traces/none/replay", &json!({})).await.0, 404);
    assert_eq!(app.get("/v1/traces/none").await.0, 404);
    assert_eq!(app.get("/v1/traces?limit=0").await.0, 400);
    assert_eq!(app.get("/v1/traces?rating=5").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_shows_and_replays_traces() {
    let app = TestApp::indexed().await;
    let run = ask(&app, "backups").await;
    app.leave_address();
    let portolan = async |arguments: &[&str]| {
        let (code, out, _) = cli::run(&app.data, &[&["traces"], arguments].concat()).await;
        (code, out)
    };
    let (code, list) = portolan(&[]).await;
    assert!(
        code == Some(0) && list.contains(&run) && list.contains(QUESTION),
        "{list}"
    );
    let (code, shown) = portolan(&["show", &run]).await;
    assert!(
        code == Some(0) && shown.contains("gate        answered") && shown.contains("Backups"),
        "{shown}"
    );
    let (code, same) = portolan(&["replay", &run]).await;
    assert!(code == Some(0) && same.starts_with("identical"), "{same}");
    app.put(json!({ "uri": "night.md", "text": "The backup runs every night at three." }))
        .await;
    let (code, other) = portolan(&["replay", &run]).await;
    assert!(code == Some(1) && other.contains("  new "), "{other}");
    let (code, json) = portolan(&["show", &run, "--json"]).await;
    assert_eq!(
        (code, &serde_json::from_str::<Value>(&json).unwrap()["run"]),
        (Some(0), &json!(run))
    );
    assert_eq!(portolan(&["show", "none"]).await.0, Some(1));
    let (code, line) = portolan(&["golden", &run, "--document", "backup.md"]).await;
    assert_eq!(
        (code, &serde_json::from_str::<Value>(&line).unwrap()["answerable"]),
        (Some(0), &json!(true))
    );
    assert_eq!(portolan(&["--rating", "great"]).await.0, Some(2));
}
