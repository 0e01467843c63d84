//! The vector of each chunk beside the hash of the text that it was made of, in `embeddings/` of the collection: a text
//! that is in the index already is not embedded again, wherever it stands now. It goes when its chunk goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::publish::Replacement;
use super::segments::Segments;
use super::{Collection, Sketch};
use crate::error::Result;
use crate::types::{Chunk, ChunkId, Document, DocumentId};

/// Of what was embedded of a chunk: `indexer::fingerprint::text`. The model is the collection's.
pub type TextHash = [u8; 16];

/// What an embedder once made of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Of length 1.
    pub vector: Vec<f32>,
    /// What late interaction compares; none where it was never kept.
    pub tokens: Option<Vec<Sketch>>,
}

/// A document with all that was made of it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The document.
    pub document: Document,
    /// Its chunks, in order.
    pub chunks: Vec<Chunk>,
    /// What was embedded of each chunk, by its hash, and what came of it; none where it was never kept.
    pub made: Vec<Option<(TextHash, Embedding)>>,
}

impl Collection {
    /// The document with its chunks and their vectors, if it exists; reads files, so call it from a blocking thread.
    pub fn stored(&self, id: DocumentId) -> Result<Option<Stored>> {
        let snapshot = self.lexical.snapshot();
        let Some(document) = snapshot.document(id)? else {
            return Ok(None);
        };
        let mut chunks = Vec::new();
        for chunk in snapshot.ids_of(id)? {
            chunks.extend(snapshot.chunk(chunk)?);
        }
        chunks.sort_by_key(|chunk| chunk.ordinal);
        let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
        let vectors = self.writer.embeddings().of_chunks(&ids)?.into_iter();
        let made = vectors.zip(self.tokens().kept(&ids)?).map(|(kept, tokens)| {
            let (text, vector) = kept?;
            Some((text, Embedding { vector, tokens }))
        });
        let made = made.collect();
        Ok(Some(Stored { document, chunks, made }))
    }

    /// The version of a document that is whole; none where it is not there or has lost vectors.
    pub fn version(&self, id: DocumentId) -> Option<String> {
        let lost = self.incomplete.get();
        if lost.is_some_and(|lost| lost.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)) {
            return None;
        }
        let snapshot = self.lexical.snapshot();
        snapshot.cards.get(&id).map(|card| card.version.clone())
    }

    /// What was made of each of these texts, where a chunk of the index has it; reads files, so call it from a blocking
    /// thread.
    pub fn embedded(&self, texts: &[TextHash]) -> Result<Vec<Option<Embedding>>> {
        let embeddings = self.writer.embeddings();
        let mut found = Vec::with_capacity(texts.len());
        for text in texts {
            found.push(match embeddings.get(text)? {
                Some((chunk, vector)) => Some(Embedding {
                    vector,
                    tokens: self.tokens().kept(&[chunk])?.pop().flatten(),
                }),
                None => None,
            });
        }
        Ok(found)
    }
}

/// The hash of a chunk's text, and its vector.
type Kept = (TextHash, Vec<f32>);

/// The vectors of one collection's chunks.
pub(super) struct Embeddings {
    segments: Segments,
    dimension: usize,
    /// Read when the first text is asked for. Chunks that are gone stay until one asks for their text.
    by_text: Mutex<Option<BTreeSet<(TextHash, ChunkId)>>>,
}

impl Embeddings {
    /// Opens the vectors in `folder`, or begins with none.
    pub fn open(folder: &Path, dimension: usize) -> Result<Self> {
        Ok(Self {
            segments: Segments::open(folder)?,
            dimension,
            by_text: Mutex::default(),
        })
    }

