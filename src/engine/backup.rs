//! Backups of a running instance: what is copied in one turn to publish, index, conversations and jobs, belongs together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::store::{Manifest, Packed, pack};

/// Where files lie while they are packed, beside the collections.
const STAGING: &str = "backup";
/// Conversations and jobs.
const DATABASE: &str = "portolan.sqlite";
/// Whose points are ours in a Qdrant server.
const INSTANCE: &str = "instance";

/// What was backed up.
#[derive(Clone, Debug)]
pub struct Backup {
    /// Where it lies.
    pub file: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
    /// Collections that do not open, which are not in it.
    pub left_out: Vec<String>,
}

impl Engine {
    /// Writes a backup to `file`, or into it where it is a folder. Searches and indexing go on; nothing is published
    /// while files are copied, which takes about as long as copying the vectors.
    pub async fn backup(self: &Arc<Self>, file: &Path) -> Result<Backup> {
        let (engine, file) = (Arc::clone(self), file.to_owned());
        let backup = self.tasks().spawn(async move {
            let staging = engine.data().join(STAGING).join(uuid::Uuid::new_v4().to_string());
            let packed = engine.pack(&staging, &file).await;
            drop(blocking(move || Ok(std::fs::remove_dir_all(staging))).await);
            packed
        });
        backup.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn pack(&self, staging: &Path, file: &Path) -> Result<Backup> {
        let file = place(file)?;
        let folder = staging.join("collections");
        std::fs::create_dir_all(&folder).map_err(|error| Error::storage("cannot make room for the backup", error))?;
        let mut files = Vec::new();
        let mut collections = BTreeMap::new();
        {
            // Nobody makes, deletes or writes a collection meanwhile, nor forgets what was cited of a document.
            let _one = self.opening.lock().await;
            let _turn = self.publishing().lock().await;
            for collection in self.open_collections() {
                let name = collection.name();
                let (own, to) = (self.collections_folder().join(name), folder.join(name));
                std::fs::create_dir_all(&to)
                    .map_err(|error| Error::storage("cannot make room for the backup", error))?;
                let copied = collection.copy(&own, &to).await?.into_iter();
                let below = Path::new("collections").join(name);
                files.extend(copied.map(|(name, bytes)| Packed {
                    name: below.join(name),
                    bytes,
                }));
                collections.insert(name.to_owned(), collection.statistics().documents);
            }
            self.store().copy_to(&staging.join(DATABASE)).await?;
        }
        for name in [DATABASE, INSTANCE] {
            if name == INSTANCE && std::fs::copy(self.data().join(name), staging.join(name)).is_err() {
                // There is one only where a Qdrant server is used.
                continue;
            }
            let facts = std::fs::metadata(staging.join(name));
            let bytes = facts
                .map_err(|error| Error::storage("cannot read the backup", error))?
                .len();
            files.push(Packed {
                name: name.into(),
                bytes,
            });
        }
        let left_out = self.broken_collections().into_iter().map(|(name, _)| name).collect();
        let (staging, target) = (staging.to_owned(), file.clone());
        let manifest = blocking(move || pack(&staging, &files, collections, &target)).await?;
        Ok(Backup {
            file,
            manifest,
            left_out,
        })
    }

    /// Takes off the disk what a crash left of backups.
    pub(super) fn forget_staging(&self) {
        drop(std::fs::remove_dir_all(self.data().join(STAGING)));
    }

    fn data(&self) -> &Path {
        &self.parts.data
    }
}

/// The file that is to be written: the named one, or a new one in the named folder.
fn place(file: &Path) -> Result<PathBuf> {
    if file.is_dir() {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        return Ok(file.join(format!("portolan-{now}.tar")));
    }
    if file.exists() {
        let detail = format!("`{}` is there already; name another file, or a folder", file.display());
        return Err(Error::bad_input("/path", detail));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let detail = format!("the folder of `{}` is not there; make it first", file.display());
        return Err(Error::bad_input("/path", detail));
    }
    Ok(file.to_owned())
}
