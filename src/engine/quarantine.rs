//! Documents that took their parser with them: they are not parsed again until they or the parsers are others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::store::ErrorKind;

/// The quarantine of a collection, in a file of its folder.
#[derive(Default)]
pub(super) struct Quarantine {
    file: PathBuf,
    held: BTreeMap<String, Held>,
}

/// Why a document is held.
#[derive(Clone, serde::Deserialize, serde::Serialize)]
pub(super) struct Held {
    /// Its fingerprint, which is another with other parsers.
    print: String,
    /// What kind of end it made.
    pub kind: ErrorKind,
    /// How.
    pub reason: String,
}

impl Quarantine {
    /// Reads `file`; none, and one that is broken, is an empty quarantine: then all is parsed again.
    pub fn read(file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap_or_default();
        Self {
            file: file.to_owned(),
            held: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// Why the document of that fingerprint is not to be parsed.
    pub fn holds(&self, uri: &str, print: &str) -> Option<Held> {
        self.held.get(uri).filter(|held| held.print == print).cloned()
    }

    /// Holds a document.
    pub fn add(&mut self, uri: &str, print: String, kind: ErrorKind, reason: String) -> Result<()> {
        self.held.insert(uri.to_owned(), Held { print, kind, reason });
        self.write()
    }

    /// The document was parsed.
    pub fn release(&mut self, uri: &str) -> Result<()> {
        match self.held.remove(uri) {
            Some(_) => self.write(),
            None => Ok(()),
        }
    }

    fn write(&self) -> Result<()> {
        let bytes = serde_json::to_vec(&self.held).map_err(|error| Error::Internal(error.to_string()))?;
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, bytes)
            .and_then(|()| std::fs::rename(&fresh, &self.file))
            .map_err(|error| Error::storage("cannot write the quarantine", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_held_until_it_or_the_parser_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quarantine.json");
        let mut quarantine = Quarantine::read(&file);
        assert!(quarantine.holds("a", "1").is_none());
        quarantine
            .add("a", "1".into(), ErrorKind::Crashed, "it broke".into())
            .unwrap();
        let mut quarantine = Quarantine::read(&file);
        let held = quarantine.holds("a", "1").unwrap();
        assert_eq!((held.kind, held.reason.as_str()), (ErrorKind::Crashed, "it broke"));
        assert!(quarantine.holds("a", "2").is_none());
        quarantine.release("a").unwrap();
        assert!(Quarantine::read(&file).holds("a", "1").is_none());
    }
}
