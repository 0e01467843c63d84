//! The folder of a collection: whether it is whole, before anything is made or changed in it.

use std::path::Path;

use serde_json::Value;

use super::{Identity, durable};
use crate::error::{Error, Result};

/// Says with what a collection was made; the last file that is written when one is made.
const IDENTITY: &str = "identity.json";
/// Says what exists.
const META: &str = "lexical/meta.json";
/// What is there only after documents were.
const TRACES: [&str; 2] = ["sources.json", "vectors"];

/// Whether `folder` holds a collection; then it is whole and was made with `asked`. One that is not whole is an error:
/// making it anew would destroy what is left of it.
pub(super) fn is_made(folder: &Path, name: &str, asked: &Identity) -> Result<bool> {
    std::fs::create_dir_all(folder).map_err(|cause| Error::storage("cannot make the collection's folder", cause))?;
    let away = mend(folder, name);
    let lacks = |file: &str| {
        let detail = format!(
            "`{file}` is missing in `{}`; put it back from a backup, or {away}",
            folder.display()
        );
        Err(Error::Conflict(detail))
    };
    let has_meta = folder.join(META).exists();
    let bytes = match std::fs::read(folder.join(IDENTITY)) {
        Ok(_) if !has_meta => return lacks(META),
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return match has_meta {
                true if is_empty(folder) => Ok(false),
                true => lacks(IDENTITY),
                false if TRACES.iter().any(|trace| folder.join(trace).exists()) || has_segments(folder) => lacks(META),
                false => Ok(false),
            };
        }
        Err(cause) => return Err(Error::storage("cannot read `identity.json`", cause)),
    };
    let found: Identity = serde_json::from_slice(&bytes)
        .map_err(|cause| Error::Conflict(format!("`{IDENTITY}` of `{name}` cannot be read ({cause}); {away}")))?;
    if found == *asked {
        return Ok(true);
    }
    let detail = format!("collection `{name}` was made with {found}, but this program runs with {asked}; {away}");
    Err(Error::Conflict(detail))
}

/// A crash leaves no half file.
pub(super) fn write_identity(folder: &Path, identity: &Identity) -> Result<()> {
    let failed = |cause: std::io::Error| Error::storage("cannot write `identity.json`", cause);
    let bytes = serde_json::to_vec_pretty(identity).map_err(|cause| Error::Internal(cause.to_string()))?;
    durable::write(&folder.join(IDENTITY), &bytes).map_err(failed)
}

/// The same error with what to do about it: a broken file does not mend itself.
pub(super) fn broken(folder: &Path, name: &str) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Storage(cause) => Error::Storage(format!(
            "collection `{name}` does not open: {cause}; put its folder back from a backup, or {}",
            mend(folder, name)
        )),
        other => other,
    }
}

fn mend(folder: &Path, name: &str) -> String {
    let folder = folder.display();
    format!("move `{folder}` away and run `portolan index PATH --collection {name}` to build it again")
}

/// Whether nothing was ever committed: so a crash leaves what it had begun to make.
fn is_empty(folder: &Path) -> bool {
    let meta = std::fs::read(folder.join(META)).ok();
    let meta: Option<Value> = meta.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    meta.is_some_and(|meta| meta["segments"].as_array().is_some_and(Vec::is_empty))
}

/// Whether words of documents lie there; hidden files are the engine's own notes.
fn has_segments(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder.join("lexical"))
        .into_iter()
        .flatten()
        .flatten();
    files
        .into_iter()
        .any(|file| !file.file_name().to_string_lossy().starts_with('.'))
}
