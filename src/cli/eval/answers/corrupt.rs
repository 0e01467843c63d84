//! Puts one known fault into a sound answer: the same one every time.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::engine::facts::MONTHS;
use crate::engine::sentences;
use crate::types::Passage;

/// What is done to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number becomes another one.
    Number,
    /// A name becomes another one.
    Name,
    /// A day, month or year becomes another one.
    Date,
    /// A mark names another passage.
    Citation,
    /// A sentence is added that no document says.
    Sentence,
    /// A mark names a passage that there is not.
    Mark,
}

/// All of them.
pub(super) const KINDS: [Kind; 6] = [
    Kind::Number,
    Kind::Name,
    Kind::Date,
    Kind::Citation,
    Kind::Sentence,
    Kind::Mark,
];

impl Kind {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "wrong number",
            Self::Name => "swapped name",
            Self::Date => "wrong date",
            Self::Citation => "wrong passage",
            Self::Sentence => "added sentence",
            Self::Mark => "invented mark",
        }
    }
}

/// An answer with one fault.
#[derive(Debug, PartialEq)]
pub(super) struct Corrupted {
    /// The whole answer.
    pub text: String,
    /// Words of the faulty sentence.
    pub words: String,
    /// The number that no passage has.
    pub invented: Option<usize>,
}

/// What names there are to swap.
pub(super) struct Stock {
    names: Vec<String>,
}

/// Sentences that sound right over any of the documents, and that none of them says.
const ADDED: [&str; 12] = [
    "Exceptions are possible if the works council agrees in advance",
    "The same applies to contractors and temporary staff",
    "This rule was introduced after an internal audit found repeated abuse",
    "Requests that arrive late are usually refused without explanation",
    "Customers outside the European Union pay a higher fee",
    "A written confirmation is sent by registered post",
    "The limit is reviewed once a year by an external consultant",
    "It can be extended free of charge on request",
    "Failure to comply leads to a formal warning",
    "Most colleagues find this arrangement generous",
    "An insurance covers the remaining costs",
    "The details are explained in a separate training video",
];

impl Stock {
    /// The names that stand in the passages.
    pub fn of<'a>(found: impl Iterator<Item = &'a Vec<Passage>>) -> Self {
        let mut names = BTreeSet::new();
        for passage in found.flatten() {
            let text = &passage.chunk.text;
            names.extend(names_in(text).into_iter().map(|range| text[range].to_owned()));
        }
        Self {
            names: names.into_iter().collect(),
        }
    }
}

/// `answer`, the `at`-th, with that fault; none where there is nothing that could be faulty in this way.
pub(super) fn corrupt(
    kind: Kind,
    (at, answer): (usize, &str),
    passages: &[Passage],
    stock: &Stock,
) -> Option<Corrupted> {
    match kind {
        Kind::Number => swap(answer, at, &numbers_in(answer), |old| {
            other_number(old, (answer, passages), at)
        }),
        Kind::Name => swap(answer, at, &names_in(answer), |old| {
            other_name(old, (answer, passages), (at, stock))
        }),
        Kind::Date => swap(answer, at, &dates_in(answer), |old| Some(other_date(old, at))),
        Kind::Citation => {
            let marks = marks_in(answer);
            let cited: BTreeSet<&str> = marks.iter().map(|range| &answer[range.clone()]).collect();
            let others: Vec<usize> = (1..=passages.len())
                .filter(|number| !cited.contains(number.to_string().as_str()))
                .collect();
            let other = others.get(at % others.len().max(1))?.to_string();
            swap(answer, at, &marks, |_| Some(other.clone()))
        }
        Kind::Sentence => {
            let added = ADDED[at % ADDED.len()];
            let mark = if at.is_multiple_of(2) { " [1]" } else { "" };
            let mark = mark.replace(
                '1',
                marks_in(answer).first().map_or("1", |range| &answer[range.clone()]),
            );
            Some(Corrupted {
                text: format!("{answer} {added}{mark}."),
                words: added.to_owned(),
                invented: None,
            })
        }
        Kind::Mark => {
            let number = passages.len() + 1 + at % 30;
            let mut corrupted = swap(answer, at, &marks_in(answer), |_| Some(number.to_string()))?;
            corrupted.invented = Some(number);
            Some(corrupted)
        }
    }
}

