//! Which fusion suits the questions: chosen on one half of them, kept only if the other half is better off.

use serde_json::{Value, json};

use super::logit::{self, Choice};
use super::sample::{Sample, half};
use crate::engine::measure::{compare, mean};
use crate::index::{Fusion, Weights};

/// Fewer questions do not make two halves that can be told apart.
const FEWEST: usize = 40;
/// How much the learned weights are held back, and where they start: both legs alike and nothing else.
const RIDGE: f64 = 1.0;
const START: [f64; 4] = [1.0, 1.0, 0.0, 0.0];
/// The salts of the halving that decides and of the one within a half; those of the repeated ones follow.
const DECIDING: u64 = 0;
const WITHIN: u64 = 1;
const REPEATED: u64 = 2;
/// Questions made from headings repeat the documents' words, which flatters the lexical leg: no weight beyond these.
const MADE_WEIGHTS: std::ops::RangeInclusive<f64> = 0.3..=0.7;

/// What is tried beside every tenth of a vector weight.
const COVERAGE_WEIGHTS: [f64; 4] = [0.0, 0.125, 0.25, 0.5];
const RANK_CONSTANTS: [f64; 3] = [10.0, 20.0, 60.0];

/// What came of it.
pub(super) struct Fitted {
    pub fusion: Fusion,
    pub report: Value,
}

/// Judges fusions by `samples`; `halvings` repeats tell what fitting is worth on questions that it has not seen.
pub(super) fn fit(samples: &[Sample], made: bool, halvings: usize) -> Fitted {
    let table = Table::of(samples, made);
    let everything: Vec<usize> = (0..samples.len()).collect();
    if samples.len() < FEWEST {
        let why = format!(
            "{} questions with a known document are too few to fit on one half and judge on the other; it takes \
             {FEWEST}",
            samples.len()
        );
        let report = json!({ "questions": samples.len(), "all": table.figures(&everything, None), "why": why });
        let fusion = Fusion::default();
        return Fitted { fusion, report };
    }
    let [fitted, held] = table.halves(DECIDING, &everything);
    let chosen = table.choose(&fitted);
    let worth = table.worth(&chosen);
    let (fusion, why) = table.decide(chosen, &worth, &held);
    let repeated = (halvings > 0).then(|| table.repeat(&everything, halvings));
    let report = json!({
        "questions": samples.len(),
        "fitted_half": table.figures(&fitted, Some(&worth)),
        "held_out_half": table.figures(&held, Some(&worth)),
        "chosen": chosen,
        "kept": fusion,
        "why": why,
        "halvings": repeated,
    });
    Fitted { fusion, report }
}

/// The questions, and what each fixed fusion is worth on each of them.
struct Table<'a> {
    samples: &'a [Sample],
    choices: Vec<Choice>,
    fixed: Vec<(Fusion, Vec<f64>)>,
    legs: [Vec<f64>; 2],
    made: bool,
}

impl<'a> Table<'a> {
    fn of(samples: &'a [Sample], made: bool) -> Self {
        let worth = |fusion: &Fusion| samples.iter().map(|sample| sample.worth(fusion)).collect();
        let legs: Vec<[f64; 2]> = samples.iter().map(Sample::legs_worth).collect();
        Self {
            samples,
            choices: samples.iter().map(Sample::choice).collect(),
            fixed: fixed(made).into_iter().map(|fusion| (fusion, worth(&fusion))).collect(),
            legs: [0, 1].map(|leg| legs.iter().map(|worth| worth[leg]).collect()),
            made,
        }
    }

    /// `within` in two halves.
    fn halves(&self, salt: u64, within: &[usize]) -> [Vec<usize>; 2] {
        let side = |at: &usize| half(salt, &self.samples[*at].question.text);
        [0, 1].map(|wanted| within.iter().copied().filter(|at| side(at) == wanted).collect())
    }

    fn worth(&self, fusion: &Fusion) -> Vec<f64> {
        match self.fixed.iter().find(|(known, _)| known == fusion) {
            Some((_, worth)) => worth.clone(),
            None => self.samples.iter().map(|sample| sample.worth(fusion)).collect(),
        }
    }

    /// The best of the fixed ones for `these` questions; between equals the default, which comes first.
    fn best_fixed(&self, these: &[usize], wanted: impl Fn(&Fusion) -> bool) -> (Fusion, f64) {
        let mut best = (Fusion::default(), f64::NEG_INFINITY);
        for (fusion, worth) in self.fixed.iter().filter(|(fusion, _)| wanted(fusion)) {
            let worth = mean_of(worth, these);
            if worth > best.1 {
                best = (*fusion, worth);
            }
        }
        best
    }

    fn learned(&self, these: &[usize]) -> Fusion {
        let choices: Vec<&Choice> = these.iter().map(|at| &self.choices[*at]).collect();
        let weights = logit::fit(&choices, &START, RIDGE);
        Fusion::Learned(Weights::of(std::array::from_fn(|at| weights[at])))
    }

