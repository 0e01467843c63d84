//! A folder or a single file. Follows `.gitignore`, skips hidden files, follows no links below the root.

use std::fs::{self, File, Metadata as FileFacts};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ignore::WalkBuilder;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};

use super::{Before, Entry, MAX_FILE_BYTES, Part, Reading, Reason, Skipped, Source, SourceError, kind_of};
use crate::parse::{HEAD_BYTES, is_readable};
use crate::types::{Item, Metadata};

/// The coarsest step in which file systems tell times: of a file that was changed so lately, the next change may leave
/// the time as it is.
const STEP: Duration = Duration::from_secs(2);

/// Which files of a folder, in the patterns of a `.gitignore`. What such a file or a dot leaves out stays out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Only these; all when empty.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

/// A folder or a single file.
pub struct Folder {
    /// Where it is.
    root: PathBuf,
    /// The folder from which its documents have their names: the root or one above it.
    key: String,
    home: PathBuf,
    include: Option<Gitignore>,
    exclude: Gitignore,
    /// Where each entry is.
    paths: Vec<PathBuf>,
    part: Part,
}

impl Folder {
    /// Opens `path`; `home` tells the nearest folder above a path that documents came from already.
    pub fn open(path: &Path, filter: &Filter, home: &dyn Fn(&Path) -> PathBuf) -> Result<Self, SourceError> {
        // A link that is named is meant.
        let root = path.canonicalize().map_err(|cause| SourceError::of(path, cause))?;
        let facts = fs::metadata(&root).map_err(|cause| SourceError::of(path, cause))?;
        if facts.is_dir() {
            fs::read_dir(&root).map_err(|cause| SourceError::of(path, cause))?;
        } else if !facts.is_file() || !is_document(&root).map_err(|cause| SourceError::of(path, cause))? {
            return Err(SourceError::Unsupported(path.to_path_buf()));
        } else if facts.len() > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge(path.to_path_buf()));
        }
        let home = home(&root);
        Ok(Self {
            include: (!filter.include.is_empty())
                .then(|| patterns(&root, &filter.include))
                .transpose()?,
            exclude: patterns(&root, &filter.exclude)?,
            key: home.display().to_string(),
            home,
            root,
            paths: Vec::new(),
            part: Part::default(),
        })
    }

    fn walk(&mut self, before: &Before) {
        let exclude = self.exclude.clone();
        // A folder that is named is meant, so rules above it and rules of this machine do not count.
        let walker = WalkBuilder::new(&self.root)
            .require_git(false)
            .parents(false)
            .git_global(false)
            .follow_links(false)
            .filter_entry(move |found| {
                let is_folder = found.file_type().is_some_and(|kind| kind.is_dir());
                !exclude.matched(found.path(), is_folder).is_ignore()
            })
            .build();
        for found in walker {
            match found {
                Ok(found) if found.file_type().is_some_and(|kind| kind.is_file()) => self.add(found.path(), before),
                Ok(_) => {}
                Err(cause) => self.fault(&self.root.clone(), cause.to_string()),
            }
        }
        self.part.entries.sort_by(|left, right| left.uri.cmp(&right.uri));
        self.part.skipped.sort_by(|left, right| left.name.cmp(&right.name));
    }

    fn add(&mut self, path: &Path, before: &Before) {
        let wanted = |include: &Gitignore| include.matched_path_or_any_parents(path, false).is_ignore();
        if !self.include.as_ref().is_none_or(wanted) {
            return;
        }
        let facts = match fs::symlink_metadata(path) {
            Ok(facts) => facts,
            Err(cause) => return self.fault(path, cause.to_string()),
        };
        let entry = self.uri(path).map(|uri| entry(uri, self.paths.len(), &facts));
        let same = |entry: &Entry| {
            before
                .get(&entry.uri)
                .is_some_and(|tag| tag.is_some() && *tag == entry.tag)
        };
        let is_known = entry.as_ref().is_some_and(same);
        match if is_known { Ok(true) } else { is_document(path) } {
            Ok(true) => {}
            Ok(false) => {
                let name = path.display().to_string();
                let reason = Reason::Kind(kind_of(&name));
                return self.part.skipped.push(Skipped { name, reason });
            }
            Err(cause) => return self.fault(path, cause.to_string()),
        }
        match entry {
            None => self.fault(path, "its name is not UTF-8; rename it"),
            Some(entry) if entry.size > MAX_FILE_BYTES => {
                self.fault(path, "over 64 MB; split it into smaller files");
            }
            // It would steer the terminal that shows it.
            Some(entry) if entry.uri.contains(char::is_control) => {
                self.fault(path, "its name holds control characters; rename it");
            }
            Some(entry) => {
                self.part.entries.push(entry);
                self.paths.push(path.to_path_buf());
            }
        }
    }

    /// The path below the home; of a file that is its own home, its name.
    fn uri(&self, path: &Path) -> Option<String> {
        let uri = relative(&self.home, path).filter(|uri| !uri.is_empty());
        uri.or_else(|| Some(path.file_name()?.to_str()?.to_owned()))
    }

    fn fault(&mut self, path: &Path, reason: impl Into<String>) {
        self.part.skipped.push(Skipped {
            name: path.display().to_string(),
            reason: Reason::Fault(reason.into()),
        });
    }
}

