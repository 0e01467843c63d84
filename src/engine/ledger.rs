//! The ledger of a collection's sources: which documents came from which folder or file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indexer::sources::{self, Entry};

use crate::error::{Error, Result};
use crate::index::durable;

/// Which documents came from which folder, so that deletions follow their own source.
#[derive(Default, serde::Deserialize, serde::Serialize)]
pub struct Ledger(BTreeMap<String, BTreeSet<String>>);

impl Ledger {
    /// Reads `file`; none is an empty ledger.
    pub fn read(file: &Path) -> Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let mend = "put it back from a backup, or remove it: what was deleted from folders meanwhile stays";
                Error::Storage(format!(
                    "the list of sources `{}` is broken: {error}; {mend}",
                    file.display()
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::storage("cannot read the list of sources", error)),
        }
    }

    /// `path` itself or the nearest folder above it that documents came from; they have their names from there.
    pub fn home<'a>(&self, path: &'a Path) -> &'a Path {
        let known = |place: &&Path| {
            !self.of(&place.display().to_string()).is_empty() && sources::relative(place, path).is_some()
        };
        path.ancestors().find(known).unwrap_or(path)
    }

    /// The documents that came from `key`.
    pub fn of(&self, key: &str) -> BTreeSet<String> {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// The documents of other folders that still exist, and which. A folder that was moved gives its documents up.
    pub fn taken(&self, key: &str) -> BTreeMap<String, String> {
        let others = self
            .0
            .iter()
            .filter(|(other, _)| *other != key && Path::new(other).exists());
        others
            .flat_map(|(other, uris)| uris.iter().map(|uri| (uri.clone(), other.clone())))
            .collect()
    }

    /// Writes down that exactly `uris` came from `key`, all or nothing.
    pub fn set(&mut self, key: &str, uris: &BTreeSet<String>, file: &Path) -> Result<()> {
        self.0.insert(key.to_owned(), uris.clone());
        let bytes = serde_json::to_vec(self).map_err(|error| Error::Internal(error.to_string()))?;
        durable::write(file, &bytes).map_err(|error| Error::storage("cannot write the list of sources", error))
    }
}

/// The entries with the names that they have below `home`.
pub fn named_from(home: &Path, mut entries: Vec<Entry>) -> Vec<Entry> {
    for entry in &mut entries {
        if let Some(uri) = sources::relative(home, &entry.path).filter(|uri| !uri.is_empty()) {
            entry.uri = uri;
        }
    }
    entries
}

/// The documents of the part `part` of a folder, and the others; an empty `part` is the whole.
pub fn split(all: BTreeSet<String>, part: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let folder = format!("{part}/");
    all.into_iter()
        .partition(|uri| part.is_empty() || uri == part || uri.starts_with(&folder))
}
