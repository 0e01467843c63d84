//! Tests of the stream's reading: whole, cut anywhere, broken and late.

use super::*;

const WHOLE: &str = concat!(
    ": OPENROUTER PROCESSING\n\n",
    "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{}}]}\r\n\r\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße \"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"[1]\"},\"finish_reason\":null}],\"error\":null}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"cost\":0.00002,",
    "\"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\n",
    "data: [DONE]\n\n",
);

fn call(timers: Timers) -> Call {
    Call {
        timers,
        started: Instant::now(),
        attempts: 2,
        secrets: vec![Secret::new("known-key")],
    }
}

async fn read(chunks: Vec<&[u8]>) -> Vec<Result<Delta>> {
    let chunks: Vec<Result<Vec<u8>>> = chunks.into_iter().map(|chunk| Ok(chunk.to_vec())).collect();
    deltas(stream::iter(chunks), call(Timers::default())).collect().await
}

fn expected() -> Vec<Delta> {
    vec![
        Delta::Text("Grüße ".into()),
        Delta::Text("[1]".into()),
        Delta::Usage(Usage {
            tokens_in: 7,
            tokens_out: 3,
            cached: 2,
            estimated: false,
            cost_usd: Some("0.00002".into()),
            attempts: 2,
            model: Some("m-1".into()),
        }),
        Delta::Finish("stop".into()),
    ]
}

/// The texts before the end, and the kind and words of the error at the end.
async fn failed(text: &str) -> (Vec<String>, UpstreamKind, String) {
    let mut texts = Vec::new();
    for delta in read(vec![text.as_bytes()]).await {
        match delta {
            Ok(Delta::Text(text)) => texts.push(text),
            Ok(other) => panic!("{other:?} before the error"),
            Err(Error::Upstream(failure)) => return (texts, failure.kind, failure.detail),
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("no error after {texts:?}");
}

#[tokio::test]
async fn a_stream_may_be_split_at_every_byte() {
    let bytes = WHOLE.as_bytes();
    for at in 0..bytes.len() {
        let got: Result<Vec<Delta>> = read(vec![&bytes[..at], &bytes[at..]]).await.into_iter().collect();
        assert_eq!(got.unwrap(), expected(), "split at {at}");
    }
    let single: Result<Vec<Delta>> = read(bytes.chunks(1).collect()).await.into_iter().collect();
    assert_eq!(single.unwrap(), expected());
}

#[tokio::test]
async fn a_stream_cut_anywhere_before_its_finish_reason_is_an_error() {
    let finish = WHOLE.find("\"stop\"").unwrap();
    for at in 0..finish {
        let got = read(vec![&WHOLE.as_bytes()[..at]]).await;
        assert!(
            matches!(got.last(), Some(Err(Error::Upstream(failure))) if failure.kind == UpstreamKind::Cut),
            "cut at {at}: {got:?}"
        );
    }
    let (texts, kind, _) = failed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n").await;
    assert_eq!((texts, kind), (vec!["a".to_owned()], UpstreamKind::Cut));
}

#[tokio::test]
async fn a_finish_reason_without_done_is_a_whole_answer() {
    let until = WHOLE.find("data: [DONE]").unwrap();
    let got: Result<Vec<Delta>> = read(vec![&WHOLE.as_bytes()[..until]]).await.into_iter().collect();
    assert_eq!(got.unwrap(), expected());
}

#[tokio::test]
async fn nothing_is_read_after_done() {
    let text = format!("{WHOLE}data: {{\"error\":{{\"message\":\"late\"}}}}\n\n");
    let got: Result<Vec<Delta>> = read(vec![text.as_bytes()]).await.into_iter().collect();
    assert_eq!(got.unwrap(), expected());
}

#[tokio::test]
async fn an_error_frame_ends_the_stream_without_its_keys() {
    let text = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"error\":{\"message\":\"key known-key is spent\",\"code\":429}}\n\n",
        "data: [DONE]\n\n",
    );
    let (texts, kind, detail) = failed(text).await;
    assert_eq!(texts, ["a"]);
    assert_eq!(
        (kind, detail.as_str()),
        (UpstreamKind::RateLimited, "key [secret] is spent")
    );
    let (_, kind, detail) = failed("data: {broken\n\n").await;
    assert_eq!(
        (kind, detail.as_str()),
        (UpstreamKind::Failed, "a frame is no chat completion chunk")
    );
    let (_, kind, _) = failed("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n").await;
    assert_eq!(kind, UpstreamKind::Failed);
}

#[tokio::test]
async fn an_endless_frame_is_refused() {
    let mut long = String::from("data: ");
    long.push_str(&"x".repeat(MAX_FRAME_BYTES));
    let (_, kind, detail) = failed(&long).await;
    assert_eq!(
        (kind, detail.as_str()),
        (UpstreamKind::Failed, "a frame is longer than 1048576 bytes")
    );
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let bytes: [&[u8]; 2] = [b"data: \xff\n\n", WHOLE.as_bytes()];
    let got = read(bytes.to_vec()).await;
    assert_eq!(got.len(), 1);
    assert!(
        matches!(&got[0], Err(Error::Upstream(failure)) if failure.kind == UpstreamKind::Failed),
        "{got:?}"
    );
}

#[tokio::test]
async fn many_frames_together_may_be_longer_than_one() {
    let frame = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(1000)
    );
    let got = read(vec![frame.repeat(1100).as_bytes(), WHOLE.as_bytes()]).await;
    assert!(got.iter().all(Result::is_ok));
    assert_eq!(got.len(), 1100 + expected().len());
}