    /// Adds chunks; they are durable when this returns.
    pub fn put<'a>(&self, chunks: impl Iterator<Item = (ChunkId, TextHash, &'a [f32])>) -> Result<()> {
        let mut packed = Vec::new();
        let mut by_text = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        for (chunk, text, vector) in chunks.filter(|(chunk, ..)| !self.segments.holds(*chunk)) {
            let numbers = vector.iter().flat_map(|number| number.to_le_bytes());
            packed.push((chunk, text.into_iter().chain(numbers).collect()));
            if let Some(by_text) = &mut *by_text {
                by_text.insert((text, chunk));
            }
        }
        self.segments.put(&packed)
    }

    /// A chunk of that text, and its vector.
    pub fn get(&self, text: &TextHash) -> Result<Option<(ChunkId, Vec<f32>)>> {
        let mut by_text = self.by_text.lock().unwrap_or_else(PoisonError::into_inner);
        let by_text = match &mut *by_text {
            Some(by_text) => by_text,
            unread => {
                let heads = self.segments.heads()?.into_iter();
                unread.insert(heads.map(|(chunk, text)| (text, chunk)).collect())
            }
        };
        let (first, last) = ((*text, ChunkId(Uuid::nil())), (*text, ChunkId(Uuid::max())));
        while let Some(next) = by_text.range(first..=last).next().copied() {
            let bytes = self.segments.get(&[next.1])?.pop().flatten();
            let vector = bytes.map(|bytes| unpack(&bytes));
            match vector.filter(|vector| vector.len() == self.dimension) {
                Some(vector) => return Ok(Some((next.1, vector))),
                None => drop(by_text.remove(&next)),
            }
        }
        Ok(None)
    }

    /// The hash of the text of each chunk, and its vector.
    pub fn of_chunks(&self, chunks: &[ChunkId]) -> Result<Vec<Option<Kept>>> {
        let kept = self.segments.get(chunks)?.into_iter();
        let read = |bytes: Vec<u8>| {
            let text = *bytes.first_chunk()?;
            Some((text, unpack(&bytes)))
        };
        Ok(kept
            .map(|bytes| bytes.and_then(read).filter(|one| one.1.len() == self.dimension))
            .collect())
    }

    /// Drops chunks; they are off the disk after `compact`.
    pub fn forget(&self, chunks: &[ChunkId]) {
        self.segments.forget(chunks);
    }

    /// Takes dropped chunks off the disk.
    pub fn compact(&self) -> Result<()> {
        self.segments.compact()
    }

    /// Drops all chunks but these, and takes the others off the disk.
    pub fn retain(&self, alive: &BTreeSet<ChunkId>) -> Result<()> {
        self.segments.retain(alive)
    }
}

/// The vector of each chunk of a batch whose text is known.
pub(super) fn of(batch: &BTreeMap<DocumentId, Replacement>) -> impl Iterator<Item = (ChunkId, TextHash, &[f32])> {
    batch.values().flat_map(|one| {
        let vectors = one.vectors.iter().map(Vec::as_slice);
        let chunks = one.chunks.iter().zip(&one.texts).zip(vectors);
        chunks.map(|((chunk, text), vector)| (chunk.id, *text, vector))
    })
}

/// The vector behind the hash of its text.
fn unpack(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.get(size_of::<TextHash>()..).unwrap_or_default();
    let (numbers, _) = numbers.as_chunks();
    numbers.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> ChunkId {
        ChunkId(Uuid::from_u128(n))
    }

    fn check(embeddings: &Embeddings, text: u8, expected: Option<(u128, [f32; 2])>) {
        let expected = expected.map(|(chunk, vector)| (id(chunk), vector.to_vec()));
        assert_eq!(embeddings.get(&[text; 16]).unwrap(), expected);
    }

    #[test]
    fn a_text_is_known_while_one_of_its_chunks_lives() {
        let folder = tempfile::tempdir().unwrap();
        let embeddings = Embeddings::open(folder.path(), 2).unwrap();
        check(&embeddings, 7, None);
        let put = |embeddings: &Embeddings, chunks: &[(u128, u8, [f32; 2])]| {
            let chunks = chunks
                .iter()
                .map(|(n, text, vector)| (id(*n), [*text; 16], &vector[..]));
            embeddings.put(chunks).unwrap();
        };
        put(
            &embeddings,
            &[(1, 7, [0.5, 1.0]), (2, 7, [0.5, 1.0]), (3, 8, [1.0, 0.0])],
        );
        check(&embeddings, 7, Some((1, [0.5, 1.0])));
        embeddings.forget(&[id(1)]);
        check(&embeddings, 7, Some((2, [0.5, 1.0])));
        drop(embeddings);
        let embeddings = Embeddings::open(folder.path(), 2).unwrap();
        embeddings.retain(&[id(3)].into()).unwrap();
        check(&embeddings, 7, None);
        check(&embeddings, 8, Some((3, [1.0, 0.0])));
        drop(embeddings);
        let embeddings = Embeddings::open(folder.path(), 3).unwrap();
        check(&embeddings, 8, None);
    }
}
