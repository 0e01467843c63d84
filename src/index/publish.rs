//! The only writer: vectors and tokens first, then one commit, then what the commit made superfluous.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::error::LockError;
use tantivy::indexer::NoMergePolicy;
use tantivy::{IndexWriter, SegmentMeta, TantivyError, Term};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::embeddings::{Embeddings, TextHash};
use super::lexical::{Fields, Lexical, failed};
use super::tokens::{Sketch, TokenStore};
use super::vectors::{Point, VectorStore};
use super::{cards, embeddings, entries, tokens};
use crate::error::{Error, Result};
use crate::types::{Chunk, ChunkId, Document, DocumentId};

const THREADS: usize = 2;
const MEMORY_BYTES: usize = 50_000_000;
/// A query looks into each of them.
const MOST_SEGMENTS: usize = 8;
/// A segment is left alone while all smaller ones together are so many times smaller.
const FEWER: u64 = 4;
/// Merges of one compaction, if documents go on being removed.
const MOST_ROUNDS: usize = 1_000;

/// A document with all its chunks and their vectors, one for each chunk.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The document; takes the place of the one with its id.
    pub document: Document,
    /// Its chunks.
    pub chunks: Vec<Chunk>,
    /// In the order of `chunks`.
    pub vectors: Vec<Vec<f32>>,
    /// What late interaction compares, in the order of `chunks`; empty where nothing does.
    pub tokens: Vec<Vec<Sketch>>,
    /// Of what was embedded, in the order of `chunks`, so that equal texts need not be; empty where that is not known.
    pub texts: Vec<TextHash>,
}

/// The one writer of a collection; holds tantivy's lock as long as it lives.
pub(super) struct Writer {
    texts: Arc<Mutex<IndexWriter>>,
    tokens: Arc<TokenStore>,
    embeddings: Arc<Embeddings>,
    /// Held while segments are merged: two that want the same ones would undo each other.
    pub merging: Mutex<()>,
    dimension: usize,
}

impl Writer {
    /// Takes the lock.
    pub fn open(lexical: &Lexical, folder: &Path, name: &str, dimension: usize) -> Result<Self> {
        let writer = match lexical.index.writer_with_num_threads(THREADS, MEMORY_BYTES) {
            Ok(writer) => writer,
            Err(TantivyError::LockFailure(LockError::LockBusy, _)) => {
                return Err(Error::Conflict(format!(
                    "collection `{name}` in `{}` is open in another process; stop that one, or send documents to its API",
                    folder.display()
                )));
            }
            Err(cause) => return Err(failed(cause)),
        };
        // tantivy's own merges would race with those that take erased texts off the disk.
        writer.set_merge_policy(Box::new(NoMergePolicy));
        let tokens = TokenStore::open(&folder.join("tokens"), dimension)?;
        let embeddings = Embeddings::open(&folder.join("embeddings"), dimension)?;
        // What a crash left of a commit that never came.
        let alive = lexical.snapshot().ids().into_iter().collect();
        if let Err(error) = tokens.retain(&alive).and_then(|()| embeddings.retain(&alive)) {
            // On a full disk; they are found by nobody, and the next start tries again.
            tracing::warn!(%error, "tokens and vectors of no chunk stay for now");
        }
        Ok(Self {
            texts: Arc::new(Mutex::new(writer)),
            tokens: Arc::new(tokens),
            embeddings: Arc::new(embeddings),
            merging: Mutex::new(()),
            dimension,
        })
    }

    /// The tokens of the chunks.
    pub fn tokens(&self) -> &TokenStore {
        &self.tokens
    }

    /// The vectors of the chunks by what was embedded.
    pub fn embeddings(&self) -> &Embeddings {
        &self.embeddings
    }

    /// Keeps everybody else from writing while it is held.
    pub async fn turn(&self) -> OwnedMutexGuard<IndexWriter> {
        Arc::clone(&self.texts).lock_owned().await
    }

