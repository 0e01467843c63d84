//! What a source holds beside what the ledger knows of it: which documents are taken, which are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indexer::chunk::Chunking;
use indexer::fingerprint;
use indexer::sources::{self, Before, Entry, Origin, Part, Reason, Source, SourceError, Surroundings};

use crate::engine::changes::{Known, is_drastic};
use crate::engine::ledger::{Documents, Ledger, Told};
use crate::error::{Error, Result};
use crate::store::{ErrorKind, JobError};

/// How old the tags in the ledger may be while a run goes on.
const TAGS: Duration = Duration::from_secs(10);

/// What is to be indexed.
#[derive(Clone, Debug)]
pub struct Indexing {
    /// Where it comes from.
    pub origin: Origin,
    /// Whether any share of its documents may vanish.
    pub allow_deletes: bool,
}

/// What a source holds beside what the ledger knows of it.
pub(in crate::engine) struct Outline {
    file: PathBuf,
    ledger: Ledger,
    key: String,
    settings: String,
    /// The names of what the source lists.
    seen: BTreeSet<String>,
    /// What came from here before, as far as it would be listed.
    before: BTreeMap<String, Option<Told>>,
    /// Of the same source, but of another part than is indexed now.
    others: BTreeMap<String, Option<Told>>,
    /// The names that other sources hold, and which.
    taken: BTreeMap<String, String>,
    /// What was told of documents that were read now.
    told: BTreeMap<String, Option<Told>>,
    /// What the source says is gone.
    absent: BTreeSet<String>,
    /// Whether something could not be looked at.
    faults: bool,
    /// Whether the ledger lacks a document that may come to be.
    ahead: bool,
    /// When the ledger was last written.
    written: Instant,
}

impl Outline {
    /// Opens the source and compares it with the list of sources; touches the disk.
    pub fn open(origin: &Origin, ground: Ground) -> Result<(Box<dyn Source>, Self)> {
        let (ledger, source) = ground.open(origin)?;
        let key = source.key().to_owned();
        let all = ledger.of(&key).0.into_iter();
        let (before, others) = all.partition(|(uri, _)| source.covers(uri));
        let outline = Self {
            settings: fingerprint::settings(ground.chunking),
            taken: ledger.taken(&key),
            seen: BTreeSet::new(),
            told: BTreeMap::new(),
            absent: BTreeSet::new(),
            faults: false,
            ahead: false,
            written: Instant::now(),
            file: ground.ledger,
            ledger,
            key,
            before,
            others,
        };
        Ok((source, outline))
    }

    /// What came from here before, with the tag of those that the index has as they were read.
    pub fn before(&self, known: &Known) -> Before {
        let tag = |uri: &str, told: &Told| {
            let same = told.settings == self.settings && known.has(uri, &told.print);
            same.then(|| told.tag.clone())
        };
        let before = self.before.iter();
        before
            .map(|(uri, told)| (uri.clone(), told.as_ref().and_then(|told| tag(uri, told))))
            .collect()
    }

    /// Takes a part of the list in; returns what of it is wrong and, by kind, how much was left out.
    pub fn list(&mut self, part: &Part) -> (Vec<JobError>, BTreeMap<String, u64>) {
        self.seen.extend(part.entries.iter().map(|entry| entry.uri.clone()));
        self.ahead |= !part.entries.is_empty();
        let (mut faults, mut kinds) = (Vec::new(), BTreeMap::new());
        for skipped in &part.skipped {
            match &skipped.reason {
                Reason::Kind(kind) => *kinds.entry(kind.clone()).or_default() += 1,
                Reason::Fault(fault) => faults.push(JobError::new(ErrorKind::Unreadable, &skipped.name, fault)),
            }
        }
        self.faults |= !faults.is_empty();
        (faults, kinds)
    }

    /// Why the document of that name cannot be taken.
    pub fn refusal(&self, uri: &str) -> Option<JobError> {
        let other = self.taken.get(uri)?;
        let detail = format!("it already came from `{other}`; index one of the two into another collection");
        Some(JobError::new(ErrorKind::Taken, uri, detail))
    }

    /// There is no document under the name of the entry.
    pub fn set_absent(&mut self, entry: &Entry) {
        self.seen.remove(&entry.uri);
        self.absent.insert(entry.uri.clone());
    }

    /// What was read of the entry is called `uri`; false when that was read already.
    pub fn rename(&mut self, entry: &Entry, uri: &str) -> bool {
        if entry.uri == uri {
            return true;
        }
        self.set_absent(entry);
        self.ahead = true;
        self.seen.insert(uri.to_owned())
    }

