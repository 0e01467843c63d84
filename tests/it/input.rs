//! Bad input: each is answered with a problem that names what is wrong, and the service goes on.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::app::{QUESTION, TestApp, settings};

/// The body limit of these tests, in bytes.
const LIMIT: usize = 64 * 1024;

/// A request that must be refused.
struct Bad<'a> {
    path: &'a str,
    media_type: &'a str,
    body: Vec<u8>,
    status: u16,
    words: &'a str,
}

async fn service() -> TestApp {
    let mut small = settings();
    small.body_bytes = LIMIT;
    let app = TestApp::with(small).await;
    app.index().await;
    app
}

async fn check(app: &TestApp, bad: Bad<'_>) {
    let request = app.request("POST", bad.path).header("content-type", bad.media_type);
    let response = request.body(bad.body).send().await.unwrap();
    let status = response.status().as_u16();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let text = response.text().await.unwrap();
    assert_eq!(status, bad.status, "{}: {text}", bad.words);
    assert_eq!(media_type, "application/problem+json", "{text}");
    assert!(text.contains(bad.words), "`{}` in {text}", bad.words);
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], bad.status, "{text}");
    let kind = problem["type"].as_str().unwrap();
    assert!(kind.starts_with("urn:portolan:problem:"), "{text}");
    goes_on(app).await;
}

async fn goes_on(app: &TestApp) {
    let (status, found) = app.post("/v1/search", &json!({ "query": QUESTION })).await;
    assert_eq!(
        (status, &found["results"][0]["uri"]),
        (200, &json!("backup.md")),
        "{found}"
    );
}