impl Source for Folder {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, before: &Before) -> Result<Part, SourceError> {
        self.walk(before);
        self.part.last = true;
        Ok(std::mem::take(&mut self.part))
    }

    fn read(&mut self, entry: &Entry, _: Option<&str>) -> Result<Reading, SourceError> {
        let path = &self.paths[entry.at];
        let unreadable = |cause| SourceError::of(path, cause);
        let mut file = open(path).map_err(unreadable)?;
        let before = file.metadata().map_err(unreadable)?;
        let bytes = bytes(path, &mut file, entry.size)?;
        let after = file.metadata().map_err(unreadable)?;
        // What was written meanwhile may be half of what is there now.
        let same = tag(&before) == tag(&after) && is_settled(&after, SystemTime::now());
        let item = Item {
            uri: entry.uri.clone(),
            media_type: media_type(path).map(str::to_owned),
            bytes,
            metadata: Metadata::new(),
            principals: Vec::new(),
            modified: entry.modified,
        };
        Ok(Reading::Item(item, same.then(|| tag(&after))))
    }

    /// Of a part of a folder, only what came from that part may go.
    fn covers(&self, uri: &str) -> bool {
        let part = relative(&self.home, &self.root).unwrap_or_default();
        let rest = uri.strip_prefix(&part);
        part.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn patterns(root: &Path, lines: &[String]) -> Result<Gitignore, SourceError> {
    let mut patterns = GitignoreBuilder::new(root);
    let wrong = |error: ignore::Error| {
        let detail = format!("not a pattern of a `.gitignore`: {error}; such are `*.md` and `drafts/`");
        SourceError::Other(detail)
    };
    for line in lines {
        patterns.add_line(None, line).map_err(wrong)?;
    }
    patterns.build().map_err(wrong)
}

/// All bytes of a file; its size is what it was when it was listed.
fn bytes(path: &Path, file: &mut File, size: u64) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::with_capacity(size.min(MAX_FILE_BYTES) as usize);
    // The file may have grown since it was listed; the limit holds for what is read.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| SourceError::of(path, cause))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::TooLarge(path.to_path_buf()));
    }
    Ok(bytes)
}

/// Opens a file that is still one: since it was listed, a link out of the folder or a pipe may stand in its place.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    Ok(file)
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

fn entry(uri: String, at: usize, facts: &FileFacts) -> Entry {
    Entry {
        uri,
        at,
        size: facts.len(),
        modified: modified(facts),
        tag: Some(tag(facts)),
    }
}

/// By what a file is told to be as it was: size, last change of its content, and, since anybody can set that, last
/// change of anything about it, and which file it is.
fn tag(facts: &FileFacts) -> String {
    let (content, anything) = ((facts.mtime(), facts.mtime_nsec()), (facts.ctime(), facts.ctime_nsec()));
    format!(
        "{:x}-{:x}.{:x}-{:x}.{:x}-{:x}",
        facts.size(),
        content.0,
        content.1,
        anything.0,
        anything.1,
        facts.ino()
    )
}

/// Whether the next change of the file will be seen in its time.
fn is_settled(facts: &FileFacts, now: SystemTime) -> bool {
    let since = facts
        .modified()
        .ok()
        .and_then(|modified| now.duration_since(modified).ok());
    since.is_some_and(|since| since >= STEP)
}

/// Last change, seconds since 1970.
pub(super) fn modified(facts: &FileFacts) -> Option<i64> {
    let since = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs() as i64)
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

/// What the ending of a name tells.
pub(super) fn media_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "md" | "markdown" => Some("text/markdown"),
        "txt" | "text" => Some("text/plain"),
        "html" | "htm" => Some("text/html"),
        "pdf" => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
