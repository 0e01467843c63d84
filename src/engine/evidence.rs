//! Weighs the evidence before a model is asked: answer, answer in part, or decline.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::analyse;
use crate::types::{Outcome, Passage};

/// Below this share of the question's words the answer is called partial.
const PARTIAL_BELOW: f32 = 0.45;
/// Passages that count as evidence.
const DEPTH: usize = 5;

/// What the evidence is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// 0 to 1.
    pub support: f32,
    /// Share of the question's words, by weight, that the best passage holds.
    pub coverage: f32,
    /// Best cosine.
    pub cosine: f32,
    /// The outcome.
    pub outcome: Outcome,
    /// Words of the question that no passage holds.
    pub missing: Vec<String>,
}

/// Words that ask and carry no content of their own.
const ASKING: &[&str] = &[
    "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "does", "do", "did", "can", "could",
    "should", "would", "may", "must", "have", "has", "had", "many", "much", "long", "get", "give", "tell", "say",
    "need", "our", "we", "you", "your", "my", "me", "i", "us", "someone", "somebody", "anyone", "please", "about",
];

/// Weighs `passages`, best first, for `question`; `idf` tells how rare an analysed word is.
pub fn weigh(question: &str, passages: &[Passage], idf: &dyn Fn(&str) -> f32, decline_below: f32) -> Weighed {
    let words = content_words(question);
    let seen: Vec<BTreeSet<String>> = passages.iter().take(DEPTH).map(words_of).collect();
    let weights: BTreeMap<&String, f32> = words.keys().map(|word| (word, idf(word).max(0.1))).collect();
    let whole: f32 = weights.values().sum();
    let covered_by = |held: &BTreeSet<String>| -> f32 {
        let got: f32 = weights
            .iter()
            .filter(|(word, _)| held.contains(**word))
            .map(|(_, weight)| weight)
            .sum();
        if whole > 0.0 { got / whole } else { 0.0 }
    };
    let coverage = seen.iter().map(covered_by).fold(0.0, f32::max);
    let rarest_missing = weights
        .iter()
        .filter(|(word, _)| !seen.iter().any(|held| held.contains(**word)))
        .map(|(_, weight)| *weight)
        .fold(0.0, f32::max);
    let cosine = passages
        .iter()
        .take(DEPTH)
        .filter_map(|passage| passage.scores.vector)
        .fold(0.0, f32::max);
    let missing: Vec<String> = words
        .iter()
        .filter(|(word, _)| !seen.iter().any(|held| held.contains(*word)))
        .map(|(_, shown)| shown.clone())
        .collect();
    // A question whose rarest word stands nowhere asks for something else than what was found.
    let lacking = if whole > 0.0 { rarest_missing / whole } else { 0.0 };
    let closeness = ((cosine - 0.15) / 0.55).clamp(0.0, 1.0);
    let support = (0.25 * coverage + 0.3 * closeness + 0.5 * (1.0 - lacking)) / 1.05;
    let unknown_identifier = lacks_identifier(question, passages);
    tracing::debug!(target: "evidence", support, coverage, cosine, lacking, unknown_identifier, missing = missing.join(" "), "weighed");
    let outcome = if passages.is_empty() || support < decline_below || unknown_identifier {
        Outcome::Declined
    } else if coverage < PARTIAL_BELOW {
        Outcome::Partial
    } else {
        Outcome::Answered
    };
    Weighed {
        support,
        coverage,
        cosine,
        outcome,
        missing,
    }
}

/// A question about `ERR_9999` is not answered by a passage about `ERR_0042`, however alike they are.
fn lacks_identifier(question: &str, passages: &[Passage]) -> bool {
    let asked: Vec<String> = analyse::identifier_ranges(question)
        .into_iter()
        .filter(|(_, range)| is_code(&question[range.clone()]))
        .map(|(name, _)| name)
        .collect();
    if asked.is_empty() {
        return false;
    }
    let held: String = passages.iter().take(DEPTH * 2).fold(String::new(), |mut all, passage| {
        for part in [
            passage.document.title.as_str(),
            &passage.chunk.heading_path.join(" "),
            &passage.chunk.text,
        ] {
            all.push_str(&part.to_lowercase());
            all.push(' ');
        }
        all
    });
    !asked.iter().all(|name| held.contains(name.as_str()))
}

/// Codes, versions, qualified names and years; not quantities (`700km`, `4th`) or hyphenated words.
fn is_code(name: &str) -> bool {
    let has_digit = name.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = name.chars().any(char::is_alphabetic);
    let is_named = name.contains(['-', '.', '/']) || name.contains(char::is_uppercase);
    let is_year = name.len() == 4 && (name.starts_with("19") || name.starts_with("20")) && !has_letter;
    name.contains('_') || name.contains("::") || (has_digit && has_letter && is_named) || (has_digit && is_year)
}

/// Whether a word only asks.
pub(super) fn is_asking(word: &str) -> bool {
    ASKING.contains(&word.to_lowercase().as_str())
}

fn content_words(question: &str) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    for term in analyse::terms(question) {
        let shown = &question[term.range.clone()];
        if !term.stop && !is_asking(shown) {
            words.entry(term.text).or_insert_with(|| shown.to_owned());
        }
    }
    words
}

fn words_of(passage: &Passage) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let headings = passage.chunk.heading_path.join("\n");
    for text in [
        passage.document.title.as_str(),
        headings.as_str(),
        passage.chunk.text.as_str(),
    ] {
        words.extend(analyse::terms(text).into_iter().map(|term| term.text));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_no_codes() {
        for code in ["ERR_0042", "chart::load", "v3.4.1", "HMI-7731-B", "2031", "SKU9921"] {
            assert!(is_code(code), "{code}");
        }
        for word in ["700km", "4th", "24wk", "well-known", "700", "3.5", "and/or"] {
            assert!(!is_code(word), "{word}");
        }
    }
}
