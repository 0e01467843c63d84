//! The sentences of a text, and what some of them are: a refusal, or the end of no sentence at all. Pure.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

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
pub fn of(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        for (at, sentence) in line.split_sentence_bound_indices() {
            let start = line_start + at;
            let span = trimmed(text, start..start + sentence.len());
            match spans.last_mut() {
                Some(last) if last.start >= line_start && is_shortened(&text[last.clone()]) => last.end = span.end,
                _ if text[span.clone()].chars().any(char::is_alphanumeric) => spans.push(span),
                _ => {}
            }
        }
        line_start += line.len();
    }
    spans
}

/// Whether a text ends in a word that is cut short, so that its point ends no sentence: `Dr.`, `No.`, an initial.
pub fn is_shortened(text: &str) -> bool {
    const SHORTENED: [&str; 11] = ["Dr", "Mr", "Mrs", "Ms", "Prof", "St", "No", "Nr", "vs", "approx", "Fig"];
    let Some(word) = text
        .strip_suffix('.')
        .map(|text| text.rsplit([' ', '(', '"']).next().unwrap_or_default())
    else {
        return false;
    };
    let initial = word.chars().count() == 1 && word.starts_with(char::is_uppercase);
    let dotted = word.len() <= 4 && word.contains('.') && word.starts_with(char::is_lowercase);
    // `No.` alone is an answer.
    let short = SHORTENED.contains(&word) && (word != "No" || text.len() > word.len() + 1);
    initial || dotted || short
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

    #[test]
    fn a_point_behind_a_short_word_ends_no_sentence() {
        let check = |text: &str, count: usize| assert_eq!(of(text).len(), count, "{text}");
        check("Ask Dr. Vik. She is in.", 2);
        check("J. Roe answers, e.g. Tuesdays. No. It is not.", 3);
        check("Dr. Vik\nMs. Roe", 2);
    }

    #[test]
    fn a_refusal_is_told_from_an_answer() {
        assert!(is_refusal("The documents do not say."));
        assert!(is_refusal("I don\u{2019}t know."));
        assert!(!is_refusal("Employees get 25 days of leave."));
    }
}
