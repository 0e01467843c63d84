//! What holds for every document and its chunks, whatever the bytes were.

use std::collections::BTreeSet;

use indexer::chunk::{self, Chunking};
use indexer::parse;
use indexer::types::{Document, Item, Metadata};

/// Parses `bytes` as the file `name` and checks what comes out; an error is as good as a document.
pub fn parsed(name: &str, media_type: Option<&str>, bytes: &[u8]) {
    let item = Item {
        uri: name.to_owned(),
        media_type: media_type.map(str::to_owned),
        bytes: bytes.to_vec(),
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: None,
    };
    match parse::document(&item, "f") {
        Ok(document) => {
            whole(&document);
            for (target_bytes, context) in [(1_800, true), (400, false)] {
                let chunking = Chunking {
                    target_bytes,
                    context,
                    ..Chunking::default()
                };
                cut(&document, chunking);
            }
        }
        Err(error) => {
            let words = error.to_string();
            assert!(words.contains(name) || words.contains('`'), "no place in `{words}`");
            assert!(!words.contains(char::is_control), "{words:?}");
        }
    }
}

/// Text, headings and pages hold together.
fn whole(document: &Document) {
    let text = &document.text;
    assert!(!document.title.trim().is_empty() && document.title.len() <= parse::MAX_TITLE_BYTES);
    assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
    assert_eq!(text.trim_end(), text);
    let mut before = 0;
    for heading in &document.headings {
        assert!(
            before <= heading.start && text.is_char_boundary(heading.start),
            "{heading:?}"
        );
        assert!(heading.title.len() <= parse::MAX_TITLE_BYTES);
        before = heading.start;
    }
    if let Some(pages) = &document.pages {
        assert!(pages.first == 1 && pages.breaks.is_sorted(), "{pages:?}");
        assert!(pages.breaks.iter().all(|at| text.is_char_boundary(*at)), "{pages:?}");
    }
}

/// Chunks joined again are the document, and each slices it where characters begin and end.
pub fn cut(document: &Document, chunking: Chunking) {
    let chunks = chunk::split(document, chunking);
    let (mut joined, mut ids, mut end) = (String::new(), BTreeSet::new(), 0);
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(document.text.get(chunk.span.clone()), Some(chunk.text.as_str()));
        assert!(chunk.ordinal as usize == ordinal && chunk.document == document.id);
        assert!(chunk.span.start >= end && ids.insert(chunk.id));
        assert!(!chunk.text.is_empty() && chunk.text.len() <= chunking.max_bytes());
        assert_eq!(chunk.text.trim(), chunk.text);
        if let (Some(whole), Some(own)) = (&document.pages, &chunk.pages) {
            assert_eq!(whole.of(&chunk.span), own.of(&chunk.span));
            let half = chunk.span.start + chunk.span.len() / 2..chunk.span.end;
            assert_eq!(whole.of(&half), own.of(&half));
        }
        assert_eq!(document.pages.is_some(), chunk.pages.is_some());
        joined.push_str(&chunk.text);
        end = chunk.span.end;
    }
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    assert_eq!(letters(&joined), letters(&document.text));
    assert_eq!(chunk::renamed(document, chunks.clone(), chunking, &[]), chunks);
}
