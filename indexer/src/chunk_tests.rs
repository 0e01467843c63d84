//! What must hold for the chunks of any document, and how the usual ones are cut.

use super::*;
use crate::parse;
use crate::types::{Item, Metadata, Pages};

fn document(uri: &str, text: &str) -> Document {
    let (media_type, metadata, principals) = (None, Metadata::new(), vec!["all".to_owned()]);
    let item = Item {
        uri: uri.into(),
        media_type,
        bytes: text.into(),
        metadata,
        principals,
        modified: None,
    };
    parse::document(&item, "f").unwrap()
}

/// Checks the invariants and returns the chunks.
fn hold(document: &Document) -> Vec<Chunk> {
    hold_cut(document, Chunking::default())
}

fn hold_cut(document: &Document, chunking: Chunking) -> Vec<Chunk> {
    let chunks = split(document, chunking);
    let mut end = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        assert_eq!(chunk.text, document.text[chunk.span.clone()]);
        assert_eq!(chunk.text.trim(), chunk.text);
        assert!(
            !chunk.text.is_empty() && chunk.text.len() <= chunking.max_bytes(),
            "{}",
            chunk.text.len()
        );
        assert!(
            document.text[end..chunk.span.start].trim().is_empty(),
            "a gap before {ordinal}"
        );
        end = chunk.span.end;
    }
    assert!(document.text[end..].trim().is_empty());
    chunks
}

fn check(markdown: &str, expected: &[(&[&str], &str)]) {
    let chunks = hold(&document("a.md", markdown));
    let found: Vec<(Vec<&str>, &str)> = chunks
        .iter()
        .map(|chunk| {
            (
                chunk.heading_path.iter().map(String::as_str).collect(),
                &chunk.text[..chunk.text.len().min(6)],
            )
        })
        .collect();
    let expected: Vec<(Vec<&str>, &str)> = expected.iter().map(|(path, start)| (path.to_vec(), *start)).collect();
    assert_eq!(found, expected);
}

#[test]
fn chunks_follow_the_headings() {
    let body = "Words that say something here. ".repeat(10);
    check("", &[]);
    check("just", &[(&[], "just")]);
    check(
        &format!("# Doc\n\n## First\n\n{body}\n\n## Second\n\n{body}"),
        &[(&["First"], "Doc\n\nF"), (&["Second"], "Second")],
    );
    check(
        &format!("# Doc\n\n{body}\n\n## B\n\n### C\n\n{body}"),
        &[(&[], "Doc\n\nW"), (&["B", "C"], "B\n\nC\n\n")],
    );
    check(
        &format!("# Doc\n\n{body}\n\n## B\n\nx\n\n## C\n\n{body}"),
        &[(&[], "Doc\n\nW"), (&[], "B\n\nx\n\n")],
    );
    check(
        &format!("# Doc\n\n## B\n\n{body}\n\n#### D\n\n{body}"),
        &[(&["B"], "Doc\n\nB")],
    );
}

#[test]
fn rows_of_a_table_stay_whole() {
    let rows = "| a cell with words. And more. | another cell |\n".repeat(100);
    let chunks = hold(&document("a.md", &format!("| a | b |\n|---|---|\n{rows}")));
    assert!(chunks.len() > 2);
    for chunk in chunks {
        assert!(
            chunk
                .text
                .lines()
                .all(|line| line == "a | b" || line.ends_with("another cell")),
            "{}",
            chunk.text
        );
    }
}

#[test]
fn a_deep_heading_goes_with_its_text() {
    let body = "Words that say something here. ".repeat(34);
    let chunks = hold(&document("a.md", &format!("## B\n\n{body}\n\n#### D\n\n{body}")));
    assert!(chunks[1].text.starts_with("D\n\nWords"), "{}", chunks[1].text);
}

