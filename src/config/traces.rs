//! `[traces]`: how long it is kept how answers came about, and whether with words.

use serde::Deserialize;

/// How traces are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// For so many days; 0 keeps none, and lets those that are there go at the next start.
    pub keep_days: u32,
    /// Whether questions and passages are kept in their words, or ids, ranks and figures alone.
    pub words: bool,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            keep_days: 30,
            words: true,
        }
    }
}

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TraceSettings {
    keep_days: Option<u32>,
    words: Option<bool>,
}

impl TraceSettings {
    pub(super) fn resolve(&self) -> Traces {
        let usual = Traces::default();
        Traces {
            keep_days: self.keep_days.unwrap_or(usual.keep_days),
            words: self.words.unwrap_or(usual.words),
        }
    }
}
