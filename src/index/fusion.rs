//! How two legs become one list, as a collection's settings say it; `engine::fuse` carries it out.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Weight of the vector leg where nothing was fitted; chosen on `SciFact`, see docs/quality.md.
pub const VECTOR_WEIGHT: f64 = 0.5;

/// A way to make one list of two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fusion {
    /// Mix of z-scores.
    Convex {
        /// 0 is the words alone, 1 the vectors alone.
        vector_weight: f64,
    },
    /// Sum of weight / (k + rank).
    ReciprocalRank {
        /// How little the first ranks stand out.
        k: f64,
        /// 0 is the words alone, 1 the vectors alone.
        vector_weight: f64,
    },
    /// Sum of what is known of a candidate, each with a weight of its own.
    Learned(Weights),
}

/// Weights of the learned fusion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of the z-score of the words.
    pub lexical: f64,
    /// Of the z-score of the vectors.
    pub vector: f64,
    /// Of `Clues::coverage`.
    pub coverage: f64,
    /// Of `Clues::length`.
    pub length: f64,
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Convex {
            vector_weight: VECTOR_WEIGHT,
        }
    }
}

impl Fusion {
    /// Whether it can be carried out.
    pub fn check(&self) -> Result<()> {
        let wrong = |key: &str, why: &str| Err(Error::bad_input(&format!("/fusion/{key}"), format!("`{key}` {why}")));
        match self {
            Self::Convex { vector_weight } | Self::ReciprocalRank { vector_weight, .. }
                if !(0.0..=1.0).contains(vector_weight) =>
            {
                wrong("vector_weight", "goes from 0 to 1")
            }
            Self::ReciprocalRank { k, .. } if !(0.0..=1e6).contains(k) => wrong("k", "goes from 0 to 1000000"),
            Self::Learned(weights) if !weights.to_array().iter().all(|weight| weight.abs() <= 1e3) => {
                wrong("weights", "go from -1000 to 1000")
            }
            _ => Ok(()),
        }
    }
}

impl Weights {
    /// In the order of their declaration.
    pub fn to_array(self) -> [f64; 4] {
        [self.lexical, self.vector, self.coverage, self.length]
    }

    /// The reverse of `to_array`.
    pub fn of([lexical, vector, coverage, length]: [f64; 4]) -> Self {
        Self {
            lexical,
            vector,
            coverage,
            length,
        }
    }
}