    /// See `Collection::publish`.
    pub async fn publish(
        &self,
        lexical: &Arc<Lexical>,
        vectors: &Arc<dyn VectorStore>,
        batch: Vec<Replacement>,
        removals: Vec<DocumentId>,
    ) -> Result<()> {
        let batch = self.check(batch)?;
        if batch.is_empty() && removals.is_empty() {
            return Ok(());
        }
        let writer = self.turn().await;
        let points = points(&batch, &**vectors);
        if !points.is_empty() {
            vectors.upsert(points).await?;
            vectors.flush().await?;
        }
        let (changes, lexical) = (Arc::clone(lexical), Arc::clone(lexical));
        let (sketched, embedded) = (Arc::clone(&self.tokens), Arc::clone(&self.embeddings));
        // The guard goes along: a caller that gives up must not let a second writer in before the commit is shown.
        let committed = tokio::task::spawn_blocking(move || {
            let mut writer = writer;
            let stale = sketched
                .put(tokens::sketches(&batch))
                .and_then(|()| embedded.put(embeddings::of(&batch)))
                .and_then(|()| commit(&lexical, &mut writer, &batch, &removals));
            sketched.forget(stale.as_deref().unwrap_or_default());
            embedded.forget(stale.as_deref().unwrap_or_default());
            (stale, writer)
        });
        let (stale, guard) = committed.await.map_err(|cause| Error::Internal(cause.to_string()))?;
        let stale = stale?;
        if !stale.is_empty() {
            let count = stale.len();
            let removed = async {
                vectors.remove(stale.clone()).await?;
                vectors.flush().await
            };
            if let Err(error) = removed.await {
                // The new state is out; passages ignore these vectors and the next opening sweeps them.
                tracing::warn!(%error, count, "stale vectors stay until the next start");
            }
        }
        changes.changed();
        drop(guard);
        if changes.snapshot().ids.len() > MOST_SEGMENTS
            && let Err(error) = self.tidy(&changes).await
        {
            tracing::warn!(%error, "small segments stay for now");
        }
        Ok(())
    }

    /// See `Collection::compact`: rewrites the files that hold deleted texts and their tokens, and removes the old ones.
    pub async fn compact(&self, lexical: &Lexical) -> Result<()> {
        let _turn = self.merging.lock().await;
        let (tokens, embeddings) = (Arc::clone(&self.tokens), Arc::clone(&self.embeddings));
        let compacted = tokio::task::spawn_blocking(move || tokens.compact().and_then(|()| embeddings.compact()));
        compacted.await.map_err(|cause| Error::Internal(cause.to_string()))??;
        let worn = |segment: &SegmentMeta| segment.num_deleted_docs() > 0;
        // What is removed meanwhile wears the merged segment, too.
        for _ in 0..MOST_ROUNDS {
            if !self
                .merge(lexical, |all| all.into_iter().filter(worn).collect())
                .await?
            {
                break;
            }
        }
        self.collect(lexical).await
    }

    /// Merges small segments, since a query looks into each of them.
    pub async fn tidy(&self, lexical: &Lexical) -> Result<()> {
        let _turn = self.merging.lock().await;
        if self.merge(lexical, too_small).await? {
            self.collect(lexical).await?;
        }
        Ok(())
    }

