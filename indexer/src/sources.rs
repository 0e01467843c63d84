//! Where items come from. First cut: a folder or a single file.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::types::{Item, Metadata};

/// Larger files are refused, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// What the parsers read.
const EXTENSIONS: &[&str] = &["md", "markdown", "txt", "text", "html", "htm", "pdf"];

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file system said no.
    #[error("cannot read `{path}`: {cause}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        cause: std::io::Error,
    },
    /// Too large to be parsed.
    #[error("`{path}` has {bytes} bytes; at most {LARGEST} are read, split it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

/// A file that is a candidate for the index; nothing of it was read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the root, with `/` between parts; for a single file its name.
    pub uri: String,
    /// Where it lies.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Last change, seconds since 1970.
    pub modified: Option<i64>,
}

/// A folder's files.
#[derive(Clone, Debug)]
pub struct FolderSource {
    entries: Vec<Entry>,
}

impl FolderSource {
    /// Candidates, sorted by URI.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }
}

/// Lists the readable files below `root`; .gitignore is respected, hidden files and links are passed over.
pub fn folder(root: &Path) -> Result<FolderSource, SourceError> {
    let metadata = std::fs::metadata(root).map_err(|cause| unreadable(root, cause))?;
    if metadata.is_file() {
        let name = root
            .file_name()
            .map_or_else(|| "document".into(), |name| name.to_string_lossy().into_owned());
        return Ok(FolderSource {
            entries: vec![entry(name, root, &metadata)],
        });
    }
    std::fs::read_dir(root).map_err(|cause| unreadable(root, cause))?;
    let mut entries = Vec::new();
    for found in ignore::WalkBuilder::new(root)
        .follow_links(false)
        .require_git(false)
        .build()
        .flatten()
    {
        let path = found.path();
        let extension = path
            .extension()
            .and_then(|text| text.to_str())
            .unwrap_or_default()
            .to_lowercase();
        let Ok(metadata) = found.metadata() else { continue };
        if !metadata.is_file() || !EXTENSIONS.contains(&extension.as_str()) {
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(path);
        let parts: Vec<_> = relative
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        entries.push(entry(parts.join("/"), path, &metadata));
    }
    entries.sort_by(|a, b| a.uri.cmp(&b.uri));
    Ok(FolderSource { entries })
}

/// Reads the bytes of an entry.
pub fn read(entry: &Entry) -> Result<Item, SourceError> {
    if entry.size > LARGEST {
        return Err(SourceError::TooLarge {
            path: entry.path.clone(),
            bytes: entry.size,
        });
    }
    let bytes = std::fs::read(&entry.path).map_err(|cause| unreadable(&entry.path, cause))?;
    Ok(Item {
        uri: entry.uri.clone(),
        media_type: None,
        bytes,
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: entry.modified,
    })
}

fn unreadable(path: &Path, cause: std::io::Error) -> SourceError {
    SourceError::Unreadable {
        path: path.to_owned(),
        cause,
    }
}

fn entry(uri: String, path: &Path, metadata: &std::fs::Metadata) -> Entry {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Entry {
        uri,
        path: path.to_owned(),
        size: metadata.len(),
        modified: since.map(|since| since.as_secs() as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_yields_its_readable_files_in_order() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        std::fs::create_dir(root.join("b")).unwrap();
        for (name, text) in [
            ("b/two.md", "2"),
            ("a.txt", "1"),
            ("c.exe", "x"),
            (".hidden.md", "h"),
            ("skip.md", "s"),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        std::fs::write(root.join(".gitignore"), "skip.md\n").unwrap();
        let entries = folder(root).unwrap().entries();
        let uris: Vec<&str> = entries.iter().map(|entry| entry.uri.as_str()).collect();
        assert_eq!(uris, ["a.txt", "b/two.md"]);
        assert_eq!(read(&entries[1]).unwrap().bytes, b"2");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = folder(Path::new("/no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
