//! Reads the ways in which the gateway says that a call failed. Pure: a status, headers and bytes in, a failure out.
//!
//! The gateway has five shapes: a provider's JSON error with a prefixed message, `html-message` for anything else from
//! upstream, `status: failure` for its own faults, `timeout_error` and `hooks_failed`, and an error under status 200.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::error::{UpstreamFailure, UpstreamKind};

/// The longest text we pass on, in bytes.
const MAX_DETAIL: usize = 500;
/// How a key begins, at the providers that mark theirs.
const KEY_MARKS: [&str; 7] = ["sk-", "pk-", "sk_", "xai-", "gsk_", "AIza", "hf_"];
/// What stands before a key.
const KEY_LABELS: [&str; 4] = ["bearer", "api_key", "apikey", "token="];

/// What the answer means. `body` is what was read of it, at most the caller's limit.
pub fn parse(status: u16, headers: &HeaderMap, body: &[u8]) -> UpstreamFailure {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let (detail, status) = match &value {
        Value::Object(_) => (words(&value), code(&value).filter(|_| status < 400).unwrap_or(status)),
        _ => (plain(&String::from_utf8_lossy(body)), status),
    };
    let detail = if detail.is_empty() {
        "it gave no reason".to_owned()
    } else {
        cut(&scrub(&detail))
    };
    UpstreamFailure {
        kind: kind(status, error_type(&value), &detail),
        status: Some(status),
        detail,
        retry_after: retry_after(headers),
    }
}

/// The failure in a frame or a body that came under a good status, if there is one.
pub fn within(text: &str) -> Option<UpstreamFailure> {
    let value: Value = serde_json::from_str(text).ok()?;
    let failed = value.get("error").is_some_and(|error| !error.is_null())
        || value.get("html-message").is_some()
        || value.get("status").and_then(Value::as_str) == Some("failure");
    failed.then(|| parse(200, &HeaderMap::new(), text.as_bytes()))
}

/// The error's own words, wherever the shape has them.
fn words(value: &Value) -> String {
    let error = &value["error"];
    let places = [
        &error["message"],
        error,
        &value["message"],
        &value["html-message"],
        &value["detail"],
    ];
    let Some(text) = places.iter().find_map(|place| place.as_str()) else {
        return if error.is_null() {
            String::new()
        } else {
            error.to_string()
        };
    };
    let mut text = plain(text);
    // The checks that a guardrail made stand beside its error, not in it.
    if error["type"] == "hooks_failed" {
        text.push_str(" (a guardrail of the gateway stopped it)");
    }
    if let Some(faults) = value["errors"].as_array() {
        for fault in faults.iter().take(3) {
            text.push_str("; ");
            text.push_str(fault["message"].as_str().or(fault.as_str()).unwrap_or_default());
        }
    }
    text
}

fn error_type(value: &Value) -> &str {
    let error = &value["error"];
    error["type"].as_str().or(error["code"].as_str()).unwrap_or_default()
}

/// Some providers put the status of a failure into a body under 200.
fn code(value: &Value) -> Option<u16> {
    let code = &value["error"]["code"];
    let number = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|code| (400..600).contains(code))
}

fn kind(status: u16, error_type: &str, detail: &str) -> UpstreamKind {
    match (status, error_type) {
        (429, _) | (_, "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota") => UpstreamKind::RateLimited,
        // 402 and 412: the account or the key's budget is used up.
        (401 | 402 | 403 | 407 | 412, _) | (_, "authentication_error" | "permission_error" | "invalid_api_key") => {
            UpstreamKind::Refused
        }
        (408 | 504 | 524, _) | (_, "timeout_error") => UpstreamKind::TimedOut,
        (400..500, _) | (_, "invalid_request_error" | "hooks_failed") => UpstreamKind::Rejected,
        _ if detail.contains("fetch failed") || detail.contains("ECONNREFUSED") => UpstreamKind::Unreachable,
        _ => UpstreamKind::Failed,
    }
}

/// Seconds, or milliseconds where the provider gives them; dates are not read.
/// What an upstream asks for beyond this is not passed on.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let asked = number("retry-after-ms").map(Duration::from_millis);
    asked
        .or_else(|| number("retry-after").map(Duration::from_secs))
        .map(|wait| wait.min(LONGEST_WAIT))
}

/// Text without markup, on one line.
fn plain(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                bare.push(' ');
            }
            _ if inside => {}
            _ => bare.push(letter),
        }
    }
    // A `<` without its end is no markup.
    let chosen = if inside { text } else { &bare };
    chosen.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Masks what looks like a key; known keys are masked by the caller, who has them.
fn scrub(text: &str) -> String {
    let mut label_before = false;
    let words: Vec<String> = text
        .split(' ')
        .map(|word| {
            let lower = word.to_ascii_lowercase();
            let label = KEY_LABELS.iter().any(|label| lower.contains(label));
            let masked = masked(word, label_before, label);
            label_before = label && lower.trim_end_matches([':', '=']).len() <= 8;
            masked
        })
        .collect();
    words.join(" ")
}

