//! The filter of a request: JSON to `Filter`, with a pointer to every fault.
//!
//! `{"department":"hr"}` equals, `{"department":["hr","it"]}` one of, `{"date":{"gte":"2024","lt":"2025"}}` range,
//! `{"date":{"exists":true}}`, and `and`, `or`, `not` around such objects. All keys of an object must hold.

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::http::pointer::escape;
use crate::types::{Bounds, Filter};

/// The deepest nesting of `and`, `or` and `not`.
const DEPTH: usize = 16;
/// The most values and conditions of one filter.
const PARTS: usize = 1_000;

/// Reads the filter that stands at `/filter`; none at all holds for every document.
pub fn parse(value: Option<&Value>) -> Result<Filter> {
    let Some(value) = value else {
        return Ok(Filter::default());
    };
    let mut left = PARTS;
    object(value, "/filter", DEPTH, &mut left)
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
    // One condition needs no `All` around it, so equal filters compare equal.
    match parts.pop() {
        Some(only) if parts.is_empty() => Ok(only),
        Some(last) => {
            parts.push(last);
            Ok(Filter::All(parts))
        }
        None => Ok(Filter::default()),
    }
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
        Value::Array(items) if items.is_empty() => Err(Error::bad_input(
            pointer,
            "the list is empty; name at least one value or leave the field out",
        )),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let pointer = format!("{pointer}/{at}");
                take(left, &pointer)?;
                if !(item.is_string() || item.is_number() || item.is_boolean()) {
                    let detail = format!("a string, a number or true or false is wanted here, not {}", kind(item));
                    return Err(Error::bad_input(&pointer, detail));
                }
            }
            Ok(Filter::In(field.to_owned(), items.clone()))
        }
        Value::Object(operators) => operators_of(field, operators, pointer),
        Value::Null => {
            let detail = format!(
                "null equals nothing; use {{\"{field}\":{{\"exists\":false}}}} for documents without the field"
            );
            Err(Error::bad_input(pointer, detail))
        }
    }
}

fn operators_of(field: &str, operators: &Map<String, Value>, pointer: &str) -> Result<Filter> {
    if operators.is_empty() {
        return Err(Error::bad_input(
            pointer,
            "no operator is here; use `gte`, `gt`, `lte`, `lt` or `exists`",
        ));
    }
    if let Some(wanted) = operators.get("exists") {
        let Value::Bool(wanted) = wanted else {
            return Err(Error::bad_input(
                &format!("{pointer}/exists"),
                format!("true or false is wanted here, not {}", kind(wanted)),
            ));
        };
        if operators.len() > 1 {
            return Err(Error::bad_input(
                pointer,
                "`exists` stands alone; join conditions with `and`",
            ));
        }
        let exists = Filter::Exists(field.to_owned());
        return Ok(if *wanted { exists } else { Filter::Not(Box::new(exists)) });
    }
    range(field, operators, pointer)
}

fn range(field: &str, operators: &Map<String, Value>, pointer: &str) -> Result<Filter> {
    let mut bounds = Bounds::default();
    let mut text = None;
    for (name, value) in operators {
        let pointer = format!("{pointer}/{}", escape(name));
        let slot = match name.as_str() {
            "gte" => &mut bounds.gte,
            "gt" => &mut bounds.gt,
            "lte" => &mut bounds.lte,
            "lt" => &mut bounds.lt,
            other => {
                let detail = format!("no operator named `{other}`; use `gte`, `gt`, `lte`, `lt` or `exists`");
                return Err(Error::bad_input(&pointer, detail));
            }
        };
        if !(value.is_string() || value.is_number()) {
            return Err(Error::bad_input(
                &pointer,
                format!("a number or a string is wanted here, not {}", kind(value)),
            ));
        }
        if *text.get_or_insert(value.is_string()) != value.is_string() {
            return Err(Error::bad_input(
                &pointer,
                "both ends of a range must be numbers or both strings",
            ));
        }
        *slot = Some(value.clone());
    }
    Ok(Filter::Range(field.to_owned(), bounds))
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
        bad(&json!({"a": {}}), "/filter/a", "use `gte`");
        bad(&json!({"a": {"ge": 1}}), "/filter/a/ge", "no operator named `ge`");
        bad(&json!({"a": {"gte": true}}), "/filter/a/gte", "a number or a string");
        bad(&json!({"a": {"gte": 1, "lt": "x"}}), "/filter/a/lt", "both");
        bad(&json!({"a": {"exists": 1}}), "/filter/a/exists", "true or false");
        bad(&json!({"a": {"exists": true, "gte": 1}}), "/filter/a", "stands alone");
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