#[test]
fn long_lines_are_cut_between_characters() {
    for part in [
        "a",
        "word ",
        "One sentence. ",
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "é\u{301}",
        "漢字。",
        "e\u{301}\u{301}",
    ] {
        let chunks = hold(&document("a.txt", &part.repeat((1 << 20) / part.len())));
        assert!(chunks.len() > 500, "{part}");
    }
    let family = hold(&document("a.txt", &"👩‍👩‍👧‍👦".repeat(1_000)));
    assert!(
        family
            .iter()
            .all(|chunk| chunk.text.starts_with('👩') && chunk.text.ends_with('👦'))
    );
    hold(&document("a.txt", &format!("e{}", "\u{301}".repeat(5_000))));
}

#[test]
fn any_text_is_covered_once() {
    let parts = [
        "# H\n\n",
        "## I 漢\n\n",
        "#### J\n\n",
        "word ",
        "Ein Satz. ",
        "\n",
        "\n\n",
        "- x\n",
        "👩‍👩‍👧",
        "| a | b |\n",
        "\t",
        "\u{2003}",
    ];
    let mut state = 7_u64;
    for round in 0..300 {
        let chunking = Chunking {
            target_bytes: [1_800, 400, 5_000][round % 3],
            ..Chunking::default()
        };
        let mut text = String::new();
        for _ in 0..400 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let part = parts[(state >> 33) as usize % parts.len()];
            text.push_str(&part.repeat(1 + (state >> 60) as usize * usize::from((state >> 40).is_multiple_of(8))));
        }
        for name in ["a.md", "a.txt", "a.html"] {
            hold_cut(&document(name, &text), chunking);
        }
    }
}

#[test]
fn a_chunk_knows_the_pages_that_it_stands_on() {
    let body = "Words that say something here.\n\n".repeat(100);
    let mut document = document("a.txt", &body);
    assert_eq!(hold(&document)[0].pages, None);
    document.pages = Pages::starting(&[0, 1_000, 1_000, document.text.len()]);
    let chunks = hold(&document);
    let found: Vec<[u32; 2]> = chunks
        .iter()
        .map(|one| one.pages.as_ref().unwrap().of(&one.span))
        .collect();
    assert_eq!(found, [[1, 3], [3, 3]]);
    assert_eq!(chunks[0].pages.as_ref().unwrap().of(&(0..500)), [1, 1]);
}

#[test]
fn a_changed_chunk_is_a_new_chunk() {
    let first = hold(&document("a.txt", "one"));
    assert_eq!(first, hold(&document("a.txt", "one")));
    assert_ne!(first[0].id, hold(&document("a.txt", "two"))[0].id);
    assert_ne!(first[0].id, hold(&document("b.txt", "one"))[0].id);
}

#[test]
fn smaller_chunks_are_more_and_context_is_a_part_of_the_identity() {
    let document = document(
        "a.md",
        &format!("# Doc\n\n{}", "Words that say something. ".repeat(200)),
    );
    let usual = Chunking::default();
    let smaller = Chunking {
        target_bytes: 600,
        ..usual
    };
    let bare = Chunking {
        context: false,
        ..usual
    };
    assert!(split(&document, smaller).len() > 2 * split(&document, usual).len());
    assert_ne!(split(&document, bare)[0].id, split(&document, usual)[0].id);
    assert_eq!(bare.embedded("t", &[], "x"), "x");
}

#[test]
fn a_sentence_that_was_written_of_a_chunk_is_a_part_of_its_identity_and_not_of_its_text() {
    let document = document("a.txt", "one");
    let (usual, plain) = (Chunking::default(), hold(&document));
    let named = |sentence: Option<&str>| renamed(&document, plain.clone(), usual, &[sentence.map(str::to_owned)]);
    assert_eq!(named(None), plain);
    let (one, other) = (named(Some("On one.")), named(Some("On two.")));
    assert!(one[0].id != plain[0].id && one[0].id != other[0].id);
    assert_eq!((&one[0].text, &one[0].span), (&plain[0].text, &plain[0].span));
    assert_eq!(situated(Some(&"On one.".to_owned()), "one"), "On one.\none");
}
