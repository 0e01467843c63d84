//! Sources: where items come from. Here a folder or a single file; nothing is parsed.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata as FileFacts};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;

use crate::parse::{HEAD_BYTES, is_readable};
use crate::types::{Item, Metadata};

/// Larger files are skipped: they are data, not documents.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The kinds of files that are read, in words.
pub const FORMATS: &str = "text, Markdown, HTML, PDF, Word, PowerPoint, Excel, OpenDocument, RTF, EPUB, mail, CSV, JSON, \
                           source code, and zip and tar of these";
/// The kind of a file whose name has no ending.
const NO_EXTENSION: &str = "without extension";

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
}

/// A file that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the root with `/` between parts; for a single file its name.
    pub uri: String,
    /// Where the file is.
    pub path: PathBuf,
    /// Size in bytes when it was listed.
    pub size: u64,
    /// Last change, seconds since 1970.
    pub modified: Option<i64>,
}

/// A file that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where the file is.
    pub path: PathBuf,
    /// One line for the reader.
    pub reason: String,
}

/// What a folder holds: listed once, read an entry at a time.
#[derive(Clone, Debug, Default)]
pub struct FolderSource {
    entries: Vec<Entry>,
    skipped: Vec<Skipped>,
}

impl FolderSource {
    /// The readable files, sorted by URI.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }

    /// The files that were left out, sorted by path.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// What should have been read and could not be: while there is any, a missing document is no deleted document.
    pub fn failures(&self) -> impl Iterator<Item = &Skipped> {
        self.skipped.iter().filter(|skipped| skipped.reason != UNSUPPORTED)
    }

    /// How many files of each kind, by their ending, were left out because nothing reads that kind.
    pub fn unsupported(&self) -> BTreeMap<String, u64> {
        let mut kinds = BTreeMap::new();
        for skipped in self.skipped.iter().filter(|skipped| skipped.reason == UNSUPPORTED) {
            let extension = skipped.path.extension().map(|extension| extension.to_string_lossy());
            let kind = extension.map_or_else(|| NO_EXTENSION.to_owned(), |extension| extension.to_lowercase());
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
    }

    fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        self.skipped.push(Skipped {
            path: path.to_path_buf(),
            reason: reason.into(),
        });
    }
}

/// Why a file of another type is left out; nothing is wrong with it.
const UNSUPPORTED: &str = "not a type that can be indexed";

/// Lists the documents under `root`, or `root` itself when it is a file.
///
/// Follows `.gitignore`, skips hidden files, follows no links below the root.
pub fn folder(root: &Path) -> Result<FolderSource, SourceError> {
    let facts = fs::metadata(root).map_err(|cause| failure(root, cause))?;
    if facts.is_dir() {
        return walk(root);
    }
    if !facts.is_file() {
        return Err(SourceError::Unsupported(root.to_path_buf()));
    }
    if facts.len() > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge(root.to_path_buf()));
    }
    let Some(uri) = root.file_name().and_then(|name| name.to_str()) else {
        return Err(SourceError::Unsupported(root.to_path_buf()));
    };
    // A link that is named is meant.
    let file = root.canonicalize().map_err(|cause| failure(root, cause))?;
    if !is_document(&file).map_err(|cause| failure(root, cause))? {
        return Err(SourceError::Unsupported(root.to_path_buf()));
    }
    let entry = entry(uri.to_owned(), &file, &facts);
    Ok(FolderSource {
        entries: vec![entry],
        skipped: Vec::new(),
    })
}

/// Reads the bytes of one entry.
pub fn read(entry: &Entry) -> Result<Item, SourceError> {
    let file = open(&entry.path).map_err(|cause| failure(&entry.path, cause))?;
    let mut bytes = Vec::with_capacity(entry.size.min(MAX_FILE_BYTES) as usize);
    // The file may have grown since it was listed; the limit holds for what is read.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| failure(&entry.path, cause))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge(entry.path.clone()));
    }
    Ok(Item {
        uri: entry.uri.clone(),
        media_type: media_type(&entry.path).map(str::to_owned),
        bytes,
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: entry.modified,
    })
}

/// Opens a file that is still one: since it was listed, a link out of the folder or a pipe may stand in its place.
fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    Ok(file)
}

fn walk(root: &Path) -> Result<FolderSource, SourceError> {
    fs::read_dir(root).map_err(|cause| failure(root, cause))?;
    let mut source = FolderSource::default();
    // A folder that is named is meant, so rules above it and rules of this machine do not count.
    let walker = WalkBuilder::new(root)
        .require_git(false)
        .parents(false)
        .git_global(false)
        .follow_links(false)
        .build();
    for found in walker {
        let found = match found {
            Ok(found) => found,
            Err(cause) => {
                source.skip(root, cause.to_string());
                continue;
            }
        };
        if !found.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let path = found.path();
        match is_document(path) {
            Ok(true) => {}
            Ok(false) => {
                source.skip(path, UNSUPPORTED);
                continue;
            }
            Err(cause) => {
                source.skip(path, cause.to_string());
                continue;
            }
        }
        match found.metadata() {
            Ok(facts) if facts.len() > MAX_FILE_BYTES => source.skip(path, "over 64 MB; split it into smaller files"),
            Ok(facts) => match relative(root, path) {
                // It would steer the terminal that shows it.
                Some(uri) if uri.contains(char::is_control) => {
                    source.skip(path, "its name holds control characters; rename it");
                }
                Some(uri) => source.entries.push(entry(uri, path, &facts)),
                None => source.skip(path, "its name is not UTF-8; rename it"),
            },
            Err(cause) => source.skip(path, cause.to_string()),
        }
    }
    source.entries.sort_by(|left, right| left.uri.cmp(&right.uri));
    source.skipped.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(source)
}

/// The URI of `path` below `root`: its parts with `/` between them. None when it lies elsewhere or is not UTF-8.
pub fn relative(root: &Path, path: &Path) -> Option<String> {
    let mut uri = String::new();
    for part in path.strip_prefix(root).ok()? {
        if !uri.is_empty() {
            uri.push('/');
        }
        uri.push_str(part.to_str()?);
    }
    Some(uri)
}

fn entry(uri: String, path: &Path, facts: &FileFacts) -> Entry {
    let since = facts
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified = since.map(|duration| duration.as_secs() as i64);
    Entry {
        uri,
        path: path.to_path_buf(),
        size: facts.len(),
        modified,
    }
}

/// Whether a file is likely to be a document: a known ending says so, or its first bytes do.
fn is_document(path: &Path) -> io::Result<bool> {
    if media_type(path).is_some() {
        return Ok(true);
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(is_readable(&path.to_string_lossy(), &head))
}

fn media_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "md" | "markdown" => Some("text/markdown"),
        "txt" | "text" => Some("text/plain"),
        "html" | "htm" => Some("text/html"),
        "pdf" => Some("application/pdf"),
        _ => None,
    }
}

fn failure(path: &Path, cause: io::Error) -> SourceError {
    if cause.kind() == io::ErrorKind::NotFound {
        return SourceError::Missing(path.to_path_buf());
    }
    SourceError::Unreadable {
        path: path.to_path_buf(),
        cause,
    }
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