    /// The fusion for `these` questions: the default, unless another one is better by more than chance often makes
    /// it. The learned one has more to fit, so it is judged on those of them that it was not fitted on.
    fn choose(&self, these: &[usize]) -> Fusion {
        let default = pick(&self.worth(&Fusion::default()), these);
        let (fixed, worth) = self.best_fixed(these, |_| true);
        if !self.made {
            let [left, right] = self.halves(WITHIN, these);
            let mut unseen = self.worth(&Fusion::default());
            for (seen, others) in [(&left, &right), (&right, &left)] {
                let learned = self.learned(seen);
                for at in others {
                    unseen[*at] = self.samples[*at].worth(&learned);
                }
            }
            let unseen = pick(&unseen, these);
            if mean(&unseen) > worth && stands_out(&unseen, &default) {
                return self.learned(these);
            }
        }
        let fixed_worth = pick(&self.worth(&fixed), these);
        if stands_out(&fixed_worth, &default) {
            fixed
        } else {
            Fusion::default()
        }
    }

    /// What is kept, by the questions that were held out, and why.
    fn decide(&self, chosen: Fusion, worth: &[f64], held: &[usize]) -> (Fusion, String) {
        let default = self.worth(&Fusion::default());
        let [ours, theirs] = [worth, &default].map(|worth| mean_of(worth, held));
        let (fusion, reached, why) = if chosen == Fusion::default() {
            (
                chosen,
                theirs,
                "nothing is clearly better than the default for the fitted half",
            )
        } else if ours > theirs {
            (
                chosen,
                ours,
                "the held-out half is better off with it than with the default",
            )
        } else {
            (
                Fusion::default(),
                theirs,
                "the held-out half is no better off than with the default, which stays",
            )
        };
        let legs = [0, 1].map(|leg| mean_of(&self.legs[leg], held));
        let better = usize::from(legs[1] > legs[0]);
        if legs[better] > reached && !self.made {
            let alone = Fusion::alone(better == 1);
            let leg = ["words", "vectors"][better];
            return (
                alone,
                format!("for the held-out half the {leg} alone are better than any mix"),
            );
        }
        (fusion, why.to_owned())
    }

    /// Figures of `these` questions; with `worth`, those of the chosen fusion and what lies between it and the default.
    fn figures(&self, these: &[usize], worth: Option<&[f64]>) -> Value {
        let default = self.worth(&Fusion::default());
        let mut figures = json!({
            "questions": these.len(),
            "lexical": mean_of(&self.legs[0], these),
            "vector": mean_of(&self.legs[1], these),
            "default": mean_of(&default, these),
        });
        if let Some(worth) = worth {
            let apart = compare(&pick(worth, these), &pick(&default, these));
            figures["chosen"] = json!(mean_of(worth, these));
            figures["difference"] = json!(apart.mean);
            figures["low"] = json!(apart.low);
            figures["high"] = json!(apart.high);
            figures["p"] = json!(apart.p);
        }
        figures
    }

    /// Mean worth of each kind of fusion on questions that it was not fitted on, over all halvings.
    fn repeat(&self, everything: &[usize], halvings: usize) -> Value {
        let kinds = [
            "lexical",
            "vector",
            "default",
            "convex",
            "reciprocal_rank",
            "learned",
            "chosen",
        ];
        let mut unseen: [Vec<f64>; 7] = Default::default();
        let default = self.worth(&Fusion::default());
        for salt in (REPEATED..).take(halvings) {
            let [left, right] = self.halves(salt, everything);
            for (seen, others) in [(&left, &right), (&right, &left)] {
                let (convex, _) = self.best_fixed(seen, |fusion| matches!(fusion, Fusion::Convex { .. }));
                let (ranks, _) = self.best_fixed(seen, |fusion| matches!(fusion, Fusion::ReciprocalRank { .. }));
                let fitted = [convex, ranks, self.learned(seen), self.choose(seen)].map(|fusion| self.worth(&fusion));
                let known = [&self.legs[0], &self.legs[1], &default].into_iter();
                for (all, worth) in unseen.iter_mut().zip(known.chain(&fitted)) {
                    all.extend(others.iter().map(|at| worth[*at]));
                }
            }
        }
        let means = kinds
            .iter()
            .zip(&unseen)
            .map(|(kind, all)| ((*kind).to_owned(), json!(mean(all))));
        let mut report = Value::Object(means.collect());
        report["times"] = json!(halvings);
        report
    }
}

/// The default first, then every other one that is tried.
fn fixed(made: bool) -> Vec<Fusion> {
    let mut fusions = vec![Fusion::default()];
    let weights = (0..=10).map(|tenths| f64::from(tenths) / 10.0);
    let weights: Vec<f64> = weights
        .filter(|weight| !made || MADE_WEIGHTS.contains(weight))
        .collect();
    for coverage_weight in COVERAGE_WEIGHTS {
        fusions.extend(weights.iter().map(|&vector_weight| Fusion::Convex {
            vector_weight,
            coverage_weight,
        }));
    }
    for k in RANK_CONSTANTS {
        fusions.extend(
            weights
                .iter()
                .map(|&vector_weight| Fusion::ReciprocalRank { k, vector_weight }),
        );
    }
    fusions
}

/// Whether `ours` is better by more than one standard error of the difference (Breiman and others, 1984).
fn stands_out(ours: &[f64], theirs: &[f64]) -> bool {
    let apart: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
    let centre = mean(&apart);
    let variance: f64 = apart.iter().map(|each| (each - centre).powi(2)).sum();
    centre > variance.sqrt() / apart.len().max(1) as f64
}

fn pick(values: &[f64], these: &[usize]) -> Vec<f64> {
    these.iter().map(|at| values[*at]).collect()
}

fn mean_of(values: &[f64], these: &[usize]) -> f64 {
    mean(&pick(values, these))
}
