//! Whether words of a passage support a claim. Quotes are verbatim; numbers, dates, names and negations must agree.

use std::collections::BTreeSet;
use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::engine::facts::{self, Fact, Facts};
use crate::index::analyse;
use crate::types::{Fault, Passage};

/// Least share of a claim's words that its quote must hold.
const LEAST_SHARE: f32 = 0.5;
/// For a claim that the model did not mark itself.
const LEAST_SHARE_UNMARKED: f32 = 0.7;
/// What a word is worth that stands in the passage, but not in the quote.
const AROUND: f32 = 0.5;
/// Fewer words than these are no claim that a mark can be found for.
const LEAST_WORDS: usize = 3;
/// The shortest claim that may simply stand in the passage, in bytes.
const VERBATIM: usize = 12;
/// A quote has at most so many sentences that follow one another.
const QUOTED: usize = 2;

/// A claim, taken apart.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    text: &'a str,
    words: BTreeSet<String>,
    facts: Facts,
    negated: bool,
}

impl<'a> Claim<'a> {
    /// Of `text`, a sentence without marks.
    pub fn of(text: &'a str) -> Self {
        let first = text.split(',').next().unwrap_or_default().trim().to_lowercase();
        // `No, shares cannot be sold` denies no more than what follows.
        let said = if ["no", "yes"].contains(&first.as_str()) {
            &text[first.len()..]
        } else {
            text
        };
        Self {
            text,
            words: words(text),
            facts: facts::stated(text),
            negated: facts::is_negated(said),
        }
    }

    /// Whether it is long enough, or states enough, to be checked.
    pub fn is_checkable(&self) -> bool {
        let facts = &self.facts;
        self.words.len() >= LEAST_WORDS
            || !(facts.numbers.is_empty() && facts.dates.is_empty() && facts.names.is_empty())
    }
}

/// A passage, taken apart once for all claims.
#[derive(Clone, Debug)]
pub struct Source {
    text: String,
    parts: Vec<Part>,
    /// Words of the passage, its title and its headings.
    around: BTreeSet<String>,
    /// Facts of its title and its headings, and of the question: an answer may repeat them.
    given: BTreeSet<String>,
    /// Words of the question that the passage lacks: they tell nothing for or against it.
    asked: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Part {
    span: Range<usize>,
    words: BTreeSet<String>,
    held: BTreeSet<String>,
    clauses: Vec<(BTreeSet<String>, bool)>,
}

impl Source {
    /// Of a passage that was found for `question`.
    pub fn of(passage: &Passage, question: &str) -> Self {
        let text = passage.chunk.text.clone();
        let above = format!("{}\n{}", passage.document.title, passage.chunk.heading_path.join("\n"));
        let around: BTreeSet<String> = words(&text).into_iter().chain(words(&above)).collect();
        let asked = words(question).difference(&around).cloned().collect();
        let given = facts::held(&above).into_iter().chain(facts::held(question)).collect();
        let parts = sentences(&text).into_iter().map(|span| Part::of(&text, span)).collect();
        Self {
            text,
            parts,
            around,
            given,
            asked,
        }
    }
}

impl Part {
    fn of(text: &str, span: Range<usize>) -> Self {
        let sentence = &text[span.clone()];
        let clauses = sentence.split([',', ';', ':', '\u{2014}']);
        Self {
            words: words(sentence),
            held: facts::held(sentence),
            clauses: clauses
                .map(|clause| (words(clause), facts::is_negated(clause)))
                .collect(),
            span,
        }
    }
}

/// How a passage bears on a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearing {
    /// The words of the passage that come nearest, a sentence or two.
    pub span: Range<usize>,
    /// How much of the claim they say, from 0 to 1.
    pub share: f32,
    /// What of it they lack or deny.
    pub fault: Option<Fault>,
}

impl Bearing {
    /// Whether the passage says it.
    pub fn is_support(&self) -> bool {
        self.fault.is_none()
    }

    /// Whether it says it clearly enough for a mark that the model did not write.
    pub fn is_clear(&self) -> bool {
        self.fault.is_none() && self.share >= LEAST_SHARE_UNMARKED
    }
}

