//! What a reader may be about to type, over several collections.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::error::Result;
use crate::index::suggest::{self, Completion};
use crate::index::work::blocking;
use crate::types::Query;

impl Engine {
    /// Completions of `typed`, best first, from documents that the reader of `query` may read, in its collections.
    pub async fn suggest(&self, typed: &str, query: &Query, limit: usize) -> Result<Vec<Completion>> {
        let names = query.collections().iter();
        let collections = names.map(|name| self.collection(name)).collect::<Result<Vec<_>>>()?;
        let (typed, reader) = (typed.to_owned(), query.reader().clone());
        blocking(move || {
            let mut found: BTreeMap<(String, &'static str), Completion> = BTreeMap::new();
            for collection in collections {
                for one in collection.suggest(&typed, &reader, limit)? {
                    let key = (one.text.clone(), one.kind);
                    let known = found.entry(key).or_insert(Completion {
                        documents: 0,
                        ..one.clone()
                    });
                    known.documents += one.documents;
                    known.direct |= one.direct;
                }
            }
            Ok(suggest::best(found.into_values().collect(), limit))
        })
        .await
    }
}