async fn refuse(app: &TestApp, path: &str, body: impl Into<Vec<u8>>, (status, words): (u16, &str)) {
    let bad = Bad {
        path,
        media_type: "application/json",
        body: body.into(),
        status,
        words,
    };
    check(app, bad).await;
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let app = service().await;
    for path in ["/v1/search", "/v1/chat", "/v1/documents"] {
        refuse(&app, path, "", (400, "the body is empty")).await;
        refuse(&app, path, "  \n", (400, "the body is empty")).await;
        refuse(&app, path, "[]", (400, "the body is a list")).await;
        refuse(&app, path, "{", (400, "bad-input")).await;
        refuse(&app, path, b"{\"query\":\"\xff\xfe\"}", (400, "bad-input")).await;
        refuse(&app, path, b"{\"query\":\"a\x00\x07b\"}", (400, "bad-input")).await;
    }
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let app = service().await;
    refuse(&app, "/v1/chat", "{}", (400, "message")).await;
    refuse(&app, "/v1/chat", r#"{"message":5}"#, (400, "\"/message\"")).await;
    refuse(&app, "/v1/chat", r#"{"message":null}"#, (400, "\"/message\"")).await;
    refuse(
        &app,
        "/v1/chat",
        r#"{"message":"a","stream":"yes"}"#,
        (400, "\"/stream\""),
    )
    .await;
    refuse(&app, "/v1/chat", r#"{"message":"a","mesage":"b"}"#, (400, "mesage")).await;
    refuse(
        &app,
        "/v1/chat",
        r#"{"message":"a","route":"gpt"}"#,
        (400, "\"/route\""),
    )
    .await;
    refuse(&app, "/v1/search", r#"{"query":"a","limit":-1}"#, (400, "\"/limit\"")).await;
    refuse(&app, "/v1/search", r#"{"query":"a","limit":101}"#, (400, "\"/limit\"")).await;
    refuse(&app, "/v1/search", r#"{"query":"a","mode":"best"}"#, (400, "\"/mode\"")).await;
    refuse(&app, "/v1/documents", r#"{"uri":"","text":"b"}"#, (400, "\"/uri\"")).await;
}

#[tokio::test]
async fn a_message_without_words_is_refused() {
    let app = service().await;
    for empty in ["", " \\n\\t ", "\\u0000\\u0007\\u001b"] {
        let (chat, search) = (
            format!("{{\"message\":\"{empty}\"}}"),
            format!("{{\"query\":\"{empty}\"}}"),
        );
        refuse(&app, "/v1/chat", chat, (400, "\"/message\"")).await;
        refuse(&app, "/v1/search", search, (400, "\"/query\"")).await;
    }
}

#[tokio::test]
async fn control_characters_between_words_do_no_harm() {
    let app = service().await;
    let ask = json!({ "message": "When does\u{0} the\u{7} backup run\u{1b} every night?" });
    assert_eq!(app.chat(&ask).await.names().last(), Some(&"done"));
}

#[tokio::test]
async fn a_collection_that_does_not_exist_is_not_made() {
    let app = service().await;
    let unknown = r#"{"message":"a","collection":"nowhere"}"#;
    refuse(&app, "/v1/chat", unknown, (404, "no collection named `nowhere`")).await;
    let path = r#"{"message":"a","collection":"../etc"}"#;
    refuse(&app, "/v1/chat", path, (400, "\"/collection\"")).await;
    let (_, list) = app.get("/v1/collections").await;
    assert_eq!(list["collections"].as_array().unwrap().len(), 1, "{list}");
}

#[tokio::test]
async fn a_filter_may_not_be_endlessly_deep() {
    let app = service().await;
    for depth in [200, 5_000] {
        let filter = format!("{}{{}}{}", "{\"not\":".repeat(depth), "}".repeat(depth));
        let body = format!("{{\"query\":\"backup\",\"filter\":{filter}}}");
        refuse(&app, "/v1/search", body, (400, "bad-input")).await;
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let app = service().await;
    let long = format!("{{\"query\":\"{}\"}}", "x".repeat(40_000));
    refuse(&app, "/v1/search", long, (400, "40000 bytes")).await;
    let huge = format!("{{\"message\":\"{}\"}}", "x".repeat(1024 * 1024));
    refuse(&app, "/v1/chat", huge, (413, "65536 bytes")).await;
    let document = format!("{{\"uri\":\"a\",\"text\":\"{}\"}}", "x".repeat(LIMIT + 1));
    refuse(&app, "/v1/documents", document, (413, "the document is larger")).await;
}

/// An upload of files of so many bytes each.
fn upload(sizes: &[usize]) -> Vec<u8> {
    let mut form = String::new();
    for (at, size) in sizes.iter().enumerate() {
        let name = format!("content-disposition: form-data; name=\"f\"; filename=\"{at}.txt\"");
        write!(form, "--X\r\n{name}\r\n\r\n{}\r\n", "y ".repeat(size / 2)).unwrap();
    }
    form.push_str("--X--\r\n");
    form.into_bytes()
}

#[tokio::test]
async fn an_upload_is_taken_up_to_its_limits() {
    let app = service().await;
    let form = |body: Vec<u8>, status, words| Bad {
        path: "/v1/documents",
        media_type: "multipart/form-data; boundary=X",
        body,
        status,
        words,
    };
    check(&app, form(upload(&[LIMIT + 2]), 413, "a file is larger")).await;
    let whole = upload(&[LIMIT, LIMIT, LIMIT, LIMIT]);
    check(&app, form(whole, 413, "the upload as a whole is larger")).await;
    check(&app, form(upload(&[]), 400, "no files")).await;
    check(&app, form(b"--X\r\nbroken".to_vec(), 400, "broken")).await;
    let (_, before) = app.get("/v1/documents").await;
    assert_eq!(before["total"], 2, "nothing of a refused upload stays");
    let request = app.request("POST", "/v1/documents").body(upload(&[LIMIT, 10]));
    let request = request.header("content-type", "multipart/form-data; boundary=X");
    app.indexing(request).await;
    let (_, after) = app.get("/v1/documents").await;
    assert_eq!(after["total"], 4, "an upload within its limits is indexed");
}

#[tokio::test]
async fn another_media_type_is_refused() {
    let app = service().await;
    for (path, media_type) in [
        ("/v1/search", "text/plain"),
        ("/v1/documents", "text/plain"),
        ("/v1/documents", "multipart/form-data"),
    ] {
        let bad = Bad {
            path,
            media_type,
            body: b"{}".to_vec(),
            status: 415,
            words: "wrong-type",
        };
        check(&app, bad).await;
    }
}

#[tokio::test]
async fn a_wrong_route_or_method_is_told() {
    let app = service().await;
    for (method, path, status, words) in [
        ("GET", "/v1/nothing", 404, "no-route"),
        ("GET", "/v1/search", 405, "wrong-method"),
        ("PUT", "/v1/documents", 405, "wrong-method"),
        ("GET", "/v1/documents/%ff", 404, "no-route"),
        ("GET", "/v1/documents/nope", 404, "UUID"),
        ("GET", "/v1/documents?limit=x", 400, "query string"),
        ("GET", "/v1/documents?colection=x", 400, "colection"),
        ("GET", "/v1/jobs/nope", 404, "no job"),
    ] {
        let response = app.request(method, path).send().await.unwrap();
        let headers = response.headers().clone();
        let found = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(found, status, "{method} {path}: {text}");
        assert_eq!(headers["content-type"], "application/problem+json", "{text}");
        assert!(text.contains(words), "{method} {path}: {text}");
        assert_eq!(headers.contains_key("allow"), status == 405, "{method} {path}");
    }
    goes_on(&app).await;
}
