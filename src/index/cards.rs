//! What is known of every document while a collection is open.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use tantivy::collector::DocSetCollector;
use tantivy::query::InvertedIndexRangeQuery;
use tantivy::{Searcher, Term};

use super::lexical::{Fields, failed, read_source};
use crate::error::Result;
use crate::types::{Document, DocumentCard, DocumentId};

/// The cards of all documents of a commit.
pub(super) fn read(searcher: &Searcher, fields: Fields) -> Result<BTreeMap<DocumentId, Arc<DocumentCard>>> {
    // Every record has one fact: its own id.
    let query = InvertedIndexRangeQuery::new(
        Bound::Included(Term::from_field_text(fields.record, "")),
        Bound::Unbounded,
    );
    let found = searcher.search(&query, &DocSetCollector);
    let mut cards = BTreeMap::new();
    for address in found.map_err(failed)? {
        let document: Document = read_source(searcher, fields, address)?;
        cards.insert(document.id, Arc::new(card(&document)));
    }
    Ok(cards)
}

/// What is known of `document` without its text.
pub(super) fn card(document: &Document) -> DocumentCard {
    DocumentCard {
        id: document.id,
        uri: document.uri.clone(),
        title: document.title.clone(),
        metadata: document.metadata.clone(),
        principals: document.principals.clone(),
        version: document.fingerprint.clone(),
    }
}
