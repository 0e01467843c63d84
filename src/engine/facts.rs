//! What of a text must not be taken for something else: numbers, days, names, and whether it denies. Pure.

use std::collections::BTreeSet;

use unicode_segmentation::UnicodeSegmentation;

use crate::index::analyse;

/// As they are written in full.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Days of the week, and months as they are cut short.
const SHORT: [&str; 18] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
];
/// Numbers as words; `one` is an article as often as a number.
const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const NEGATIONS: [&str; 11] = [
    "not", "no", "never", "cannot", "without", "none", "nor", "neither", "nobody", "nothing", "nowhere",
];

/// One fact as a text writes it, and as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// As it is compared.
    pub key: String,
    /// As it is written.
    pub shown: String,
}

/// The facts of a claim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// `5,000` is `5000`, `09` is `9`, `six` is `6`.
    pub numbers: Vec<Fact>,
    /// Names of months and days, `31 mar` and `2025`.
    pub dates: Vec<Fact>,
    /// Words with a capital that do not begin the sentence, in lower case.
    pub names: Vec<Fact>,
}

/// The facts that a claim states.
pub fn stated(claim: &str) -> Facts {
    let words: Vec<(usize, &str)> = words(claim);
    let mut facts = Facts::default();
    for (at, (_, word)) in words.iter().enumerate() {
        let fact = |key: String| Fact {
            key,
            shown: (*word).to_owned(),
        };
        if MONTHS.contains(word) || SHORT.contains(word) {
            // `May` at the beginning is more often a verb.
            if at > 0 || *word != "May" {
                facts.dates.push(fact((*word).to_owned()));
            }
        } else if word.contains(|c: char| c.is_ascii_digit()) {
            let day = day(&words, at);
            for number in numbers_in(word) {
                match &day {
                    Some(day) => facts.dates.push(fact(day.clone())),
                    None if is_year(&number) => facts.dates.push(fact(number)),
                    None => facts.numbers.push(fact(number)),
                }
            }
        } else if let Some(number) = spelled(word).filter(|number| *number > 1) {
            facts.numbers.push(fact(number.to_string()));
        }
        if is_name(claim, &words, at) {
            facts.names.push(fact(word.to_lowercase()));
        }
    }
    facts
}

/// Everything in a text that a fact could be found in, by its key.
pub fn held(text: &str) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    let words = words(text);
    for (at, (_, word)) in words.iter().copied().enumerate() {
        held.extend(day(&words, at));
        if MONTHS.contains(&word) || SHORT.contains(&word) {
            held.insert(word.to_owned());
        }
        held.extend(numbers_in(word));
        held.extend(spelled(word).map(|number| number.to_string()));
        let lower = word.to_lowercase();
        // A name's genitive and its plural are the name.
        held.extend(lower.strip_suffix("'s").or(lower.strip_suffix('s')).map(str::to_owned));
        held.insert(lower);
    }
    held
}

/// Whether a text denies something.
pub fn is_negated(text: &str) -> bool {
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    lower
        .unicode_words()
        .any(|word| NEGATIONS.contains(&word) || word.ends_with("n't"))
}

