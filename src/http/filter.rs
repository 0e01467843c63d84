//! The filter of a request: JSON to `Filter`, with a pointer to every fault.
//!
//! `{"department":"hr"}` equals, `{"department":["hr","it"]}` one of, `{"date":{"gte":"2024","lt":"2025"}}` range,
//! `{"date":{"exists":true}}`, the other `OPERATORS`, and `and`, `or`, `not` around such objects. All keys of an object
//! must hold.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::http::pointer::escape;
use crate::types::{Bounds, Filter};

/// The deepest nesting of `and`, `or` and `not`.
const DEPTH: usize = 16;
/// The longest name or value.
const MAX_TEXT_BYTES: usize = 1_024;
/// The most values and conditions of one filter.
const PARTS: usize = 1_000;
const OPERATORS: &str = "`eq`, `ne`, `in`, `nin`, `gte`, `gt`, `lte`, `lt`, `prefix` or `exists`";

/// Reads the filter that stands at `/filter`; none at all holds for every document.
pub fn parse(value: Option<&Value>) -> Result<Filter> {
    let Some(value) = value else {
        return Ok(Filter::default());
    };
    if has_longer(value, MAX_TEXT_BYTES) {
        let detail = format!(
            "a name or value in the filter is longer than {MAX_TEXT_BYTES} bytes; send its beginning as `prefix`"
        );
        return Err(Error::bad_input("/filter", detail));
    }
    let mut left = PARTS;
    object(value, "/filter", DEPTH, &mut left)
}

/// Whether it names every document, whatever is known of it.
pub fn holds_for_all(filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(holds_for_all),
        Filter::Any(parts) => parts.iter().any(holds_for_all),
        Filter::Not(part) => holds_for_none(part),
        Filter::In(..) | Filter::Range(..) | Filter::Exists(_) => false,
    }
}

fn holds_for_none(filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().any(holds_for_none),
        Filter::Any(parts) => parts.iter().all(holds_for_none),
        Filter::Not(part) => holds_for_all(part),
        Filter::In(_, values) => values.is_empty(),
        Filter::Range(..) | Filter::Exists(_) => false,
    }
}

/// JSON nests 128 levels at most, so this ends.
fn has_longer(value: &Value, most: usize) -> bool {
    match value {
        Value::String(text) => text.len() > most,
        Value::Array(list) => list.iter().any(|one| has_longer(one, most)),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, one)| name.len() > most || has_longer(one, most)),
        _ => false,
    }
}

fn object(value: &Value, pointer: &str, depth: usize, left: &mut usize) -> Result<Filter> {
    let Value::Object(fields) = value else {
        let detail = format!(
            "a filter is an object such as {{\"department\":\"hr\"}}, not {}",
            kind(value)
        );
        return Err(Error::bad_input(pointer, detail));
    };
    if depth == 0 {
        return Err(Error::bad_input(
            pointer,
            format!("the filter is nested deeper than {DEPTH} levels; make it flatter"),
        ));
    }
    let mut parts = Vec::with_capacity(fields.len());
    // By name, so that equal filters compare equal.
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        let pointer = format!("{pointer}/{}", escape(name));
        take(left, &pointer)?;
        parts.push(match name.as_str() {
            "and" => Filter::All(list(value, &pointer, depth, left)?),
            "or" => Filter::Any(list(value, &pointer, depth, left)?),
            "not" => Filter::Not(Box::new(object(value, &pointer, depth - 1, left)?)),
            "" => {
                return Err(Error::bad_input(
                    &pointer,
                    "a field's name is empty; name a metadata field",
                ));
            }
            field => condition(field, value, &pointer, left)?,
        });
    }
    Ok(all(parts))
}

fn list(value: &Value, pointer: &str, depth: usize, left: &mut usize) -> Result<Vec<Filter>> {
    let Value::Array(items) = value else {
        return Err(Error::bad_input(
            pointer,
            format!("a list of filters is wanted here, not {}", kind(value)),
        ));
    };
    if items.is_empty() {
        return Err(Error::bad_input(
            pointer,
            "the list is empty; name at least one filter or leave the key out",
        ));
    }
    let mut filters = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        filters.push(object(item, &format!("{pointer}/{at}"), depth - 1, left)?);
    }
    Ok(filters)
}

fn condition(field: &str, value: &Value, pointer: &str, left: &mut usize) -> Result<Filter> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(Filter::In(field.to_owned(), vec![value.clone()])),
        Value::Array(_) => Ok(Filter::In(field.to_owned(), values(value, pointer, left)?)),
        Value::Object(operators) => operators_of(field, operators, pointer, left),
        Value::Null => {
            let detail = format!(
                "null equals nothing; use {{\"{field}\":{{\"exists\":false}}}} for documents without the field"
            );
            Err(Error::bad_input(pointer, detail))
        }
    }
}

