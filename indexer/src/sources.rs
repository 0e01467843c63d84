//! Sources: where items come from, and how one is named by whoever wants it indexed. Nothing is parsed here.

mod address;
mod bucket;
mod crawl;
mod fetch;
mod fields;
mod folder;
mod git;
mod origin;
mod rows;
mod site;
mod sitemap;
mod watch;
mod web;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::types::Item;
pub use fields::Fields;
pub use folder::{Filter, Folder, relative};
pub use origin::{Origin, Surroundings};
pub use watch::Watch;

/// Larger files are skipped: they are data, not documents.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The kinds of files that are read, in words.
pub const FORMATS: &str = "text, Markdown, HTML, PDF, Word, PowerPoint, Excel, OpenDocument, RTF, EPUB, mail, CSV, JSON, \
                           source code, and zip and tar of these";
/// Behind the path of a file whose rows are the documents, in the ledger.
pub const ROWS: &str = "#rows";
/// The kind of a file whose name has no ending.
const NO_EXTENSION: &str = "without extension";

/// Where documents come from: listed part by part, read an entry at a time.
///
/// Both may wait for a disk or a network, so they are called from a thread that may block. What is bounded by nature is
/// listed as one part; what is found while it is read, such as the pages of a site, as many.
pub trait Source: Send {
    /// What it is called in the ledger: the same at every run, and free of passwords.
    fn key(&self) -> &str;

    /// The next part of the list; nobody asks again after the last. `before` are the documents that came from here.
    fn list(&mut self, before: &Before) -> Result<Part, SourceError>;

    /// Reads an entry; `tag` is what was told of its document when that was read last, if it is still in the index.
    fn read(&mut self, entry: &Entry, tag: Option<&str>) -> Result<Reading, SourceError>;

    /// Whether the list would name a document of that name if there was one: only such documents can be gone.
    fn covers(&self, _uri: &str) -> bool {
        true
    }
}

/// The documents that came from a source before, with the tag of those that the index has as they were read then.
pub type Before = BTreeMap<String, Option<String>>;

/// A part of what a source holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What can be read.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// Whether there is no part after this one.
    pub last: bool,
}

/// Something that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name of its document: for a folder the path with `/` between parts, for a page its address.
    pub uri: String,
    /// Where the source finds it; its own matter.
    pub at: usize,
    /// Size in bytes when it was listed; 0 when the list does not tell.
    pub size: u64,
    /// Last change, seconds since 1970.
    pub modified: Option<i64>,
    /// Equal tags mean equal content, such as the id of a blob; none when the list does not tell.
    pub tag: Option<String>,
}

/// What reading an entry came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// A document, and the tag that will tell whether it is as it was. Its name may be another than the entry's.
    Item(Item, Option<String>),
    /// It is as it was.
    Same,
    /// There is no document here, for a reason in a word or two.
    Absent(String),
}

/// Something that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// What it is called where it lies.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is of a kind that is not indexed, in a word or two; nothing is wrong with it.
    Kind(String),
    /// It should have been read and could not be: while there is any, a missing document is no deleted document.
    Fault(String),
}

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The path leads nowhere.
    #[error("nothing at `{0}`; check the path")]
    Missing(PathBuf),
    /// The path exists and cannot be read.
    #[error("cannot read `{path}`: {cause}; check its permissions")]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no document that we can parse.
    #[error("cannot index `{0}`; give a folder or a file of another kind; {FORMATS} are read")]
    Unsupported(PathBuf),
    /// The file is over `MAX_FILE_BYTES`.
    #[error("`{0}` is over 64 MB; split it into smaller files")]
    TooLarge(PathBuf),
    /// Anything else, with its mend.
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    fn of(path: &Path, cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::NotFound {
            return Self::Missing(path.to_path_buf());
        }
        Self::Unreadable {
            path: path.to_path_buf(),
            cause,
        }
    }
}

/// The ending of a name in small letters, for counts of what is left out.
fn kind_of(name: &str) -> String {
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy());
    extension.map_or_else(|| NO_EXTENSION.to_owned(), |extension| extension.to_lowercase())
}
