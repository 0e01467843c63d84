//! Documents that took their parser with them twice: they are not parsed again until they or the parsers are others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::index::durable;
use crate::store::ErrorKind;

/// What befalls a document so often is its own fault, and not that of a busy machine.
const OFTEN: u32 = 2;

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
    /// How often it took its parser with it.
    times: u32,
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
        let held = self.held.get(uri)?;
        (held.print == print && held.times >= OFTEN).then(|| held.clone())
    }

    /// The document took its parser with it. Returns whether it is held from now on.
    pub fn add(&mut self, uri: &str, print: String, kind: ErrorKind, reason: String) -> Result<bool> {
        let before = self.held.get(uri).filter(|held| held.print == print);
        let times = before.map_or(0, |held| held.times) + 1;
        let held = Held {
            print,
            times,
            kind,
            reason,
        };
        self.held.insert(uri.to_owned(), held);
        self.write()?;
        Ok(times >= OFTEN)
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
        durable::write(&self.file, &bytes).map_err(|error| Error::storage("cannot write the quarantine", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_held_until_it_or_the_parser_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quarantine.json");
        assert!(Quarantine::read(&file).holds("a", "1").is_none());
        let add = |print: &str| {
            let mut quarantine = Quarantine::read(&file);
            let held = quarantine.add("a", print.into(), ErrorKind::Crashed, "it broke".into());
            held.unwrap()
        };
        assert!(!add("1"));
        assert!(Quarantine::read(&file).holds("a", "1").is_none(), "once may be chance");
        assert!(!add("0"), "this is another version");
        assert!(!add("1") && add("1"));
        let mut quarantine = Quarantine::read(&file);
        let held = quarantine.holds("a", "1").unwrap();
        assert_eq!((held.kind, held.reason.as_str()), (ErrorKind::Crashed, "it broke"));
        assert!(quarantine.holds("a", "2").is_none());
        quarantine.release("a").unwrap();
        assert!(Quarantine::read(&file).holds("a", "1").is_none());
    }
}
