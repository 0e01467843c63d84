//! Token vectors beside the chunks, for late interaction: 32 numbers of 8 bits a token, in `tokens/` of the collection.
//!
//! The first chunks of a collection are kept at full width; once there are enough of them, a projection is fitted to
//! their tokens, and from then on all are kept short. A chunk without tokens is not reranked, which is no fault.

mod projection;
mod segments;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::error::{Error, Result};
use crate::types::ChunkId;
use projection::Projection;
use segments::Segments;

/// Chunks that the projection is fitted to; more of them change nothing (docs/quality.md).
const ENOUGH: usize = 256;
/// Numbers of a token lie in groups of this many, which the processor takes at once; the last is filled with 0.
const GROUP: usize = 32;
/// The projection, in the folder.
const PROJECTION: &str = "projection.json";
/// Where chunks are kept at full width, and where short.
const FULL: &str = "full";
const SHORT: &str = "short";

/// A question's tokens and those of the passages that it is compared with; each of length 1, in 8 bits a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Numbers of a token; a multiple of 32.
    pub width: usize,
    /// The question's tokens, one after the other: the numbers times 127, as the bytes of an `i8`.
    pub query: Vec<u8>,
    /// Likewise of each passage; none for those that have none.
    pub passages: Vec<Option<Vec<u8>>>,
}

/// The tokens of one collection.
pub(super) struct TokenStore {
    folder: PathBuf,
    embedder: String,
    dimension: usize,
    state: RwLock<Arc<State>>,
}

struct State {
    /// None while all are kept at full width.
    projection: Option<Projection>,
    segments: Segments,
}

impl TokenStore {
    /// Opens the tokens in `folder`, or begins with none.
    pub fn open(folder: &Path, embedder: &str, dimension: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(failed)?;
        let projection = match read_projection(&folder.join(PROJECTION)) {
            Ok(projection) => projection.filter(|it| it.suits(embedder, dimension)),
            Err(error) => {
                tracing::warn!(%error, "chunks are reranked again once they are indexed again");
                None
            }
        };
        // The other folder is what a crash left of the change from one to the other.
        let (used, left) = if projection.is_some() {
            (SHORT, FULL)
        } else {
            (FULL, SHORT)
        };
        remove(&folder.join(left))?;
        let segments = Segments::open(&folder.join(used))?;
        Ok(Self {
            folder: folder.to_owned(),
            embedder: embedder.to_owned(),
            dimension,
            state: RwLock::new(Arc::new(State { projection, segments })),
        })
    }

    /// How many chunks have tokens.
    pub fn len(&self) -> usize {
        self.state().segments.len()
    }

    /// Adds the tokens of chunks; they are durable when this returns. One call must follow the other.
    pub fn put(&self, chunks: &[(ChunkId, Vec<f32>)]) -> Result<()> {
        let mut state = self.state();
        let mut fresh: Vec<_> = chunks.iter().collect();
        fresh.retain(|(chunk, tokens)| !tokens.is_empty() && !state.segments.holds(*chunk));
        if state.projection.is_none() && state.segments.len() + fresh.len() >= ENOUGH {
            state = self.shorten(&state, &fresh)?;
        }
        let packed = fresh
            .iter()
            .map(|(chunk, tokens)| (*chunk, state.pack(tokens, self.dimension)));
        state.segments.put(&packed.collect::<Vec<_>>())
    }

    /// Drops chunks.
    pub fn forget(&self, chunks: &[ChunkId]) -> Result<()> {
        self.state().segments.forget(chunks)
    }

    /// Drops all chunks but these.
    pub fn retain(&self, alive: &BTreeSet<ChunkId>) -> Result<()> {
        let mut stale = self.state().segments.ids();
        stale.retain(|chunk| !alive.contains(chunk));
        self.forget(&stale)
    }

    /// A question's tokens and those of `chunks`.
    pub fn compare(&self, query: &[f32], chunks: &[ChunkId]) -> Result<Comparison> {
        let state = self.state();
        Ok(Comparison {
            width: state.width(self.dimension),
            query: state.pack(query, self.dimension),
            passages: state.segments.get(chunks)?,
        })
    }

    /// Fits the projection to the chunks at hand and those to come, and writes the former anew. The projection's file
    /// is the switch: before it is there the full ones count, and after it the short ones.
    fn shorten(&self, full: &State, fresh: &[&(ChunkId, Vec<f32>)]) -> Result<Arc<State>> {
        let chunks = full.segments.ids();
        let mut tokens = Vec::with_capacity(chunks.len());
        for (chunk, bytes) in chunks.iter().zip(full.segments.get(&chunks)?) {
            tokens.push((*chunk, unpack(&bytes.unwrap_or_default(), self.dimension)));
        }
        let all: Vec<&[f32]> = tokens
            .iter()
            .chain(fresh.iter().copied())
            .map(|(_, own)| own.as_slice())
            .collect();
        let projection = Projection::fit(&self.embedder, self.dimension, &all);
        let short = State {
            segments: Segments::open(&self.folder.join(SHORT))?,
            projection: Some(projection),
        };
        let packed = tokens
            .iter()
            .map(|(chunk, tokens)| (*chunk, short.pack(tokens, self.dimension)));
        short.segments.put(&packed.collect::<Vec<_>>())?;
        write_projection(&self.folder, short.projection.as_ref())?;
        let short = Arc::new(short);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&short);
        // Whoever still reads the full ones holds their files open.
        remove(&self.folder.join(FULL))?;
        Ok(short)
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn width(&self, dimension: usize) -> usize {
        let width = self.projection.as_ref().map_or(dimension, |_| projection::WIDTH);
        width.next_multiple_of(GROUP)
    }

    /// The tokens as they are stored.
    fn pack(&self, tokens: &[f32], dimension: usize) -> Vec<u8> {
        let width = self.width(dimension);
        let mut bytes = Vec::with_capacity(tokens.len() / dimension * width);
        for token in tokens.chunks_exact(dimension) {
            let end = bytes.len() + width;
            match &self.projection {
                Some(projection) => bytes.extend(projection.apply(token).into_iter().map(byte)),
                None => bytes.extend(token.iter().copied().map(byte)),
            }
            bytes.resize(end, 0);
        }
        bytes
    }
}

/// A number from -1 to 1 in 8 bits.
fn byte(value: f32) -> u8 {
    (value * 127.0).round() as i8 as u8
}

/// Tokens that were packed at full width.
fn unpack(bytes: &[u8], dimension: usize) -> Vec<f32> {
    let tokens = bytes.chunks_exact(dimension.next_multiple_of(GROUP));
    let numbers = tokens.flat_map(|token| &token[..dimension]);
    numbers.map(|byte| f32::from(*byte as i8) / 127.0).collect()
}

/// Maps the errors of files.
fn failed(cause: impl std::fmt::Display) -> Error {
    Error::storage("the token vectors failed", cause)
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => Err(failed(cause)),
        _ => Ok(()),
    }
}

fn read_projection(file: &Path) -> Result<Option<Projection>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(failed),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(cause)),
    }
}

/// Written aside and renamed, so that it is there whole or not at all, even after a power cut.
fn write_projection(folder: &Path, projection: Option<&Projection>) -> Result<()> {
    let bytes = serde_json::to_vec(&projection).map_err(failed)?;
    let aside = folder.join("projection.new");
    let mut file = File::create(&aside).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&aside, folder.join(PROJECTION)).map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests;
