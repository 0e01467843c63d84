//! Filters and readers' rights as the engine's conditions.

use serde_json::{Value, json};

use super::failed;
use crate::error::Result;
use crate::index::filter;
use crate::types::{Filter, Reader};

/// The engine's own filter, made from its JSON form, which is documented and stable.
pub(super) fn of(filter: &Filter, reader: &Reader) -> Result<Option<qdrant_edge::Filter>> {
    let mut must = Vec::new();
    if let Some(words) = filter::reader_words(reader) {
        must.push(json!({"key": "principals", "match": {"any": words}}));
    }
    if !filter.is_empty() {
        must.push(translate(filter));
    }
    if must.is_empty() {
        return Ok(None);
    }
    serde_json::from_value(json!({"must": must})).map(Some).map_err(failed)
}

fn translate(filter: &Filter) -> Value {
    let parts = |parts: &[Filter]| parts.iter().map(translate).collect::<Vec<_>>();
    match filter {
        Filter::All(all) if all.is_empty() => json!({"must_not": [{"has_id": []}]}),
        Filter::All(all) => json!({"must": parts(all)}),
        Filter::Any(any) if any.is_empty() => json!({"has_id": []}),
        Filter::Any(any) => json!({"should": parts(any)}),
        Filter::Not(part) => json!({"must_not": [translate(part)]}),
        Filter::In(field, wanted) => {
            let wanted: Vec<_> = wanted
                .iter()
                .filter_map(|value| equals(&filter::path(field), value))
                .collect();
            if wanted.is_empty() {
                return json!({"has_id": []});
            }
            json!({"should": wanted})
        }
        Filter::Range(field, bounds) => {
            let float = |end: &Option<Value>| end.as_ref().and_then(Value::as_f64);
            json!({"key": filter::path(field), "range": {
                "gte": float(&bounds.gte), "gt": float(&bounds.gt),
                "lte": float(&bounds.lte), "lt": float(&bounds.lt),
            }})
        }
        Filter::Exists(field) => json!({"must_not": [{"is_empty": {"key": filter::path(field)}}]}),
    }
}

fn equals(path: &str, value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Bool(_) => Some(json!({"key": path, "match": {"value": value}})),
        // A match compares integers only; a range compares by value.
        Value::Number(number) => {
            let number = number.as_f64()?;
            Some(json!({"key": path, "range": {"gte": number, "lte": number}}))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
