//! Tells when something changes below a folder.

use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::SourceError;

/// Watches a folder, all of it, or a file until it is dropped.
pub struct Watch(#[allow(dead_code, reason = "it watches until it is dropped")] RecommendedWatcher);

impl Watch {
    /// Calls `changed` when something at `path` is written, moved or removed; often, and from another thread.
    pub fn begin(path: &Path, changed: impl Fn() + Send + 'static) -> Result<Self, SourceError> {
        let root = path.canonicalize().map_err(|cause| SourceError::of(path, cause))?;
        // A file is replaced more often than written, so its folder is what tells.
        let file = root.is_file().then(|| root.clone());
        let (folder, mode) = match root.parent() {
            Some(parent) if file.is_some() => (parent.to_path_buf(), RecursiveMode::NonRecursive),
            _ => (root.clone(), RecursiveMode::Recursive),
        };
        let failed = |error: notify::Error| {
            let mend = "raise fs.inotify.max_user_watches, or leave `--watch` out and index it from time to time";
            SourceError::Other(format!("cannot watch `{}`: {error}; {mend}", path.display()))
        };
        let told = move |event: notify::Result<Event>| {
            // An error means that something may have been missed.
            if event.map_or(true, |event| matters(&event, &root, file.as_ref())) {
                changed();
            }
        };
        let mut watcher = notify::recommended_watcher(told).map_err(failed)?;
        watcher.watch(&folder, mode).map_err(failed)?;
        Ok(Self(watcher))
    }
}

/// Whether a document may be another now: reading changes nothing, and hidden files are no documents.
fn matters(event: &Event, root: &Path, file: Option<&PathBuf>) -> bool {
    if event.need_rescan() {
        return true;
    }
    if matches!(event.kind, EventKind::Access(_)) {
        return false;
    }
    event.paths.iter().any(|path| match file {
        Some(file) => path == file,
        None => path.strip_prefix(root).is_ok_and(|below| {
            let mut parts = below.components();
            let is_rules = below
                .file_name()
                .is_some_and(|name| name == ".gitignore" || name == ".ignore");
            is_rules || !parts.any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
        }),
    })
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind};

    use super::*;

    #[test]
    fn what_is_only_read_or_hidden_does_not_matter() {
        let (root, file) = (Path::new("/docs"), PathBuf::from("/docs/a.md"));
        let check = |kind: EventKind, path: &str, in_folder: bool, of_file: bool| {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(matters(&event, root, None), in_folder, "{event:?}");
            assert_eq!(matters(&event, &file, Some(&file)), of_file, "{event:?}");
        };
        let create = EventKind::Create(CreateKind::File);
        check(create, "/docs/a.md", true, true);
        check(create, "/docs/sub/b.md", true, false);
        check(EventKind::Access(AccessKind::Read), "/docs/a.md", false, false);
        check(create, "/docs/.git/index", false, false);
        check(create, "/docs/sub/.gitignore", true, false);
        check(create, "/other/b.md", false, false);
    }

    #[test]
    fn a_change_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, changes) = std::sync::mpsc::channel();
        let watch = Watch::begin(folder.path(), move || sender.send(()).unwrap_or_default()).unwrap();
        std::fs::write(folder.path().join("a.md"), "words").unwrap();
        changes.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
        drop(watch);
        assert!(Watch::begin(&folder.path().join("none"), || {}).is_err());
    }
}
