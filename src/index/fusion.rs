//! How two legs become one list, as a collection's settings say it; `engine::fuse` carries it out.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// Weights where nothing was fitted; docs/quality.md has the figures.
const VECTOR_WEIGHT: f64 = 0.5;
const COVERAGE_WEIGHT: f64 = 0.25;
/// The fields of `Weights`, in the order of `Weights::to_array`.
const LEARNED: [&str; 4] = ["lexical", "vector", "lexical_log", "coverage"];

/// A way to make one list of two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fusion {
    /// Mix of z-scores.
    Convex {
        /// 0 is the words alone, 1 the vectors alone.
        vector_weight: f64,
        /// Of the share of the question's words that a candidate holds, on top of the two legs.
        coverage_weight: f64,
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
    /// Of the logarithm of BM25, which a lead of the first hit moves less.
    pub lexical_log: f64,
    /// Of the z-score of the share of the question's words that a candidate holds.
    pub coverage: f64,
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Convex {
            vector_weight: VECTOR_WEIGHT,
            coverage_weight: COVERAGE_WEIGHT,
        }
    }
}

impl Fusion {
    /// The order of one leg, followed by what only the other one has.
    pub fn alone(vectors: bool) -> Self {
        Self::Convex {
            vector_weight: f64::from(u8::from(vectors)),
            coverage_weight: 0.0,
        }
    }

    /// Whether it looks at the share of the question's words that a candidate holds.
    pub fn needs_coverage(&self) -> bool {
        match self {
            Self::Convex { coverage_weight, .. } => *coverage_weight > 0.0,
            Self::ReciprocalRank { .. } => false,
            Self::Learned(_) => true,
        }
    }

    /// Reads it; every fault has its place and says what is allowed there.
    pub fn read(value: Value) -> Result<Self> {
        let wrong = |key: &str, detail: String| {
            let place = if key.is_empty() {
                String::new()
            } else {
                format!("/{key}")
            };
            Err(Error::bad_input(&format!("/fusion{place}"), detail))
        };
        let kinds = "`convex`, `reciprocal_rank` or `learned`";
        let Some(kind) = value["kind"].as_str() else {
            return wrong("", format!("`fusion` is an object with a `kind`: {kinds}"));
        };
        let wanted: &[&str] = match kind {
            "convex" => &["vector_weight", "coverage_weight"],
            "reciprocal_rank" => &["k", "vector_weight"],
            "learned" => &LEARNED,
            other => return wrong("kind", format!("no fusion is named `{other}`; use {kinds}")),
        };
        for key in wanted {
            match &value[*key] {
                Value::Null => return wrong(key, format!("`{key}` is missing; `{kind}` needs it")),
                weight if !weight.is_number() => return wrong(key, format!("`{key}` is a number")),
                _ => {}
            }
        }
        let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        if let Some(other) = keys.find(|key| *key != "kind" && !wanted.contains(key)) {
            let names: Vec<String> = wanted.iter().map(|key| format!("`{key}`")).collect();
            return wrong(
                other,
                format!("`{kind}` has no `{other}`; it has {}", names.join(" and ")),
            );
        }
        serde_json::from_value(value).map_err(|cause| Error::Internal(cause.to_string()))
    }

    /// Whether it can be carried out.
    pub fn check(&self) -> Result<()> {
        let wrong = |key: &str, why: &str| Err(Error::bad_input(&format!("/fusion/{key}"), format!("`{key}` {why}")));
        match self {
            Self::Convex { vector_weight, .. } | Self::ReciprocalRank { vector_weight, .. }
                if !(0.0..=1.0).contains(vector_weight) =>
            {
                wrong("vector_weight", "goes from 0 to 1")
            }
            Self::Convex { coverage_weight, .. } if !(0.0..=10.0).contains(coverage_weight) => {
                wrong("coverage_weight", "goes from 0 to 10")
            }
            Self::ReciprocalRank { k, .. } if !(0.0..=1e6).contains(k) => wrong("k", "goes from 0 to 1000000"),
            Self::Learned(weights) => {
                let mut named = LEARNED.iter().zip(weights.to_array());
                named
                    .find(|(_, weight)| weight.is_nan() || weight.abs() > 1e3)
                    .map_or(Ok(()), |(key, _)| wrong(key, "goes from -1000 to 1000"))
            }
            _ => Ok(()),
        }
    }
}

impl Weights {
    /// In the order of their declaration.
    pub fn to_array(self) -> [f64; 4] {
        [self.lexical, self.vector, self.lexical_log, self.coverage]
    }

    /// The reverse of `to_array`.
    pub fn of([lexical, vector, lexical_log, coverage]: [f64; 4]) -> Self {
        Self {
            lexical,
            vector,
            lexical_log,
            coverage,
        }
    }
}