fn masked(word: &str, after_label: bool, label: bool) -> String {
    let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    let long = bare.len() >= 12 && bare.bytes().any(|byte| byte.is_ascii_digit());
    if after_label && bare.len() >= 8 || label && long {
        return "[secret]".into();
    }
    for mark in KEY_MARKS {
        if let Some(at) = word.find(mark)
            && word[..at]
                .chars()
                .next_back()
                .is_none_or(|letter| !letter.is_alphanumeric())
            && word.len() - at >= mark.len() + 4
        {
            return format!("{}[secret]", &word[..at]);
        }
    }
    word.to_owned()
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_DETAIL)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, expected: (UpstreamKind, u16, &str)) {
        let failure = parse(status, &HeaderMap::new(), body.as_bytes());
        assert_eq!(
            (failure.kind, failure.status, failure.detail.as_str()),
            (expected.0, Some(expected.1), expected.2)
        );
        assert_eq!(failure.retry_after, None);
    }

    #[test]
    fn each_of_the_five_shapes_is_read() {
        use UpstreamKind::{Failed, RateLimited, Refused, Rejected, TimedOut, Unreachable};
        let provider = r#"{"error":{"message":"openai error: no such model","type":"invalid_request_error","param":null,"code":null},"provider":"openai"}"#;
        check(404, provider, (Rejected, 404, "openai error: no such model"));
        check(401, provider, (Refused, 401, "openai error: no such model"));
        check(429, provider, (RateLimited, 429, "openai error: no such model"));
        check(500, r#"{"html-message":"<html>boom</html>"}"#, (Failed, 500, "boom"));
        let refused = r#"{"html-message":"Message: fetch failed Cause: Error: connect ECONNREFUSED 127.0.0.1:9199 Name: TypeError"}"#;
        let words = "Message: fetch failed Cause: Error: connect ECONNREFUSED 127.0.0.1:9199 Name: TypeError";
        check(500, refused, (Unreachable, 500, words));
        let own = r#"{"status":"failure","message":"Invalid config","errors":[{"message":"no provider"}]}"#;
        check(400, own, (Rejected, 400, "Invalid config; no provider"));
        check(
            500,
            r#"{"status":"failure","message":"Something went wrong"}"#,
            (Failed, 500, "Something went wrong"),
        );
        let late = r#"{"error":{"message":"Request exceeded the timeout","type":"timeout_error"}}"#;
        check(408, late, (TimedOut, 408, "Request exceeded the timeout"));
        let guard = r#"{"error":{"message":"failed","type":"hooks_failed"},"hook_results":{}}"#;
        check(
            446,
            guard,
            (Rejected, 446, "failed (a guardrail of the gateway stopped it)"),
        );
        let trap = r#"{"error":{"message":"Invalid response received from ollama: x"}}"#;
        check(200, trap, (Failed, 200, "Invalid response received from ollama: x"));
        check(
            200,
            r#"{"error":{"message":"slow down","code":429}}"#,
            (RateLimited, 429, "slow down"),
        );
    }

    #[test]
    fn other_bodies_are_read_as_text() {
        use UpstreamKind::{Failed, Rejected};
        check(502, "<html><h1>Bad\nGateway</h1></html>", (Failed, 502, "Bad Gateway"));
        check(500, "", (Failed, 500, "it gave no reason"));
        check(500, "{\"error\":\"plain\"}", (Failed, 500, "plain"));
        check(431, "1 < 2", (Rejected, 431, "1 < 2"));
        let long = parse(500, &HeaderMap::new(), "é".repeat(400).as_bytes());
        assert_eq!(long.detail.len(), 500);
    }

    #[test]
    fn keys_are_masked_and_words_are_not() {
        let check = |text: &str, expected: &str| assert_eq!(scrub(text), expected);
        check(
            "Incorrect API key provided: sk-proj-abc123def.",
            "Incorrect API key provided: [secret]",
        );
        check(
            "header Authorization: Bearer abcdefgh12345678 refused",
            "header Authorization: Bearer [secret] refused",
        );
        check("url?api_key=0123456789abcdef no", "[secret] no");
        check(
            "the desk-lamp asks-why risk-averse",
            "the desk-lamp asks-why risk-averse",
        );
        check("missing bearer", "missing bearer");
    }

    #[test]
    fn the_wait_that_was_asked_for_is_kept() {
        let check = |name: &'static str, value: &str, expected: Option<Duration>| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(parse(429, &headers, b"{}").retry_after, expected, "{name}: {value}");
        };
        check("retry-after", "7", Some(Duration::from_secs(7)));
        check("retry-after-ms", "1500", Some(Duration::from_millis(1500)));
        check("retry-after", "-1", None);
        check("retry-after", "18446744073709551615", Some(Duration::from_hours(1)));
        check("retry-after", "soon", None);
    }

    #[test]
    fn only_a_failure_within_a_good_answer_is_one() {
        assert!(within(r#"{"choices":[],"error":null}"#).is_none());
        assert!(within("not json").is_none());
        assert_eq!(
            within(r#"{"error":{"message":"x"}}"#).unwrap().kind,
            UpstreamKind::Failed
        );
        assert!(within(r#"{"status":"failure","message":"x"}"#).is_some());
    }
}
