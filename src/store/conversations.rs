//! Conversations: who may see them, what was asked and answered.

use std::collections::BTreeMap;

use sqlx::{Row, Sqlite, Transaction};

use super::rows::{self, AnswerRecord, ConversationRow, MessageRow};
use super::{Store, failed, new_id, now};
use crate::error::{Error, Result};
use crate::types::{Citation, Message, Role};

/// A passage as on the wire, named by the document it is from.
fn document_of(passage: &serde_json::Value) -> Option<&str> {
    passage.get("document").and_then(serde_json::Value::as_str)
}

fn no_conversation(id: &str) -> Error {
    Error::NotFound(format!(
        "no conversation `{id}`; leave `conversation` out to begin a new one"
    ))
}

impl Store {
    /// An error unless `owner` has the conversation.
    pub async fn check_conversation(&self, id: &str, owner: &str) -> Result<()> {
        let found: Option<String> = sqlx::query_scalar("select id from conversations where id = ? and owner = ?")
            .bind(id)
            .bind(owner)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed("cannot read the conversation"))?;
        found.map(drop).ok_or_else(|| no_conversation(id))
    }

    /// Begins the conversation `id`, a UUID of version 7, so that conversations sort by their beginnings.
    pub async fn begin_conversation(&self, id: &str, title: &str, owner: &str) -> Result<()> {
        let now = now();
        sqlx::query("insert into conversations (id, owner, title, created_at, updated_at) values (?, ?, ?, ?, ?)")
            .bind(id)
            .bind(owner)
            .bind(title)
            .bind(now)
            .bind(now)
            .execute(&self.pool)
            .await
            .map_err(failed("cannot keep the conversation"))?;
        Ok(())
    }

    /// Appends a question and returns its message's id.
    pub async fn add_question(&self, conversation: &str, text: &str) -> Result<String> {
        let what = "cannot keep the question";
        let id = new_id();
        let mut transaction = self.begin(what).await?;
        let (position, now) = next_position(&mut transaction, conversation).await?;
        sqlx::query(
            "insert into messages (id, conversation, position, role, text, state, created_at) \
             values (?, ?, ?, 'user', ?, 'complete', ?)",
        )
        .bind(&id)
        .bind(conversation)
        .bind(position)
        .bind(text)
        .bind(now)
        .execute(&mut *transaction)
        .await
        .map_err(failed(what))?;
        transaction.commit().await.map_err(failed(what))?;
        Ok(id)
    }

    /// Appends an answer with its sources and citations, all or nothing.
    pub async fn add_answer(&self, conversation: &str, answer: &AnswerRecord) -> Result<()> {
        let what = "cannot keep the answer";
        let usage = answer.usage.as_ref().map(rows::usage_json).transpose()?;
        let mut transaction = self.begin(what).await?;
        let (position, now) = next_position(&mut transaction, conversation).await?;
        sqlx::query(
            "insert into messages \
             (id, conversation, position, role, question, text, state, run, route, outcome, sentences, usage, problem, \
             created_at) values (?, ?, ?, 'assistant', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&answer.id)
        .bind(conversation)
        .bind(position)
        .bind(&answer.question)
        .bind(&answer.text)
        .bind(if answer.complete { "complete" } else { "incomplete" })
        .bind(&answer.run)
        .bind(&answer.route)
        .bind(answer.outcome.map(crate::types::Outcome::as_str))
        .bind(answer.sentences.to_string())
        .bind(usage)
        .bind(&answer.problem)
        .bind(now)
        .execute(&mut *transaction)
        .await
        .map_err(failed(what))?;
        let sources = answer.sources.as_array().map_or(&[][..], Vec::as_slice);
        for (ordinal, passage) in sources.iter().enumerate() {
            sqlx::query("insert into sources (message, ordinal, document, passage) values (?, ?, ?, ?)")
                .bind(&answer.id)
                .bind(ordinal as i64)
                .bind(document_of(passage))
                .bind(passage.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed(what))?;
        }
        for (ordinal, citation) in answer.citations.iter().enumerate() {
            add_citation(&mut transaction, &answer.id, ordinal, citation).await?;
        }
        transaction.commit().await.map_err(failed(what))
    }

    /// The last `most` questions that have a complete answer, each followed by it, oldest first.
    pub async fn turns(&self, conversation: &str, most: usize) -> Result<Vec<Message>> {
        let rows = sqlx::query(
            "select question.text as question, answer.text as answer \
             from messages as answer join messages as question on question.id = answer.question \
             where answer.conversation = ? and answer.state = 'complete' order by question.position desc limit ?",
        )
        .bind(conversation)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .map_err(failed("cannot read the last turns"))?;
        let mut messages = Vec::with_capacity(rows.len() * 2);
        for row in rows.iter().rev() {
            for (role, column) in [(Role::User, "question"), (Role::Assistant, "answer")] {
                let text = row.try_get(column).map_err(failed("cannot read a turn"))?;
                messages.push(Message { role, text });
            }
        }
        Ok(messages)
    }

    /// The conversations of `owner`, the last changed first.
    pub async fn conversations(&self, owner: &str, limit: usize) -> Result<Vec<ConversationRow>> {
        sqlx::query(
            "select id, title, strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as created_at, \
             strftime('%Y-%m-%dT%H:%M:%fZ', conversations.updated_at / 1000.0, 'unixepoch') as updated_at \
             from conversations where owner = ? order by conversations.updated_at desc, id desc limit ?",
        )
        .bind(owner)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pool)
        .await
        .and_then(|found| found.iter().map(rows::conversation).collect())
        .map_err(failed("cannot list the conversations"))
    }

    /// A conversation of `owner` with all its messages, oldest question first, each followed by its answer.
    pub async fn messages(&self, conversation: &str, owner: &str) -> Result<(ConversationRow, Vec<MessageRow>)> {
        let what = "cannot read the conversation";
        // One transaction, so that an erasure in between cannot leave ranges and text of different states.
        let mut transaction = self.pool.begin().await.map_err(failed(what))?;
        let head = sqlx::query(
            "select id, title, strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000.0, 'unixepoch') as created_at, \
             strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1000.0, 'unixepoch') as updated_at \
             from conversations where id = ? and owner = ?",
        )
        .bind(conversation)
        .bind(owner)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed(what))?
        .ok_or_else(|| no_conversation(conversation))?;
        let head = rows::conversation(&head).map_err(failed(what))?;
        let messages = read_messages(&mut transaction, conversation)
            .await
            .map_err(failed(what))?;
        Ok((head, messages))
    }

    /// Gives a conversation of `from` to `to`; one of somebody else stays where it is.
    pub async fn change_owner(&self, id: &str, from: &str, to: &str) -> Result<()> {
        sqlx::query("update conversations set owner = ? where id = ? and owner = ?")
            .bind(to)
            .bind(id)
            .bind(from)
            .execute(&self.pool)
            .await
            .map_err(failed("cannot change the conversation"))?;
        Ok(())
    }

    /// The conversation of one of `owners` in which the run answered.
    pub async fn conversation_of_run(&self, run: &str, owners: [&str; 2]) -> Result<Option<String>> {
        sqlx::query_scalar(
            "select conversation from messages join conversations on conversations.id = conversation \
             where run = ? and owner in (?, ?)",
        )
        .bind(run)
        .bind(owners[0])
        .bind(owners[1])
        .fetch_optional(&self.pool)
        .await
        .map_err(failed("cannot read the conversation of a run"))
    }

    /// Removes a conversation of one of `owners` with everything in it; false when there is none.
    pub async fn remove_conversation(&self, id: &str, owners: [&str; 2]) -> Result<bool> {
        let done = sqlx::query("delete from conversations where id = ? and owner in (?, ?)")
            .bind(id)
            .bind(owners[0])
            .bind(owners[1])
            .execute(&self.pool)
            .await
            .map_err(failed("cannot remove the conversation"))?;
        Ok(done.rows_affected() > 0)
    }

    /// A transaction that may write: it takes the write lock now, where waiting for it still works.
    pub(super) async fn begin(&self, what: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("begin immediate").await.map_err(failed(what))
    }
}

