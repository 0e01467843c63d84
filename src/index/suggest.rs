//! What a reader may be about to type: titles, headings and phrases that a document repeats, by their beginnings.
//!
//! They lie in tantivy's dictionary, sorted and on disk, as `words \u{1f} kind text`, an entry for each word that they
//! may be remembered by; so they change with the documents and cost no memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use tantivy::query::{EnableScoring, FuzzyTermQuery, Query, TermSetQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocSet, SegmentReader, TERMINATED, Term};

use super::lexical::{Snapshot, failed};
use super::{Collection, analyse, filter};
use crate::error::Result;
use crate::types::{Document, Reader};

/// Longer titles and headings are no suggestions, in bytes.
const MAX_BYTES: usize = 200;
/// Words of an entry that can be typed ahead.
const MAX_WORDS: usize = 8;
/// Words by which a text may be remembered.
const MAX_STARTS: usize = 4;
/// Headings of one document.
const MAX_HEADINGS: usize = 16;
/// Phrases of one document.
const MAX_PHRASES: usize = 8;
/// So often a document says what counts as its phrase.
const OFTEN: usize = 3;
/// Bytes of a document in which phrases are looked for.
const PHRASE_BYTES: usize = 64 * 1024;
/// Entries that are looked at for one suggestion; one letter may begin a hundred thousand.
const SCANNED: usize = 20_000;
/// Shorter beginnings are not corrected, in bytes.
const FUZZY_FROM: usize = 4;
const GAP: char = '\u{1f}';

/// A text that a reader may want to go on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// `title`, `heading` or `phrase`.
    pub kind: &'static str,
    /// In how many documents that the reader may read.
    pub documents: usize,
    /// Whether it begins with what was typed; otherwise a later word does, or a letter differs.
    pub direct: bool,
}

/// The dictionary's entries for `document`.
pub(super) fn entries(document: &Document) -> BTreeSet<String> {
    let mut entries = BTreeSet::new();
    add(&mut entries, 't', &document.title);
    let mut headings: Vec<_> = document.headings.iter().collect();
    headings.sort_by_key(|heading| heading.level);
    for heading in headings.into_iter().take(MAX_HEADINGS) {
        add(&mut entries, 'h', &heading.title);
    }
    for phrase in phrases(&document.text) {
        add(&mut entries, 'p', phrase);
    }
    entries
}

fn add(entries: &mut BTreeSet<String>, kind: char, text: &str) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() > MAX_BYTES {
        return;
    }
    let words: Vec<String> = analyse::words(&text).into_iter().map(|word| word.text).collect();
    let starts = (0..words.len()).filter(|at| *at == 0 || !analyse::is_stop(&words[*at]));
    for at in starts.take(MAX_STARTS) {
        let typed = words[at..]
            .iter()
            .take(MAX_WORDS)
            .cloned()
            .collect::<Vec<_>>()
            .join(" ");
        let kind = if at == 0 { kind } else { kind.to_ascii_uppercase() };
        entries.insert(format!("{typed}{GAP}{kind}{text}"));
    }
}

