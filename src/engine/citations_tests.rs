//! Tests of the citation tracker.

use std::sync::Arc;

use indexer::types::{Chunk, ChunkContext, ChunkId, DocumentId, Metadata};

use super::*;
use crate::types::{Display, DocumentCard, Scores};

/// A passage of `a.md` with that text.
pub fn passage(text: &str) -> Passage {
    let (document, metadata) = (DocumentId::of("a.md"), Metadata::new());
    let id = ChunkId::of(
        document,
        0,
        text,
        &ChunkContext {
            metadata: &metadata,
            principals: &[],
        },
    );
    let chunk = Chunk {
        id,
        document,
        ordinal: 0,
        heading_path: vec![],
        text: text.into(),
        span: 100..100 + text.len(),
        pages: None,
    };
    let card = DocumentCard {
        id: document,
        uri: "a.md".into(),
        title: "A".into(),
        metadata,
        principals: vec![],
        version: "v".into(),
        read_as: String::new(),
    };
    Passage {
        collection: "default".into(),
        document: Arc::new(card),
        chunk: Arc::new(chunk),
        scores: Scores::default(),
        highlights: vec![],
        display: Display::default(),
    }
}

fn run(parts: &[&str], passages: Vec<Passage>) -> (String, Vec<Citation>, usize) {
    let mut tracker = Tracker::new(passages, "");
    let mut text = String::new();
    for part in parts {
        for piece in tracker.push(part) {
            if let Piece::Text(more) = piece {
                text.push_str(&more);
            }
        }
    }
    for piece in tracker.finish() {
        if let Piece::Text(more) = piece {
            text.push_str(&more);
        }
    }
    assert_eq!(text, tracker.text(), "what is sent is what is kept");
    (text, tracker.citations().to_vec(), tracker.removed().len())
}

const FACT: &str = "Employees get 27 days of leave. The office closes at noon.";

#[test]
fn a_mark_may_be_split_anywhere() {
    let answer = "Employees get 27 days of leave [1]. Done.";
    for at in 0..answer.len() {
        let (text, citations, _) = run(&[&answer[..at], &answer[at..]], vec![passage(FACT)]);
        assert_eq!(text, answer);
        assert_eq!(citations.len(), 1, "split at {at}");
        assert_eq!(
            &text[citations[0].answer_range.clone()],
            "Employees get 27 days of leave"
        );
        assert_eq!(citations[0].quote, "Employees get 27 days of leave");
        assert_eq!(citations[0].source_range.start, 100);
    }
}

#[test]
fn an_invented_mark_is_taken_out() {
    let (text, citations, invented) = run(&["Employees get 27 days of leave [7]."], vec![passage("Cats sleep.")]);
    assert_eq!(text, "Employees get 27 days of leave .");
    assert!(citations.is_empty());
    assert_eq!(invented, 1);
}

#[test]
fn a_wrong_number_is_not_supported() {
    let (_, citations, invented) = run(&["Employees get 31 days of leave [1]."], vec![passage(FACT)]);
    assert!(citations.is_empty());
    assert_eq!(invented, 1);
}

#[test]
fn brackets_that_are_no_marks_stay() {
    let (text, ..) = run(&["Use a[i] and [x] and [", "12345] and ["], vec![]);
    assert_eq!(text, "Use a[i] and [x] and [12345] and [");
}

#[test]
fn code_and_links_keep_their_brackets() {
    let check = |answer: &str| {
        for at in (0..answer.len()).filter(|at| answer.is_char_boundary(*at)) {
            let (text, citations, invented) = run(&[&answer[..at], &answer[at..]], vec![passage("Cats sleep.")]);
            assert_eq!(
                (text.as_str(), citations.len(), invented),
                (answer, 0, 0),
                "split at {at}"
            );
        }
    };
    check("Use `items[0]` and ``a`[1]`` now.");
    check("```\nlet a = b[1];\n\nc [1]\n```\nDone.");
    check("Use items[0] or a[1][2] or f(x)[1].");
    check("See [1](http://example.test) there.");
}

#[test]
fn a_mark_may_sit_on_its_word_and_follow_code() {
    let check = |answer: &str| {
        let (text, citations, _) = run(&[answer], vec![passage(FACT)]);
        assert_eq!((text.as_str(), citations.len()), (answer, 1), "{answer}");
    };
    check("Employees get 27 days of leave[1].");
    check("`x` Employees get 27 days of leave [1].");
    check("A lone ` here.\nEmployees get 27 days of leave [1].");
    assert_eq!(without_marks("a [1] b[2], [x] [3"), "a  b, [x] [3");
}

#[test]
fn an_answer_without_marks_gets_the_one_that_fits() {
    let (text, citations, _) = run(
        &["You get 27 days of leave."],
        vec![passage("Cats sleep."), passage(FACT)],
    );
    assert_eq!(text, "You get 27 days of leave. [2]");
    assert_eq!(citations[0].quote, "Employees get 27 days of leave.");
}

#[test]
fn two_numbers_in_one_mark_are_two_marks() {
    let other = passage("All employees get 27 days of leave each year.");
    let (text, citations, _) = run(&["Employees get 27 days of leave [1, 2]."], vec![passage(FACT), other]);
    assert_eq!(text, "Employees get 27 days of leave [1][2].");
    assert_eq!(citations.len(), 2);
}

#[test]
fn a_refusal_gets_no_citation() {
    let receipts = passage("All documents such as receipts must be kept for ten years. They do not say why.");
    let (text, citations, _) = run(&["The documents do not say."], vec![receipts]);
    assert_eq!(text, "The documents do not say.");
    assert!(citations.is_empty());
}
