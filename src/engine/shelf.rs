//! The collections of the data folder: opened, made, passed over where they are broken, and deleted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::index::{Collection, Identity, durable};
use crate::types::collection_name;

/// Where deleted collections lie until they are off the disk, beside the folder of the others.
const REMOVED: &str = "removed";
/// Between a collection's name and what tells two deleted ones apart; no name has it.
const APART: char = '~';
/// How often it is looked whether anybody still uses a collection that is to go.
const PULSE: Duration = Duration::from_millis(20);

/// What is at a name.
#[derive(Clone)]
pub(super) enum Place {
    /// A collection.
    Open(Arc<Collection>),
    /// A folder that does not open, and why.
    Broken(String),
    /// It is being deleted.
    Leaving,
}

/// All names; another one has no collection.
pub(super) type Shelf = BTreeMap<String, Place>;

impl Engine {
    /// Opens what lies in the data folder. A collection that does not open keeps the others from nothing.
    pub(super) async fn open_all(&self) -> Result<()> {
        let folder = self.collections_folder();
        std::fs::create_dir_all(&folder).map_err(|error| Error::storage("cannot make the data folder", error))?;
        self.forget_staging();
        if let Err(error) = self.finish_deletions(None).await {
            tracing::warn!(%error, "a deleted collection is not wholly gone; the next start tries again");
        }
        let entries =
            std::fs::read_dir(&folder).map_err(|error| Error::storage("cannot read the data folder", error))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            match name.to_str() {
                Some(name) if collection_name(name).is_ok() && entry.path().is_dir() => {
                    if let Err(error) = self.open_collection(name).await {
                        tracing::warn!(collection = name, %error, "the collection does not open; the others are served");
                        self.shelve(name, Some(Place::Broken(error.to_string())))?;
                    }
                }
                _ => tracing::warn!(path = %entry.path().display(), "this is no collection; move it somewhere else"),
            }
        }
        Ok(())
    }

    /// The open collection of that name.
    pub fn collection(&self, name: &str) -> Result<Arc<Collection>> {
        collection_name(name)?;
        match self.place(name)? {
            Some(Place::Open(open)) => Ok(open),
            // The cause holds paths; it is for the log and for who runs the service.
            Some(Place::Broken(_)) => Err(Error::Unavailable(format!(
                "collection `{name}` does not open; `portolan doctor` tells why and how it is mended, then start again"
            ))),
            Some(Place::Leaving) | None => Err(no_collection(name)),
        }
    }

    /// Opens or makes a collection.
    pub async fn open_collection(&self, name: &str) -> Result<Arc<Collection>> {
        if let Ok(open) = self.collection(name) {
            return Ok(open);
        }
        let _one = self.opening.lock().await;
        if let Ok(open) = self.collection(name) {
            return Ok(open);
        }
        let folder = self.collections_folder().join(collection_name(name)?);
        if !folder.exists() {
            let most = self.most_collections;
            if self.open_collections().len() >= most {
                let mend = "name one of them, or raise `collections` under `[limits]` in portolan.toml";
                return Err(Error::Conflict(format!(
                    "there are {most} collections, and no more are made; {mend}"
                )));
            }
            // What was cited of an earlier one is not of the new one.
            self.finish_deletions(Some(name)).await?;
        }
        let embedder = &self.parts.embedder;
        let vectors = match &self.parts.vectors {
            Some(factory) => Some(factory(name, embedder.dimension())?),
            None => None,
        };
        let identity = Identity::current(embedder.name(), embedder.dimension());
        let opened = Collection::open(&folder, name, identity, vectors).await;
        // Of one that was broken at the start the cause is known, and not for everybody: it holds paths.
        let collection = match (opened, self.collection(name)) {
            (Err(_), Err(known @ Error::Unavailable(_))) => return Err(known),
            (opened, _) => opened?,
        };
        self.shelve(name, Some(Place::Open(Arc::clone(&collection))))?;
        Ok(collection)
    }

    /// Deletes a collection with its documents, settings and whatever was cited of them. Goes on to its end when the
    /// caller leaves. From the moment when it returns, no crash brings the collection back.
    pub async fn delete_collection(self: &Arc<Self>, name: &str) -> Result<()> {
        collection_name(name)?;
        let (engine, name) = (Arc::clone(self), name.to_owned());
        let deletion = self.tasks().spawn(async move { engine.delete(&name).await });
        deletion.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn delete(&self, name: &str) -> Result<()> {
        // Nobody makes one of this name meanwhile.
        let _one = self.opening.lock().await;
        let folder = self.collections_folder().join(name);
        match self.place(name)? {
            Some(Place::Open(open)) => {
                open.close();
                self.shelve(name, Some(Place::Leaving))?;
                unused(&open).await;
                // The vector engine writes when it goes, so it goes before its folder does.
                blocking(move || {
                    drop(open);
                    Ok(())
                })
                .await?;
            }
            Some(Place::Broken(_)) => self.shelve(name, Some(Place::Leaving))?,
            // An earlier deletion may have got no further than to move it.
            None if self.finish_deletions(Some(name)).await? > 0 => return Ok(()),
            Some(Place::Leaving) | None => return Err(no_collection(name)),
        }
        let grave = self.graves().join(format!("{name}{APART}{}", uuid::Uuid::new_v4()));
        // One rename decides: before it the next start finds the collection, after it only what is left to be erased.
        let moved = std::fs::create_dir_all(self.graves()).and_then(|()| durable::rename(&folder, &grave));
        if let Err(error) = moved {
            let cause = "it could not be moved to be deleted; start again";
            self.shelve(name, Some(Place::Broken(cause.to_owned())))?;
            return Err(Error::storage("cannot delete the collection's folder", error));
        }
        self.shelve(name, None)?;
        self.forget_answers();
        self.finish_deletions(Some(name)).await?;
        self.forget_vectors(name).await;
        Ok(())
    }

    /// Erases what was cited of deleted collections, and takes them off the disk: all, or those of that name. Tells
    /// how many there were.
    async fn finish_deletions(&self, only: Option<&str>) -> Result<usize> {
        let mut count = 0;
        let graves = std::fs::read_dir(self.graves()).into_iter().flatten().flatten();
        for grave in graves {
            let file = grave.file_name();
            let Some((name, _)) = file.to_str().and_then(|file| file.split_once(APART)) else {
                continue;
            };
            if only.is_some_and(|only| only != name) {
                continue;
            }
            self.store().erase_collection(name).await?;
            let path = grave.path();
            let removed = blocking(move || Ok(std::fs::remove_dir_all(path))).await?;
            removed.map_err(|error| Error::storage("a deleted collection is still on the disk", error))?;
            count += 1;
        }
        Ok(count)
    }

    /// Removes the points of a deleted collection from a Qdrant server. Where that fails they stay until a collection
    /// of this name is made again: its sweep knows none of them.
    async fn forget_vectors(&self, name: &str) {
        let Some(factory) = &self.parts.vectors else { return };
        let removal = async {
            let vectors = factory(name, self.parts.embedder.dimension())?;
            vectors.remove(vectors.ids().await?).await?;
            vectors.flush().await
        };
        if let Err(error) = removal.await {
            tracing::warn!(collection = name, %error, "vectors of a deleted collection stay in the Qdrant server");
        }
    }

    pub(super) fn collections_folder(&self) -> PathBuf {
        self.parts.data.join("collections")
    }

    fn graves(&self) -> PathBuf {
        self.parts.data.join(REMOVED)
    }

    pub(crate) fn open_collections(&self) -> Vec<Arc<Collection>> {
        let open = |place: &Place| match place {
            Place::Open(open) => Some(Arc::clone(open)),
            Place::Broken(_) | Place::Leaving => None,
        };
        self.shelf
            .read()
            .map(|places| places.values().filter_map(open).collect())
            .unwrap_or_default()
    }

    /// The collections that do not open, and why; paths may be in it.
    pub fn broken_collections(&self) -> Vec<(String, String)> {
        let broken = |(name, place): (&String, &Place)| match place {
            Place::Broken(cause) => Some((name.clone(), cause.clone())),
            Place::Open(_) | Place::Leaving => None,
        };
        self.shelf
            .read()
            .map(|places| places.iter().filter_map(broken).collect())
            .unwrap_or_default()
    }

    fn place(&self, name: &str) -> Result<Option<Place>> {
        let places = self.shelf.read().map_err(|_| lost())?;
        Ok(places.get(name).cloned())
    }

    fn shelve(&self, name: &str, place: Option<Place>) -> Result<()> {
        let mut places = self.shelf.write().map_err(|_| lost())?;
        match place {
            Some(place) => drop(places.insert(name.to_owned(), place)),
            None => drop(places.remove(name)),
        }
        Ok(())
    }
}

/// Resolves once nobody else has the collection: what searches it is short, and what writes to it sees that it closes.
async fn unused(open: &Arc<Collection>) {
    while Arc::strong_count(open) > 1 {
        tokio::time::sleep(PULSE).await;
    }
}

fn no_collection(name: &str) -> Error {
    Error::NotFound(format!(
        "no collection named `{name}`; `portolan index PATH --collection {name}` makes one"
    ))
}

fn lost() -> Error {
    Error::Internal("the list of collections broke".into())
}