/// Two or three words in a row that the text says often, most first.
fn phrases(text: &str) -> Vec<&str> {
    let mut end = text.len().min(PHRASE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let words = analyse::words(&text[..end]);
    let speaks = |word: &str| !analyse::is_stop(word) && word.chars().all(char::is_alphabetic);
    let mut counts: BTreeMap<Vec<&str>, (usize, &str)> = BTreeMap::new();
    for at in 0..words.len() {
        for length in [2, 3] {
            let Some(run) = words.get(at..at + length) else {
                continue;
            };
            let joined = run
                .windows(2)
                .all(|pair| &text[pair[0].range.end..pair[1].range.start] == " ");
            if joined && speaks(&run[0].text) && speaks(&run[length - 1].text) {
                let key = run.iter().map(|word| word.text.as_str()).collect();
                let first = &text[run[0].range.start..run[length - 1].range.end];
                counts.entry(key).or_insert((0, first)).0 += 1;
            }
        }
    }
    counts.retain(|_, (count, _)| *count >= OFTEN);
    let whole: BTreeMap<_, _> = counts.iter().filter(|(words, _)| words.len() == 3).collect();
    let mut kept: Vec<_> = counts.iter().collect();
    // `leave request` says nothing where it is always an `annual leave request`.
    kept.retain(|(words, (count, _))| {
        words.len() == 3
            || !whole
                .iter()
                .any(|(long, (often, _))| often == count && long.windows(2).any(|two| two == *words))
    });
    kept.sort_by(|left, right| right.1.0.cmp(&left.1.0).then(left.0.cmp(right.0)));
    kept.into_iter()
        .take(MAX_PHRASES)
        .map(|(_, (_, first))| *first)
        .collect()
}

impl Collection {
    /// The best `limit` completions of `typed` from documents that `reader` may read.
    pub fn suggest(&self, typed: &str, reader: &Reader, limit: usize) -> Result<Vec<Completion>> {
        let words: Vec<String> = analyse::words(typed).into_iter().map(|word| word.text).collect();
        let mut prefix = words.join(" ");
        if prefix.is_empty() {
            return Ok(Vec::new());
        }
        if typed.ends_with(char::is_whitespace) {
            prefix.push(' ');
        }
        let snapshot = self.lexical.snapshot();
        let readable = snapshot.readable(reader)?;
        let mut found = Completions::new();
        snapshot.complete((&prefix, 0), readable.as_deref(), &mut found)?;
        if found.len() < limit && prefix.len() >= FUZZY_FROM {
            let mut almost = Completions::new();
            snapshot.complete((&prefix, 1), readable.as_deref(), &mut almost)?;
            for (key, value) in almost {
                found.entry(key).or_insert(value);
            }
        }
        let list = found.into_iter().map(|((text, kind), (documents, direct))| Completion {
            text,
            kind,
            documents,
            direct,
        });
        Ok(best(list.collect(), limit))
    }
}

/// The first `limit`, each text once. What begins as it was typed comes first, then what most documents say, then the
/// shorter.
pub fn best(mut list: Vec<Completion>, limit: usize) -> Vec<Completion> {
    list.sort_by(|left, right| {
        // A title before the heading that repeats it: `t`, `p`, `h`.
        let key = |one: &Completion| (!one.direct, Reverse(one.documents), one.text.len(), Reverse(one.kind));
        key(left).cmp(&key(right)).then_with(|| left.text.cmp(&right.text))
    });
    let mut seen = BTreeSet::new();
    list.retain(|one| seen.insert(one.text.to_lowercase()));
    list.truncate(limit);
    list
}

/// Documents of each text and kind, and whether it begins as it was typed.
type Completions = HashMap<(String, &'static str), (usize, bool)>;

impl Snapshot {
    /// What `reader` may read of each segment; `None` where that is everything.
    fn readable(&self, reader: &Reader) -> Result<Option<Vec<BitSet>>> {
        let Some(names) = filter::reader_words(self.reader(reader)) else {
            return Ok(None);
        };
        let terms = names
            .iter()
            .map(|name| Term::from_field_text(self.fields.principals, name));
        let scoring = EnableScoring::disabled_from_searcher(&self.searcher);
        let weight = TermSetQuery::new(terms).weight(scoring).map_err(failed)?;
        let mut readable = Vec::new();
        for segment in self.searcher.segment_readers() {
            let mut own = BitSet::with_max_value(segment.max_doc());
            let mut scorer = weight.scorer(segment, 1.0).map_err(failed)?;
            while scorer.doc() != TERMINATED {
                own.insert(scorer.doc());
                scorer.advance();
            }
            readable.push(own);
        }
        Ok(Some(readable))
    }

    /// Adds what begins with `prefix`, give or take `distance` letters.
    fn complete(
        &self,
        (prefix, distance): (&str, u8),
        readable: Option<&[BitSet]>,
        found: &mut Completions,
    ) -> Result<()> {
        let query = FuzzyTermQuery::new_prefix(Term::from_field_text(self.fields.suggest, prefix), distance, true);
        let segments = self.searcher.segment_readers();
        for (at, segment) in segments.iter().enumerate() {
            let inverted = segment.inverted_index(self.fields.suggest).map_err(failed)?;
            let automaton = query.automaton().map_err(failed)?;
            let mut stream = inverted.terms().search(automaton).into_stream().map_err(failed)?;
            let mut left = SCANNED / segments.len();
            let mut own = Completions::new();
            let readable = readable.map(|readable| &readable[at]);
            while left > 0 && stream.advance() {
                left -= 1;
                let Some((text, kind)) = read(stream.key()) else {
                    continue;
                };
                let documents = if readable.is_none() && !segment.has_deletes() {
                    stream.value().doc_freq as usize
                } else {
                    let postings = inverted.read_postings_from_terminfo(stream.value(), IndexRecordOption::Basic);
                    count(&mut postings.map_err(failed)?, segment, readable)
                };
                if documents > 0 {
                    enter(&mut own, text, (kind, distance == 0), documents);
                }
            }
            for (key, (documents, direct)) in own {
                let known = found.entry(key).or_insert((0, false));
                *known = (known.0 + documents, known.1 || direct);
            }
        }
        Ok(())
    }
}

/// How many of `postings` exist and may be read.
fn count(postings: &mut impl DocSet, segment: &SegmentReader, readable: Option<&BitSet>) -> usize {
    let mut count = 0;
    while postings.doc() != TERMINATED {
        let at = postings.doc();
        let held = !segment.is_deleted(at) && readable.is_none_or(|readable| readable.contains(at));
        count += usize::from(held);
        postings.advance();
    }
    count
}

/// Text and kind of an entry.
fn read(entry: &[u8]) -> Option<(&str, char)> {
    let (_, rest) = std::str::from_utf8(entry).ok()?.split_once(GAP)?;
    let kind = rest.chars().next()?;
    Some((&rest[kind.len_utf8()..], kind))
}

/// Takes one entry into account; several of them may stand for one text of the same documents.
fn enter(own: &mut Completions, text: &str, (kind, exact): (char, bool), documents: usize) {
    let direct = exact && kind.is_ascii_lowercase();
    let kind = match kind.to_ascii_lowercase() {
        't' => "title",
        'h' => "heading",
        _ => "phrase",
    };
    let known = own.entry((text.to_owned(), kind)).or_insert((documents, direct));
    *known = (known.0.max(documents), known.1 || direct);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_what_a_text_repeats() {
        let check = |text: &str, expected: &[&str]| assert_eq!(phrases(text), expected, "{text}");
        check("Sick leave. Sick leave! The sick leave.", &["Sick leave"]);
        check("sick. Leave sick. Leave sick. Leave sick.", &["Leave sick"]);
        check("the leave the leave the leave", &[]);
        check("leave 27 leave 27 leave 27", &[]);
        check("pilot of ships, pilot of ships, pilot of ships", &["pilot of ships"]);
        check(
            "annual leave request; annual leave request; annual leave request",
            &["annual leave request"],
        );
        check("sick leave sick leave", &[]);
    }

    #[test]
    fn a_title_is_remembered_by_any_of_its_words() {
        let mut found = BTreeSet::new();
        add(&mut found, 't', " Terms  of Service ");
        let expected = [
            "service\u{1f}TTerms of Service",
            "terms of service\u{1f}tTerms of Service",
        ];
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected);
        let mut found = BTreeSet::new();
        add(&mut found, 't', &"long ".repeat(50));
        assert!(found.is_empty());
    }
}
