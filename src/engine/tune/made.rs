//! Questions made from a collection's own headings, for want of golden ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sample::hash;
use crate::engine::measure::Judged;
use crate::error::Result;
use crate::index::Collection;
use crate::index::work::blocking;
use crate::types::{Document, Reader};

/// Documents that are looked at; which ones is up to the hash of their names.
const DOCUMENTS: usize = 500;

/// For each of up to `DOCUMENTS` documents one of its headings, with the title where the heading does not say it.
/// A question that several documents answer is none.
pub(super) async fn questions(collection: &Arc<Collection>) -> Result<Vec<Judged>> {
    let collection = collection.clone();
    blocking(move || {
        let (_, mut cards) = collection.documents(&Reader::Everything, 0, usize::MAX)?;
        cards.sort_by_cached_key(|card| hash(0, &card.uri));
        cards.truncate(DOCUMENTS);
        let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for card in cards {
            if let Some(document) = collection.document(card.id, &Reader::Everything)?
                && let Some(text) = question(&document)
            {
                made.entry(text).or_default().push(document.uri);
            }
        }
        let one = |(text, uris): (String, Vec<String>)| {
            let [uri] = uris.as_slice() else { return None };
            Some(Judged {
                id: uri.clone(),
                wanted: BTreeMap::from([(uri.clone(), 1.0)]),
                text,
                quote: None,
            })
        };
        Ok(made.into_iter().filter_map(one).collect())
    })
    .await
}

fn question(document: &Document) -> Option<String> {
    let others = document
        .headings
        .iter()
        .filter(|heading| heading.title != document.title);
    let heading = others.min_by_key(|heading| hash(0, &heading.title))?;
    Some(format!("{}: {}", document.title, heading.title))
}
