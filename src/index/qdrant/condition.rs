//! A filter in the words of a Qdrant server.

use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::{Condition, PointId, Range};
use serde_json::Value;

use crate::index::filter;
use crate::types::{Filter, Reader};

/// What `filter` and `reader` admit.
pub(super) fn of(filter: &Filter, reader: &Reader) -> qdrant_client::qdrant::Filter {
    let mut must = Vec::new();
    if let Some(words) = filter::reader_words(reader) {
        must.push(Condition::matches("principals", words));
    }
    if !filter.is_empty() {
        must.push(translate(filter));
    }
    qdrant_client::qdrant::Filter::must(must)
}

fn nothing() -> Condition {
    Condition::has_id(Vec::<PointId>::new())
}

fn translate(filter: &Filter) -> Condition {
    use qdrant_client::qdrant::Filter as Part;
    let parts = |parts: &[Filter]| parts.iter().map(translate).collect::<Vec<_>>();
    match filter {
        Filter::All(all) if all.is_empty() => Part::must_not([nothing()]).into(),
        Filter::All(all) => Part::must(parts(all)).into(),
        Filter::Any(any) if any.is_empty() => nothing(),
        Filter::Any(any) => Part::should(parts(any)).into(),
        Filter::Not(part) => Part::must_not([translate(part)]).into(),
        Filter::In(field, wanted) => {
            let path = filter::path(field);
            let wanted: Vec<_> = wanted.iter().filter_map(|value| equals(&path, value)).collect();
            if wanted.is_empty() {
                nothing()
            } else {
                Part::should(wanted).into()
            }
        }
        Filter::Range(field, bounds) => {
            let float = |end: &Option<Value>| end.as_ref().and_then(Value::as_f64);
            let range = Range {
                gte: float(&bounds.gte),
                gt: float(&bounds.gt),
                lte: float(&bounds.lte),
                lt: float(&bounds.lt),
            };
            Condition::range(filter::path(field), range)
        }
        Filter::Exists(field) => Part::must_not([Condition::is_empty(filter::path(field))]).into(),
    }
}

fn equals(path: &str, value: &Value) -> Option<Condition> {
    match value {
        Value::String(text) => Some(Condition::matches(path, MatchValue::Keyword(text.clone()))),
        Value::Bool(value) => Some(Condition::matches(path, MatchValue::Boolean(*value))),
        // A match compares integers only; a range compares by value.
        Value::Number(number) => {
            let end = Some(number.as_f64()?);
            let range = Range {
                gte: end,
                lte: end,
                ..Range::default()
            };
            Some(Condition::range(path, range))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