/// Words with what holds them together: `BHI-4121-K`, `12:30`, `Horák's`.
fn words(text: &str) -> Vec<(usize, &str)> {
    let inside = |c: char| c.is_alphanumeric() || "_'\u{2019}.,:".contains(c);
    let mut found = Vec::new();
    let mut start = None;
    let ends = text.char_indices().chain([(text.len(), ' ')]);
    for (at, c) in ends {
        match (inside(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let piece = &text[from..at];
                let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
                if !word.is_empty() {
                    found.push((from + piece.find(word).unwrap_or_default(), word));
                }
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The day of a month that a number is, whichever of both comes first.
fn day(words: &[(usize, &str)], at: usize) -> Option<String> {
    let number = numbers_in(words[at].1).pop().filter(|number| number.len() <= 2)?;
    let month = |at: Option<usize>| {
        let (_, word) = at.and_then(|at| words.get(at))?;
        let known = MONTHS.iter().chain(&SHORT[7..]).find(|month| *month == word)?;
        Some(known[..3].to_lowercase())
    };
    let month = month(Some(at + 1)).or_else(|| month(at.checked_sub(1)))?;
    Some(format!("{number} {month}"))
}

/// The numbers of a text with the short words behind them that may be units, both as they are compared: `1200 khz`.
pub fn units(text: &str) -> Vec<(String, String)> {
    let words = words(text);
    let mut measured = Vec::new();
    for pair in words.windows(2) {
        let [(start, number), (next, unit)] = pair else {
            continue;
        };
        let beside = text[start + number.len()..*next].trim().is_empty();
        let lower = unit.to_lowercase();
        let short = unit.chars().count() <= 3 && unit.chars().all(char::is_alphabetic) && !analyse::is_stop(&lower);
        if let Some(number) = numbers_in(number).pop().filter(|_| beside && short) {
            measured.push((number, lower));
        }
    }
    measured
}

/// The numbers of a word, as they are compared.
fn numbers_in(word: &str) -> Vec<String> {
    let pieces = word.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','));
    pieces.filter_map(number).collect()
}

fn number(piece: &str) -> Option<String> {
    let piece = piece.trim_matches(['.', ',']).replace(',', "");
    if !piece.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let piece = if piece.matches('.').count() == 1 {
        piece.trim_end_matches('0').trim_end_matches('.')
    } else {
        &piece
    };
    let bare = piece.trim_start_matches('0');
    Some(if bare.is_empty() || bare.starts_with('.') {
        format!("0{bare}")
    } else {
        bare.to_owned()
    })
}

fn is_year(number: &str) -> bool {
    number.len() == 4 && (number.starts_with("19") || number.starts_with("20"))
}

fn spelled(word: &str) -> Option<usize> {
    let lower = word.to_lowercase();
    let unit = |word: &str| UNITS.iter().position(|unit| *unit == word);
    let ten = |word: &str| TENS.iter().position(|ten| *ten == word).map(|at| (at + 2) * 10);
    unit(&lower).or_else(|| ten(&lower))
}

/// Whether the word at `at` is a name: a capital that no sentence begins with.
fn is_name(text: &str, words: &[(usize, &str)], at: usize) -> bool {
    let (start, word) = words[at];
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    if !capital(word) || MONTHS.contains(&word) || SHORT.contains(&word) || word == "I" {
        return false;
    }
    let before = text[..start].trim_end_matches(|c: char| !c.is_alphanumeric() && !".!?:\n".contains(c));
    let begins = before.is_empty() || before.ends_with(['.', '!', '?', ':', '\n']);
    if !begins {
        return !analyse::is_stop(&word.to_lowercase());
    }
    // Only a name has capitals within it, or a second name behind it.
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let inner = letters.len() > 1 && letters[1..].iter().any(|c| c.is_uppercase());
    let follows = words.get(at + 1).is_some_and(|(next, other)| {
        capital(other) && !analyse::is_stop(&other.to_lowercase()) && text[start + word.len()..*next].trim().is_empty()
    });
    inner || (follows && !analyse::is_stop(&word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(claim: &str, numbers: &[&str], dates: &[&str], names: &[&str]) {
        let facts = stated(claim);
        let keys = |facts: &[Fact]| facts.iter().map(|fact| fact.key.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&facts.numbers), numbers, "{claim}");
        assert_eq!(keys(&facts.dates), dates, "{claim}");
        assert_eq!(keys(&facts.names), names, "{claim}");
    }

    #[test]
    fn facts_are_compared_as_they_mean() {
        check(
            "It costs 5,000.50 EUR before 09:30.",
            &["5000.5", "9", "30"],
            &[],
            &["eur"],
        );
        check(
            "They must be taken by 31 March 2025.",
            &[],
            &["31 mar", "March", "2025"],
            &[],
        );
        check(
            "Tove Ekdahl signed for six of the twenty.",
            &["6", "20"],
            &[],
            &["tove", "ekdahl"],
        );
        check("May employees go? One may.", &[], &[], &[]);
        check(
            "The P4-E31 of Plumb 400",
            &["4", "31", "400"],
            &[],
            &["p4", "e31", "plumb"],
        );
        check("Yes: Two people ask the People team.", &["2"], &[], &["people"]);
    }

    #[test]
    fn a_text_holds_what_it_writes_in_another_way() {
        let held = held("Eight guests of Horák's pay 72.00 on 09 May; they may.");
        for key in ["8", "72", "9", "May", "9 may", "horák", "guest"] {
            assert!(held.contains(key), "{key}: {held:?}");
        }
        assert!(!super::held("they may").contains("May"));
        let told = units("It is 1,200 kHz for 40 EUR, or 12 in all of 3 May.");
        let told: Vec<String> = told
            .into_iter()
            .map(|(number, unit)| format!("{number} {unit}"))
            .collect();
        assert_eq!(told, ["1200 khz", "40 eur", "3 may"]);
    }

    #[test]
    fn what_denies_is_told() {
        for text in ["fines never are", "it doesn\u{2019}t", "open to nobody"] {
            assert!(is_negated(text), "{text}");
        }
        assert!(!is_negated("a notable number"));
    }
}