/// All operators of one object must hold.
fn operators_of(field: &str, operators: &Map<String, Value>, pointer: &str, left: &mut usize) -> Result<Filter> {
    if operators.is_empty() {
        return Err(Error::bad_input(
            pointer,
            format!("no operator is here; use {OPERATORS}"),
        ));
    }
    let mut parts = Vec::new();
    let mut bounds = Bounds::default();
    for (name, value) in operators {
        let pointer = format!("{pointer}/{}", escape(name));
        take(left, &pointer)?;
        let not = |part| Filter::Not(Box::new(part));
        match name.as_str() {
            "eq" => parts.push(Filter::In(field.to_owned(), vec![plain(value, &pointer)?])),
            "ne" => parts.push(not(Filter::In(field.to_owned(), vec![plain(value, &pointer)?]))),
            "in" => parts.push(Filter::In(field.to_owned(), values(value, &pointer, left)?)),
            "nin" => parts.push(not(Filter::In(field.to_owned(), values(value, &pointer, left)?))),
            "prefix" => parts.push(Filter::Range(field.to_owned(), prefix(value, &pointer)?)),
            "exists" => match value {
                Value::Bool(true) => parts.push(Filter::Exists(field.to_owned())),
                Value::Bool(false) => parts.push(not(Filter::Exists(field.to_owned()))),
                other => return Err(wanted(&pointer, "true or false", other)),
            },
            "gte" => bounds.gte = Some(end(value, &bounds, &pointer)?),
            "gt" => bounds.gt = Some(end(value, &bounds, &pointer)?),
            "lte" => bounds.lte = Some(end(value, &bounds, &pointer)?),
            "lt" => bounds.lt = Some(end(value, &bounds, &pointer)?),
            other => {
                let detail = format!("no operator named `{other}`; use {OPERATORS}");
                return Err(Error::bad_input(&pointer, detail));
            }
        }
    }
    if bounds != Bounds::default() {
        parts.push(Filter::Range(field.to_owned(), bounds));
    }
    Ok(all(parts))
}

/// One condition needs no `All` around it, so equal filters compare equal.
fn all(mut parts: Vec<Filter>) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            Filter::All(parts)
        }
        None => Filter::default(),
    }
}

/// A value that equals something.
fn plain(value: &Value, pointer: &str) -> Result<Value> {
    if value.is_string() || value.is_number() || value.is_boolean() {
        return Ok(value.clone());
    }
    Err(wanted(pointer, "a string, a number or true or false", value))
}

fn values(value: &Value, pointer: &str, left: &mut usize) -> Result<Vec<Value>> {
    let Value::Array(items) = value else {
        return Err(wanted(pointer, "a list of values", value));
    };
    if items.is_empty() {
        let detail = "the list is empty; name at least one value or leave the field out";
        return Err(Error::bad_input(pointer, detail));
    }
    let mut found = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let pointer = format!("{pointer}/{at}");
        take(left, &pointer)?;
        found.push(plain(item, &pointer)?);
    }
    Ok(found)
}

/// Strings that begin so: from the text itself to before the next one of its length.
fn prefix(value: &Value, pointer: &str) -> Result<Bounds> {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
        return Err(wanted(pointer, "a string with at least one letter", value));
    };
    Ok(Bounds {
        gte: Some(value.clone()),
        lt: Some(format!("{text}{}", char::MAX).into()),
        ..Bounds::default()
    })
}

fn end(value: &Value, others: &Bounds, pointer: &str) -> Result<Value> {
    if !(value.is_string() || value.is_number()) {
        return Err(wanted(pointer, "a number or a string", value));
    }
    let others = [&others.gte, &others.gt, &others.lte, &others.lt];
    if others
        .into_iter()
        .flatten()
        .any(|other| other.is_string() != value.is_string())
    {
        let detail = "both ends of a range must be numbers or both strings";
        return Err(Error::bad_input(pointer, detail));
    }
    Ok(value.clone())
}

fn wanted(pointer: &str, what: &str, value: &Value) -> Error {
    Error::bad_input(pointer, format!("{what} is wanted here, not {}", kind(value)))
}

