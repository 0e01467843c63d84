//! A question against short forms: which of them are likely near, and how near these are.

use std::hint::black_box;

use multiversion::multiversion;

use super::{Codes, TILE};

/// Bits of each of the question's numbers.
const PLANES: usize = 3;
/// So many rows tell how the distances are spread.
const SAMPLE: usize = 8_192;
/// Rows that are fetched at once, and the bytes that come with one.
const AHEAD: usize = 32;
const LINE: usize = 64;
/// Of the mean of the numbers' amounts, what makes eight and sixteen steps of numbers that are spread normally come
/// closest to them: .586 and .335 of the standard deviation (Max 1960), which is 1.253 of the mean.
const EIGHTH: f32 = 0.586 * 1.253;
pub(super) const SIXTEENTH: f32 = 0.335 * 1.253;

/// A question in eight steps a number, and in bytes: those that codes hold in their lower bits, and in their upper ones.
pub(super) struct Asked {
    planes: Vec<[u64; PLANES]>,
    lower: Vec<i16>,
    upper: Vec<i16>,
    sum: i32,
}

impl Asked {
    pub fn new(vector: &[f32]) -> Self {
        let most = vector
            .iter()
            .fold(f32::MIN_POSITIVE, |most, number| most.max(number.abs()));
        let mut lower: Vec<_> = vector
            .iter()
            .map(|number| (number / most * 127.0).round() as i16)
            .collect();
        let sum = lower.iter().copied().map(i32::from).sum();
        let mut upper = lower.split_off(vector.len().div_ceil(2));
        upper.resize(lower.len(), 0);
        Self {
            planes: planes(vector),
            lower,
            upper,
            sum,
        }
    }
}

/// The width of a step for these numbers, as a part of the mean of their amounts.
pub(super) fn step(vector: &[f32], part: f32) -> f32 {
    let mean = vector.iter().map(|number| number.abs()).sum::<f32>() / vector.len().max(1) as f32;
    (mean * part).max(f32::MIN_POSITIVE)
}

/// The question's numbers in eight steps, as bits: those of weight 1, 2 and 4 of each.
fn planes(vector: &[f32]) -> Vec<[u64; PLANES]> {
    let step = step(vector, EIGHTH);
    let mut planes = vec![[0; PLANES]; vector.len().div_ceil(64)];
    for (at, number) in vector.iter().enumerate() {
        let code = ((number / step).floor() + 4.0).clamp(0.0, 7.0) as u64;
        for (weight, plane) in planes[at / 64].iter_mut().enumerate() {
            *plane |= (code >> weight & 1) << (at % 64);
        }
    }
    planes
}

/// How far each vector's signs are from the question's numbers: the differing bits of each plane, times its weight.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vpopcntdq+popcnt",
    "x86_64+avx2+popcnt",
    "aarch64+neon"
))]
pub(super) fn scan(tiles: &[[u64; TILE]], asked: &Asked, differing: &mut Vec<u16>) {
    for words in tiles.chunks_exact(asked.planes.len()) {
        let mut sums = [0; TILE];
        for (word, [one, two, four]) in words.iter().zip(&asked.planes) {
            // Written out, this is sixteen vectors an instruction or so; a loop over the planes is not.
            for (sum, signs) in sums.iter_mut().zip(word) {
                *sum += u64::from((signs ^ one).count_ones())
                    + 2 * u64::from((signs ^ two).count_ones())
                    + 4 * u64::from((signs ^ four).count_ones());
            }
        }
        differing.extend(sums.iter().map(|sum| *sum as u16));
    }
}

/// The rows of about the `count` smallest distances.
pub(super) fn fewest(differing: &[u16], count: usize, dimension: usize) -> Vec<u32> {
    // A part of the rows tells well enough how far the nearest go.
    let every = (differing.len() / SAMPLE).max(1);
    let mut rows_at = vec![0_u32; dimension * ((1 << PLANES) - 1) + 1];
    for distance in differing.iter().step_by(every) {
        rows_at[usize::from(*distance)] += 1;
    }
    let mut rows = 0;
    let last = rows_at.iter().position(|at| {
        rows += *at as usize * every;
        rows >= count
    });
    let last = last.unwrap_or(rows_at.len()) as u16;
    let mut likely = Vec::with_capacity(count + count / 2);
    pick(differing, last, &mut likely);
    likely
}

/// The rows whose distance is at most `last`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pick(differing: &[u16], last: u16, likely: &mut Vec<u32>) {
    for (at, distances) in differing.chunks(64).enumerate() {
        // A bit for each that is near, so that the loop below goes round once for each of them.
        let mut near = 0_u64;
        for (bit, distance) in distances.iter().enumerate() {
            near |= u64::from(*distance <= last) << bit;
        }
        while near != 0 {
            likely.push(at as u32 * 64 + near.trailing_zeros());
            near &= near - 1;
        }
    }
}

/// The products of the question with those rows, but for a factor that all share.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
pub(super) fn products(codes: &Codes, scales: &[f32], asked: &Asked, rows: &[u32]) -> Vec<(f32, u32)> {
    let mut products = Vec::with_capacity(rows.len());
    for rows in rows.chunks(AHEAD) {
        // A byte of each line of them, so that the lines come all at once and not one after the other.
        let lines = rows
            .iter()
            .flat_map(|row| codes.row(*row as usize).iter().step_by(LINE));
        black_box(lines.fold(0, |all, byte| all ^ byte));
        for row in rows {
            let bytes = codes.row(*row as usize);
            // In two passes, since so the compiler multiplies sixteen at once.
            let product =
                multiplied(&asked.lower, bytes, |byte| byte & 15) + multiplied(&asked.upper, bytes, |byte| byte >> 4);
            // A code stands for the middle of its step: twice the code, less 15, in halves of a step.
            let product = 2 * product - 15 * asked.sum;
            products.push((product as f32 * scales[*row as usize], *row));
        }
    }
    products
}

#[expect(
    clippy::inline_always,
    reason = "only within a caller is it compiled for the caller's processor"
)]
#[inline(always)]
fn multiplied(asked: &[i16], bytes: &[u8], code: impl Fn(u8) -> u8) -> i32 {
    let each = asked.iter().zip(bytes);
    each.map(|(number, byte)| i32::from(*number) * i32::from(i16::from(code(*byte))))
        .sum()
}
