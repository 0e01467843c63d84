//! Tests of the calls, against a scripted server on loopback.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::gateway::routes::load;
use crate::types::{Context, Message};

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    x-portkey-retry-attempt-count: 1\r\nconnection: close\r\n\r\n";
const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const END: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";

fn route() -> Route {
    let text = r#"
        [[route]]
        name = "r"
        description = "d"
        kind = "gateway"
        [[route.target]]
        provider = "openai"
        model = "m"
        api_key = "env:KEY"
        window = 100
        max_output = 10
    "#;
    let environment = BTreeMap::from([("KEY".to_owned(), "route-key".to_owned())]);
    load(text, &environment).unwrap().remove(0)
}

fn prompt() -> Arc<Prompt> {
    let message = |role, text: &str| Message {
        role,
        text: text.into(),
    };
    Arc::new(Prompt {
        messages: vec![
            message(Role::System, "be brief"),
            message(Role::User, "hi"),
            message(Role::Assistant, "yes?"),
            message(Role::User, "why"),
        ],
        question: "why".into(),
        context: Context::default(),
        max_tokens: 99,
        run: "run-1".into(),
    })
}

async fn listen() -> (TcpListener, PortkeyModel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway {
        url: format!("http://{}/v1/", listener.local_addr().unwrap()),
        portkey_api_key: Some(Secret::new("portkey-key")),
    };
    let model = PortkeyModel::new(&gateway, route()).unwrap();
    (listener, model)
}

/// Accepts one request and reads it whole: head and body.
async fn accept(listener: &TcpListener) -> (TcpStream, String, String) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0, "the request ended early: {text}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        if body.len() >= length.parse().unwrap() {
            return (socket, head.to_owned(), body.to_owned());
        }
    }
}

/// What the model makes of `answer`.
async fn check(answer: String) -> Result<Vec<Result<Delta>>> {
    let (listener, model) = listen().await;
    let server = async {
        let (mut socket, _, _) = accept(&listener).await;
        // The reader may hang up first, once it has read enough.
        let _ = socket.write_all(answer.as_bytes()).await;
    };
    let (stream, ()) = tokio::join!(model.stream(prompt()), server);
    Ok(stream?.collect().await)
}