/// Puts another word in one of the places.
fn swap(answer: &str, at: usize, places: &[Range<usize>], other: impl Fn(&str) -> Option<String>) -> Option<Corrupted> {
    let range = places.get(at % places.len().max(1))?.clone();
    let new = other(&answer[range.clone()])?;
    let text = format!("{}{new}{}", &answer[..range.start], &answer[range.end..]);
    let sentence = sentences::of(&text)
        .into_iter()
        .find(|sentence| sentence.contains(&range.start))?;
    let words = text[sentence]
        .split(" [")
        .next()
        .unwrap_or_default()
        .trim_end_matches('.')
        .to_owned();
    Some(Corrupted {
        text,
        words,
        invented: None,
    })
}

/// Words of a text with their places.
fn words(text: &str) -> Vec<(Range<usize>, &str)> {
    let pieces = text
        .split_whitespace()
        .map(|piece| piece.trim_matches(|c: char| !c.is_alphanumeric()));
    let at = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    pieces
        .filter(|word| !word.is_empty())
        .map(|word| (at(word)..at(word) + word.len(), word))
        .collect()
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || ".,:".contains(c))
}

fn is_mark(text: &str, range: &Range<usize>) -> bool {
    text[..range.start].ends_with('[')
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && (word.starts_with("19") || word.starts_with("20"))
}

fn beside_month(words: &[(Range<usize>, &str)], at: usize) -> bool {
    let month = |at: Option<usize>| {
        at.and_then(|at| words.get(at))
            .is_some_and(|(_, word)| MONTHS.contains(word))
    };
    month(at.checked_sub(1)) || month(Some(at + 1))
}

fn numbers_in(text: &str) -> Vec<Range<usize>> {
    let all = words(text);
    let places = all.iter().enumerate().filter(|(at, (range, word))| {
        is_number(word) && !is_mark(text, range) && !is_year(word) && !beside_month(&all, *at)
    });
    places.map(|(_, (range, _))| range.clone()).collect()
}

fn dates_in(text: &str) -> Vec<Range<usize>> {
    let all = words(text);
    let places = all.iter().enumerate().filter(|(at, (range, word))| {
        let dated = is_number(word) && (is_year(word) || beside_month(&all, *at));
        !is_mark(text, range) && (dated || MONTHS.contains(word))
    });
    places.map(|(_, (range, _))| range.clone()).collect()
}

fn marks_in(text: &str) -> Vec<Range<usize>> {
    let all = words(text).into_iter().map(|(range, _)| range);
    all.filter(|range| is_mark(text, range)).collect()
}

/// Words with a capital within sentences; those that stand together are one name.
fn names_in(text: &str) -> Vec<Range<usize>> {
    let mut names: Vec<Range<usize>> = Vec::new();
    for (range, word) in words(text) {
        let before = text[..range.start].trim_end();
        let begins = before.is_empty() || before.ends_with(['.', '!', '?', ':', '|', '-', ']', '#', '*']);
        let name = word.starts_with(char::is_uppercase)
            && word.chars().all(char::is_alphabetic)
            && word.chars().count() > 2
            && word.contains(char::is_lowercase)
            && !MONTHS.contains(&word)
            && !word.ends_with("day");
        if !name || text[..range.start].ends_with('\n') {
            continue;
        }
        match names.last_mut() {
            Some(last) if text[last.end..range.start] == *" " => last.end = range.end,
            _ if begins => {}
            _ => names.push(range),
        }
    }
    names
}