/// How `source` bears on `claim`; none where it has no sentence.
pub fn bearing(claim: &Claim<'_>, source: &Source) -> Option<Bearing> {
    if let Some(span) = verbatim(claim.text, &source.text) {
        return Some(Bearing {
            span,
            share: 1.0,
            fault: None,
        });
    }
    let mut best: Option<(usize, Bearing)> = None;
    let order = |faults: usize, found: &Bearing| (found.is_support(), found.share, usize::MAX - faults);
    for length in 1..=QUOTED.min(source.parts.len()) {
        for parts in source.parts.windows(length) {
            let (faults, found) = weigh(claim, source, parts);
            // The place that says most of it tells best what it lacks; of equals the first, which is the shortest.
            let better = |(fewest, so_far): &(usize, Bearing)| order(faults, &found) > order(*fewest, so_far);
            if best.as_ref().is_none_or(better) {
                best = Some((faults, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// Where a claim stands as it is, not as a part of longer words.
fn verbatim(claim: &str, text: &str) -> Option<Range<usize>> {
    if claim.len() < VERBATIM {
        return None;
    }
    let whole = |at: &usize| {
        let before = text[..*at].chars().next_back();
        let after = text[at + claim.len()..].chars().next();
        let inside = |c: Option<char>, edge: Option<char>| {
            c.is_some_and(char::is_alphanumeric) && edge.is_some_and(char::is_alphanumeric)
        };
        !inside(before, claim.chars().next()) && !inside(after, claim.chars().next_back())
    };
    let at = text.match_indices(claim).map(|(at, _)| at).find(whole)?;
    Some(at..at + claim.len())
}

/// What sentences that follow one another say of a claim, and how many of its facts they lack.
fn weigh(claim: &Claim<'_>, source: &Source, parts: &[Part]) -> (usize, Bearing) {
    let holds = |key: &String| source.given.contains(key) || parts.iter().any(|part| part.held.contains(key));
    let lacking = |facts: &[Fact]| -> Vec<String> {
        let lacking = facts.iter().filter(|fact| !holds(&fact.key));
        lacking.map(|fact| fact.shown.clone()).collect()
    };
    let (numbers, dates, names) = (
        lacking(&claim.facts.numbers),
        lacking(&claim.facts.dates),
        lacking(&claim.facts.names),
    );
    let share = share(claim, source, parts);
    let denied = is_denied(claim, parts);
    let faults = numbers.len() + dates.len() + names.len() + usize::from(denied);
    let fault = if !numbers.is_empty() {
        Some(Fault::Numbers(numbers))
    } else if !dates.is_empty() {
        Some(Fault::Dates(dates))
    } else if !names.is_empty() {
        Some(Fault::Names(names))
    } else if denied {
        Some(Fault::Negation)
    } else {
        (share < LEAST_SHARE).then_some(Fault::Words)
    };
    let span = parts[0].span.start..parts[parts.len() - 1].span.end;
    (faults, Bearing { span, share, fault })
}

fn share(claim: &Claim<'_>, source: &Source, parts: &[Part]) -> f32 {
    let wanted: Vec<&String> = claim.words.difference(&source.asked).collect();
    if wanted.is_empty() {
        return 0.0;
    }
    let worth = |word: &&String| {
        if parts.iter().any(|part| part.words.contains(*word)) {
            1.0
        } else if source.around.contains(*word) {
            AROUND
        } else {
            0.0
        }
    };
    wanted.iter().map(worth).sum::<f32>() / wanted.len() as f32
}

/// Whether one of both denies what the other says.
fn is_denied(claim: &Claim<'_>, parts: &[Part]) -> bool {
    let clauses = || parts.iter().flat_map(|part| &part.clauses);
    if claim.negated {
        return !clauses().any(|(_, negated)| *negated);
    }
    let shared = |words: &BTreeSet<String>| claim.words.intersection(words).count();
    let nearest = clauses().max_by_key(|(words, negated)| (shared(words), !negated));
    nearest.is_some_and(|(_, negated)| *negated)
}

fn words(text: &str) -> BTreeSet<String> {
    analyse::terms(text)
        .into_iter()
        .filter(|term| !term.stop)
        .map(|term| term.text)
        .collect()
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
    use crate::engine::citations::tests::passage;

    const PASSAGE: &str = "Employees get 25 days of annual leave.\nThey may carry over 1,500 hours. Nobody loses pay. \
                           Ask Dr. Ane Vik by 31 March.";

    fn check(claim: &str, expected: Result<&str, &str>) {
        let source = Source::of(&passage(PASSAGE), "Who gets what in Lisbon?");
        let found = bearing(&Claim::of(claim), &source).unwrap();
        let told = match &found.fault {
            None => Ok(&PASSAGE[found.span]),
            Some(fault) => Err(fault.as_str()),
        };
        assert_eq!(told, expected, "{claim}");
    }

    #[test]
    fn facts_agree_and_negations_count() {
        let first = "Employees get 25 days of annual leave.";
        check("Employees get 25 days of leave.", Ok(first));
        check("In Lisbon an employee gets 25 days.", Ok(first));
        check("Employees get 5 days of leave.", Err("numbers"));
        check("5 days of annual leave", Err("numbers"));
        check("Employees do not get 25 days of annual leave.", Err("negation"));
        check("They may carry over 1500 hours", Ok("They may carry over 1,500 hours."));
        check("They may carry over 500 hours", Err("numbers"));
        check("Pensions are paid by the moon", Err("words"));
        check("Ask Ane Vik by 31 March.", Ok("Ask Dr. Ane Vik by 31 March."));
        check("Ask Ane Vik by 31 May.", Err("dates"));
        check("Ask Tove Vik by 31 March.", Err("names"));
        check("Somebody loses pay.", Err("negation"));
        check("No, nobody loses pay.", Ok("Nobody loses pay."));
        let both = "They may carry over 1,500 hours. Nobody loses pay.";
        check("1,500 hours may be carried over and nobody loses pay.", Ok(both));
    }

    #[test]
    fn a_point_behind_a_short_word_ends_no_sentence() {
        let check = |text: &str, count: usize| assert_eq!(sentences(text).len(), count, "{text}");
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
