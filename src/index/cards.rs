//! What is known of every document while a collection is open.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use tantivy::collector::DocSetCollector;
use tantivy::query::InvertedIndexRangeQuery;
use tantivy::{Searcher, Term};

use super::lexical::{Fields, failed, read_source};
use super::{Collection, filter};
use crate::error::Result;
use crate::types::{Document, DocumentCard, DocumentId, Filter, Reader};

impl Collection {
    /// The documents that `filter` names and `reader` may read, by URI.
    pub fn matching(&self, filter: &Filter, reader: &Reader) -> Vec<Arc<DocumentCard>> {
        let snapshot = self.lexical.snapshot();
        let cards = snapshot.cards.values();
        let named = cards.filter(|card| reader.may_read(&card.principals) && filter::matches(filter, &card.metadata));
        let mut named: Vec<_> = named.cloned().collect();
        named.sort_by(|left, right| left.uri.cmp(&right.uri).then(left.id.cmp(&right.id)));
        named
    }
}

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
        read_as: document.read_as().to_owned(),
    }
}
