//! The body of `POST /v1/index`.

use std::path::{Path, PathBuf};

use indexer::sources::Origin;
use serde::Deserialize;

use crate::error::{Error, Result};

/// Body of `POST /v1/index`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexBody {
    /// Folder or file on the service's machine; the short form of a `source`.
    pub path: Option<PathBuf>,
    /// What to index.
    pub source: Option<Origin>,
    /// Into which collection.
    pub collection: String,
    /// Tell what would be done, and do nothing.
    #[serde(default)]
    pub plan: bool,
    /// Whether any share of the documents may vanish.
    #[serde(default)]
    pub allow_deletes: bool,
}

impl IndexBody {
    /// What to index, by one of its two names.
    pub fn origin(&self) -> Result<Origin> {
        let origin = match (&self.path, &self.source) {
            (Some(path), None) => Origin::folder(path),
            (None, Some(origin)) => origin.clone(),
            _ => {
                let detail = "name what to index, by one of `path` and `source`";
                return Err(Error::bad_input("/source", detail));
            }
        };
        if origin.path().is_some_and(Path::is_relative) {
            let detail = "the path is relative to nothing here; send an absolute one";
            return Err(Error::bad_input("/path", detail));
        }
        Ok(origin)
    }
}