async fn check_failure(answer: String, expected: (UpstreamKind, Option<u16>, &str)) {
    match check(answer).await {
        Err(Error::Upstream(failure)) => {
            assert_eq!((failure.kind, failure.status, failure.detail.as_str()), expected);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_carries_the_config_the_trace_and_the_prompt() {
    let (listener, model) = listen().await;
    let server = async {
        let (mut socket, head, body) = accept(&listener).await;
        socket
            .write_all(format!("{STREAM}{TEXT}{END}").as_bytes())
            .await
            .unwrap();
        (head, body)
    };
    let (stream, (head, body)) = tokio::join!(model.stream(prompt()), server);
    let deltas: Result<Vec<Delta>> = stream.unwrap().collect::<Vec<_>>().await.into_iter().collect();
    let deltas = deltas.unwrap();
    assert_eq!(deltas.first(), Some(&Delta::Text("Hello".into())));
    assert!(matches!(&deltas[1], Delta::Usage(usage) if usage.attempts == 2 && usage.tokens_in == 5));
    assert_eq!(deltas.last(), Some(&Delta::Finish("stop".into())));
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1"), "{head}");
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    assert_eq!(
        header("x-portkey-config"),
        Some(config::header(&route()).unwrap().as_str())
    );
    assert_eq!(header("x-portkey-trace-id"), Some("run-1"));
    let metadata: serde_json::Value = serde_json::from_str(header("x-portkey-metadata").unwrap()).unwrap();
    assert_eq!(metadata, json!({ "run": "run-1", "route": "r" }));
    assert_eq!(header("x-portkey-api-key"), Some("portkey-key"));
    assert_eq!(header("x-portkey-custom-host"), None);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let expected = json!({
        "model": "m", "stream": true, "stream_options": { "include_usage": true },
        "max_tokens": 10, "temperature": 0.0,
        "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": "yes?" },
            { "role": "user", "content": "why" },
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_failed_answer_is_a_failure_before_the_stream() {
    let body = r#"{"error":{"message":"openai error: bad key route-key"}}"#;
    let json = "content-type: application/json\r\nconnection: close\r\n\r\n";
    check_failure(
        format!("HTTP/1.1 401 Unauthorized\r\n{json}{body}"),
        (UpstreamKind::Refused, Some(401), "openai error: bad key [secret]"),
    )
    .await;
    check_failure(
        format!("HTTP/1.1 200 OK\r\n{json}{{\"error\":{{\"message\":\"trap\"}}}}"),
        (UpstreamKind::Failed, Some(200), "trap"),
    )
    .await;
    check_failure(
        format!("HTTP/1.1 200 OK\r\n{json}{{\"choices\":[]}}"),
        (UpstreamKind::Failed, Some(200), "the answer is no event stream"),
    )
    .await;
    check_failure(
        format!("{STREAM}data: {{\"error\":{{\"message\":\"early\"}}}}\n\n"),
        (UpstreamKind::Failed, Some(200), "early"),
    )
    .await;
    let endless = "x".repeat(2 * MAX_ERROR_BYTES);
    let cut = "x".repeat(500);
    check_failure(
        format!("HTTP/1.1 500 Oops\r\n{json}{endless}"),
        (UpstreamKind::Failed, Some(500), &cut),
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_ends_with_an_error() {
    let deltas = check(format!("{STREAM}{TEXT}")).await.unwrap();
    assert!(matches!(&deltas[0], Ok(Delta::Text(text)) if text == "Hello"));
    assert!(matches!(&deltas[1], Err(Error::Upstream(failure)) if failure.kind == UpstreamKind::Cut));
    assert_eq!(deltas.len(), 2);
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let (listener, model) = listen().await;
    let server = async {
        let (mut socket, _, _) = accept(&listener).await;
        socket.write_all(format!("{STREAM}{TEXT}").as_bytes()).await.unwrap();
        socket
    };
    let (stream, mut socket) = tokio::join!(model.stream(prompt()), server);
    drop(stream.unwrap());
    // The read ends only because the other side hung up; it would wait forever otherwise.
    let end = socket.read(&mut [0; 16]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn a_gateway_that_is_not_there_or_silent_is_told_apart() {
    let (listener, model) = listen().await;
    drop(listener);
    let Err(Error::Upstream(failure)) = model.stream(prompt()).await.map(|_| ()) else {
        panic!("a call without a server");
    };
    assert_eq!(failure.kind, UpstreamKind::Unreachable);
    assert!(
        failure.detail.contains("`make run` starts the gateway"),
        "{}",
        failure.detail
    );

    let (_listener, mut model) = listen().await;
    model.route.timers.first_token = std::time::Duration::from_millis(1);
    let Err(Error::Upstream(failure)) = model.stream(prompt()).await.map(|_| ()) else {
        panic!("an answer from a silent server");
    };
    assert_eq!(failure.kind, UpstreamKind::TimedOut);
    assert!(failure.detail.contains("within 0.001 s"), "{}", failure.detail);
}

#[test]
fn a_route_that_cannot_be_called_is_refused() {
    let gateway = Gateway {
        url: "nowhere".into(),
        portkey_api_key: None,
    };
    let check = |route: Route, expected: &str| {
        let detail = PortkeyModel::new(&gateway, route).map(|_| ()).unwrap_err().to_string();
        assert!(detail.contains(expected), "{detail}");
    };
    check(route(), "`nowhere` is no address");
    let unset = Route {
        unavailable: Some("set KEY".into()),
        ..route()
    };
    check(unset, "set KEY");
    let empty = Route {
        targets: Vec::new(),
        ..route()
    };
    check(empty, "no target");
}