/// Another number of the passages, or one that is a little larger.
fn other_number(old: &str, (answer, passages): (&str, &[Passage]), at: usize) -> Option<String> {
    if at.is_multiple_of(2) {
        let near = passages
            .iter()
            .map(|passage| &passage.chunk.text)
            .find(|text| text.contains(old));
        let numbers = near.map(|text| (text, numbers_in(text)));
        let other = numbers.and_then(|(text, numbers)| {
            let mut others = numbers.into_iter().map(|range| text[range].to_owned());
            others.find(|number| !answer.contains(number.as_str()) && number != old)
        });
        if other.is_some() {
            return other;
        }
    }
    let digit = old.rfind(|c: char| c.is_ascii_digit())?;
    let last = old[digit..].chars().next()?.to_digit(10)?;
    Some(format!("{}{}{}", &old[..digit], (last + 3) % 10, &old[digit + 1..]))
}

/// Another name of the same passage, or of another one.
fn other_name(old: &str, (answer, passages): (&str, &[Passage]), (at, stock): (usize, &Stock)) -> Option<String> {
    let fits = |name: &&String| !answer.contains(name.as_str()) && !name.contains(old) && !old.contains(name.as_str());
    let near = passages
        .iter()
        .map(|passage| &passage.chunk.text)
        .find(|text| text.contains(old));
    let near: Vec<String> = near.map_or_else(Vec::new, |text| {
        names_in(text).into_iter().map(|range| text[range].to_owned()).collect()
    });
    let own = near.iter().filter(fits).nth(at % 3);
    let any = || stock.names.iter().filter(fits).nth(at * 7 % stock.names.len().max(1));
    let found = if at.is_multiple_of(2) {
        own.or_else(any)
    } else {
        any().or(own)
    };
    found.cloned()
}

fn other_date(old: &str, at: usize) -> String {
    if let Some(month) = MONTHS.iter().position(|month| *month == old) {
        return MONTHS[(month + 1 + at % 11) % 12].to_owned();
    }
    let number: usize = old.parse().unwrap_or_default();
    let moved = if number > 31 {
        number + 1 + at % 3
    } else {
        number % 28 + 1
    };
    moved.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::citations::tests::passage;

    #[test]
    fn each_kind_leaves_one_fault() {
        let passages = [
            passage("The fee is 40 EUR, or 95 EUR late. Tove Ekdahl or Lotte Vinter asks for it by 3 May 2025."),
            passage("Ropes are coiled."),
        ];
        let stock = Stock::of([passages.to_vec()].iter());
        let sound = "The fee is 40 EUR [1]. Tove Ekdahl asks for it by 3 May 2025 [1].";
        let check = |kind: Kind, at: usize, text: &str, words: &str| {
            let found = corrupt(kind, (at, sound), &passages, &stock).unwrap();
            assert_eq!((found.text.as_str(), found.words.as_str()), (text, words), "{kind:?}");
        };
        check(
            Kind::Number,
            0,
            "The fee is 95 EUR [1]. Tove Ekdahl asks for it by 3 May 2025 [1].",
            "The fee is 95 EUR",
        );
        check(
            Kind::Number,
            1,
            "The fee is 43 EUR [1]. Tove Ekdahl asks for it by 3 May 2025 [1].",
            "The fee is 43 EUR",
        );
        check(
            Kind::Date,
            1,
            "The fee is 40 EUR [1]. Tove Ekdahl asks for it by 3 July 2025 [1].",
            "Tove Ekdahl asks for it by 3 July 2025",
        );
        check(
            Kind::Citation,
            0,
            "The fee is 40 EUR [2]. Tove Ekdahl asks for it by 3 May 2025 [1].",
            "The fee is 40 EUR",
        );
        let mark = corrupt(Kind::Mark, (0, sound), &passages, &stock).unwrap();
        assert!(mark.invented == Some(3) && mark.text.contains("EUR [3]"), "{mark:?}");
        let added = corrupt(Kind::Sentence, (0, sound), &passages, &stock).unwrap();
        assert!(added.text.ends_with(" in advance [1]."), "{added:?}");
        assert_eq!(corrupt(Kind::Number, (0, "None [1]."), &passages, &stock), None);
    }
}
