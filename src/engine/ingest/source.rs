//! A run over a source: its list part by part, each entry read, and in the end what follows from what is missing.

use std::sync::{Arc, Mutex, PoisonError};

use indexer::sources::{Before, Entry, Part, Reading, Source};

use super::outline::{Ground, Indexing, Outline, failed};
use super::{IngestRun, Known};
use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::store::ErrorKind;
use crate::types::DocumentId;

/// A source under way, used from threads that may block.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Source>>>);

impl Shared {
    async fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut dyn Source) -> T + Send + 'static) -> Result<T> {
        let source = self.0.clone();
        blocking(move || {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(work(source.as_mut()))
        })
        .await
    }
}

impl IngestRun {
    pub(super) async fn source(&mut self, indexing: Indexing) -> Result<()> {
        let ground = Ground {
            // What the documents are compared by, whatever is set meanwhile.
            chunking: self.chunking,
            ..self.engine.ground(self.collection.name())
        };
        let origin = indexing.origin;
        let (source, outline) = blocking(move || Outline::open(&origin, ground)).await?;
        let source = Shared(Arc::new(Mutex::new(source)));
        let before = Arc::new(outline.before(&self.known));
        self.outline = Some(outline);
        loop {
            let known = before.clone();
            let part = source.with(move |source| source.list(&known));
            let part = self.meanwhile(part).await?.map_err(|error| failed(&error))?;
            self.part(&part).await?;
            for entry in part.entries {
                self.entry(&source, entry, &before).await?;
            }
            if part.last {
                break;
            }
        }
        self.flush().await?;
        self.settle(indexing.allow_deletes).await
    }

    /// Takes a part of the list in.
    async fn part(&mut self, part: &Part) -> Result<()> {
        let (outline, known) = self.outlined()?;
        let (faults, kinds) = outline.list(part);
        if part.last {
            known.set_gone(outline.gone().iter());
        }
        for fault in faults {
            self.record.add(fault);
        }
        for (kind, count) in kinds {
            *self.record.skipped.entry(kind).or_default() += count;
        }
        self.record.documents += part.entries.len() as u64;
        self.record.bytes += part.entries.iter().map(|entry| entry.size).sum::<u64>();
        self.note().await
    }

    /// Reads one entry, unless it is told to be as it was, and takes what it holds.
    async fn entry(&mut self, source: &Shared, entry: Entry, before: &Before) -> Result<()> {
        self.go().await?;
        let (outline, _) = self.outlined()?;
        if let Some(refusal) = outline.refusal(&entry.uri) {
            self.record.add(refusal);
            return self.done(entry.size).await;
        }
        let tag = before.get(&entry.uri).cloned().flatten();
        if tag.is_some() && tag == entry.tag {
            self.record.unchanged += 1;
            return self.done(entry.size).await;
        }
        let (uri, size) = (entry.uri.clone(), entry.size);
        let read = source.with(move |source| (source.read(&entry, tag.as_deref()), entry));
        let (read, entry) = self.meanwhile(read).await?;
        match read {
            Ok(Reading::Item(item, tag)) => {
                if size == 0 {
                    self.record.bytes += item.bytes.len() as u64;
                }
                self.found(&entry, item, tag).await
            }
            Ok(Reading::Same) => {
                self.record.unchanged += 1;
                self.done(size).await
            }
            Ok(Reading::Absent(kind)) => {
                let (outline, _) = self.outlined()?;
                outline.set_absent(&entry);
                *self.record.skipped.entry(kind).or_default() += 1;
                self.record.documents -= 1;
                self.done(size).await
            }
            Err(error) => {
                self.record.add_error(ErrorKind::Unreadable, uri, error.to_string());
                self.done(size).await
            }
        }
    }

    /// Takes what an entry holds, under the name that it has there.
    async fn found(&mut self, entry: &Entry, item: super::Item, tag: Option<String>) -> Result<()> {
        let (outline, _) = self.outlined()?;
        if !outline.rename(entry, &item.uri) {
            self.record.documents -= 1;
            return self.done(item.bytes.len() as u64).await;
        }
        if let Some(refusal) = outline.refusal(&item.uri) {
            self.record.add(refusal);
            return self.done(item.bytes.len() as u64).await;
        }
        self.take(item.into(), tag).await
    }

    /// Removes what is gone, unless that may be a mistake.
    async fn settle(&mut self, allow_deletes: bool) -> Result<()> {
        let (outline, known) = self.outlined()?;
        let (partial, reason) = outline.is_partial();
        let gone = outline.gone();
        let drastic = outline.drastic(known, &gone);
        if let Some(reason) = reason {
            self.record.add(reason);
        }
        if partial {
            let (outline, _) = self.outlined()?;
            return outline.keep();
        }
        if let Some((vanished, before)) = drastic.filter(|_| !allow_deletes) {
            let (outline, _) = self.outlined()?;
            outline.keep()?;
            return Err(Error::Conflict(format!(
                "{vanished} of {before} documents are gone from the source, so nothing was deleted; \
                 if they are to go, index it again with `--allow-deletes`"
            )));
        }
        self.remove(&gone).await?;
        let (outline, _) = self.outlined()?;
        outline.end()
    }

    async fn remove(&mut self, gone: &[String]) -> Result<()> {
        let gone: Vec<DocumentId> = gone.iter().map(|uri| DocumentId::of(uri)).collect();
        self.record.deleted = (gone.len() as u64).saturating_sub(self.record.moved);
        if gone.is_empty() {
            return Ok(());
        }
        // So that a backup has both what was removed and what was cited of it, or neither.
        let engine = Arc::clone(&self.engine);
        let _turn = engine.publishing().lock().await;
        self.collection.publish(Vec::new(), gone.clone()).await?;
        engine.store().erase_documents(self.collection.name(), &gone).await?;
        Ok(())
    }

    fn outlined(&mut self) -> Result<(&mut Outline, &mut Known)> {
        let outline = self.outline.as_mut();
        let outline = outline.ok_or_else(|| Error::Internal("a run over a source has no outline".into()))?;
        Ok((outline, &mut self.known))
    }
}
