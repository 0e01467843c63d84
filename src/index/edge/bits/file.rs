//! The short forms in a file beside the shard's own, so that opening need not read the vectors. What came or went since
//! it was written is asked of the shard; a file that is not whole counts for nothing.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crc32fast::Hasher;
use qdrant_edge::{EdgeShard, PointId, VectorStructInternal, WithPayloadInterface, WithVector};
use uuid::Uuid;

use super::super::{PAGE, chunk_id, failed, ids};
use super::Bits;
use crate::error::Result;
use crate::index::durable;
use crate::types::ChunkId;

/// Beside the shard's own files; another form gets another name.
const FILE: &str = "bits-1.data";
/// Written anew when more than one in so many came or went.
const CHANGED: usize = 8;

impl Bits {
    /// The short forms of what is in `shard`: those of the file in `folder`, and the others from the vectors.
    pub fn of(shard: &EdgeShard, folder: &Path) -> Result<Self> {
        let dimension = shard.config().vectors.values().map(|vector| vector.size).next();
        let dimension = dimension.unwrap_or_default();
        let mut bits = Self::read(&folder.join(FILE), dimension).unwrap_or_else(|_| Self::new(dimension));
        let there: HashSet<_> = ids(shard)?.into_iter().collect();
        let known: HashSet<_> = bits.ids.iter().copied().collect();
        bits.remove(&known.difference(&there).copied().collect());
        let mut missing: Vec<_> = there.difference(&known).map(|chunk| PointId::Uuid(chunk.0)).collect();
        missing.sort_unstable();
        for page in missing.chunks(PAGE) {
            let nothing = Some(WithPayloadInterface::Bool(false));
            let page = shard.retrieve(page, nothing, Some(WithVector::Bool(true)));
            let mut vectors = Vec::new();
            for record in page.map_err(failed)? {
                if let Some(VectorStructInternal::Single(vector)) = record.vector {
                    vectors.push((chunk_id(record.id)?, vector));
                }
            }
            bits.add(vectors.iter().map(|(id, vector)| (*id, &vector[..])))?;
        }
        Ok(bits)
    }

    /// Writes them, unless the file is nearly as they are.
    pub fn keep(&self, folder: &Path) -> Result<()> {
        if self.unwritten.load(Ordering::Relaxed) * CHANGED <= self.ids.len() {
            return Ok(());
        }
        let written = durable::replace(&folder.join(FILE), |file| {
            let mut sum = Hasher::new();
            for (row, (id, scale)) in self.ids.iter().zip(&self.scales).enumerate() {
                for part in [id.0.as_bytes(), &scale.to_le_bytes()[..], self.codes.row(row)] {
                    sum.update(part);
                    file.write_all(part)?;
                }
            }
            file.write_all(&sum.finalize().to_le_bytes())
        });
        written.map_err(failed)?;
        self.unwritten.store(0, Ordering::Relaxed);
        Ok(())
    }

    fn read(file: &Path, dimension: usize) -> Result<Self> {
        let file = File::open(file).map_err(failed)?;
        let mut bits = Self::new(dimension);
        let record = 16 + size_of::<f32>() + bits.codes.width;
        let length = file.metadata().map_err(failed)?.len() as usize;
        let rows = length.saturating_sub(size_of::<u32>()) / record;
        let mut file = BufReader::with_capacity(1 << 20, file);
        let (mut sum, mut part) = (Hasher::new(), vec![0; record]);
        for _ in 0..rows {
            file.read_exact(&mut part).map_err(failed)?;
            sum.update(&part);
            let (id, rest) = part.split_at(16);
            let (scale, codes) = rest.split_at(size_of::<f32>());
            let id = ChunkId(Uuid::from_slice(id).map_err(failed)?);
            bits.push(id, codes, f32::from_le_bytes(scale.try_into().map_err(failed)?))?;
        }
        part.clear();
        file.read_to_end(&mut part).map_err(failed)?;
        if part != sum.finalize().to_le_bytes() {
            return Err(failed("the short forms are not whole"));
        }
        bits.unwritten = AtomicUsize::new(0);
        Ok(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(row: u128) -> ChunkId {
        ChunkId(Uuid::from_u128(row))
    }

    #[test]
    fn what_was_written_is_read_again_and_half_of_it_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let mut bits = Bits::new(3);
        let vectors = [[1.0, -2.0, 0.5], [0.1, 0.2, 0.3]];
        bits.add((1..).map(id).zip(vectors.iter().map(|vector| &vector[..])))
            .unwrap();
        bits.keep(folder.path()).unwrap();
        let again = Bits::read(&file, 3).unwrap();
        assert_eq!((&again.ids, &again.scales), (&bits.ids, &bits.scales));
        assert_eq!(
            (again.codes.row(1), again.unwritten.load(Ordering::Relaxed)),
            (bits.codes.row(1), 0)
        );
        assert_eq!(again.nearest(&vectors[1], 1), [id(2)]);
        Bits::read(&file, 5).map(|_| ()).unwrap_err();
        let whole = std::fs::read(&file).unwrap();
        for broken in [
            &whole[..whole.len() - 5],
            &[&whole[..5], &[9], &whole[6..]].concat(),
            &[],
        ] {
            std::fs::write(&file, broken).unwrap();
            Bits::read(&file, 3).map(|_| ()).unwrap_err();
        }
    }

    #[test]
    fn it_is_written_again_when_much_is_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut bits = Bits::new(1);
        bits.add((0..16).map(|row| (id(row), &[1.0_f32][..]))).unwrap();
        bits.keep(folder.path()).unwrap();
        let rows = || Bits::read(&folder.path().join(FILE), 1).unwrap().ids.len();
        bits.remove(&[id(3)].into());
        bits.keep(folder.path()).unwrap();
        assert_eq!(rows(), 16);
        bits.remove(&[id(4)].into());
        bits.keep(folder.path()).unwrap();
        assert_eq!(rows(), 14);
    }
}
