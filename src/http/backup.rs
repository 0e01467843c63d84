//! `/v1/backup`: the whole instance as one file on the service's machine, for its operator.

use std::path::Path;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::Backup;
use crate::error::Error;
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Body, reply};

/// Body of `POST /v1/backup`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupBody {
    path: String,
}

/// `POST /v1/backup`.
pub async fn backup(
    State(state): State<HttpState>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<BackupBody>,
) -> Answer<Response> {
    caller.must_be_operator("back the data up")?;
    let path = Path::new(&body.path);
    if !path.is_absolute() {
        return Err(Error::bad_input("/path", "the path is relative to nothing here; send an absolute one").into());
    }
    let backup = state.engine().backup(path).await?;
    Ok(reply(StatusCode::OK, view(&backup)))
}

/// A backup; the command line prints the same.
pub fn view(backup: &Backup) -> Value {
    let files = backup.manifest.files.values();
    json!({
        "file": backup.file,
        "made_at": backup.manifest.made_at,
        "collections": backup.manifest.collections,
        "left_out": backup.left_out,
        "files": files.len(),
        "bytes": files.map(|file| file.bytes).sum::<u64>(),
    })
}