/// Marks the conversation as changed and returns the place of its next message and the time.
async fn next_position(transaction: &mut Transaction<'_, Sqlite>, conversation: &str) -> Result<(i64, i64)> {
    let now = now();
    let done = sqlx::query("update conversations set updated_at = max(updated_at, ?) where id = ?")
        .bind(now)
        .bind(conversation)
        .execute(&mut **transaction)
        .await
        .map_err(failed("cannot change the conversation"))?;
    if done.rows_affected() == 0 {
        return Err(no_conversation(conversation));
    }
    let last: i64 = sqlx::query_scalar("select coalesce(max(position), 0) from messages where conversation = ?")
        .bind(conversation)
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed("cannot read the conversation"))?;
    Ok((last + 1, now))
}

async fn add_citation(
    transaction: &mut Transaction<'_, Sqlite>,
    message: &str,
    ordinal: usize,
    citation: &Citation,
) -> Result<()> {
    sqlx::query(
        "insert into citations (message, ordinal, number, answer_start, answer_end, document, version, \
         source_start, source_end, quote, checked) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(message)
    .bind(ordinal as i64)
    .bind(citation.number as i64)
    .bind(citation.answer_range.start as i64)
    .bind(citation.answer_range.end as i64)
    .bind(citation.document.to_string())
    .bind(&citation.version)
    .bind(citation.source_range.start as i64)
    .bind(citation.source_range.end as i64)
    .bind(&citation.quote)
    .bind(citation.checked)
    .execute(&mut **transaction)
    .await
    .map_err(failed("cannot keep a citation"))?;
    Ok(())
}

async fn read_messages(transaction: &mut Transaction<'_, Sqlite>, conversation: &str) -> sqlx::Result<Vec<MessageRow>> {
    let found = sqlx::query(
        "select own.id, own.role, own.text, own.state, own.route, own.outcome, own.sentences, own.usage, own.problem, \
         strftime('%Y-%m-%dT%H:%M:%fZ', own.created_at / 1000.0, 'unixepoch') as created_at \
         from messages as own left join messages as asked on asked.id = own.question \
         where own.conversation = ? order by coalesce(asked.position, own.position), own.position",
    )
    .bind(conversation)
    .fetch_all(&mut **transaction)
    .await?;
    let mut messages: Vec<MessageRow> = found.iter().map(rows::message).collect::<sqlx::Result<_>>()?;

    let mut sources: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    let found = sqlx::query(
        "select message, passage from sources where message in (select id from messages where conversation = ?) \
         order by message, ordinal",
    )
    .bind(conversation)
    .fetch_all(&mut **transaction)
    .await?;
    for row in &found {
        let passage = rows::passage(row)?;
        sources.entry(row.try_get("message")?).or_default().push(passage);
    }

    let mut citations: BTreeMap<String, Vec<rows::StoredCitation>> = BTreeMap::new();
    let found = sqlx::query(
        "select * from citations where message in (select id from messages where conversation = ?) \
         order by message, ordinal",
    )
    .bind(conversation)
    .fetch_all(&mut **transaction)
    .await?;
    for row in &found {
        let citation = rows::citation(row)?;
        citations.entry(row.try_get("message")?).or_default().push(citation);
    }
    for message in &mut messages {
        message.sources = sources.remove(&message.id).unwrap_or_default().into();
        message.citations = citations.remove(&message.id).unwrap_or_default();
    }
    Ok(messages)
}