#[tokio::test]
async fn each_timer_ends_a_silent_stream() {
    let long = Duration::from_hours(1);
    let timers = Timers {
        connect: long,
        first_token: long,
        stall: long,
        total: long,
    };
    let none = Duration::ZERO;
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    let empty = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
    let first = Timers {
        first_token: none,
        ..timers
    };
    check_late(first, empty, "no text came within 0 s").await;
    check_late(
        Timers { stall: none, ..timers },
        text,
        "the answer stood still and nothing came within 0 s",
    )
    .await;
    check_late(
        Timers { total: none, ..timers },
        text,
        "the answer was not whole within 0 s",
    )
    .await;
}

/// `text`, then silence: the error tells which timer ran out.
async fn check_late(timers: Timers, text: &str, expected: &str) {
    let silent = stream::iter([Ok(text.as_bytes().to_vec())])
        .chain(stream::pending())
        .boxed();
    let last = deltas(silent, call(timers)).collect::<Vec<_>>().await.pop();
    let Some(Err(Error::Upstream(failure))) = last else {
        panic!("{last:?}");
    };
    assert_eq!(failure.kind, UpstreamKind::TimedOut);
    assert!(failure.detail.starts_with(expected), "{}", failure.detail);
}

#[tokio::test]
async fn silence_after_the_finish_reason_is_no_fault() {
    let timers = Timers {
        stall: Duration::ZERO,
        ..Timers::default()
    };
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"max_tokens\"}]}\n\n";
    let silent = stream::iter([Ok(text.as_bytes().to_vec())])
        .chain(stream::pending())
        .boxed();
    let got: Result<Vec<Delta>> = deltas(silent, call(timers))
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect();
    assert_eq!(got.unwrap(), [Delta::Text("a".into()), Delta::Finish("length".into())]);
}

#[tokio::test]
async fn odd_counts_are_no_reason_to_fail() {
    let check = async |usage: &str, expected: (u64, u64, u64)| {
        let text = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"usage\":USAGE}\n\n",
            "data: [DONE]\n\n"
        );
        let read: Result<Vec<Delta>> = read(vec![text.replace("USAGE", usage).as_bytes()])
            .await
            .into_iter()
            .collect();
        let usage = read.unwrap().into_iter().find_map(|delta| match delta {
            Delta::Usage(usage) => Some((usage.tokens_in, usage.tokens_out, usage.cached)),
            _ => None,
        });
        assert_eq!(usage.unwrap_or_default(), expected);
    };
    check("null", (0, 0, 0)).await;
    check("\"many\"", (0, 0, 0)).await;
    check(r#"{"prompt_tokens":-1,"completion_tokens":null}"#, (0, 0, 0)).await;
    check(
        r#"{"prompt_tokens":7.0,"completion_tokens":"3","cost":"free"}"#,
        (7, 0, 0),
    )
    .await;
    check(
        r#"{"prompt_tokens":99999999999999999999,"completion_tokens":1e300}"#,
        (1 << 53, 1 << 53, 0),
    )
    .await;
    check(r#"{"prompt_tokens":7,"prompt_tokens_details":[],"cost":-1}"#, (7, 0, 0)).await;
    check(
        r#"{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":2.5}}"#,
        (7, 0, 2),
    )
    .await;
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let frame = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "x".repeat(100_000)
    );
    let all: Vec<Result<Delta>> = read(vec![frame.as_bytes(); 1_000]).await;
    assert_eq!(all.len(), 42, "4 MB of texts and the end");
    assert_eq!(all[41].as_ref().unwrap(), &Delta::Finish("length".into()));
}
