//! Whether words of a passage support a claim. Quotes are verbatim; numbers, dates, names and negations must agree.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::engine::claims::{Claim, Clause, words};
use crate::engine::facts::{self, Fact, Facts};
use crate::engine::sentences;
use crate::types::{Fault, Passage};

/// Least share of a claim's words that its quote must hold.
const LEAST_SHARE: f32 = 0.5;
/// For a claim that the model did not mark itself.
const LEAST_SHARE_UNMARKED: f32 = 0.7;
/// What a word is worth that stands in the passage, but not in the quote.
const AROUND: f32 = 0.5;
/// The shortest claim that may simply stand in the passage, in bytes.
const VERBATIM: usize = 12;
/// A quote has at most so many sentences that follow one another.
const QUOTED: usize = 2;
/// From this share of the best one's worth on, a sentence is as near as the best.
const NEAR: f32 = 0.8;
/// A sentence of at most so many words may belong to the one before it.
const SHORT_WORDS: usize = 8;
/// A sentence that begins with one of these goes on with the one before it.
const POINTERS: [&str; 10] = [
    "it", "they", "he", "she", "this", "these", "those", "both", "its", "their",
];

/// A passage, taken apart once for all claims.
#[derive(Clone, Debug)]
pub struct Source {
    text: String,
    parts: Vec<Part>,
    /// Words of the passage, its title and its headings.
    around: BTreeSet<String>,
    /// Facts of its title and its headings.
    above: BTreeSet<String>,
    /// Those and the facts of the question: an answer may repeat them.
    given: BTreeSet<String>,
    /// Words of the question that the passage lacks: they tell nothing for or against it.
    asked: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Part {
    span: Range<usize>,
    words: BTreeSet<String>,
    held: BTreeSet<String>,
    units: Vec<(String, String)>,
    clauses: Vec<(BTreeSet<String>, bool)>,
}

impl Source {
    /// Of a passage that was found for `question`.
    pub fn of(passage: &Passage, question: &str) -> Self {
        let text = passage.chunk.text.clone();
        let above = format!("{}\n{}", passage.document.title, passage.chunk.heading_path.join("\n"));
        let around: BTreeSet<String> = words(&text).into_iter().chain(words(&above)).collect();
        let asked = words(question).difference(&around).cloned().collect();
        let above = facts::held(&above);
        let given = above.iter().cloned().chain(facts::held(question)).collect();
        let parts = sentences::of(&text)
            .into_iter()
            .map(|span| Part::of(&text, span))
            .collect();
        Self {
            text,
            parts,
            around,
            above,
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
            units: facts::units(sentence),
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

/// How `source` bears on `claim`; none where no sentence has a word of it.
pub fn bearing(claim: &Claim<'_>, source: &Source) -> Option<Bearing> {
    if let Some(span) = verbatim(claim.text, &source.text) {
        return Some(Bearing {
            span,
            share: 1.0,
            fault: None,
        });
    }
    let of_whole = nearest(&claim.words, source);
    let first = *of_whole.first()?;
    let (mut places, mut lacking) = (BTreeSet::from([first]), Facts::default());
    let mut around = BTreeSet::from([first]);
    for clause in &claim.clauses {
        // A clause may speak of another sentence of the passage than the claim as a whole.
        let near = nearest(&clause.words, source)
            .into_iter()
            .chain(of_whole.iter().copied());
        let reach: BTreeSet<usize> = near.flat_map(|at| reach(source, at)).collect();
        let parts: Vec<&Part> = reach.iter().map(|at| &source.parts[*at]).collect();
        let lacks = |fact: &&Fact, given: &BTreeSet<String>| {
            !given.contains(&fact.key) && !parts.iter().any(|part| part.held.contains(&fact.key))
        };
        let Facts { numbers, dates, names } = &clause.facts;
        let wrong = |fact: &&Fact| lacks(fact, &source.given) || differs_in_unit(fact, clause, &parts);
        lacking.numbers.extend(numbers.iter().filter(wrong).cloned());
        lacking
            .dates
            .extend(dates.iter().filter(|fact| lacks(fact, &source.above)).cloned());
        lacking
            .names
            .extend(names.iter().filter(|fact| lacks(fact, &source.given)).cloned());
        let told = |at: &usize| clause.stated().any(|fact| source.parts[*at].held.contains(&fact.key));
        places.extend(reach.iter().copied().filter(told));
        around.extend(reach);
    }
    let parts: Vec<&Part> = places.iter().map(|at| &source.parts[*at]).collect();
    let share = share(claim, source, &parts);
    // What is denied may be denied in a sentence beside it; what is said must not be.
    let denying = if claim.negated { &around } else { &places };
    let denying: Vec<&Part> = denying.iter().map(|at| &source.parts[*at]).collect();
    let denied = || is_denied(claim, &denying).then_some(Fault::Negation);
    let few = || (share < LEAST_SHARE).then_some(Fault::Words);
    Some(Bearing {
        span: quote(source, first, &places),
        share,
        fault: fault(lacking).or_else(denied).or_else(few),
    })
}

/// The sentences that hold most of the words, the best first: a word counts by how few of them have it.
fn nearest(words: &BTreeSet<String>, source: &Source) -> Vec<usize> {
    let held = |word: &String| source.parts.iter().filter(|part| part.words.contains(word)).count();
    let weights: Vec<(&String, f32)> = words
        .iter()
        .map(|word| (word, 1.0 / held(word).max(1) as f32))
        .collect();
    let worth = |part: &Part| -> f32 {
        let told = weights.iter().filter(|(word, _)| part.words.contains(*word));
        told.map(|(_, weight)| weight).sum()
    };
    let mut ranked: Vec<(usize, f32)> = source.parts.iter().map(worth).enumerate().collect();
    ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let best = ranked.first().map_or(0.0, |(_, worth)| *worth);
    let near = ranked
        .into_iter()
        .filter(|(_, worth)| *worth > 0.0 && *worth >= NEAR * best);
    near.map(|(at, _)| at).collect()
}

/// A sentence with what belongs to it: a short one behind it, as `Owner: A. Roe`, and the one before it where it begins
/// with a word that points back.
fn reach(source: &Source, at: usize) -> Vec<usize> {
    let text = |at: usize| source.parts.get(at).map_or("", |part| &source.text[part.span.clone()]);
    let mut reach = vec![at];
    if (1..=SHORT_WORDS).contains(&text(at + 1).split_whitespace().count()) && !text(at + 1).contains(" | ") {
        reach.push(at + 1);
    }
    let first = text(at).split_whitespace().next().unwrap_or_default().to_lowercase();
    if at > 0 && POINTERS.contains(&first.as_str()) {
        reach.push(at - 1);
    }
    reach
}

/// Whether a number is of another unit wherever it stands.
fn differs_in_unit(fact: &Fact, clause: &Clause, parts: &[&Part]) -> bool {
    let Some((_, unit)) = clause.units.iter().find(|(number, _)| *number == fact.key) else {
        return false;
    };
    let units = parts.iter().flat_map(|part| &part.units);
    let theirs: Vec<&String> = units
        .filter(|(number, _)| *number == fact.key)
        .map(|(_, unit)| unit)
        .collect();
    !theirs.is_empty() && !theirs.contains(&unit)
}

fn fault(lacking: Facts) -> Option<Fault> {
    let shown = |facts: Vec<Fact>| facts.into_iter().map(|fact| fact.shown).collect();
    if !lacking.numbers.is_empty() {
        Some(Fault::Numbers(shown(lacking.numbers)))
    } else if !lacking.dates.is_empty() {
        Some(Fault::Dates(shown(lacking.dates)))
    } else if !lacking.names.is_empty() {
        Some(Fault::Names(shown(lacking.names)))
    } else {
        None
    }
}

/// What is quoted: all the places where they stand close together, or the one that says most.
fn quote(source: &Source, first: usize, places: &BTreeSet<usize>) -> Range<usize> {
    let (low, high) = (
        places.first().copied().unwrap_or(first),
        places.last().copied().unwrap_or(first),
    );
    let (low, high) = if high - low < QUOTED {
        (low, high)
    } else {
        (first, first)
    };
    source.parts[low].span.start..source.parts[high].span.end
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

fn share(claim: &Claim<'_>, source: &Source, parts: &[&Part]) -> f32 {
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
fn is_denied(claim: &Claim<'_>, parts: &[&Part]) -> bool {
    let clauses = || parts.iter().flat_map(|part| &part.clauses);
    if claim.negated {
        return !clauses().any(|(_, negated)| *negated);
    }
    let shares = |words: &BTreeSet<String>| claim.words.intersection(words).next().is_some();
    let mut told = clauses().filter(|(words, _)| shares(words)).peekable();
    told.peek().is_some() && told.all(|(_, negated)| *negated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::citations::tests::passage;

    const PASSAGE: &str = "Employees get 25 days of annual leave.\nThey may carry over 1,500 hours. Nobody loses pay. \
                           Ask Dr. Ane Vik by 31 March.";

    fn check(claim: &str, expected: Result<&str, &str>) {
        let source = Source::of(&passage(PASSAGE), "Who gets what in Lisbon?");
        let told = match bearing(&Claim::of(claim), &source) {
            None => Err("no word"),
            Some(Bearing { fault: None, span, .. }) => Ok(&PASSAGE[span]),
            Some(Bearing { fault: Some(fault), .. }) => Err(fault.as_str()),
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
        check("Pensions are paid by the moon", Err("no word"));
        check("Bakers get cakes of paper", Err("words"));
        check("Ask Ane Vik by 31 March.", Ok("Ask Dr. Ane Vik by 31 March."));
        check("Ask Ane Vik by 31 May.", Err("dates"));
        check("Ask Tove Vik by 31 March.", Err("names"));
        check("Somebody loses pay.", Err("negation"));
        check("No, nobody loses pay.", Ok("Nobody loses pay."));
        let first_of_both = "They may carry over 1,500 hours.";
        check(
            "1,500 hours may be carried over and nobody loses pay.",
            Ok(first_of_both),
        );
    }
}
