//! Random answers over random passages: whatever a model writes, every range slices where characters begin and end.
//!
//! `PORTOLAN_FUZZ_SECONDS=600 cargo test --lib span_rounds` goes on for so long.

use std::sync::Arc;
use std::time::Instant;

use fastrand::Rng;

use crate::engine::citations::{Piece, Tracker};
use crate::engine::claims::Claim;
use crate::engine::sentences;
use crate::engine::support::{Source, bearing};
use crate::index::{analyse, language::Language};
use crate::types::{Chunk, ChunkContext, ChunkId, Display, DocumentCard, DocumentId, Metadata, Pages, Passage, Scores};

const WORDS: &[&str] = &[
    "thirty ",
    "days ",
    "of leave ",
    "not ",
    "5,000 ",
    "14. ",
    "The harbour opens at seven. ",
    "\n",
    "\n\n",
    "é",
    "e\u{301}",
    "İstanbul ",
    "ß",
    "漢字。",
    "👩‍👩‍👧‍👦",
    "\u{2019}",
    "ERR_0042 ",
    "C++ ",
    "- x\n",
    "a | b\n",
    "\u{feff}",
    "\u{200b}",
    "? ",
    "ﬁ",
];
const MARKS: &[&str] = &[
    "[1]",
    "[2]",
    "[1, 2]",
    "[",
    "]",
    "[9]",
    "`",
    "```",
    "[1](x)",
    "items[0]",
    "[1][2]",
    " ",
    "[12, 3, 4]",
];

fn text(rng: &mut Rng, lists: &[&[&str]]) -> String {
    let count = rng.usize(..60);
    let word = |rng: &mut Rng| {
        let list = lists[rng.usize(..lists.len())];
        list[rng.usize(..list.len())]
    };
    (0..count).map(|_| word(rng)).collect()
}

fn passage(rng: &mut Rng) -> Passage {
    let (document, metadata, text) = (DocumentId::of("a"), Metadata::new(), text(rng, &[WORDS]));
    let context = ChunkContext {
        metadata: &metadata,
        principals: &[],
    };
    let chunk = Chunk {
        id: ChunkId::of(document, 0, &text, &context),
        document,
        ordinal: 0,
        heading_path: Vec::new(),
        span: 100..100 + text.len(),
        pages: Pages::starting(&[0, 120, 150]),
        text,
    };
    let card = DocumentCard {
        id: document,
        uri: "a".into(),
        title: "A".into(),
        metadata,
        principals: Vec::new(),
        version: "v".into(),
        read_as: String::new(),
    };
    Passage {
        collection: "default".into(),
        document: Arc::new(card),
        chunk: Arc::new(chunk),
        scores: Scores::default(),
        highlights: Vec::new(),
        display: Display::default(),
    }
}

fn answer(rng: &mut Rng) {
    let passages: Vec<Passage> = (0..rng.usize(..3)).map(|_| passage(rng)).collect();
    let mut tracker = Tracker::new(passages.clone(), "how many days of leave?");
    let mut pieces = Vec::new();
    for _ in 0..rng.usize(1..8) {
        // Models repeat what they read.
        let quote = passages.first().map(|one| one.chunk.text.clone()).unwrap_or_default();
        pieces.extend(tracker.push(&text(rng, &[WORDS, MARKS, &[quote.as_str()]])));
    }
    pieces.extend(tracker.finish());
    let mut sent = String::new();
    for piece in pieces {
        let citation = match piece {
            Piece::Text(text) => {
                sent.push_str(&text);
                continue;
            }
            Piece::Citation(citation) => citation,
        };
        let chunk = &passages[citation.number - 1].chunk;
        let range = citation.source_range;
        let (start, end) = (range.start - chunk.span.start, range.end - chunk.span.start);
        assert_eq!(chunk.text.get(start..end), Some(citation.quote.as_str()));
        assert!(
            sent.get(citation.answer_range.clone())
                .is_some_and(|claim| !claim.trim().is_empty())
        );
    }
    assert_eq!(sent, tracker.text());
}

fn marks(rng: &mut Rng) {
    let (text, query) = (text(rng, &[WORDS, MARKS]), text(rng, &[WORDS]));
    for span in sentences::of(&text) {
        assert!(text.get(span).is_some_and(|one| one.trim() == one && !one.is_empty()));
    }
    let source = passage(rng);
    if let Some(found) = bearing(&Claim::of(&text), &Source::of(&source, &query)) {
        assert!(source.chunk.text.get(found.span).is_some());
    }
    let languages = [Language::detect(&text), Language::detect(&query)];
    let wanted = analyse::wanted(&query, &languages);
    let mut end = 0;
    for range in analyse::highlights(&text, &wanted, &languages) {
        assert!(
            range.start >= end && range.start < range.end && text.get(range.clone()).is_some(),
            "{range:?} of {text:?}"
        );
        end = range.end;
    }
}

#[test]
fn every_range_of_an_answer_slices_its_text() {
    let seconds = std::env::var("PORTOLAN_FUZZ_SECONDS")
        .ok()
        .map(|seconds| seconds.parse::<u64>().expect("a number"));
    let (started, mut done) = (Instant::now(), 0);
    while seconds.map_or(done < 500, |seconds| started.elapsed().as_secs() < seconds) {
        let seed = done;
        let faulty = std::panic::catch_unwind(|| {
            answer(&mut Rng::with_seed(seed));
            marks(&mut Rng::with_seed(seed));
        });
        assert!(faulty.is_ok(), "round {seed}");
        done += 1;
    }
    if seconds.is_some() {
        eprintln!("spans: {done} rounds");
    }
}
