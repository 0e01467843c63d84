//! `[embedding]`: the model that makes vectors of texts.

use std::num::NonZeroUsize;

use serde::Deserialize;

/// What embeds, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Name of the model.
    pub model: String,
    /// Numbers of a vector that are kept, from the first on; none means all.
    pub dimension: Option<NonZeroUsize>,
    /// Threads, at least 1.
    pub threads: usize,
}

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EmbeddingSettings {
    model: Option<String>,
    dimension: Option<NonZeroUsize>,
    threads: Option<NonZeroUsize>,
}

impl EmbeddingSettings {
    pub(super) fn resolve(self, cores: usize) -> Embedding {
        Embedding {
            model: self.model.unwrap_or_else(|| "all-MiniLM-L6-v2".into()),
            dimension: self.dimension,
            threads: self.threads.map_or(cores, NonZeroUsize::get),
        }
    }
}
