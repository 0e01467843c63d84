//! Who may call, and what surrounds each answer: keys, hosts, origins, places and headers.

use serde_json::json;

use crate::app::{QUESTION, TestApp, settings};

type Headers<'a> = &'a [(&'a str, &'a str)];

/// A search, or a GET of another path, with those headers.
async fn check(app: &TestApp, path: &str, headers: Headers<'_>, (status, words): (u16, &str)) {
    let mut request = match path {
        "/v1/search" => app.request("POST", path).json(&json!({ "query": QUESTION })),
        _ => app.request("GET", path),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let found = response.status();
    assert_eq!(
        response.headers().contains_key("www-authenticate"),
        found == 401,
        "{path}"
    );
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key("x-request-id"));
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{path} {headers:?}: {text}");
    assert!(text.contains(words), "{path} {headers:?}: {text}");
}

#[tokio::test]
async fn a_service_with_a_key_wants_it_for_everything_but_pages_and_probes() {
    let mut keyed = settings();
    keyed.api_key = Some("k".into());
    let app = TestApp::with(keyed).await;
    app.engine.open_collection("default").await.unwrap();
    let wrong = [("authorization", "Bearer x")];
    let right = [("authorization", "bearer k"), ("host", "any.example")];
    check(&app, "/v1/search", &[], (401, "no-key")).await;
    check(&app, "/v1/search", &wrong, (401, "no-key")).await;
    check(&app, "/v1/search", &right, (200, "results")).await;
    check(&app, "/metrics", &[], (401, "no-key")).await;
    check(&app, "/v1/nothing", &[], (401, "no-key")).await;
    check(&app, "/v1/models", &[], (401, "\"error\"")).await;
    check(&app, "/healthz", &[], (200, "")).await;
    check(&app, "/readyz", &[], (200, "")).await;
}

#[tokio::test]
async fn a_service_without_a_key_keeps_foreign_pages_out() {
    let app = TestApp::indexed().await;
    let foreign_name = [("host", "evil.example")];
    for path in ["/healthz", "/metrics", "/v1/routes", "/v1/models", "/v1/search"] {
        check(&app, path, &[("host", "localhost:8080")], (200, "")).await;
        check(&app, path, &[("host", "docs.example")], (200, "")).await;
        check(&app, path, &foreign_name, (421, "evil.example")).await;
    }
    let foreign = [("host", "localhost:1"), ("origin", "http://evil.example")];
    let own = [("host", "localhost:1"), ("origin", "http://localhost:1")];
    check(&app, "/v1/search", &foreign, (403, "foreign-origin")).await;
    check(&app, "/v1/search", &own, (200, "results")).await;
}

#[tokio::test]
async fn only_the_operator_indexes_paths() {
    let app = TestApp::start().await;
    let ask = |path: &str| {
        let body = json!({ "path": path, "collection": "default" });
        app.request("POST", "/v1/index").json(&body)
    };
    assert_eq!(ask("/tmp").send().await.unwrap().status(), 403);
    let relative = ask("a").bearer_auth("operator").send().await.unwrap();
    assert_eq!(relative.status(), 400);
    let absent = ask("/does/not/exist").bearer_auth("operator").send().await.unwrap();
    assert_eq!(absent.status(), 400);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.md"), "# A\n\nAnchors are red.").unwrap();
    let good = ask(folder.path().to_str().unwrap()).bearer_auth("operator");
    app.indexing(good).await;
    app.document("a.md").await;
}

#[tokio::test]
async fn a_full_service_says_when_to_come_back() {
    let mut full = settings();
    (full.searches, full.streams) = (0, 0);
    let app = TestApp::with(full).await;
    for (path, field, words) in [
        ("/v1/search", "query", "too many searches"),
        ("/v1/chat", "message", "too many answers"),
    ] {
        let request = app.request("POST", path).json(&json!({ field: "a" }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(response.text().await.unwrap().contains(words));
    }
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let app = TestApp::start().await;
    let request = app.request("GET", "/v1/nothing").header("x-request-id", "abc");
    assert_eq!(request.send().await.unwrap().headers()["x-request-id"], "abc");
}

/// Status, media type and text of a GET that says what it accepts.
async fn visit(app: &TestApp, path: &str, accept: &str) -> (u16, String, String) {
    let response = app.request("GET", path).header("accept", accept).send().await.unwrap();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    (response.status().as_u16(), media_type, response.text().await.unwrap())
}

#[tokio::test]
async fn the_page_is_at_the_root_and_nowhere_else() {
    let app = TestApp::start().await;
    let browser = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
    let (status, media_type, _) = visit(&app, "/", browser).await;
    assert_eq!((status, media_type.as_str()), (200, "text/html; charset=utf-8"));
    for path in ["/docs", "/search", "/chat/abc", "/assets/none.js"] {
        let (status, media_type, text) = visit(&app, path, "*/*").await;
        assert_eq!(
            (status, media_type.as_str()),
            (404, "application/problem+json"),
            "{path}"
        );
        assert!(text.contains("urn:portolan:problem:"), "{text}");
        let (status, media_type, text) = visit(&app, path, browser).await;
        assert_eq!(
            (status, media_type.as_str()),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
        assert!(text.contains("href=\"/\"") && !text.contains("<script"), "{text}");
    }
    // Programs get what they can read, whatever they say.
    let (_, media_type, _) = visit(&app, "/v1/nothing", browser).await;
    assert_eq!(media_type, "application/problem+json");
}

#[tokio::test]
async fn a_service_that_stops_is_not_ready() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/readyz").await.0, 200);
    app.engine.stop();
    let response = app.request("GET", "/readyz").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(response.text().await.unwrap().contains("stopping"));
    assert_eq!(app.get("/healthz").await.0, 200);
}
