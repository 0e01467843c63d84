//! Whether metadata fulfils a filter. One meaning for both legs and for lists of documents.

use std::cmp::Ordering;

use serde_json::Value;

use crate::types::{Bounds, Filter, Metadata};

/// Whether `filter` holds for `metadata`.
pub fn matches(filter: &Filter, metadata: &Metadata) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| matches(part, metadata)),
        Filter::Any(parts) => parts.iter().any(|part| matches(part, metadata)),
        Filter::Not(part) => !matches(part, metadata),
        Filter::In(field, wanted) => values(metadata, field).any(|value| wanted.iter().any(|one| equal(value, one))),
        Filter::Range(field, bounds) => values(metadata, field).any(|value| within(value, bounds)),
        Filter::Exists(field) => metadata.get(field).is_some_and(|value| !value.is_null()),
    }
}

/// A field's value, or the items of its list.
fn values<'a>(metadata: &'a Metadata, field: &str) -> impl Iterator<Item = &'a Value> {
    let value = metadata.get(field);
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().chain(value.filter(|value| !value.is_array()))
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || order(a, b) == Some(Ordering::Equal)
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn within(value: &Value, bounds: &Bounds) -> bool {
    let holds = |bound: &Option<Value>, good: &dyn Fn(Ordering) -> bool| {
        bound.as_ref().is_none_or(|bound| order(value, bound).is_some_and(good))
    };
    holds(&bounds.gte, &|order| order != Ordering::Less)
        && holds(&bounds.gt, &|order| order == Ordering::Greater)
        && holds(&bounds.lte, &|order| order != Ordering::Greater)
        && holds(&bounds.lt, &|order| order == Ordering::Less)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(filter: &Filter, expected: bool) {
        let metadata: Metadata =
            serde_json::from_value(json!({"kind": "memo", "year": 2024, "tags": ["a", "b"], "date": "2024-05-01"}))
                .unwrap();
        assert_eq!(matches(filter, &metadata), expected, "{filter:?}");
    }

    #[test]
    fn every_operator_has_one_meaning() {
        check(&Filter::default(), true);
        check(&Filter::In("kind".into(), vec![json!("memo")]), true);
        check(&Filter::In("kind".into(), vec![json!("note")]), false);
        check(&Filter::In("tags".into(), vec![json!("b"), json!("z")]), true);
        check(&Filter::In("year".into(), vec![json!(2024.0)]), true);
        check(&Filter::Exists("kind".into()), true);
        check(&Filter::Exists("none".into()), false);
        check(&Filter::Not(Box::new(Filter::Exists("none".into()))), true);
        check(&Filter::Any(vec![]), false);
        let from = |gte: Value| Bounds {
            gte: Some(gte),
            ..Bounds::default()
        };
        check(&Filter::Range("date".into(), from(json!("2024-01-01"))), true);
        check(&Filter::Range("date".into(), from(json!("2025"))), false);
        check(
            &Filter::Range(
                "year".into(),
                Bounds {
                    lt: Some(json!(2024)),
                    ..Bounds::default()
                },
            ),
            false,
        );
        check(&Filter::Range("kind".into(), from(json!(3))), false);
    }
}
