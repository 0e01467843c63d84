//! The JSON of every event, by equality, and what requests are read as.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::ops::Range;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::error::UpstreamKind;
use crate::types::{
    Chunk, ChunkId, Conflict, Context, Display, DocumentId, Fault, Finding, Ledger, LeftOut, Outcome, Pages, Reason,
    Scores, SentenceCheck, Side,
};

const DOCUMENT: &str = "00000000-0000-0000-0000-000000000007";
const CHUNK: &str = "00000000-0000-0000-0000-000000000009";

fn passage() -> Passage {
    let document: DocumentId = DOCUMENT.parse().expect("an id");
    let id: ChunkId = CHUNK.parse().expect("an id");
    Passage {
        collection: "docs".into(),
        document: Arc::new(DocumentCard {
            id: document,
            uri: "leave.md".into(),
            title: "Leave".into(),
            metadata: Metadata::new(),
            principals: vec!["secret-group".into()],
            version: "v1".into(),
            read_as: String::new(),
        }),
        chunk: Arc::new(Chunk {
            id,
            document,
            ordinal: 0,
            heading_path: vec!["Days".into()],
            text: "Thirty days.".into(),
            span: 5..17,
            // The last word stands on another page.
            pages: Some(Pages {
                first: 3,
                breaks: vec![12],
            }),
        }),
        scores: Scores {
            fused: 0.5,
            lexical: Some(2.0),
            lexical_rank: Some(1),
            ..Scores::default()
        },
        highlights: vec![Range { start: 0, end: 6 }],
        display: Display::default(),
    }
}

fn passage_json() -> Value {
    json!({
        "id": CHUNK, "collection": "docs", "document": DOCUMENT, "version": "v1", "title": "Leave", "uri": "leave.md",
        "heading_path": ["Days"], "text": "Thirty days.", "span": [5, 17], "highlights": [[0, 6]],
        "pages": [3, 4], "page_breaks": [12],
        "scores": { "fused": 0.5, "lexical": 2.0, "lexical_rank": 1 }, "metadata": {},
    })
}

fn citation(checked: bool) -> Event {
    Event::Citation(Citation {
        number: 1,
        answer_range: 0..12,
        document: DOCUMENT.parse().expect("an id"),
        version: "v1".into(),
        source_range: 5..11,
        quote: "Thirty".into(),
        checked,
    })
}

fn context() -> Context {
    Context {
        passages: vec![passage()],
        tokens: 40,
        left_out: vec![LeftOut {
            passage: passage(),
            reason: Reason::Same(1),
        }],
        ledger: Some(Ledger {
            window: 8192,
            system: 100,
            memory: 0,
            evidence: 40,
            question: 9,
            answer: 1024,
            estimated: true,
        }),
    }
}

fn side(quote: &str, date: Option<&str>) -> Side {
    Side {
        number: 1,
        source_range: 5..9,
        quote: quote.into(),
        date: date.map(str::to_owned),
    }
}

fn check_of(finding: Finding, cited: Vec<usize>) -> SentenceCheck {
    SentenceCheck {
        range: 0..4,
        finding,
        cited,
        removed: vec![7],
        found_in: Some(2),
    }
}

fn check(writer: &mut EventWriter, event: &Event, name: &str, expected: &Value) {
    let (found, data) = writer.write(event);
    assert_eq!((found, &data), (name, expected));
}

fn started() -> Event {
    Event::Started {
        run: "r".into(),
        conversation: "c".into(),
        message: "m".into(),
        route: "local".into(),
        reason: "default".into(),
        question: "how many days".into(),
        degraded: Vec::new(),
    }
}

#[test]
fn every_event_has_its_json() {
    let mut writer = EventWriter::default();
    let expected = json!({
        "run": "r", "conversation": "c", "message": "m", "route": "local", "reason": "default", "question": "how many days",
    });
    check(&mut writer, &started(), "started", &expected);
    let mut numbered = passage_json();
    numbered["number"] = json!(1);
    check(
        &mut writer,
        &Event::Sources(context()),
        "sources",
        &json!({
            "passages": [numbered],
            "left_out": [{
                "id": numbered["id"], "collection": "docs", "document": DOCUMENT, "title": "Leave", "uri": "leave.md",
                "span": numbered["span"], "reason": "same", "number": 1,
            }],
            "ledger": { "window": 8192, "system": 100, "memory": 0, "evidence": 40, "question": 9, "answer": 1024,
                "estimated": true },
        }),
    );
    check(
        &mut writer,
        &Event::Text("Thirty".into()),
        "text",
        &json!({ "delta": "Thirty" }),
    );
    let mut expected = json!({
        "number": 1, "answer_range": [0, 12], "document": DOCUMENT, "version": "v1", "source_range": [5, 11],
        "pages": [3, 3], "quote": "Thirty", "checked": true, "title": "Leave", "uri": "leave.md", "collection": "docs",
    });
    check(&mut writer, &citation(true), "citation", &expected);
    expected["checked"] = json!(false);
    expected["quote"] = json!("");
    check(&mut writer, &citation(false), "citation", &expected);
}

