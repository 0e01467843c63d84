//! What a `Filter` means, and the forms in which the engines are asked it. Pure.
//!
//! A field is a top-level key. Lists hold when any item does; null and an empty list count as not there.

use serde_json::Value;

use crate::types::{Bounds, Filter, Metadata, Reader};

/// Stands for everyone among the principals that the engines store.
pub const EVERYONE: &str = "*";

/// Whether `filter` holds for a document with `metadata`.
pub fn matches(filter: &Filter, metadata: &Metadata) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| matches(part, metadata)),
        Filter::Any(parts) => parts.iter().any(|part| matches(part, metadata)),
        Filter::Not(part) => !matches(part, metadata),
        Filter::In(field, wanted) => values(metadata.get(field))
            .iter()
            .any(|have| wanted.iter().any(|want| equal(have, want))),
        Filter::Range(field, bounds) => match kind(bounds) {
            Kind::Open => exists(metadata.get(field)),
            Kind::Mixed => false,
            Kind::Numbers | Kind::Strings => values(metadata.get(field)).iter().any(|have| within(have, bounds)),
        },
        Filter::Exists(field) => exists(metadata.get(field)),
    }
}

/// A filter without ranges of strings, which Qdrant cannot ask, and whether it means the same as `filter`.
///
/// Where it does not, it admits more: the caller checks what it got with `matches`.
pub fn relax(filter: &Filter) -> (Filter, bool) {
    match filter {
        Filter::All(parts) => {
            let (parts, exact) = relax_parts(parts);
            (Filter::All(parts), exact)
        }
        Filter::Any(parts) => {
            let (parts, exact) = relax_parts(parts);
            (Filter::Any(parts), exact)
        }
        Filter::Not(part) => match relax(part) {
            (part, true) => (Filter::Not(Box::new(part)), true),
            // The part admits too much, so its opposite would admit too little.
            (_, false) => (Filter::default(), false),
        },
        Filter::In(field, _) | Filter::Exists(field) | Filter::Range(field, _) if !is_path(field) => {
            (Filter::default(), false)
        }
        Filter::Range(field, bounds) => match kind(bounds) {
            Kind::Numbers => (filter.clone(), true),
            Kind::Strings => (Filter::Exists(field.clone()), false),
            Kind::Open => (Filter::Exists(field.clone()), true),
            Kind::Mixed => (Filter::Any(Vec::new()), true),
        },
        Filter::In(..) | Filter::Exists(_) => (filter.clone(), true),
    }
}

fn relax_parts(parts: &[Filter]) -> (Vec<Filter>, bool) {
    let mut exact = true;
    let relaxed = parts.iter().map(|part| {
        let (part, same) = relax(part);
        exact &= same;
        part
    });
    (relaxed.collect(), exact)
}

/// Whether Qdrant's path syntax can quote the key; it has no escapes.
pub(super) fn is_path(field: &str) -> bool {
    !field.contains(['"', '\\'])
}

/// The path of a metadata field in a vector's payload.
pub fn path(field: &str) -> String {
    format!("metadata.\"{field}\"")
}

/// The words under which the engines know a document's principals.
///
/// Names get a prefix: a principal named `*` is not everyone.
pub fn principal_words(principals: &[String]) -> Vec<String> {
    if principals.is_empty() {
        return vec![EVERYONE.to_owned()];
    }
    principals.iter().map(|principal| format!("={principal}")).collect()
}

/// The words of which a document needs one; `None` when the reader may read everything.
pub fn reader_words(reader: &Reader) -> Option<Vec<String>> {
    match reader {
        Reader::Everything => None,
        Reader::Principals(mine) => {
            let mut words = vec![EVERYONE.to_owned()];
            words.extend(mine.iter().map(|principal| format!("={principal}")));
            Some(words)
        }
    }
}

/// What is known of a document, a word for each value; words of a field and kind sort as their values do.
pub fn facts(metadata: &Metadata) -> Vec<String> {
    let mut facts = Vec::new();
    for (field, value) in metadata {
        if exists(Some(value)) {
            facts.push(fact_exists(field));
        }
        facts.extend(values(Some(value)).iter().filter_map(|value| fact(field, value)));
    }
    facts.sort_unstable();
    facts.dedup();
    facts
}

