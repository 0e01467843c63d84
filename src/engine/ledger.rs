//! The ledger of a collection's sources: which documents came from which source, and by what each is told to be unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indexer::sources;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::index::durable;

/// Which documents came from which source, so that deletions follow their own source.
#[derive(Default, Deserialize, Serialize)]
pub struct Ledger(BTreeMap<String, Documents>);

/// The documents of one source by their names.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(from = "Written")]
pub struct Documents(pub BTreeMap<String, Option<Told>>);

/// What a source told of a document when it was read last.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Told {
    /// Equal tags mean equal content.
    pub tag: String,
    /// The fingerprint of what was read.
    pub print: String,
    /// The settings under which the fingerprint was made.
    pub settings: String,
}

/// Names alone are how it was written before sources told tags.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Names(BTreeSet<String>),
    Told(BTreeMap<String, Option<Told>>),
}

impl From<Written> for Documents {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::Names(names) => names.into_iter().map(|name| (name, None)).collect(),
            Written::Told(told) => told,
        })
    }
}

impl Ledger {
    /// Reads `file`; none is an empty ledger.
    pub fn read(file: &Path) -> Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let mend = "put it back from a backup, or remove it: what was deleted from its sources meanwhile stays";
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
            let documents = self.0.get(&place.display().to_string());
            documents.is_some_and(|documents| !documents.0.is_empty()) && sources::relative(place, path).is_some()
        };
        path.ancestors().find(known).unwrap_or(path)
    }

    /// The documents that came from `key`.
    pub fn of(&self, key: &str) -> Documents {
        self.0.get(key).cloned().unwrap_or_default()
    }

    /// The documents of other sources that still exist, and which. A folder that was moved gives its documents up.
    pub fn taken(&self, key: &str) -> BTreeMap<String, String> {
        let others = self.0.iter().filter(|(other, _)| *other != key && exists(other));
        others
            .flat_map(|(other, documents)| documents.0.keys().map(|uri| (uri.clone(), other.clone())))
            .collect()
    }

    /// Writes down that exactly these came from `key`, all or nothing, unless it says so already.
    pub fn set(&mut self, key: &str, documents: Documents, file: &Path) -> Result<()> {
        let is_written = |own: &Documents| *own == documents;
        if self.0.get(key).map_or(documents.0.is_empty(), is_written) {
            return Ok(());
        }
        let mut all = self.0.clone();
        all.insert(key.to_owned(), documents);
        let bytes = serde_json::to_vec(&all).map_err(|error| Error::Internal(error.to_string()))?;
        durable::write(file, &bytes).map_err(|error| Error::storage("cannot write the list of sources", error))?;
        // Only now: what could not be written is to be written with the next one.
        self.0 = all;
        Ok(())
    }
}

/// Whether the source is still there, as far as this machine can tell.
fn exists(key: &str) -> bool {
    let path = Path::new(key.strip_suffix(sources::ROWS).unwrap_or(key));
    !path.is_absolute() || path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_alone_is_still_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sources.json");
        std::fs::write(&file, r#"{"/docs":["a.md","b.md"]}"#).unwrap();
        let mut ledger = Ledger::read(&file).unwrap();
        let mut documents = ledger.of("/docs");
        assert_eq!(documents.0.keys().collect::<Vec<_>>(), ["a.md", "b.md"]);
        let told = Told {
            tag: "1".into(),
            print: "2".into(),
            settings: "3".into(),
        };
        documents.0.insert("a.md".into(), Some(told));
        ledger.set("/docs", documents.clone(), &file).unwrap();
        assert_eq!(Ledger::read(&file).unwrap().of("/docs"), documents);
    }

    #[test]
    fn what_could_not_be_written_is_written_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("none/sources.json");
        let mut ledger = Ledger::default();
        let one = Documents(BTreeMap::from([("a.md".to_owned(), None)]));
        for _ in 0..2 {
            ledger.set("/docs", one.clone(), &file).unwrap_err();
        }
        std::fs::create_dir(folder.path().join("none")).unwrap();
        ledger.set("/docs", one.clone(), &file).unwrap();
        assert_eq!(Ledger::read(&file).unwrap().of("/docs"), one);
    }

    #[test]
    fn what_is_gone_from_this_machine_holds_no_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sources.json");
        let mut ledger = Ledger::default();
        let rows = format!("{}{}", file.display(), sources::ROWS);
        for key in ["/gone", "/gone#rows", "https://docs.example/", &rows] {
            let one = BTreeMap::from([(format!("of {key}"), None)]);
            ledger.set(key, Documents(one), &file).unwrap();
        }
        let taken: Vec<String> = ledger.taken("/other").into_values().collect();
        assert_eq!(taken, [rows.clone(), "https://docs.example/".into()]);
    }
}