fn take(left: &mut usize, pointer: &str) -> Result<()> {
    if *left == 0 {
        return Err(Error::bad_input(
            pointer,
            format!("the filter has more than {PARTS} conditions and values; send fewer"),
        ));
    }
    *left -= 1;
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "filter_rounds.rs"]
mod rounds;

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn good(value: &Value, expected: &Filter) {
        assert_eq!(&parse(Some(value)).expect("a good filter"), expected, "{value}");
    }

    fn bad(value: &Value, pointer: &str, words: &str) {
        let Err(Error::BadInput { faults, .. }) = parse(Some(value)) else {
            panic!("{value} was accepted");
        };
        assert_eq!(faults[0].pointer, pointer, "{value}");
        assert!(faults[0].detail.contains(words), "{}", faults[0].detail);
    }

    fn is(field: &str, values: &[Value]) -> Filter {
        Filter::In(field.into(), values.to_vec())
    }

    #[test]
    fn every_form_of_the_contract_is_read() {
        assert!(parse(None).expect("none").is_empty());
        good(&json!({}), &Filter::default());
        good(&json!({"a": "x"}), &is("a", &[json!("x")]));
        good(
            &json!({"a": ["x", 1, true]}),
            &is("a", &[json!("x"), json!(1), json!(true)]),
        );
        good(
            &json!({"a": 1, "b": 2}),
            &Filter::All(vec![is("a", &[json!(1)]), is("b", &[json!(2)])]),
        );
        let bounds = Bounds {
            gte: Some(json!("2024")),
            lt: Some(json!("2025")),
            ..Bounds::default()
        };
        good(
            &json!({"date": {"gte": "2024", "lt": "2025"}}),
            &Filter::Range("date".into(), bounds),
        );
        good(&json!({"d": {"exists": true}}), &Filter::Exists("d".into()));
        good(
            &json!({"d": {"exists": false}}),
            &Filter::Not(Box::new(Filter::Exists("d".into()))),
        );
        good(&json!({"a": {"eq": 1}}), &is("a", &[json!(1)]));
        good(&json!({"a": {"in": [1, 2]}}), &is("a", &[json!(1), json!(2)]));
        good(&json!({"a": {"ne": 1}}), &Filter::Not(Box::new(is("a", &[json!(1)]))));
        let begins = Bounds {
            gte: Some(json!("ab")),
            lt: Some(json!("ab\u{10ffff}")),
            ..Bounds::default()
        };
        good(&json!({"a": {"prefix": "ab"}}), &Filter::Range("a".into(), begins));
        good(
            &json!({"b": 2, "a": 1}),
            &parse(Some(&json!({"a": 1, "b": 2}))).expect("a good filter"),
        );
        good(&json!({"not": {"a": 1}}), &Filter::Not(Box::new(is("a", &[json!(1)]))));
        good(
            &json!({"or": [{"a": 1}, {"b": 2}]}),
            &Filter::Any(vec![is("a", &[json!(1)]), is("b", &[json!(2)])]),
        );
        good(&json!({"and": [{"a": 1}]}), &Filter::All(vec![is("a", &[json!(1)])]));
    }

    #[test]
    fn every_fault_has_its_pointer_and_the_mend() {
        bad(&json!("hr"), "/filter", "an object such as");
        bad(&json!({"a": null}), "/filter/a", "exists");
        bad(&json!({"a": []}), "/filter/a", "leave the field out");
        bad(&json!({"a": ["x", {}]}), "/filter/a/1", "not an object");
        bad(&json!({"a": {}}), "/filter/a", "use `eq`, `ne`, `in`");
        bad(&json!({"a": {"ne": null}}), "/filter/a/ne", "not null");
        bad(&json!({"a": {"in": "x"}}), "/filter/a/in", "a list of values");
        bad(&json!({"a": {"nin": [["x"]]}}), "/filter/a/nin/0", "not a list");
        bad(&json!({"a": {"prefix": ""}}), "/filter/a/prefix", "at least one letter");
        bad(&json!({"a": {"ge": 1}}), "/filter/a/ge", "no operator named `ge`");
        bad(&json!({"a": {"gte": true}}), "/filter/a/gte", "a number or a string");
        bad(&json!({"a": {"gte": 1, "lt": "x"}}), "/filter/a/lt", "both");
        bad(&json!({"a": {"exists": 1}}), "/filter/a/exists", "true or false");
        bad(&json!({"or": {}}), "/filter/or", "list of filters");
        bad(&json!({"or": []}), "/filter/or", "empty");
        bad(&json!({"and": [{"a": 1}, 2]}), "/filter/and/1", "not a number");
        bad(&json!({"x/y": null}), "/filter/x~1y", "null");
        bad(&json!({"": 1}), "/filter/", "empty");
        bad(
            &json!({"a": vec![1; PARTS + 1]}),
            &format!("/filter/a/{}", PARTS - 1),
            "fewer",
        );
        let deep = (0..DEPTH).fold(json!({"a": 1}), |inner, _| json!({"not": inner}));
        bad(&deep, &format!("/filter{}", "/not".repeat(DEPTH)), "flatter");
    }
}
