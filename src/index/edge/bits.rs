//! A short form of every vector, for sets that no graph sorts: a bit a number is looked at for all of them, four bits a
//! number for the likeliest. It proposes; what is removed, who may read it and the score is the engine's to say.
//!
//! The sign of each number against the question's numbers in eight steps estimates the product, as `RaBitQ` does (Gao,
//! Long 2024): with vectors spread evenly the estimate is off by .8 times the spread of all products, so that the
//! nearest of many are nearly always among the best 26th.

mod compare;
mod file;

use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;

use memmap2::MmapMut;

use self::compare::{Asked, SIXTEENTH, fewest, products, scan, step};
use super::failed;
use crate::error::Result;
use crate::types::ChunkId;

/// Vectors whose bits lie together, word by word: what is added up for them stays in the nearest cache.
const TILE: usize = 512;
/// One in so many is compared by its codes.
const SHARE: usize = 26;
/// At least so many are.
const LEAST: usize = 1_000;
/// Vectors of one part of the memory.
const PART: usize = 1 << 16;
/// The short forms of a set of vectors.
pub(super) struct Bits {
    dimension: usize,
    ids: Vec<ChunkId>,
    tiles: Tiles,
    codes: Codes,
    /// What half a step of each vector's codes is worth, the vector being of length 1.
    scales: Vec<f32>,
    /// How many came or went since all were written.
    unwritten: AtomicUsize,
}

impl Bits {
    /// Of no vectors yet.
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            ids: Vec::new(),
            tiles: Tiles {
                words: dimension.div_ceil(64),
                parts: Vec::new(),
            },
            codes: Codes {
                width: dimension.div_ceil(2),
                parts: Vec::new(),
            },
            scales: Vec::new(),
            unwritten: AtomicUsize::new(0),
        }
    }

    /// Adds vectors, in place of those of the same ids.
    pub fn add<'a>(&mut self, vectors: impl Iterator<Item = (ChunkId, &'a [f32])> + Clone) -> Result<()> {
        self.remove(&vectors.clone().map(|(id, _)| id).collect());
        for (id, vector) in vectors {
            let step = step(vector, SIXTEENTH);
            let mut codes = vec![0; self.codes.width];
            for (at, number) in vector.iter().enumerate() {
                let code = ((number / step).floor() + 8.0).clamp(0.0, 15.0) as u8;
                codes[at % self.codes.width] |= code << (4 * (at / self.codes.width));
            }
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            self.push(id, &codes, step / 2.0 / length.max(f32::MIN_POSITIVE))?;
        }
        Ok(())
    }

    fn push(&mut self, id: ChunkId, codes: &[u8], scale: f32) -> Result<()> {
        let row = self.ids.len();
        self.codes.grow(row + 1)?;
        self.codes.row_mut(row).copy_from_slice(codes);
        self.tiles.grow(row + 1)?;
        for at in 0..self.dimension {
            // The upper half of the steps are those of what is above zero.
            let code = codes[at % codes.len()] >> (4 * (at / codes.len()));
            *self.tiles.word(row, at / 64) |= u64::from(code >> 3 & 1) << (at % 64);
        }
        self.scales.push(scale);
        self.ids.push(id);
        *self.unwritten.get_mut() += 1;
        Ok(())
    }

    /// Removes vectors; unknown ids are no error.
    pub fn remove(&mut self, ids: &HashSet<ChunkId>) {
        for row in (0..self.ids.len()).rev() {
            if !ids.contains(&self.ids[row]) {
                continue;
            }
            let last = self.ids.len() - 1;
            for word in 0..self.tiles.words {
                let moved = std::mem::take(self.tiles.word(last, word));
                if row != last {
                    *self.tiles.word(row, word) = moved;
                }
            }
            self.codes.copy(last, row);
            self.ids.swap_remove(row);
            *self.unwritten.get_mut() += 1;
            self.scales.swap_remove(row);
        }
    }

    /// The `k` that are probably nearest, in no order.
    pub fn nearest(&self, vector: &[f32], k: usize) -> Vec<ChunkId> {
        if vector.len() != self.dimension {
            return Vec::new();
        }
        let asked = Asked::new(vector);
        let mut differing = Vec::with_capacity(self.ids.len() + TILE);
        for part in self.tiles.upto(self.ids.len()) {
            scan(part, &asked, &mut differing);
        }
        differing.truncate(self.ids.len());
        let likely = fewest(
            &differing,
            (self.ids.len() / SHARE).max(LEAST).max(16 * k),
            self.dimension,
        );
        let mut scored = products(&self.codes, &self.scales, &asked, &likely);
        if scored.len() > k {
            let id = |row: u32| self.ids[row as usize];
            scored.select_nth_unstable_by(k, |left, right| {
                right.0.total_cmp(&left.0).then_with(|| id(left.1).cmp(&id(right.1)))
            });
            scored.truncate(k);
        }
        scored.into_iter().map(|(_, row)| self.ids[row as usize]).collect()
    }
}

