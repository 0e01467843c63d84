//! `[rerank]`: what moves the best candidates, how much it counts and how long it may take.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::{Error as NoWord, StrDeserializer};

use super::{Config, Secret, share, web_address};
use crate::error::{Error, Result};

/// Share of late interaction; chosen on `SciFact`, see docs/quality.md.
const LATE_WEIGHT: f32 = 0.4;
/// Share of a model that reads both; not measured, since it depends on the model.
const MODEL_WEIGHT: f32 = 0.5;
/// Late interaction takes a millisecond, on a busy machine some tens of them.
const LATE_BUDGET: Duration = Duration::from_millis(100);
/// Nobody waits for the order.
const UNHURRIED: Duration = Duration::from_mins(1);
/// A reader waits this long for a better order.
const MODEL_BUDGET: Duration = Duration::from_secs(2);

/// How candidates are reranked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerank {
    /// By what.
    pub kind: RerankKind,
    /// Its share of a candidate's score, 0 to 1.
    pub weight: f32,
    /// After this the fused order stays.
    pub budget: Duration,
}

/// What reranks.
#[derive(Clone, Debug, PartialEq)]
pub enum RerankKind {
    /// The embedder's own token vectors.
    LateInteraction,
    /// A model on this machine.
    CrossEncoder {
        /// A folder in `models`, a path, or a name to fetch it by.
        model: String,
    },
    /// A model behind the gateway.
    Remote {
        /// The gateway's name of the provider.
        provider: String,
        /// The provider's name of the model.
        model: String,
        /// Where, unless it is the provider's own address.
        url: Option<String>,
        /// The provider's key.
        api_key: Option<Secret>,
    },
    /// Nothing.
    None,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    #[default]
    LateInteraction,
    CrossEncoder,
    Remote,
    None,
}

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RerankSettings {
    kind: Option<Word>,
    model: Option<String>,
    provider: Option<String>,
    #[serde(deserialize_with = "web_address")]
    url: Option<String>,
    api_key: Option<String>,
    #[serde(deserialize_with = "share")]
    weight: Option<f32>,
    budget_ms: Option<NonZeroU32>,
}

impl RerankSettings {
    /// What the environment says wins.
    pub(super) fn overlay(&mut self, kind: Option<&str>, api_key: Option<String>) -> Result<()> {
        if let Some(kind) = kind {
            let word = Word::deserialize(StrDeserializer::<NoWord>::new(kind));
            let mend = "the environment variable `PORTOLAN_RERANK` is wrong; use `late-interaction`, `cross-encoder`, \
                        `remote` or `none`";
            self.kind = Some(word.map_err(|_| Error::bad_input("", mend))?);
        }
        self.api_key = api_key.or(self.api_key.take());
        Ok(())
    }

    pub(super) fn resolve(self) -> Result<Rerank> {
        let word = self.kind.unwrap_or_default();
        let (weight, budget) = match word {
            Word::LateInteraction | Word::None => (LATE_WEIGHT, LATE_BUDGET),
            Word::CrossEncoder | Word::Remote => (MODEL_WEIGHT, MODEL_BUDGET),
        };
        let kind = match word {
            Word::LateInteraction => RerankKind::LateInteraction,
            Word::None => RerankKind::None,
            Word::CrossEncoder => RerankKind::CrossEncoder {
                model: needed("model", self.model, "a folder with the model, or its name")?,
            },
            Word::Remote => RerankKind::Remote {
                provider: needed("provider", self.provider, "`cohere`, `jina` or `voyage`")?,
                model: needed("model", self.model, "the provider's name of a rerank model")?,
                url: self.url,
                api_key: self.api_key.filter(|key| !key.is_empty()).map(Secret::from),
            },
        };
        Ok(Rerank {
            kind,
            weight: self.weight.unwrap_or(weight),
            budget: self
                .budget_ms
                .map_or(budget, |given| Duration::from_millis(given.get().into())),
        })
    }
}

impl Config {
    /// The same with all the time that a reranker may want: a busy machine must not change a figure of quality.
    #[must_use]
    pub fn unhurried(&self) -> Self {
        let mut config = self.clone();
        config.rerank.budget = config.rerank.budget.max(UNHURRIED);
        config
    }
}

fn needed(key: &str, given: Option<String>, mend: &str) -> Result<String> {
    let given = given.filter(|text| !text.trim().is_empty());
    given.ok_or_else(|| {
        let detail = format!("`rerank.{key}` is missing and `rerank.kind` asks for it; set it to {mend}");
        Error::bad_input(&format!("/rerank/{key}"), detail)
    })
}
