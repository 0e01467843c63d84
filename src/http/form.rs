//! Files of a `multipart/form-data` body, with what is told of them.

use std::time::Duration;

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::engine::Put;
use crate::error::{Error, Result};
use crate::http::FILES_OF_LARGEST_SIZE;
use crate::http::problem::{Answer, Problem, slow_body, too_large};
use crate::http::puts::{MAX_DOCUMENTS, check_facts, check_uri};
use crate::types::{Item, Metadata};

/// How long an upload may take.
const DEADLINE: Duration = Duration::from_mins(10);

/// What is told of the files that follow.
#[derive(Default)]
struct Told {
    metadata: Metadata,
    principals: Vec<String>,
}

/// Reads all files; no file may be larger than `limit`.
pub async fn read(form: Multipart, limit: usize) -> Answer<Vec<Put>> {
    let files = tokio::time::timeout(DEADLINE, files(form, limit)).await;
    files.map_err(|_| slow_body())?
}

async fn files(mut form: Multipart, limit: usize) -> Answer<Vec<Put>> {
    let mut puts = Vec::new();
    let mut told = Told::default();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error, limit))? {
        let pointer = format!("/{}", puts.len());
        let Some(uri) = field.file_name().map(ToOwned::to_owned) else {
            told.take(field, limit).await?;
            continue;
        };
        if puts.len() == MAX_DOCUMENTS {
            let detail = format!("one upload has at most {MAX_DOCUMENTS} files; send the rest in another");
            return Err(Error::bad_input(&pointer, detail).into());
        }
        check_uri(&uri, &pointer)?;
        puts.push(Put::from(Item {
            uri,
            media_type: field.content_type().map(ToOwned::to_owned),
            bytes: content(field, limit).await?,
            metadata: told.metadata.clone(),
            principals: told.principals.clone(),
            modified: None,
        }));
    }
    if puts.is_empty() {
        return Err(Error::bad_input("", "the upload has no files; send at least one").into());
    }
    Ok(puts)
}

impl Told {
    /// Takes a part that is no file.
    async fn take(&mut self, field: Field<'_>, limit: usize) -> Answer<()> {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "metadata" && name != "principals" {
            let detail = format!(
                "the part `{name}` has no file name; send files, and before them `metadata` (a JSON object) and \
                 `principals` (a JSON list) of those that follow"
            );
            return Err(Error::bad_input(&format!("/{name}"), detail).into());
        }
        let bytes = content(field, limit).await?;
        if name == "metadata" {
            self.metadata = json(&name, &bytes, "a JSON object, such as {\"department\":\"Deck\"}")?;
        } else {
            self.principals = json(&name, &bytes, "a JSON list of names, such as [\"board\"]")?;
        }
        Ok(check_facts(&self.metadata, &self.principals, "")?)
    }
}

fn json<T: DeserializeOwned>(name: &str, bytes: &[u8], wanted: &str) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::bad_input(&format!("/{name}"), format!("`{name}` is {wanted}: {error}")))
}

/// Reads one part, and stops reading at the limit.
async fn content(mut field: Field<'_>, limit: usize) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(part) = field.chunk().await.map_err(|error| broken(&error, limit))? {
        if bytes.len() + part.len() > limit {
            return Err(too_large("a file", limit));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn broken(error: &MultipartError, limit: usize) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large("the upload as a whole", limit.saturating_mul(FILES_OF_LARGEST_SIZE));
    }
    Error::bad_input("", "the upload is broken or ends too early; send it again").into()
}
