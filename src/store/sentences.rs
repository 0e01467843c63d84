//! Sentences that a model wrote of chunks, so that it is not asked twice. They go with their documents.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::json;
use sqlx::{Sqlite, Transaction};

use super::{Store, failed};
use crate::error::Result;
use crate::types::DocumentId;

const READ: &str = "cannot read context sentences";
const KEEP: &str = "cannot keep a context sentence";

/// A chunk that a sentence is to be written of: the key of all that the model is given, and the sentence if there is one.
pub type Asked = (String, Option<String>);

impl Store {
    /// The sentences of a collection that have one of these keys.
    pub async fn sentences_by_key(&self, collection: &str, keys: &[String]) -> Result<BTreeMap<String, String>> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select key, sentence from context_sentences \
             where collection = ? and sentence is not null and key in (select value from json_each(?))",
        )
        .bind(collection)
        .bind(json!(keys).to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(failed(READ))?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps of each document the chunks that it has now, in their order; what it had before goes.
    pub async fn replace_sentences(&self, collection: &str, documents: &[(DocumentId, Vec<Asked>)]) -> Result<()> {
        let (mut transaction, mut gone) = (self.begin(KEEP).await?, 0);
        for (document, chunks) in documents {
            let document = document.to_string();
            let own = erase(&mut transaction, collection, &document).await;
            gone += own.map_err(failed(KEEP))?;
            sqlx::query(
                "insert into context_sentences (collection, document, ordinal, key, sentence) \
                 select ?1, ?2, key, json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?3)",
            )
            .bind(collection)
            .bind(document)
            .bind(json!(chunks).to_string())
            .execute(&mut *transaction)
            .await
            .map_err(failed(KEEP))?;
        }
        transaction.commit().await.map_err(failed(KEEP))?;
        self.erased.fetch_or(gone > 0, Ordering::Relaxed);
        Ok(())
    }

    /// The sentence of each chunk of the document, in order; empty where none was ever asked for.
    pub async fn sentences(&self, collection: &str, document: DocumentId) -> Result<Vec<Option<String>>> {
        sqlx::query_scalar(
            "select sentence from context_sentences where collection = ? and document = ? order by ordinal",
        )
        .bind(collection)
        .bind(document.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(failed(READ))
    }

    /// The documents of which chunks have no sentence although one was to be written, and of how many.
    pub async fn without_sentences(&self, collection: &str) -> Result<BTreeMap<String, u64>> {
        let documents: Vec<(String, i64)> = sqlx::query_as(
            "select document, count(*) from context_sentences where collection = ? and sentence is null group by document",
        )
        .bind(collection)
        .fetch_all(&self.pool)
        .await
        .map_err(failed(READ))?;
        let counted = documents.into_iter().map(|(document, count)| (document, count as u64));
        Ok(counted.collect())
    }

    /// Forgets the sentences of all documents of the collection but those that `holds`.
    pub async fn retain_sentences(&self, collection: &str, holds: impl Fn(DocumentId) -> bool) -> Result<()> {
        let documents: Vec<String> =
            sqlx::query_scalar("select distinct document from context_sentences where collection = ?")
                .bind(collection)
                .fetch_all(&self.pool)
                .await
                .map_err(failed(READ))?;
        let stray = |document: &&String| !document.parse().is_ok_and(|id| holds(DocumentId(id)));
        let strays: Vec<&String> = documents.iter().filter(stray).collect();
        if strays.is_empty() {
            return Ok(());
        }
        let what = "cannot forget context sentences";
        let mut transaction = self.begin(what).await?;
        for document in strays {
            let gone = erase(&mut transaction, collection, document).await;
            gone.map_err(failed(what))?;
        }
        transaction.commit().await.map_err(failed(what))?;
        self.erased.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes sentences that were replaced or forgotten off the disk, if there are any; whoever erases documents has done so.
    pub async fn tidy_sentences(&self) -> Result<()> {
        if self.erased.swap(false, Ordering::Relaxed)
            && !self.empty_log("cannot take context sentences off the disk").await?
        {
            self.erased.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Erases the sentences of a document, or of all of the collection where `document` is empty; how many chunks they were of.
pub(super) async fn erase(
    transaction: &mut Transaction<'_, Sqlite>,
    collection: &str,
    document: &str,
) -> sqlx::Result<u64> {
    let gone = sqlx::query("delete from context_sentences where collection = ?1 and (document = ?2 or ?2 = '')")
        .bind(collection)
        .bind(document)
        .execute(&mut **transaction)
        .await?;
    Ok(gone.rows_affected())
}
