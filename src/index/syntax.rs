//! What a reader can type beside words: "phrases", -exclusions and field:value. Pure; no text makes it fail.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::analyse::is_unspaced;
use super::directory::Column;
use crate::types::Filter;

/// No word, field or value that means something is longer.
const TOKEN_BYTES: usize = 256;
const QUOTES: &[char] = &['"', '\u{201c}', '\u{201d}', '\u{201e}', '\u{ab}', '\u{bb}'];

/// A query in its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// What is searched for: the reader's text without exclusions and conditions.
    pub text: String,
    /// What of `text` is between quotation marks, as byte ranges.
    pub quoted: Vec<Range<usize>>,
    /// What a passage may not hold.
    pub without: Vec<Without>,
    /// Conditions on metadata; all must hold.
    pub conditions: Vec<Filter>,
}

/// Something that a passage may not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// A word, in its other forms too.
    Word(String),
    /// These very words in this order.
    Phrase(String),
}

/// Reads `text`; `is_field` tells the metadata fields of the collection.
///
/// A mark of quotation or exclusion counts where a word could begin: `well-known`, `5" pipe` and ` - ` have none. A
/// hyphen before a number is a minus sign, but for three digits or more, which are a model, a year or a code.
pub fn parse(text: &str, is_field: &dyn Fn(&str) -> bool) -> Parsed {
    let mut parsed = Parsed::default();
    let mut rest = text;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        if before.is_whitespace() || before == '(' {
            if let Some((excluded, length)) = exclusion(rest, is_field) {
                match excluded {
                    Part::Without(without) => parsed.without.push(without),
                    Part::Condition(condition) => parsed.conditions.push(Filter::Not(Box::new(condition))),
                }
                rest = &rest[length..];
                before = ' ';
                continue;
            }
            if let Some((condition, length)) = condition(rest, is_field) {
                parsed.conditions.push(condition);
                rest = &rest[length..];
                before = ' ';
                continue;
            }
        }
        let opens = !before.is_alphanumeric() || is_unspaced(before);
        let length = match quotation(rest).filter(|_| opens) {
            Some((inner, length)) => {
                let start = parsed.text.len() + next.len_utf8();
                parsed.quoted.push(start..start + inner.len());
                length
            }
            None => next.len_utf8(),
        };
        parsed.text.push_str(&rest[..length]);
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    parsed
}

#[allow(clippy::large_enum_variant, reason = "made and taken apart at once")]
enum Part {
    Without(Without),
    Condition(Filter),
}

/// `-word`, `-"a phrase"` or `-field:value` at the start of `rest`, and its length.
fn exclusion(rest: &str, is_field: &dyn Fn(&str) -> bool) -> Option<(Part, usize)> {
    let body = rest.strip_prefix('-')?;
    if let Some((inner, length)) = quotation(body) {
        return Some((Part::Without(Without::Phrase(inner.to_owned())), length + 1));
    }
    if let Some((condition, length)) = condition(body, is_field) {
        return Some((Part::Condition(condition), length + 1));
    }
    let word = token(body);
    let first = word.chars().next()?;
    let digits = word.trim_end_matches(|c: char| !c.is_alphanumeric());
    let minus = first.is_numeric() && (digits.len() < 3 || digits.contains(|c: char| !c.is_ascii_digit()));
    if minus || !(first.is_alphanumeric() || first == '_' || first == '/') {
        return None;
    }
    Some((Part::Without(Without::Word(word.to_owned())), word.len() + 1))
}

/// `field:value` or `field:"two words"` at the start of `rest`, and its length.
fn condition(rest: &str, is_field: &dyn Fn(&str) -> bool) -> Option<(Filter, usize)> {
    let (name, after) = token(rest).split_once(':')?;
    let named = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if !named || after.starts_with(':') || after.starts_with("//") {
        return None;
    }
    let lower = name.to_lowercase();
    let field = [name, &lower].into_iter().find(|name| is_field(name))?;
    let start = name.len() + 1;
    if let Some((inner, length)) = quotation(&rest[start..]) {
        return Some((equals(field, inner), start + length));
    }
    (!after.is_empty()).then(|| (equals(field, after), start + after.len()))
}

/// The value as it was typed, without the punctuation behind it, in lower case, and as number or truth.
fn equals(field: &str, value: &str) -> Filter {
    let bare = value.trim_end_matches([',', ';', '.', ')', '!', '?']);
    let mut values = Vec::new();
    for text in [value, bare, &value.to_lowercase(), &bare.to_lowercase()] {
        let number = text.parse::<Number>().ok().map(Value::Number);
        let truth = text.parse::<bool>().ok().map(Value::Bool);
        for one in [Some(Value::from(text)), number, truth].into_iter().flatten() {
            if !values.contains(&one) {
                values.push(one);
            }
        }
    }
    Filter::In(field.to_owned(), values)
}