/// The signs, a bit a number: for each 512 vectors so many tiles as a vector has words. In large pages, like the codes:
/// all of it is read for each question.
struct Tiles {
    words: usize,
    parts: Vec<MmapMut>,
}

impl Tiles {
    /// Makes room for so many rows.
    fn grow(&mut self, rows: usize) -> Result<()> {
        while self.parts.len() * PART < rows {
            self.parts.push(large(PART * self.words * size_of::<u64>())?);
        }
        Ok(())
    }

    /// The tiles of so many rows, part by part.
    fn upto(&self, rows: usize) -> impl Iterator<Item = &[[u64; TILE]]> {
        let parts = self.parts.iter().enumerate();
        parts.map(move |(at, part)| {
            let rows = rows.saturating_sub(at * PART).min(PART);
            &bytemuck::cast_slice(part)[..rows.div_ceil(TILE) * self.words]
        })
    }

    fn word(&mut self, row: usize, word: usize) -> &mut u64 {
        let tiles: &mut [[u64; TILE]] = bytemuck::cast_slice_mut(&mut self.parts[row / PART]);
        &mut tiles[row % PART / TILE * self.words + word][row % TILE]
    }
}

/// Memory whose pages are large, where there are such.
fn large(bytes: usize) -> Result<MmapMut> {
    let part = MmapMut::map_anon(bytes).map_err(failed)?;
    #[cfg(target_os = "linux")]
    let _ = part.advise(memmap2::Advice::HugePage);
    Ok(part)
}

/// Two numbers a byte, in memory whose pages are large: rows are read here and there, and with small ones it takes as
/// long to find a page as to read it.
struct Codes {
    /// Bytes of a vector.
    width: usize,
    parts: Vec<MmapMut>,
}

impl Codes {
    /// Makes room for so many rows.
    fn grow(&mut self, rows: usize) -> Result<()> {
        while self.parts.len() * PART < rows {
            self.parts.push(large(PART * self.width)?);
        }
        Ok(())
    }

    #[inline]
    fn row(&self, row: usize) -> &[u8] {
        &self.parts[row / PART][row % PART * self.width..][..self.width]
    }

    fn row_mut(&mut self, row: usize) -> &mut [u8] {
        &mut self.parts[row / PART][row % PART * self.width..][..self.width]
    }

    fn copy(&mut self, from: usize, to: usize) {
        let row = self.row(from).to_vec();
        self.row_mut(to).copy_from_slice(&row);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Odd, so that the last word of the bits is not full.
    const DIMENSION: usize = 100;

    fn id(row: usize) -> ChunkId {
        ChunkId(Uuid::from_u128(row as u128))
    }

    /// Vectors spread evenly over the ball's directions, of differing lengths.
    fn vectors(count: usize) -> Vec<Vec<f32>> {
        let mut state = 7_u64;
        let mut number = || {
            let mut sum = 0.0;
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                sum += (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
            }
            sum
        };
        (0..count)
            .map(|row| (0..DIMENSION).map(|_| number() * (1 + row % 3) as f32).collect())
            .collect()
    }

    fn bits(vectors: &[Vec<f32>]) -> Bits {
        let mut bits = Bits::new(DIMENSION);
        bits.add(vectors.iter().enumerate().map(|(row, vector)| (id(row), &vector[..])))
            .unwrap();
        bits
    }

    fn cosine(left: &[f32], right: &[f32]) -> f32 {
        let product =
            |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(left, right)| left * right).sum::<f32>();
        product(left, right) / (product(left, left) * product(right, right)).sqrt()
    }

