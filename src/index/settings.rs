//! What an operator or `portolan tune` sets for one collection, in `settings.json` beside its index.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::durable;
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
    /// Who writes of each chunk a sentence that is embedded with it; none writes nothing.
    pub context_sentences: Option<ContextSentences>,
}

/// Who writes of each chunk where in its document it stands and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextSentences {
    /// The name of the route to the model.
    pub route: String,
    /// The most chunks that it is asked about in one run.
    #[serde(default = "usual_chunks")]
    pub chunks: u64,
}

fn usual_chunks() -> u64 {
    10_000
}

impl Settings {
    /// These settings with what `change` names; what it does not name stays. Every fault has its place.
    pub fn changed(&self, change: Value) -> Result<Self> {
        let Value::Object(changes) = change else {
            let detail = "settings are an object such as {\"synonyms\": [[\"cv\", \"resume\"]]}";
            return Err(Error::bad_input("", detail));
        };
        let mut settings = self.clone();
        for (key, value) in changes {
            match key.as_str() {
                "synonyms" => settings.synonyms = part(&key, value, "a list of lists, such as [[\"cv\", \"resume\"]]")?,
                "fusion" => settings.fusion = Fusion::read(value)?,
                "decline_below" => settings.decline_below = part(&key, value, "a number from 0 to 1, or null")?,
                "context_sentences" => {
                    let shape = "an object such as {\"route\": \"demo\", \"chunks\": 10000}, or null";
                    settings.context_sentences = part(&key, value, shape)?;
                }
                _ => {
                    let known = "the settings are `synonyms`, a list of lists, `fusion`, an object, \
                                 `decline_below`, a number, and `context_sentences`, an object";
                    let detail = format!("no setting is named `{key}`; {known}");
                    return Err(Error::bad_input(
                        &format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                        detail,
                    ));
                }
            }
        }
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

/// One setting in its shape, or what that is.
fn part<T: DeserializeOwned>(key: &str, value: Value, shape: &str) -> Result<T> {
    serde_json::from_value(value).map_err(|_| Error::bad_input(&format!("/{key}"), format!("`{key}` is {shape}")))
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
        durable::write(&self.file, &bytes).map_err(failed)?;
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
        let check = |change: Value, pointer: &str, words: &str| {
            let Err(Error::BadInput { detail, faults }) = kept.change(change) else {
                panic!("`{pointer}` was accepted");
            };
            assert!(detail.contains(words), "{detail}");
            assert_eq!(faults[0].pointer, pointer, "{detail}");
            for rust in ["invalid type", "sequence", "f64", "variant", "struct"] {
                assert!(!detail.contains(rust), "{detail}");
            }
            assert_eq!(*kept.now(), Settings::default());
        };
        check(json!([]), "", "an object such as");
        check(json!({ "synonims": [] }), "/synonims", "synonims");
        check(json!({ "synonyms": "cv" }), "/synonyms", "list of lists");
        check(json!({ "synonyms": [["cv"]] }), "/synonyms/0", "2 to 32");
        check(json!({ "decline_below": 2 }), "/decline_below", "from 0 to 1");
        check(json!({ "decline_below": "much" }), "/decline_below", "from 0 to 1");
        for wrong in [
            json!("demo"),
            json!({}),
            json!({ "route": "a", "chunk": 1 }),
            json!({ "route": "a", "chunks": -1 }),
        ] {
            check(json!({ "context_sentences": wrong }), "/context_sentences", "\"route\"");
        }
        let fusion = |fusion: Value| json!({ "fusion": fusion });
        check(fusion(json!("convex")), "/fusion", "`kind`");
        check(fusion(json!({ "kind": "magic" })), "/fusion/kind", "magic");
        check(
            fusion(json!({ "kind": "learned", "lexical": 1.0 })),
            "/fusion/vector",
            "is missing",
        );
        let convex = |vector: Value, coverage: Value| {
            fusion(json!({ "kind": "convex", "vector_weight": vector, "coverage_weight": coverage }))
        };
        check(convex(json!("half"), json!(0)), "/fusion/vector_weight", "a number");
        check(convex(json!(1.5), json!(0)), "/fusion/vector_weight", "from 0 to 1");
        check(convex(json!(0.5), json!(-1)), "/fusion/coverage_weight", "from 0 to 10");
        let ranks = json!({ "kind": "reciprocal_rank", "k": -1, "vector_weight": 0.5 });
        check(fusion(ranks), "/fusion/k", "`k`");
        let ranks = json!({ "kind": "reciprocal_rank", "k": 60, "vector_weight": 0.5, "weight": 1 });
        check(fusion(ranks), "/fusion/weight", "`k` and `vector_weight`");
        let weights = json!({ "kind": "learned", "lexical": 1.0, "vector": 1e9, "lexical_log": 0.0, "coverage": 0.0 });
        check(fusion(weights), "/fusion/vector", "-1000 to 1000");
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
