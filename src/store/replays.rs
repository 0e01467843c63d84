//! Answers to requests with an `Idempotency-Key`, for when they are sent again.

use serde_json::Value;
use sqlx::Row;

use super::rows::decoding;
use super::{Store, failed, now};
use crate::error::{Error, Result};

/// How long an answer is kept: a day, in milliseconds.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// The most answers that are kept; the oldest go first.
const MOST: i64 = 100_000;

/// How a request was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// What tells the request from others.
    pub print: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Store {
    /// How the request with this key was answered, if that was within a day.
    pub async fn replay(&self, owner: &str, key: &str) -> Result<Option<Replay>> {
        let row = sqlx::query("select print, status, body from replays where owner = ? and key = ? and kept_at > ?")
            .bind(owner)
            .bind(key)
            .bind(now() - KEPT_MS)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("cannot read how a request was answered"))?;
        let read = |row: sqlx::sqlite::SqliteRow| {
            let body: String = row.try_get("body")?;
            Ok(Replay {
                print: row.try_get("print")?,
                status: row.try_get::<i64, _>("status")? as u16,
                body: serde_json::from_str(&body).map_err(|cause| decoding("body", cause))?,
            })
        };
        row.map(read)
            .transpose()
            .map_err(failed("cannot read how a request was answered"))
    }

    /// Keeps how the request with this key was answered; what is older than a day goes.
    pub async fn keep_replay(&self, owner: &str, key: &str, replay: &Replay) -> Result<()> {
        let what = "cannot keep how a request was answered";
        let body = serde_json::to_string(&replay.body).map_err(|cause| Error::storage(what, cause))?;
        let mut transaction = self.begin(what).await?;
        sqlx::query(
            "insert or replace into replays (owner, key, print, status, body, kept_at) values (?, ?, ?, ?, ?, ?)",
        )
        .bind(owner)
        .bind(key)
        .bind(&replay.print)
        .bind(i64::from(replay.status))
        .bind(body)
        .bind(now())
        .execute(&mut *transaction)
        .await
        .map_err(failed(what))?;
        sqlx::query("delete from replays where kept_at <= ? or rowid <= (select max(rowid) from replays) - ?")
            .bind(now() - KEPT_MS)
            .bind(MOST)
            .execute(&mut *transaction)
            .await
            .map_err(failed(what))?;
        transaction.commit().await.map_err(failed(what))
    }
}
