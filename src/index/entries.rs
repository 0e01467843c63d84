//! What tantivy keeps of a document: its record, and an entry for each chunk with its words.

use std::sync::atomic::{AtomicUsize, Ordering};

use tantivy::{IndexWriter, TantivyDocument};

use super::given::Words;
use super::language::Language;
use super::lexical::{Fields, failed};
use super::publish::Replacement;
use super::{analyse, filter, suggest};
use crate::error::Result;
use crate::types::{Chunk, Document};

/// Adds documents and their chunks; most of it is the analysis of their words, so as many threads share it.
pub(super) fn add(fields: Fields, writer: &IndexWriter, batch: &[&Replacement], threads: usize) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(Replacement { document, chunks, .. }) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
            writer.add_document(record(fields, document)?).map_err(failed)?;
            let language = Language::of(document);
            for chunk in chunks {
                let entry = entry(fields, (document, language), chunk)?;
                writer.add_document(entry).map_err(failed)?;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(batch.len())).map(|_| scope.spawn(work)).collect();
        let mut outcome = work();
        for other in others {
            let ended = other.join().unwrap_or_else(|_| Err(failed("a thread ended early")));
            outcome = outcome.and(ended);
        }
        outcome
    })
}

fn record(fields: Fields, document: &Document) -> Result<TantivyDocument> {
    let mut record = TantivyDocument::default();
    record.add_u64(fields.owner, 0);
    for entry in suggest::entries(document) {
        record.add_text(fields.suggest, entry);
    }
    for principal in filter::principal_words(&document.principals) {
        record.add_text(fields.principals, principal);
    }
    record.add_text(fields.document, document.id.to_string());
    record.add_text(fields.record, document.id.to_string());
    record.add_text(fields.source, serde_json::to_string(document).map_err(failed)?);
    Ok(record)
}

fn entry(fields: Fields, (document, language): (&Document, Language), chunk: &Chunk) -> Result<TantivyDocument> {
    let mut entry = TantivyDocument::default();
    let (high, low) = chunk.id.0.as_u64_pair();
    entry.add_text(fields.document, document.id.to_string());
    entry.add_text(fields.chunk, chunk.id.to_string());
    entry.add_text(fields.language, language.code());
    entry.add_u64(fields.high, high);
    entry.add_u64(fields.low, low);
    entry.add_u64(fields.owner, document.id.0.as_u64_pair().0);
    entry.add_u64(fields.ordinal, u64::from(chunk.ordinal));
    for fact in filter::facts(&document.metadata) {
        entry.add_text(fields.facts, fact);
    }
    for principal in filter::principal_words(&document.principals) {
        entry.add_text(fields.principals, principal);
    }
    let text = Chunk::embedded_text(&document.title, &chunk.heading_path, &chunk.text);
    entry.add_text(fields.body, body(&text, language).text());
    entry.add_text(fields.exact, exact(&text).text());
    entry.add_text(fields.source, serde_json::to_string(chunk).map_err(failed)?);
    Ok(entry)
}

fn body(text: &str, language: Language) -> Words {
    let mut words = Words::default();
    for term in analyse::terms_in(text, language).iter().filter(|term| !term.stop) {
        words.push(&term.text);
    }
    words
}

/// Words in their order, and each identifier of several words at the place of its first.
fn exact(text: &str) -> Words {
    let mut words = Words::default();
    let mut identifiers = analyse::identifier_ranges(text).into_iter().peekable();
    for word in analyse::words(text) {
        let mut push: fn(&mut Words, &str) = Words::push;
        while let Some((identifier, _)) = identifiers.next_if(|(_, place)| place.start < word.range.end) {
            if identifier != word.text {
                push(&mut words, &identifier);
                push = Words::push_beside;
            }
        }
        push(&mut words, &word.text);
    }
    words
}
