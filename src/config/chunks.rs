//! `[chunks]`: how documents are cut.

use indexer::chunk::Chunking;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChunkSettings {
    #[serde(deserialize_with = "bytes")]
    target_bytes: Option<usize>,
    context: Option<bool>,
}

impl ChunkSettings {
    pub(super) fn resolve(&self) -> Chunking {
        let usual = Chunking::default();
        Chunking {
            target_bytes: self.target_bytes.unwrap_or(usual.target_bytes),
            context: self.context.unwrap_or(usual.context),
            ..usual
        }
    }
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = usize::deserialize(deserializer)?;
    if (400..=20_000).contains(&value) {
        return Ok(Some(value));
    }
    Err(D::Error::custom("too small or too large"))
}
