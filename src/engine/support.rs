//! Whether words of a passage support a claim. Quotes are verbatim; numbers and negations must agree.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::index::analyse;

/// Least share of a claim's words that its quote must hold.
const LEAST_SHARE: f32 = 0.5;
/// For a claim that the model did not mark itself.
const LEAST_SHARE_UNMARKED: f32 = 0.7;
/// Fewer words than these are no claim that a mark can be found for.
const LEAST_WORDS: usize = 3;
/// The shortest claim that may simply stand in the passage, in bytes.
const VERBATIM: usize = 12;

/// The sentence of `passage` that supports `claim`, or the claim itself where it stands verbatim.
pub fn support(claim: &str, passage: &str) -> Option<Range<usize>> {
    if claim.len() >= VERBATIM
        && let Some(at) = passage.find(claim)
    {
        return Some(at..at + claim.len());
    }
    let (share, span) = best_sentence(claim, passage)?;
    (share >= LEAST_SHARE).then_some(span)
}

/// How well `passage` supports an unmarked `claim`: the share of its words in one sentence; 0 when it does not.
pub fn share(claim: &str, passage: &str) -> f32 {
    if words(claim).len() < LEAST_WORDS {
        return 0.0;
    }
    let share = best_sentence(claim, passage).map_or(0.0, |(share, _)| share);
    if share >= LEAST_SHARE_UNMARKED { share } else { 0.0 }
}

/// The sentence that holds most of the claim's words, among those with its numbers and its negation.
fn best_sentence(claim: &str, passage: &str) -> Option<(f32, Range<usize>)> {
    let wanted = words(claim);
    if wanted.is_empty() {
        return None;
    }
    let (claimed, negated) = (numbers(claim), is_negated(claim));
    let mut best: Option<(f32, Range<usize>)> = None;
    for span in sentences(passage) {
        let sentence = &passage[span.clone()];
        if is_negated(sentence) != negated || !claimed.is_subset(&numbers(sentence)) {
            continue;
        }
        let share = wanted.intersection(&words(sentence)).count() as f32 / wanted.len() as f32;
        if best.as_ref().is_none_or(|(so_far, _)| share > *so_far) {
            best = Some((share, span));
        }
    }
    best
}

fn words(text: &str) -> BTreeSet<String> {
    analyse::terms(text)
        .into_iter()
        .filter(|term| !term.stop)
        .map(|term| term.text)
        .collect()
}

/// Numbers as they are compared: `5,000` is `5000`, `14.` is `14`.
fn numbers(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))
        .map(|number| number.trim_matches(['.', ',']).replace(',', ""))
        .filter(|number| !number.is_empty())
        .collect()
}

fn is_negated(text: &str) -> bool {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    lower.unicode_words().any(|word| {
        matches!(
            word,
            "not" | "no" | "never" | "cannot" | "without" | "none" | "nor" | "neither"
        ) || word.ends_with("n't")
    })
}

/// Whether an answer only says that it cannot answer.
pub fn is_refusal(text: &str) -> bool {
    const PHRASES: &[&str] = &[
        "do not say",
        "does not say",
        "don't say",
        "do not know",
        "don't know",
        "cannot answer",
        "can't answer",
        "no information",
        "not mentioned",
        "do not mention",
        "does not mention",
        "do not contain",
        "does not contain",
        "do not provide",
        "does not provide",
        "not provided",
    ];
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let short = lower.split_whitespace().count() <= 40;
    lower.trim().is_empty() || (short && PHRASES.iter().any(|phrase| lower.contains(phrase)))
}

/// The sentences of a text, lines being sentences too, without the white space around them.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        for (at, sentence) in line.split_sentence_bound_indices() {
            let start = line_start + at;
            let span = trimmed(text, start..start + sentence.len());
            if text[span.clone()].chars().any(char::is_alphanumeric) {
                spans.push(span);
            }
        }
        line_start += line.len();
    }
    spans
}

/// `range` without the white space at its ends.
pub fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: &str = "Employees get 25 days of annual leave.\nThey may carry over 1,500 hours. Nobody loses pay.";

    fn check(claim: &str, expected: Option<&str>) {
        assert_eq!(support(claim, PASSAGE).map(|span| &PASSAGE[span]), expected, "{claim}");
    }

    #[test]
    fn numbers_are_whole_and_negations_count() {
        check(
            "Employees get 25 days of leave.",
            Some("Employees get 25 days of annual leave."),
        );
        check("Employees get 5 days of leave.", None);
        check("Employees do not get 25 days of annual leave.", None);
        check(
            "They may carry over 1500 hours",
            Some("They may carry over 1,500 hours."),
        );
        check("They may carry over 500 hours", None);
        check("Pensions are paid by the moon", None);
    }

    #[test]
    fn a_refusal_is_told_from_an_answer() {
        assert!(is_refusal("The documents do not say."));
        assert!(is_refusal("I don\u{2019}t know."));
        assert!(!is_refusal("Employees get 25 days of leave."));
    }
}
