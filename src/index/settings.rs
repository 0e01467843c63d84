//! What an operator or `portolan tune` sets for one collection, in `settings.json` beside its index.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fusion::Fusion;
use super::synonyms::{self, Synonyms};
use crate::error::{Error, Result};

/// The settings; what is not given has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Words and phrases that mean the same, by group.
    pub synonyms: Vec<Vec<String>>,
    /// How two legs become one list.
    pub fusion: Fusion,
    /// Support below which an answer is declined; none means what the configuration says.
    pub decline_below: Option<f64>,
}

impl Settings {
    /// These settings with what `change` names; what it does not name stays.
    pub fn changed(&self, change: Value) -> Result<Self> {
        let mut whole = serde_json::to_value(self).map_err(|cause| Error::Internal(cause.to_string()))?;
        let (Value::Object(fields), Value::Object(changes)) = (&mut whole, change) else {
            let detail = "settings are an object such as {\"synonyms\": [[\"cv\", \"resume\"]]}";
            return Err(Error::bad_input("", detail));
        };
        fields.extend(changes);
        let settings: Self = serde_json::from_value(whole).map_err(|cause| {
            let known =
                "the settings are `synonyms`, a list of lists, `fusion`, an object, and `decline_below`, a number";
            Error::bad_input("", format!("{cause}; {known}"))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        self.fusion.check()?;
        if self.decline_below.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            return Err(Error::bad_input("/decline_below", "`decline_below` goes from 0 to 1"));
        }
        synonyms::check(&self.synonyms, "/synonyms")
    }
}

/// The settings of an open collection, on disk and ready for queries.
pub(super) struct Kept {
    file: PathBuf,
    now: RwLock<Arc<Settings>>,
    synonyms: RwLock<Arc<Synonyms>>,
}

impl Kept {
    /// Reads `settings.json` in `folder`; none is the default.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join("settings.json");
        let broken = |cause: &dyn std::fmt::Display| {
            let shown = file.display();
            Error::Conflict(format!("`{shown}` cannot be used ({cause}); mend it or remove it"))
        };
        let settings: Settings = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|cause| broken(&cause))?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(cause) => return Err(Error::storage("cannot read `settings.json`", cause)),
        };
        settings.check().map_err(|cause| broken(&cause))?;
        let synonyms = RwLock::new(Arc::new(Synonyms::new(&settings.synonyms)));
        let now = RwLock::new(Arc::new(settings));
        Ok(Self { file, now, synonyms })
    }

    /// What holds now.
    pub fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its synonyms, ready for queries.
    pub fn synonyms(&self) -> Arc<Synonyms> {
        Arc::clone(&self.synonyms.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes what `change` names; on disk before any query sees it.
    pub fn change(&self, change: Value) -> Result<Settings> {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let settings = now.changed(change)?;
        let failed = |cause: std::io::Error| Error::storage("cannot write `settings.json`", cause);
        let bytes =
            serde_json::to_vec_pretty(&written(&settings)?).map_err(|cause| Error::Internal(cause.to_string()))?;
        // Written aside and renamed, so that a crash leaves no half file.
        let aside = self.file.with_extension("json.new");
        std::fs::write(&aside, bytes).map_err(failed)?;
        std::fs::rename(&aside, &self.file).map_err(failed)?;
        let synonyms = Arc::new(Synonyms::new(&settings.synonyms));
        *self.synonyms.write().unwrap_or_else(PoisonError::into_inner) = synonyms;
        *now = Arc::new(settings.clone());
        Ok(settings)
    }
}

/// What is set, without the defaults: a better one of a later release is to hold here too.
fn written(settings: &Settings) -> Result<Value> {
    let mut whole = serde_json::to_value(settings).map_err(|cause| Error::Internal(cause.to_string()))?;
    if let (Some(fields), true) = (whole.as_object_mut(), settings.fusion == Fusion::default()) {
        fields.remove("fusion");
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_there_after_the_next_opening_and_leaves_the_rest_alone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path()).unwrap();
        assert_eq!(*kept.now(), Settings::default());
        let changed = kept.change(json!({ "synonyms": [["cv", "resume"]] })).unwrap();
        assert_eq!(kept.change(json!({})).unwrap(), changed);
        assert!(kept.synonyms().knows("cv"));
        let file = std::fs::read_to_string(folder.path().join("settings.json")).unwrap();
        assert!(file.contains("resume") && !file.contains("fusion"), "{file}");
        let fusions = [
            json!({ "kind": "convex", "vector_weight": 0.75, "coverage_weight": 0.5 }),
            json!({ "kind": "learned", "lexical": 1.0, "vector": 0.9, "lexical_log": 0.1, "coverage": 2.0 }),
        ];
        kept.change(json!({ "decline_below": 0.5, "fusion": fusions[0] }))
            .unwrap();
        let changed = kept.change(json!({ "fusion": fusions[1] })).unwrap();
        assert_eq!((&changed.decline_below, changed.synonyms.len()), (&Some(0.5), 1));
        assert_eq!(json!(changed)["fusion"], fusions[1]);
        assert_eq!(*Kept::open(folder.path()).unwrap().now(), changed);
    }

    #[test]
    fn a_faulty_change_is_told_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::open(folder.path()).unwrap();
        let check = |change: Value, words: &str| {
            let error = kept.change(change).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
            assert_eq!(*kept.now(), Settings::default());
        };
        check(json!([]), "an object such as");
        check(json!({ "synonims": [] }), "synonims");
        check(json!({ "synonyms": "cv" }), "list of lists");
        check(json!({ "synonyms": [["cv"]] }), "2 to 32");
        check(json!({ "decline_below": 2 }), "from 0 to 1");
        check(json!({ "fusion": { "kind": "magic" } }), "magic");
        check(json!({ "fusion": { "kind": "learned", "lexical": 1.0 } }), "vector");
        let convex = |vector: f64, coverage: f64| json!({ "fusion": { "kind": "convex", "vector_weight": vector, "coverage_weight": coverage } });
        check(convex(1.5, 0.0), "from 0 to 1");
        check(convex(0.5, -1.0), "from 0 to 10");
        let ranks = json!({ "kind": "reciprocal_rank", "k": -1, "vector_weight": 0.5 });
        check(json!({ "fusion": ranks }), "`k`");
        let weights = json!({ "kind": "learned", "lexical": 1.0, "vector": 1e9, "lexical_log": 0.0, "coverage": 0.0 });
        check(json!({ "fusion": weights }), "-1000 to 1000");
        assert!(!folder.path().join("settings.json").exists());
    }

    #[test]
    fn a_broken_file_is_named_with_its_mend() {
        for text in ["{", "{\"synonyms\": [[]]}", "{\"decline_below\": 7}"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("settings.json"), text).unwrap();
            let error = Kept::open(folder.path()).map(|_| ()).unwrap_err().to_string();
            assert!(
                error.contains("settings.json") && error.contains("mend it or remove it"),
                "{error}"
            );
        }
    }
}
