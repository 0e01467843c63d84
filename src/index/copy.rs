//! A copy of a collection's folder as it is at one moment, while it is read and written.

use std::path::{Path, PathBuf};

use super::Collection;
use super::work::blocking;
use crate::error::{Error, Result};

/// The vectors, which the engine writes in place.
const VECTORS: &str = "vectors";
/// What is only ever added to or replaced as a whole: a second name for it is a copy, up to the length that it has now.
const KEPT: [&str; 3] = ["lexical", "tokens", "embeddings"];

impl Collection {
    /// Copies the files in `folder`, where this collection lies, to `to`; returns their names below it and how much of
    /// each counts. Nothing is published meanwhile.
    pub async fn copy(&self, folder: &Path, to: &Path) -> Result<Vec<(PathBuf, u64)>> {
        // First the one that whoever merges holds for longer.
        let _merging = self.writer.merging.lock().await;
        let _turn = self.writer.turn().await;
        self.vectors.copy_to(to.join(VECTORS)).await?;
        let (folder, to) = (folder.to_owned(), to.to_owned());
        blocking(move || copied(&folder, &to).map_err(|cause| Error::storage("cannot copy the collection", cause)))
            .await
    }
}

fn copied(folder: &Path, to: &Path) -> std::io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for kept in KEPT {
        link(folder, to, Path::new(kept), &mut files)?;
    }
    // Settings and the like are replaced as a whole and small.
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_file() && name.extension().is_some_and(|end| end == "json") {
            let bytes = std::fs::copy(entry.path(), to.join(&name))?;
            files.push((name, bytes));
        }
    }
    list(to, Path::new(VECTORS), &mut files)?;
    files.sort();
    Ok(files)
}

/// Gives the files of the subfolder `name` a second name each.
fn link(folder: &Path, to: &Path, name: &Path, files: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    let source = folder.join(name);
    if !source.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(to.join(name))?;
    for entry in std::fs::read_dir(source)? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            link(folder, to, &name, files)?;
            continue;
        }
        // Locks say who writes here, not what there is.
        if name.extension().is_some_and(|end| end == "lock") {
            continue;
        }
        let bytes = entry.metadata()?.len();
        // Not every file system has second names.
        if std::fs::hard_link(entry.path(), to.join(&name)).is_err() {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
        files.push((name, bytes));
    }
    Ok(())
}

fn list(folder: &Path, name: &Path, files: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    let source = folder.join(name);
    if !source.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(source)? {
        let entry = entry?;
        let name = name.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(folder, &name, files)?;
        } else {
            files.push((name, entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Copies a folder with all that is in it.
pub(super) fn folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
