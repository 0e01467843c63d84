//! A token vector in 256 bits, whose share of differing bits tells the angle (`SimHash`; Charikar 2002): each bit is
//! the side of a random plane on which the vector lies. The planes are those of a rotation made of random signs and
//! Hadamard transforms (Ailon, Chazelle 2009), the same for every collection and on every machine.

/// Bits of a sketch.
pub const BITS: usize = 256;
/// 64 bits at a time.
pub type Sketch = [u64; BITS / 64];

/// Rounds of signs and transform; one leaves vectors with few large numbers too regular.
const ROUNDS: u64 = 2;

/// The sketch of `vector`, whatever its length.
pub(super) fn of(vector: &[f32]) -> Sketch {
    let mut turned = vec![0.0; vector.len().next_power_of_two().max(BITS)];
    turned[..vector.len()].copy_from_slice(vector);
    for round in 0..ROUNDS {
        for (at, group) in turned.chunks_mut(64).enumerate() {
            let signs = random(round << 32 | at as u64);
            for (bit, value) in group.iter_mut().enumerate() {
                *value = f32::from_bits(value.to_bits() ^ ((signs >> bit & 1) as u32) << 31);
            }
        }
        hadamard(&mut turned);
    }
    let mut sketch = Sketch::default();
    for (word, group) in sketch.iter_mut().zip(turned.chunks(64)) {
        for (bit, value) in group.iter().enumerate() {
            *word |= u64::from(*value > 0.0) << bit;
        }
    }
    sketch
}

/// Sums and differences of all pairs at distance 1, 2, 4 and so on.
fn hadamard(values: &mut [f32]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(half * 2) {
            let (left, right) = pair.split_at_mut(half);
            for (left, right) in left.iter_mut().zip(right) {
                (*left, *right) = (*left + *right, *left - *right);
            }
        }
        half *= 2;
    }
}

/// 64 bits that look random and are the same every time (`SplitMix64`).
fn random(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cosine that two sketches tell.
    fn told(left: &[f32], right: &[f32]) -> f32 {
        let (left, right) = (of(left), of(right));
        let differing: u32 = left
            .iter()
            .zip(right)
            .map(|(left, right)| (left ^ right).count_ones())
            .sum();
        (std::f32::consts::PI * differing as f32 / BITS as f32).cos()
    }

    /// A vector of that length and one at that cosine to it.
    fn pair(dimension: usize, cosine: f32, seed: u64) -> [Vec<f32>; 2] {
        let number = |at: usize, salt: u64| random(seed << 40 | salt << 20 | at as u64) as f32 / u64::MAX as f32 - 0.5;
        let raw = |salt| (0..dimension).map(|at| number(at, salt)).collect::<Vec<f32>>();
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let (left, other) = (raw(1), raw(2));
        let along = product(&left, &other) / product(&left, &left);
        let across: Vec<f32> = other
            .iter()
            .zip(&left)
            .map(|(other, left)| other - along * left)
            .collect();
        let stretch = product(&left, &left).sqrt() / product(&across, &across).sqrt() * (1.0 - cosine * cosine).sqrt();
        let right = left
            .iter()
            .zip(&across)
            .map(|(left, across)| cosine * left + stretch * across);
        [left.clone(), right.collect()]
    }

    #[test]
    fn the_differing_bits_tell_the_cosine() {
        for dimension in [32, 384, 1_024] {
            for cosine in [-0.9, -0.3, 0.0, 0.3, 0.6, 0.8, 0.95, 1.0] {
                let errors: Vec<f32> = (0..40)
                    .map(|seed| {
                        let [left, right] = pair(dimension, cosine, seed);
                        told(&left, &right) - cosine
                    })
                    .collect();
                let mean = errors.iter().sum::<f32>() / errors.len() as f32;
                let largest = errors.iter().map(|error| error.abs()).fold(0.0, f32::max);
                // 256 throws of a coin: a deviation of 0.1 at right angles, and less beside.
                assert!(
                    mean.abs() < 0.06 && largest < 0.35,
                    "{dimension}, {cosine}: {mean}, {largest}"
                );
            }
        }
    }

    #[test]
    fn vectors_along_the_axes_differ_in_half_of_the_bits() {
        let axis = |at: usize| {
            (0..384)
                .map(|other| if other == at { 1.0 } else { 0.0 })
                .collect::<Vec<f32>>()
        };
        for (left, right) in [(0, 1), (0, 256), (3, 7), (100, 356), (383, 127)] {
            let cosine = told(&axis(left), &axis(right));
            assert!(cosine.abs() < 0.35, "{left}, {right}: {cosine}");
        }
    }

    #[test]
    fn a_sketch_is_the_same_on_every_machine() {
        let vector: Vec<f32> = (0..384).map(|at| (at % 7) as f32 - 3.0).collect();
        assert_eq!(of(&vector).map(|word| word >> 48), [7_245, 63_263, 59_201, 37_006]);
    }
}
