//! From a token vector to the few directions in which the collection's tokens differ most, and to 8 bits a number.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

/// Numbers that are left of a token vector.
pub(super) const WIDTH: usize = 32;
/// Token vectors that a projection is fitted on at most.
const SAMPLE: usize = 16_384;

/// The principal directions of a collection's token vectors, about the origin: products of vectors are what counts,
/// and they would not survive centring.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Projection {
    /// The embedder whose tokens these are.
    embedder: String,
    /// Numbers of a token vector.
    dimension: usize,
    /// `WIDTH` directions of `dimension` numbers, the strongest first.
    directions: Vec<f32>,
}

impl Projection {
    /// Fits to the tokens of `texts`, which lie one after the other in each.
    pub fn fit(embedder: &str, dimension: usize, texts: &[&[f32]]) -> Self {
        let tokens = texts.iter().map(|text| text.len() / dimension).sum::<usize>();
        let every = tokens.div_ceil(SAMPLE).max(1);
        let sample: Vec<&[f32]> = texts
            .iter()
            .flat_map(|text| text.chunks_exact(dimension))
            .step_by(every)
            .collect();
        let matrix = DMatrix::from_fn(dimension, sample.len(), |row, column| sample[column][row]);
        let moments = &matrix * matrix.transpose();
        let eigen = moments.symmetric_eigen();
        let mut order: Vec<usize> = (0..dimension).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]).then(a.cmp(b)));
        let mut directions = Vec::with_capacity(WIDTH * dimension);
        for column in order.into_iter().take(WIDTH) {
            directions.extend(eigen.eigenvectors.column(column).iter());
        }
        // Where there are fewer directions, the rest of the numbers is 0.
        directions.resize(WIDTH * dimension, 0.0);
        Self {
            embedder: embedder.to_owned(),
            dimension,
            directions,
        }
    }

    /// Whether it was fitted for such vectors.
    pub fn suits(&self, embedder: &str, dimension: usize) -> bool {
        self.embedder == embedder && self.dimension == dimension && self.directions.len() == WIDTH * dimension
    }

    /// The token in the directions, of length 1 again.
    pub fn apply(&self, token: &[f32]) -> Vec<f32> {
        let along = |direction: &[f32]| direction.iter().zip(token).map(|(a, b)| a * b).sum::<f32>();
        let mut short: Vec<f32> = self.directions.chunks_exact(self.dimension).map(along).collect();
        let length = short.iter().map(|value| value * value).sum::<f32>().sqrt();
        for value in &mut short {
            *value /= length.max(f32::MIN_POSITIVE);
        }
        short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of 40 numbers that differ in 20 directions only, the later ones less.
    fn tokens(count: usize) -> Vec<f32> {
        let number = |n: usize, at: usize| ((n * 31 + at * 17 + n * at) % 101) as f32 / 50.0 - 1.0;
        let token = |n: usize| (0..40).map(move |at| if at < 20 { number(n, at) / (at + 1) as f32 } else { 0.0 });
        (0..count).flat_map(token).collect()
    }

    fn product(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn cosines_survive_where_the_directions_suffice() {
        let all = tokens(300);
        let projection = Projection::fit("test", 40, &[&all[..4_000], &all[4_000..]]);
        let (left, right) = (&all[40..80], &all[400..440]);
        let cosine = product(left, right) / (product(left, left) * product(right, right)).sqrt();
        let (short_left, short_right) = (projection.apply(left), projection.apply(right));
        assert_eq!(short_left.len(), WIDTH);
        assert!((product(&short_left, &short_left) - 1.0).abs() < 1e-4);
        let got = product(&short_left, &short_right);
        assert!((got - cosine).abs() < 1e-3, "{got}, not {cosine}");
    }

    #[test]
    fn the_strongest_directions_come_first() {
        let all = tokens(300);
        let projection = Projection::fit("test", 40, &[&all]);
        let energy = |direction: &[f32]| {
            all.chunks(40)
                .map(|token| product(token, direction).powi(2))
                .sum::<f32>()
        };
        let energies: Vec<f32> = projection.directions.chunks(40).map(energy).collect();
        assert!(
            energies.windows(2).all(|pair| pair[0] >= pair[1] - 1e-2),
            "{energies:?}"
        );
        let whole: f32 = all.iter().map(|value| value * value).sum();
        assert!((energies.iter().sum::<f32>() - whole).abs() < whole * 1e-3);
    }

    #[test]
    fn vectors_that_are_shorter_than_the_width_have_zeros_behind() {
        let projection = Projection::fit("test", 4, &[&[1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0]]);
        let short = projection.apply(&[0.0, 1.0, 0.0, 0.0]);
        assert_eq!(short.len(), WIDTH);
        assert!((short[0].abs() - 1.0).abs() < 1e-5);
        assert!(projection.suits("test", 4) && !projection.suits("test", 5) && !projection.suits("other", 4));
    }
}