    /// Keeps the tag of what was read, now that the index has it or is about to.
    pub fn tell(&mut self, uri: &str, tag: Option<String>, known: &Known) {
        let told = tag.zip(known.print(uri)).map(|(tag, print)| Told {
            tag,
            print: print.clone(),
            settings: self.settings.clone(),
        });
        self.told.insert(uri.to_owned(), told);
    }

    /// What came from here and is here no more.
    pub fn gone(&self) -> Vec<String> {
        let gone = self.before.keys().filter(|uri| !self.seen.contains(*uri));
        gone.filter(|uri| !self.taken.contains_key(*uri)).cloned().collect()
    }

    /// Whether nothing may be deleted: a document that could not be looked at is not a deleted one; and the reason, if
    /// that is no fault of a single document.
    pub fn is_partial(&self) -> (bool, Option<JobError>) {
        if !self.seen.is_empty() {
            return (self.faults, None);
        }
        if self.before.is_empty() {
            let detail = format!("nothing here can be read; what is read: {}", sources::FORMATS);
            return (true, Some(JobError::new(ErrorKind::Empty, "", detail)));
        }
        // A page that is not found is gone for certain; an empty folder may be a disk that is not mounted.
        if self.before.keys().all(|uri| self.absent.contains(uri)) {
            return (self.faults, None);
        }
        let count = self.before.len();
        let detail = format!("the source is empty and {count} documents came from it; nothing was deleted");
        (true, Some(JobError::new(ErrorKind::Empty, "", detail)))
    }

    /// How many documents vanish and how many there were, where so many do that it has to be allowed.
    pub fn drastic(&self, known: &Known, gone: &[String]) -> Option<(usize, usize)> {
        let (vanished, before) = (known.vanished(gone, &self.seen), self.before.len());
        is_drastic(vanished, before).then_some((vanished, before))
    }

    /// Writes down all that may come to be, so that a crash forgets no document of this source. Tags alone save no more
    /// than reading, so they are written from time to time.
    pub fn begin(&mut self) -> Result<()> {
        if !self.ahead && self.written.elapsed() < TAGS {
            return Ok(());
        }
        self.keep()
    }

    /// Writes down what there is beside what there was: nothing is to be deleted yet.
    pub fn keep(&mut self) -> Result<()> {
        let mut all = self.before.clone();
        all.extend(self.own());
        self.write(all)?;
        self.ahead = false;
        Ok(())
    }

    /// Writes down what there is once the rest is deleted.
    pub fn end(&mut self) -> Result<()> {
        self.write(self.own())
    }

    fn own(&self) -> BTreeMap<String, Option<Told>> {
        let own = self.seen.iter().filter(|uri| !self.taken.contains_key(*uri));
        let told = |uri: &String| {
            let told = self.told.get(uri).or_else(|| self.before.get(uri));
            told.cloned().flatten()
        };
        own.map(|uri| (uri.clone(), told(uri))).collect()
    }

    fn write(&mut self, mut documents: BTreeMap<String, Option<Told>>) -> Result<()> {
        documents.extend(self.others.clone());
        self.ledger.set(&self.key, Documents(documents), &self.file)?;
        self.written = Instant::now();
        Ok(())
    }
}

/// What sources of a collection stand on.
pub(crate) struct Ground {
    /// The list of sources.
    pub ledger: PathBuf,
    /// Where sources keep what they have fetched.
    pub cache: PathBuf,
    /// The settings of buckets, by the names of their variables.
    pub buckets: BTreeMap<String, String>,
    /// How documents are cut.
    pub chunking: Chunking,
}

impl Ground {
    /// Opens a source, and tells what is wrong with its name; touches the disk.
    pub fn open(&self, origin: &Origin) -> Result<(Ledger, Box<dyn Source>)> {
        let ledger = Ledger::read(&self.ledger)?;
        let home = |path: &Path| ledger.home(path).to_owned();
        let surroundings = Surroundings {
            home: &home,
            cache: &self.cache,
            buckets: &self.buckets,
        };
        let opened = origin.open(&surroundings);
        let source = opened.map_err(|error| Error::bad_input(pointer(origin), error.to_string()))?;
        Ok((ledger, source))
    }
}

/// Where in a request the name of the source stands.
fn pointer(origin: &Origin) -> &'static str {
    match origin {
        Origin::Folder { .. } => "/path",
        _ => "/source",
    }
}

/// What a source could not do.
pub(in crate::engine) fn failed(error: &SourceError) -> Error {
    Error::Unavailable(error.to_string())
}