    /// Whether there was anything to merge.
    async fn merge(&self, lexical: &Lexical, which: impl Fn(Vec<SegmentMeta>) -> Vec<SegmentMeta>) -> Result<bool> {
        let merge = {
            let mut writer = self.texts.lock().await;
            let segments = which(lexical.index.searchable_segment_metas().map_err(failed)?);
            if segments.is_empty() {
                return Ok(false);
            }
            writer.merge(&segments.iter().map(SegmentMeta::id).collect::<Vec<_>>())
        };
        match merge.await {
            // A commit took the last chunk out of one of them meanwhile, so it is gone already: look again.
            Ok(_) | Err(TantivyError::InvalidArgument(_)) => Ok(true),
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Shows what was merged, and removes the files that nobody reads any more.
    async fn collect(&self, lexical: &Lexical) -> Result<()> {
        let writer = self.turn().await;
        // The reader lets go of the old files before they are collected.
        lexical.show(lexical.snapshot().cards.clone())?;
        writer.garbage_collect_files().await.map_err(failed)?;
        Ok(())
    }

    /// The last replacement of each document, each chunk with its vector.
    fn check(&self, batch: Vec<Replacement>) -> Result<BTreeMap<DocumentId, Replacement>> {
        let mut last = BTreeMap::new();
        for replacement in batch {
            let Replacement {
                document,
                chunks,
                vectors,
                tokens,
                texts,
            } = &replacement;
            let fits = vectors.iter().all(|vector| vector.len() == self.dimension)
                && [tokens.len(), texts.len()]
                    .iter()
                    .all(|length| [0, chunks.len()].contains(length));
            let owned = chunks.iter().all(|chunk| chunk.document == document.id);
            if chunks.len() != vectors.len() || !fits || !owned {
                let uri = &document.uri;
                let dimension = self.dimension;
                let detail = format!(
                    "the chunks of `{uri}` need one vector of {dimension} numbers each, and tokens and texts all or none"
                );
                return Err(Error::Internal(detail));
            }
            last.insert(document.id, replacement);
        }
        Ok(last)
    }
}

/// The segments from the first that is not `FEWER` times as large as all smaller ones together: so few are left, and a
/// chunk is written again a logarithmic number of times at most.
fn too_small(mut segments: Vec<SegmentMeta>) -> Vec<SegmentMeta> {
    segments.sort_by_key(|segment| (std::cmp::Reverse(segment.num_docs()), segment.id()));
    let mut smaller: u64 = segments.iter().map(|segment| u64::from(segment.num_docs())).sum();
    let first = segments.iter().position(|segment| {
        let own = u64::from(segment.num_docs());
        smaller -= own;
        own <= FEWER * smaller
    });
    segments.split_off(first.unwrap_or(segments.len()))
}

fn points(batch: &BTreeMap<DocumentId, Replacement>, vectors: &dyn VectorStore) -> Vec<Point> {
    let mut points = Vec::new();
    for replacement in batch.values() {
        let tokens: &[Vec<Sketch>] = if vectors.keeps_tokens() {
            &replacement.tokens
        } else {
            &[]
        };
        let mut tokens = tokens.iter().cloned();
        for (chunk, vector) in replacement.chunks.iter().zip(&replacement.vectors) {
            let tokens = tokens.next().unwrap_or_default();
            points.push(point(&replacement.document, chunk.id, vector.clone(), tokens));
        }
    }
    points
}

/// A chunk of `document` as the vectors' engine keeps it.
pub(super) fn point(document: &Document, chunk: ChunkId, vector: Vec<f32>, tokens: Vec<Sketch>) -> Point {
    Point {
        chunk,
        vector,
        metadata: document.metadata.clone(),
        principals: document.principals.clone(),
        tokens,
    }
}

/// Switches tantivy to the new state and returns the chunks that are no more.
fn commit(
    lexical: &Lexical,
    writer: &mut IndexWriter,
    batch: &BTreeMap<DocumentId, Replacement>,
    removals: &[DocumentId],
) -> Result<Vec<ChunkId>> {
    let snapshot = lexical.snapshot();
    let mut cards = snapshot.cards.clone();
    let mut stale = BTreeSet::new();
    for document in removals.iter().chain(batch.keys()) {
        stale.extend(snapshot.ids_of(*document)?);
        cards.remove(document);
    }
    for replacement in batch.values() {
        for chunk in &replacement.chunks {
            stale.remove(&chunk.id);
        }
        let document = &replacement.document;
        cards.insert(document.id, Arc::new(cards::card(document)));
    }
    if let Err(error) = write(lexical.fields, writer, batch, removals) {
        // What was added waits in the writer and would go out with the next commit.
        writer.rollback().map_err(failed)?;
        return Err(error);
    }
    lexical.show(cards)?;
    Ok(stale.into_iter().collect())
}

fn write(
    fields: Fields,
    writer: &mut IndexWriter,
    batch: &BTreeMap<DocumentId, Replacement>,
    removals: &[DocumentId],
) -> Result<()> {
    for document in removals.iter().chain(batch.keys()) {
        writer.delete_term(Term::from_field_text(fields.document, &document.to_string()));
    }
    entries::add(fields, writer, &batch.values().collect::<Vec<_>>(), THREADS)?;
    writer.commit().map_err(failed)?;
    Ok(())
}
