//! Token vectors beside the chunks, for late interaction: 256 bits a token, in `tokens/` of the collection. A chunk
//! without tokens is not reranked, which is no fault.

mod sketch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Collection;
use super::publish::Replacement;
use super::segments::Segments;
use crate::error::Result;
use crate::types::{ChunkId, DocumentId, Reader};
pub use sketch::{BITS, Sketch};

/// Bytes of a token.
const BYTES: usize = BITS / 8;
/// The folder; another way to sketch gets another name.
const FOLDER: &str = "sketch-256-1";

/// A question's tokens and those of the passages that it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The question's.
    pub query: Vec<Sketch>,
    /// Each passage's; none for those that have none.
    pub passages: Vec<Option<Vec<Sketch>>>,
}

impl Collection {
    /// Whether any chunk has tokens to be compared.
    pub fn has_tokens(&self) -> bool {
        self.tokens().len() > 0
    }

    /// The sketches of tokens, vectors one after the other, for a `Replacement`; computes, so call it from a blocking
    /// thread.
    pub fn sketches(&self, tokens: &[f32]) -> Vec<Sketch> {
        self.tokens().sketches(tokens)
    }

    /// A question's tokens and those of `chunks`; reads files, so call it from a blocking thread.
    pub fn compare(&self, query: &[f32], chunks: &[ChunkId]) -> Result<Comparison> {
        self.tokens().compare(query, chunks)
    }

    /// Whether the vectors' engine keeps the tokens, too, and compares them itself.
    pub fn compares_elsewhere(&self) -> bool {
        self.vectors.keeps_tokens()
    }

    /// As `compare`, by the vectors' engine: for each of `chunks` in how many bits each token of the question differs from
    /// the chunk's nearest, none for chunks without tokens there.
    pub async fn differences(&self, query: &[f32], chunks: &[ChunkId]) -> Result<Vec<Option<Vec<u32>>>> {
        let question = self.sketches(query);
        self.vectors.differences(question, chunks.to_vec()).await
    }

    /// The URIs of documents with a chunk whose tokens were never kept; computes, so call it from a blocking thread.
    pub fn without_tokens(&self) -> Result<BTreeSet<String>> {
        let mut chunks = self.lexical.snapshot().ids();
        chunks.retain(|chunk| !self.tokens().segments.holds(*chunk));
        if chunks.is_empty() {
            return Ok(BTreeSet::new());
        }
        let owners = self.owners(&chunks, &Reader::Everything)?;
        Ok(owners.into_values().map(|card| card.uri.clone()).collect())
    }

    pub(super) fn tokens(&self) -> &TokenStore {
        self.writer.tokens()
    }
}

/// The tokens of one collection.
pub(super) struct TokenStore {
    segments: Segments,
    dimension: usize,
}

impl TokenStore {
    /// Opens the tokens in `folder`, or begins with none. `dimension` is that of a token vector.
    pub fn open(folder: &Path, dimension: usize) -> Result<Self> {
        Ok(Self {
            segments: Segments::open(&folder.join(FOLDER))?,
            dimension,
        })
    }

    /// How many chunks have tokens.
    pub fn len(&self) -> usize {
        self.segments.len()
    }

    /// Adds the sketches of chunks, also of those that have none; they are durable when this returns.
    pub fn put<'a>(&self, chunks: impl Iterator<Item = (ChunkId, &'a [Sketch])>) -> Result<()> {
        let mut packed = Vec::new();
        for (chunk, sketches) in chunks.filter(|(chunk, _)| !self.segments.holds(*chunk)) {
            let words = sketches.iter().flatten();
            packed.push((chunk, words.flat_map(|word| word.to_le_bytes()).collect()));
        }
        self.segments.put(&packed)
    }

    /// The sketches of chunks, in order; none for those whose tokens were never kept.
    pub fn kept(&self, chunks: &[ChunkId]) -> Result<Vec<Option<Vec<Sketch>>>> {
        let kept = self.segments.get(chunks)?.into_iter();
        Ok(kept.map(|bytes| bytes.map(|bytes| unpack(&bytes))).collect())
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

    /// A question's tokens and those of `chunks`.
    pub fn compare(&self, query: &[f32], chunks: &[ChunkId]) -> Result<Comparison> {
        Ok(Comparison {
            query: self.sketches(query),
            passages: self.kept(chunks)?,
        })
    }

    fn sketches(&self, tokens: &[f32]) -> Vec<Sketch> {
        tokens.chunks_exact(self.dimension).map(sketch::of).collect()
    }
}

/// The sketches of each chunk of a batch that has any.
pub(super) fn sketches(batch: &BTreeMap<DocumentId, Replacement>) -> impl Iterator<Item = (ChunkId, &[Sketch])> {
    batch.values().flat_map(|one| {
        let tokens = one.tokens.iter().map(Vec::as_slice);
        one.chunks.iter().map(|chunk| chunk.id).zip(tokens)
    })
}

fn unpack(bytes: &[u8]) -> Vec<Sketch> {
    let words = |token: &[u8; BYTES]| {
        let (words, _) = token.as_chunks();
        std::array::from_fn(|at| u64::from_le_bytes(words[at]))
    };
    bytes.as_chunks().0.iter().map(words).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const DIMENSION: usize = 40;

    fn id(n: u128) -> ChunkId {
        ChunkId(Uuid::from_u128(n))
    }

    fn axis(at: usize) -> Vec<f32> {
        (0..DIMENSION)
            .map(|other| if other == at { 1.0 } else { 0.0 })
            .collect()
    }

    #[test]
    fn a_passage_is_compared_by_the_sketches_of_its_own_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::open(folder.path(), DIMENSION).unwrap();
        let tokens = store.sketches(&[axis(3), axis(9)].concat());
        store.put([(id(1), &tokens[..]), (id(2), &[])].into_iter()).unwrap();
        assert_eq!(store.len(), 2, "that a chunk has no tokens is known too");
        drop(store);
        let store = TokenStore::open(folder.path(), DIMENSION).unwrap();
        let comparison = store.compare(&axis(9), &[id(3), id(2), id(1)]).unwrap();
        let expected = Comparison {
            query: vec![sketch::of(&axis(9))],
            passages: vec![
                None,
                Some(Vec::new()),
                Some(vec![sketch::of(&axis(3)), sketch::of(&axis(9))]),
            ],
        };
        assert_eq!(comparison, expected);
    }

    #[test]
    fn a_chunk_that_is_known_is_not_written_again_and_a_stale_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let store = TokenStore::open(folder.path(), DIMENSION).unwrap();
        let put = |numbers: &[u128]| {
            let chunks: Vec<_> = numbers
                .iter()
                .map(|n| (id(*n), store.sketches(&axis(*n as usize))))
                .collect();
            let chunks = chunks.iter().map(|(id, sketches)| (*id, &sketches[..]));
            store.put(chunks).unwrap();
        };
        let size = |number: u32| {
            let file = folder.path().join(FOLDER).join(format!("{number:06}.data"));
            std::fs::metadata(file).map(|file| file.len()).ok()
        };
        put(&[1, 2, 3]);
        assert_eq!(size(1), Some(3 * BYTES as u64));
        put(&[1, 2]);
        assert_eq!(size(1), Some(3 * BYTES as u64));
        store.retain(&[id(2), id(3)].into()).unwrap();
        assert_eq!((size(1), size(2)), (None, Some(2 * BYTES as u64)));
        let passages = store.compare(&[], &[id(1), id(2)]).unwrap().passages;
        assert_eq!(passages, [None, Some(vec![sketch::of(&axis(2))])]);
    }
}
