//! Sentences that a model wrote of chunks, so that it is not asked twice. They go with their documents.

use std::collections::{BTreeMap, BTreeSet};

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

    /// Keeps `chunks` as those that the document has, in their order; what it had before goes.
    pub async fn begin_sentences(&self, collection: &str, document: DocumentId, chunks: &[Asked]) -> Result<()> {
        let mut transaction = self.begin(KEEP).await?;
        erase(&mut transaction, collection, &document.to_string())
            .await
            .map_err(failed(KEEP))?;
        sqlx::query(
            "insert into context_sentences (collection, document, ordinal, key, sentence) \
             select ?1, ?2, key, json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?3)",
        )
        .bind(collection)
        .bind(document.to_string())
        .bind(json!(chunks).to_string())
        .execute(&mut *transaction)
        .await
        .map_err(failed(KEEP))?;
        transaction.commit().await.map_err(failed(KEEP))
    }

    /// Keeps a sentence of the document's chunks with that key, unless they are gone.
    pub async fn keep_sentence(
        &self,
        collection: &str,
        document: DocumentId,
        (key, sentence): (&str, &str),
    ) -> Result<()> {
        sqlx::query("update context_sentences set sentence = ? where collection = ? and document = ? and key = ?")
            .bind(sentence)
            .bind(collection)
            .bind(document.to_string())
            .bind(key)
            .execute(&self.pool)
            .await
            .map_err(failed(KEEP))?;
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

    /// The documents of which a chunk has no sentence although one was to be written.
    pub async fn without_sentences(&self, collection: &str) -> Result<BTreeSet<String>> {
        let documents: Vec<String> = sqlx::query_scalar(
            "select distinct document from context_sentences where collection = ? and sentence is null",
        )
        .bind(collection)
        .fetch_all(&self.pool)
        .await
        .map_err(failed(READ))?;
        Ok(documents.into_iter().collect())
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
            erase(&mut transaction, collection, document)
                .await
                .map_err(failed(what))?;
        }
        transaction.commit().await.map_err(failed(what))
    }
}

/// Erases the sentences of a document, or of all of the collection where `document` is empty.
pub(super) async fn erase(
    transaction: &mut Transaction<'_, Sqlite>,
    collection: &str,
    document: &str,
) -> sqlx::Result<()> {
    sqlx::query("delete from context_sentences where collection = ?1 and (document = ?2 or ?2 = '')")
        .bind(collection)
        .bind(document)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