/// The word of one value; `None` for null, lists and objects.
pub fn fact(field: &str, value: &Value) -> Option<String> {
    let start = start(field);
    match value {
        Value::Bool(value) => Some(format!("{start}b{value}")),
        Value::Number(number) => Some(format!("{start}n{}", sortable(number.as_f64()?))),
        Value::String(text) => Some(format!("{start}s{text}")),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The word that says a field is there.
pub fn fact_exists(field: &str) -> String {
    format!("{}e", start(field))
}

/// The words before and after all numbers or all strings of a field; `None` when nothing can lie in `bounds`.
pub fn fact_limits(field: &str, bounds: &Bounds) -> Option<(String, String)> {
    let start = start(field);
    match kind(bounds) {
        Kind::Numbers => Some((format!("{start}n"), format!("{start}o"))),
        Kind::Strings => Some((format!("{start}s"), format!("{start}t"))),
        Kind::Open | Kind::Mixed => None,
    }
}

/// Whether no end is given.
pub fn is_open(bounds: &Bounds) -> bool {
    kind(bounds) == Kind::Open
}

/// The length comes first, so that no field's words begin another's.
fn start(field: &str) -> String {
    format!("{}:{field}", field.len())
}

/// Sixteen hexadecimal digits that sort as the numbers do.
fn sortable(number: f64) -> String {
    // Adding zero makes one zero of the two.
    let bits = (number + 0.0).to_bits();
    let negative = bits >> 63 == 1;
    let ordered = if negative { !bits } else { bits | (1 << 63) };
    format!("{ordered:016x}")
}

pub(super) fn values(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
    }
}

fn exists(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}

fn equal(have: &Value, want: &Value) -> bool {
    match (have, want) {
        (Value::String(have), Value::String(want)) => have == want,
        (Value::Bool(have), Value::Bool(want)) => have == want,
        (Value::Number(have), Value::Number(want)) => have.as_f64() == want.as_f64(),
        _ => false,
    }
}

#[derive(PartialEq)]
enum Kind {
    Open,
    Numbers,
    Strings,
    Mixed,
}

fn kind(bounds: &Bounds) -> Kind {
    let ends = [&bounds.gte, &bounds.gt, &bounds.lte, &bounds.lt];
    let given: Vec<&Value> = ends.into_iter().flatten().collect();
    if given.is_empty() {
        Kind::Open
    } else if given.iter().all(|end| end.is_number()) {
        Kind::Numbers
    } else if given.iter().all(|end| end.is_string()) {
        Kind::Strings
    } else {
        Kind::Mixed
    }
}

fn within(have: &Value, bounds: &Bounds) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ends = [
        (&bounds.gte, [Greater, Equal]),
        (&bounds.gt, [Greater, Greater]),
        (&bounds.lte, [Less, Equal]),
        (&bounds.lt, [Less, Less]),
    ];
    ends.into_iter().all(|(end, allowed)| match end {
        None => true,
        Some(end) => compare(have, end).is_some_and(|order| allowed.contains(&order)),
    })
}

fn compare(have: &Value, end: &Value) -> Option<std::cmp::Ordering> {
    match (have, end) {
        (Value::String(have), Value::String(end)) => Some(have.as_bytes().cmp(end.as_bytes())),
        (Value::Number(have), Value::Number(end)) => have.as_f64()?.partial_cmp(&end.as_f64()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_of_numbers_sort_as_the_numbers_do() {
        let numbers = [-1e300, -2.0, -1.5, -0.0, 0.25, 1.0, 2.0, 10.0, 1e300];
        let words: Vec<_> = numbers.iter().map(|number| sortable(*number)).collect();
        let mut sorted = words.clone();
        sorted.sort();
        assert_eq!(words, sorted);
        assert_eq!(sortable(-0.0), sortable(0.0));
    }

    #[test]
    fn no_field_reads_the_facts_of_another() {
        let metadata = Metadata::from([("a".to_owned(), json!("bx"))]);
        assert!(!facts(&metadata).contains(&fact("ab", &json!("x")).unwrap()));
    }

    #[test]
    fn the_opposite_of_a_loose_filter_admits_everything() {
        let bounds = Bounds {
            gte: Some(json!("2024-01-01")),
            ..Bounds::default()
        };
        let filter = Filter::Not(Box::new(Filter::Range("date".into(), bounds)));
        assert_eq!(relax(&filter), (Filter::default(), false));
    }

    #[test]
    fn a_principal_named_like_everyone_is_not_everyone() {
        assert!(!principal_words(&["*".to_owned()]).contains(&EVERYONE.to_owned()));
    }
}