/// Adds to what was typed the values of the collection that differ from it in capitals alone: nobody who types
/// `department:finance` knows how it is written in the documents.
pub fn in_any_case(condition: &mut Filter, column: &dyn Fn(&str) -> Arc<Column>) {
    match condition {
        Filter::Not(part) => in_any_case(part, column),
        Filter::In(field, values) => {
            let lower = |value: &Value| value.as_str().map(str::to_lowercase);
            let typed: BTreeSet<String> = values.iter().filter_map(lower).collect();
            for value in column(field).values() {
                if lower(value).is_some_and(|text| typed.contains(&text)) && !values.contains(value) {
                    values.push(value.clone());
                }
            }
        }
        _ => {}
    }
}

/// What is between the mark at the start of `rest` and the next one, and the length with both.
fn quotation(rest: &str) -> Option<(&str, usize)> {
    let body = rest.strip_prefix(QUOTES)?;
    let end = body.find(QUOTES)?;
    let closing = body[end..].chars().next().map_or(0, char::len_utf8);
    Some((&body[..end], rest.len() - body.len() + end + closing))
}

/// What stands before the next white space or quotation mark, or the first `TOKEN_BYTES` of it.
fn token(rest: &str) -> &str {
    let rest = &rest[..rest.floor_char_boundary(TOKEN_BYTES)];
    let end = rest.find(|c: char| c.is_whitespace() || QUOTES.contains(&c));
    &rest[..end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Parsed {
        parse(text, &|name| ["department", "year", "kind"].contains(&name))
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "how is the tide gauge calibrated?",
            "well-known state-of-the-art",
            "std::string http://x note: this 12:30 a:b",
            "- item one - item two -- --flag-name -",
            "5\" pipe and 6\" pipe",
            "from -40 to -12.5 \u{b0}C, -5dB",
            "an open \" mark",
            "(see -) :-) -\"",
            "department: hr department:",
            "\u{6771}\u{4eac}-\u{5927}\u{962a}",
            "",
        ] {
            assert_eq!(
                read(text),
                Parsed {
                    text: text.to_owned(),
                    ..Parsed::default()
                }
            );
        }
    }

    #[test]
    fn quotation_marks_ask_for_the_very_words() {
        let check = |text: &str, expected: &[&str]| {
            let parsed = read(text);
            let quoted: Vec<_> = parsed.quoted.iter().map(|range| &parsed.text[range.clone()]).collect();
            assert_eq!((parsed.text.as_str(), quoted.as_slice()), (text, expected));
        };
        check("a \"b c\" d", &["b c"]);
        check("\u{201c}b c\u{201d} (\"d\")", &["b c", "d"]);
        check("\u{201e}b c\u{201c} \u{ab}d\u{bb}", &["b c", "d"]);
        check("\"a\" \"b\" \"c", &["a", "b"]);
        check("\u{6771}\u{4eac}\"\u{99c5}\"", &["\u{99c5}"]);
    }

    #[test]
    fn a_hyphen_before_a_word_excludes_it() {
        let check = |text: &str, left: &str, expected: &[Without]| {
            let parsed = read(text);
            assert_eq!(
                (parsed.text.as_str(), parsed.without.as_slice()),
                (left, expected),
                "{text}"
            );
        };
        let word = |text: &str| Without::Word(text.to_owned());
        let phrase = |text: &str| Without::Phrase(text.to_owned());
        check("reset -password", "reset ", &[word("password")]);
        check("-password", "", &[word("password")]);
        check(
            "travel policy -2023 -well-known",
            "travel policy  ",
            &[word("2023"), word("well-known")],
        );
        check("a -\"b c\" d -\"e", "a  d -\"e", &[phrase("b c")]);
        check("(-draft)", "(", &[word("draft)")]);
        check("plumb -400 -40", "plumb  -40", &[word("400")]);
        check("-\"\"-\"\"", "", &[phrase(""), phrase("")]);
        check("-ERR_0042 -/v1/x", " ", &[word("ERR_0042"), word("/v1/x")]);
    }

    #[test]
    fn a_known_field_makes_a_condition() {
        let check = |text: &str, left: &str, field: &str, values: &[Value]| {
            let condition = Filter::In(field.to_owned(), values.to_vec());
            let parsed = read(text);
            assert_eq!(
                (parsed.text.as_str(), &parsed.conditions),
                (left, &vec![condition]),
                "{text}"
            );
        };
        check("leave department:hr", "leave ", "department", &[json!("hr")]);
        check("kind:\"two words\" x", " x", "kind", &[json!("two words")]);
        check("Department:HR", "", "department", &[json!("HR"), json!("hr")]);
        check(
            "year:2024, x",
            " x",
            "year",
            &[json!("2024,"), json!("2024"), json!(2024)],
        );
        let negated = read("-department:hr").conditions;
        let hr = Filter::In("department".into(), vec![json!("hr")]);
        assert_eq!(negated, [Filter::Not(Box::new(hr))]);
    }

    #[test]
    fn hostile_text_is_read_in_one_pass() {
        for piece in [
            "\"",
            "-\"",
            "-",
            "department:\"",
            "-department:",
            "(-",
            "a\"",
            "\u{201c}",
        ] {
            let text = piece.repeat(10_000);
            let parsed = read(&text);
            assert!(parsed.text.len() <= text.len());
        }
    }
}
