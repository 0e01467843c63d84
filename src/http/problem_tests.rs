//! What bad input and failures look like to the caller.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;
use crate::http::search_body::SearchBody;
use crate::http::wire::ChatBody;

fn fault<T: DeserializeOwned>(body: &[u8]) -> (String, String) {
    match parse::<T>(body) {
        Err(Error::BadInput { mut faults, .. }) => {
            let fault = faults.remove(0);
            (fault.pointer, fault.detail)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("{} was accepted", String::from_utf8_lossy(body)),
    }
}

fn bad(body: &str, pointer: &str, words: &str) {
    let (found, detail) = fault::<SearchBody>(body.as_bytes());
    assert_eq!(found, pointer, "{body}: {detail}");
    assert!(detail.contains(words), "{body}: {detail}");
}

#[test]
fn bad_json_is_told_with_its_place() {
    bad("", "", "the body is empty");
    bad("  \n", "", "the body is empty");
    bad("[\"words\"]", "", "is a list");
    bad("nonsense", "", "this is not JSON");
    bad("{\"query\": \"a\"", "/query", "ends too early, at line 1, column 13");
    bad("{\"query\":\n  \"a\" \"b\"}", "/query", "at line 2, column 7");
    bad("{}", "/query", "missing field `query`");
    bad("{\"limit\": 3}", "/query", "missing field `query`");
    bad(
        "{\"query\": 7}",
        "/query",
        "invalid type: integer `7`, expected a string",
    );
    bad(
        "{\"query\": \"a\", \"limit\": -1}",
        "/limit",
        "expected a whole number from 0",
    );
    bad(
        "{\"query\": \"a\", \"limit\": 1.5, \"offset\": 0}",
        "/limit",
        "expected a whole number from 0",
    );
    bad(
        "{\"query\": \"a\", \"explain\": \"yes\"}",
        "/explain",
        "expected true or false",
    );
    bad(
        "{\"query\": \"a\", \"collection\": [1]}",
        "/collection",
        "expected a string or a list of strings",
    );
    bad(
        "{\"query\": \"a\", \"x/y\": 1}",
        "/x~1y",
        "unknown field `x/y`, expected one of `query`",
    );
    bad("{\"query\": \"a\", \"query\": \"b\"}", "/query", "duplicate field");
}

#[test]
fn nesting_without_end_is_refused_with_words() {
    let body = format!("{{\"query\": \"a\", \"filter\": {}1", "{\"not\":".repeat(100_000));
    let (pointer, detail) = fault::<SearchBody>(body.as_bytes());
    assert!(pointer.starts_with("/filter/not/not"), "{pointer}");
    assert!(detail.contains("deeper than 128 levels"), "{detail}");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let (_, detail) = fault::<ChatBody>(b"{\"message\": \"\xff\xfe\"}");
    assert!(detail.contains("at line 1"), "{detail}");
}

fn check(error: &Error, status: u16, kind: &str, retry_after: Option<&str>) {
    let response = Problem::from(error).into_response();
    assert_eq!(response.status().as_u16(), status, "{error}");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let wait = response
        .headers()
        .get(header::RETRY_AFTER)
        .map(|wait| wait.to_str().expect("ascii"));
    assert_eq!(wait, retry_after, "{error}");
    let problem = response
        .extensions()
        .get::<Problem>()
        .expect("the problem travels along");
    assert_eq!(problem.kind, kind);
}

#[test]
fn every_error_has_its_status() {
    let overloaded = |millis| Error::Overloaded {
        detail: "full".into(),
        retry_after: Duration::from_millis(millis),
    };
    check(&Error::bad_input("/limit", "no"), 400, "bad-input", None);
    check(&Error::NotFound("no".into()), 404, "not-found", None);
    check(&Error::Conflict("no".into()), 409, "conflict", None);
    check(&Error::Forbidden("no".into()), 403, "forbidden", None);
    check(&overloaded(1_001), 503, "overloaded", Some("2"));
    check(&overloaded(0), 503, "overloaded", Some("1"));
    check(&Error::Storage("no".into()), 500, "storage", None);
    check(&Error::Internal("no".into()), 500, "internal", None);
    for (kind, status, word, wait) in [
        (UpstreamKind::Unreachable, 503, "upstream-unreachable", Some("5")),
        (UpstreamKind::RateLimited, 503, "upstream-rate-limited", Some("5")),
        (UpstreamKind::TimedOut, 504, "upstream-timed-out", None),
        (UpstreamKind::Refused, 502, "upstream-refused", None),
        (UpstreamKind::Rejected, 502, "upstream-rejected", None),
        (UpstreamKind::Failed, 502, "upstream-failed", None),
        (UpstreamKind::Cut, 502, "upstream-cut", None),
    ] {
        check(&Error::upstream(kind, None, "x"), status, word, wait);
    }
}

#[test]
fn a_problem_is_written_whole() {
    let expected = json!({
        "type": "urn:portolan:problem:bad-input", "title": "Bad Request", "status": 400, "detail": "too many",
        "errors": [{ "pointer": "/limit", "detail": "too many" }],
    });
    assert_eq!(
        Problem::from(&Error::bad_input("/limit", "too many")).to_json(),
        expected
    );
}

#[test]
fn our_own_failures_keep_their_causes_to_the_log() {
    for error in [
        Error::Storage("/home/me/data".into()),
        Error::Internal("/home/me/data".into()),
    ] {
        assert!(!Problem::from(&error).to_json().to_string().contains("/home/me"));
    }
    let full = Error::storage("cannot write `/home/me`", "No space left on device");
    let detail = Problem::from(&full).detail;
    assert!(
        detail.contains("free some space") && !detail.contains("/home/me"),
        "{detail}"
    );
}

#[test]
fn what_an_error_repeats_is_cut() {
    let long = "x".repeat(100_000);
    for detail in [
        format!("no mode named `{long}`; use `hybrid`"),
        format!("string \"{long}\", expected a list"),
    ] {
        let problem = Problem::from(&Error::bad_input(&format!("/filter/{long}"), detail));
        assert!(problem.detail.len() < 300, "{}", problem.detail);
        assert!(problem.detail.ends_with("use `hybrid`") || problem.detail.ends_with("…\", expected a list"));
        assert!(problem.to_json().to_string().len() < 1_500);
    }
    let many = Problem::from(&Error::bad_input("", "`".repeat(100_000)));
    assert!(many.to_json().to_string().len() < 10_000);
    let value = json!({ "field": long });
    let words = crate::http::filter::parse(Some(&value)).unwrap_err().to_string();
    assert!(words.contains("longer than 1024 bytes"), "{words}");
}