    fn exact(vectors: &[Vec<f32>], asked: &[f32], k: usize) -> HashSet<ChunkId> {
        let mut rows: Vec<_> = vectors.iter().map(|vector| cosine(asked, vector)).zip(0..).collect();
        rows.retain(|(cosine, _)| !cosine.is_nan());
        rows.sort_by(|left, right| right.0.total_cmp(&left.0));
        rows.into_iter().take(k).map(|(_, row)| id(row)).collect()
    }

    #[test]
    fn the_nearest_by_angle_are_proposed() {
        let vectors = vectors(6_020);
        let (kept, asked) = vectors.split_at(6_000);
        let bits = bits(kept);
        let mut found = 0;
        for asked in asked {
            let proposed: HashSet<_> = bits.nearest(asked, 20).into_iter().collect();
            assert_eq!(proposed.len(), 20);
            found += exact(kept, asked, 10).intersection(&proposed).count();
        }
        assert!(found >= 195, "{found} of 200");
    }

    #[test]
    fn few_vectors_are_all_looked_at_by_their_codes() {
        let vectors = vectors(900);
        let bits = bits(&vectors[..899]);
        let proposed: HashSet<_> = bits.nearest(&vectors[899], 30).into_iter().collect();
        assert!(exact(&vectors[..899], &vectors[899], 10).is_subset(&proposed));
        assert_eq!(bits.nearest(&vectors[899], 2_000).len(), 899);
        assert_eq!(bits.nearest(&[1.0], 5), [], "another dimension");
        assert_eq!(Bits::new(DIMENSION).nearest(&vectors[0], 5), []);
    }

    #[test]
    fn what_is_removed_or_replaced_leaves_the_others_as_they_were() {
        let vectors = vectors(1_200);
        let mut changed = bits(&vectors);
        let gone: HashSet<_> = (0..1_200).filter(|row| row % 3 == 0).map(id).collect();
        changed.remove(&gone);
        changed.add([(id(1), &vectors[5][..])].into_iter()).unwrap();
        assert_eq!(changed.ids.len(), 800);
        let mut left = vectors.clone();
        left[1] = vectors[5].clone();
        for row in (0..1_200).filter(|row| row % 3 == 0) {
            left[row] = vec![f32::NAN; DIMENSION];
        }
        for asked in [7, 11, 1_199] {
            let proposed: HashSet<_> = changed.nearest(&vectors[asked], 30).into_iter().collect();
            assert!(exact(&left, &vectors[asked], 10).is_subset(&proposed));
            assert!(proposed.is_disjoint(&gone));
        }
        changed.remove(&(0..1_200).map(id).collect());
        assert_eq!(changed.ids.len(), 0);
        // Nothing of what was there is left under what comes.
        let again = || vectors.iter().enumerate().map(|(row, vector)| (id(row), &vector[..]));
        changed.add(again()).unwrap();
        let near = |bits: &Bits| bits.nearest(&vectors[7], 9).into_iter().collect::<HashSet<_>>();
        assert_eq!(near(&changed), near(&bits(&vectors)));
    }

    #[test]
    fn vectors_of_nothing_are_as_far_as_any() {
        let mut bits = Bits::new(DIMENSION);
        let (none, broken) = ([0.0; DIMENSION], [f32::NAN; DIMENSION]);
        bits.add([(id(1), &none[..]), (id(2), &broken[..])].into_iter())
            .unwrap();
        assert_eq!(bits.nearest(&none, 1).len(), 1);
        assert_eq!(bits.nearest(&broken, 2).len(), 2);
    }
}
