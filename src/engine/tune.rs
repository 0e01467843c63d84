//! The fusion and the evidence gate that suit one collection: fitted on one half of its questions and judged on the
//! other. The default stays unless the other half is better off.

mod fit;
mod gate;
mod logit;
mod made;
mod sample;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::engine::measure::Judged;
use crate::error::{Error, Result};
use crate::index::Collection;
use crate::index::work::blocking;
use sample::Sample;

/// The most questions that one run asks.
const MOST: usize = 2_000;
/// The most halvings of one run.
const MOST_HALVINGS: usize = 100;

/// What to fit, and on what.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// The collection.
    pub collection: String,
    /// Its golden questions; without them they are made from its headings.
    pub questions: Option<Vec<Judged>>,
    /// How often the questions are halved again, to tell what fitting is worth on questions that it has not seen.
    pub halvings: usize,
    /// Whether the settings stay as they are.
    pub dry_run: bool,
}

impl Engine {
    /// Fits, reports, and writes the settings unless it is a dry run.
    pub async fn tune(&self, tuning: Tuning) -> Result<Value> {
        if tuning.halvings > MOST_HALVINGS {
            let detail = format!("`halvings` is {}; it goes to {MOST_HALVINGS}", tuning.halvings);
            return Err(Error::bad_input("/halvings", detail));
        }
        let collection = self.collection(&tuning.collection)?;
        let made = tuning.questions.is_none();
        let mut questions = match tuning.questions {
            Some(questions) => questions,
            None => made::questions(&collection).await?,
        };
        // By hash: which ones are left out has nothing to do with where they stand.
        questions.sort_by_cached_key(|question| sample::hash(0, &question.text));
        questions.truncate(MOST);
        let asked = questions.len();
        let unknown = leave_out_unknown(&collection, &mut questions).await?;
        let (answerable, unanswerable) = self.samples(&collection, &questions).await?;
        let (fitted, answerable) = blocking(move || {
            let fitted = fit::fit(&answerable, made, tuning.halvings);
            Ok((fitted, answerable))
        })
        .await?;
        let now = rounded(self.decline_below(std::slice::from_ref(&tuning.collection)));
        let gate = gate::fit(&collection, (answerable, unanswerable), fitted.fusion, now).await?;
        let mut change = json!({ "fusion": fitted.fusion });
        // What stays as it is is not written: it may be what the operator has set.
        if let Some(better) = gate.as_ref().and_then(|gate| gate.decline_below) {
            change["decline_below"] = json!(better);
        }
        let before = collection.settings();
        if !tuning.dry_run {
            let (collection, change) = (collection.clone(), change.clone());
            blocking(move || collection.change_settings(change)).await?;
        }
        Ok(json!({
            "collection": collection.name(), "questions": asked, "unknown": unknown, "made": made,
            "fusion": fitted.report, "gate": gate.map(|gate| gate.report),
            "before": before, "change": change, "written": !tuning.dry_run,
        }))
    }

    /// What both legs find for each question, of those that a document answers and of the others.
    async fn samples(&self, collection: &Arc<Collection>, questions: &[Judged]) -> Result<(Vec<Sample>, Vec<Sample>)> {
        let mut samples = Vec::with_capacity(questions.len());
        for question in questions {
            samples.push(sample::take(self, collection, question).await?);
        }
        Ok(samples
            .into_iter()
            .partition(|sample| !sample.question.wanted.is_empty()))
    }
}

/// The number that was typed: 0.55, which is 0.550000011920929 as `f32`.
fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1e6).round() / 1e6
}

/// Leaves out the questions of which the collection has no wanted document; tells how many they were.
async fn leave_out_unknown(collection: &Collection, questions: &mut Vec<Judged>) -> Result<usize> {
    let held: BTreeSet<String> = collection.fingerprints().await?.into_keys().collect();
    let before = questions.len();
    questions.retain(|question| question.wanted.is_empty() || question.wanted.keys().any(|uri| held.contains(uri)));
    let name = collection.name();
    if questions.is_empty() && before > 0 {
        let detail = format!(
            "collection `{name}` has none of the documents that the questions name; `portolan index PATH --collection \
             {name}` or `portolan eval PATH` brings them"
        );
        return Err(Error::bad_input("/questions", detail));
    }
    Ok(before - questions.len())
}

#[cfg(test)]
mod tests;
