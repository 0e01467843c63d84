//! The chunker on documents that no parser would make: headings and pages anywhere, in any order.

use std::sync::LazyLock;

use fastrand::Rng;
use indexer::chunk::Chunking;
use indexer::types::{Document, DocumentId, Heading, Metadata, Pages};

use crate::made::{soup, text, words};
use crate::{hold, run};

static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    words(
        "word ¶A sentence. ¶\n¶\n\n¶# H\n\n¶漢字。¶👩‍👩‍👧‍👦¶🇩🇪¶e\u{301}¶\u{301}¶\u{2003}¶\t¶- x\n¶a | b\n¶\
    verylongwordwithoutanyspace¶\u{200d}¶? ¶! ",
    )
});

/// The document that some bytes stand for, and how it is cut: everything else follows from the text.
fn document(bytes: &[u8]) -> (Document, Chunking) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut rng = Rng::with_seed(bytes.len() as u64);
    let heading = |rng: &mut Rng| Heading {
        level: rng.u8(..8),
        title: self::text(rng, &["H", "Words ", "👩‍👧"]).chars().take(30).collect(),
        start: rng.usize(..=text.len() + 9),
    };
    let count = rng.usize(..20);
    let mut headings: Vec<Heading> = (0..count).map(|_| heading(&mut rng)).collect();
    if rng.bool() {
        headings.sort_by_key(|heading| heading.start);
    }
    let count = rng.usize(..20);
    let mut starts: Vec<usize> = (0..count).map(|_| rng.usize(..=text.len())).collect();
    starts.sort_unstable();
    let chunking = Chunking {
        target_bytes: rng.usize(400..=3_000),
        context: rng.bool(),
        ..Chunking::default()
    };
    let document = Document {
        id: DocumentId::of("a"),
        uri: "a".into(),
        title: "A".into(),
        text,
        headings,
        pages: Pages::starting(&starts),
        metadata: Metadata::new(),
        principals: Vec::new(),
        fingerprint: String::new(),
        patched: None,
    };
    (document, chunking)
}

#[test]
fn chunks() {
    run(
        "chunks",
        |rng| soup(rng, &WORDS),
        |bytes| {
            let (document, chunking) = document(bytes);
            hold::cut(&document, chunking);
        },
    );
}