#[test]
fn the_events_of_the_end_have_their_json() {
    let mut writer = EventWriter::default();
    let verdict = Verdict {
        outcome: Outcome::Declined,
        missing: vec!["moon".into()],
        nearest: vec![passage()],
        sentences: vec![
            check_of(Finding::Supported, vec![1]),
            check_of(Finding::Unsupported(Fault::Numbers(vec!["31".into()])), vec![]),
        ],
        conflicts: vec![Conflict {
            range: 0..4,
            sides: [side("Thirty days", Some("2025")), side("Ten days", None)],
        }],
    };
    let expected = json!({
        "verdict": "declined", "missing": ["moon"], "nearest": [passage_json()],
        "sentences": [
            { "answer_range": [0, 4], "state": "supported", "cited": [1], "removed": [7], "found_in": 2 },
            { "answer_range": [0, 4], "state": "unsupported", "cited": [], "reason": "numbers", "lacking": ["31"],
                "removed": [7], "found_in": 2 },
        ],
        "conflicts": [{ "answer_range": [0, 4], "sides": [
            { "number": 1, "source_range": [5, 9], "quote": "Thirty days", "date": "2025" },
            { "number": 1, "source_range": [5, 9], "quote": "Ten days", "date": null },
        ]}],
    });
    check(&mut writer, &Event::Verdict(verdict), "verdict", &expected);
    let usage = Usage {
        tokens_in: 3,
        tokens_out: 2,
        cached: 1,
        estimated: true,
        cost_usd: Some("0.01".into()),
        attempts: 1,
        model: None,
    };
    let expected = json!({
        "tokens_in": 3, "tokens_out": 2, "cached": 1, "estimated": true, "cost_usd": 0.01,
        "time_to_first_token_ms": 40, "attempts": 1, "model": null,
    });
    check(&mut writer, &Event::Usage(usage, Some(40)), "usage", &expected);
    check(
        &mut writer,
        &Event::Done("stop".into()),
        "done",
        &json!({ "finish_reason": "stop" }),
    );
}

#[test]
fn a_failure_tells_whether_to_try_again() {
    let mut writer = EventWriter::default();
    let cut = Error::upstream(UpstreamKind::Cut, None, "no end");
    let expected = json!({
        "problem": {
            "type": "urn:portolan:problem:upstream-cut", "title": "Bad Gateway", "status": 502,
            "detail": "the answer was cut off before its end: no end",
        },
        "retry": true,
    });
    check(&mut writer, &Event::Failed(Arc::new(cut)), "failed", &expected);
    let refused = Error::upstream(UpstreamKind::Refused, Some(401), "key");
    assert_eq!(writer.write(&Event::Failed(Arc::new(refused))).1["retry"], json!(false));
}

#[test]
fn an_answer_without_streaming_has_everything_in_one_object() {
    let mut collected = Collected::default();
    let events = [
        started(),
        Event::Sources(context()),
        Event::Text("Thirty ".into()),
        Event::Text("days [1]".into()),
        citation(true),
        Event::Usage(Usage::default(), None),
        Event::Done("stop".into()),
    ];
    for event in &events {
        collected.add(event).expect("no failure");
    }
    let value = collected.finish();
    assert_eq!(value["text"], "Thirty days [1]");
    assert_eq!(value["sources"][0]["number"], 1);
    assert_eq!(value["citations"][0]["title"], "Leave");
    assert_eq!(value["finish_reason"], "stop");
    assert_eq!((&value["run"], &value["route"]), (&json!("r"), &json!("local")));
    let failed = Event::Failed(Arc::new(Error::upstream(UpstreamKind::TimedOut, None, "slow")));
    assert_eq!(Collected::default().add(&failed).expect_err("a failure").status, 504);
}

#[test]
fn a_message_is_checked_before_anything_is_asked() {
    for message in ["", " \u{0}\n", &"x".repeat(MAX_QUERY_BYTES + 1)] {
        match topic(message, None, None, "/message") {
            Err(Error::BadInput { faults, .. }) => assert_eq!(faults[0].pointer, "/message"),
            other => panic!("{other:?}"),
        }
    }
    let good = topic("why", None, None, "/message").expect("good");
    assert_eq!(good.collections, ["default"]);
}
