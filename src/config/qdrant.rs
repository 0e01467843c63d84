//! `[qdrant]`: the server of the vectors.

use serde::Deserialize;

use super::{web_address, wrong_variable};
use crate::error::{Error, Result};

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QdrantSettings {
    #[serde(deserialize_with = "web_address")]
    pub url: Option<String>,
    pub api_key: Option<String>,
    tokens: Option<bool>,
}

impl QdrantSettings {
    /// What the environment says wins.
    pub(super) fn overlay(&mut self, tokens: Option<&str>) -> Result<()> {
        if let Some(given) = tokens {
            let given = given.parse();
            let mend = Some("`true` or `false`");
            self.tokens = Some(given.map_err(|_| wrong_variable("PORTOLAN_QDRANT_TOKENS", mend))?);
        }
        Ok(())
    }

    /// Whether the server keeps and compares tokens.
    pub(super) fn tokens(&self) -> Result<bool> {
        let tokens = self.tokens.unwrap_or_default();
        if tokens && self.url.is_none() {
            let detail = "`qdrant.tokens` asks for a server and there is none; set `qdrant.url`, or `QDRANT_URL`";
            return Err(Error::bad_input("/qdrant/tokens", detail));
        }
        Ok(tokens)
    }
}
