//! A condition on metadata as it is kept with a trace, in the words of a request, and back.

use serde_json::{Map, Value, json};

use crate::types::{Bounds, Filter};

/// The condition as a request has it.
pub(super) fn write(filter: &Filter) -> Value {
    let all = |parts: &[Filter]| parts.iter().map(write).collect::<Value>();
    match filter {
        Filter::All(parts) if parts.is_empty() => json!({}),
        Filter::All(parts) => json!({ "and": all(parts) }),
        Filter::Any(parts) => json!({ "or": all(parts) }),
        Filter::Not(part) => json!({ "not": write(part) }),
        Filter::In(field, values) => json!({ field: { "in": values } }),
        Filter::Exists(field) => json!({ field: { "exists": true } }),
        Filter::Range(field, bounds) => {
            let mut ends = Map::new();
            let Bounds { gte, gt, lte, lt } = bounds;
            for (name, end) in [("gte", gte), ("gt", gt), ("lte", lte), ("lt", lt)] {
                if let Some(end) = end {
                    ends.insert(name.to_owned(), end.clone());
                }
            }
            json!({ field: ends })
        }
    }
}

/// The condition that was written; none for what was not.
pub(super) fn read(value: &Value) -> Option<Filter> {
    let fields = value.as_object()?;
    let Some((name, inner)) = fields.iter().next() else {
        return Some(Filter::default());
    };
    let list = || inner.as_array()?.iter().map(read).collect::<Option<Vec<_>>>();
    match name.as_str() {
        "and" => list().map(Filter::All),
        "or" => list().map(Filter::Any),
        "not" => read(inner).map(|part| Filter::Not(Box::new(part))),
        field => condition(field.to_owned(), inner.as_object()?),
    }
}

fn condition(field: String, operators: &Map<String, Value>) -> Option<Filter> {
    if let Some(values) = operators.get("in") {
        return Some(Filter::In(field, values.as_array()?.clone()));
    }
    if operators.contains_key("exists") {
        return Some(Filter::Exists(field));
    }
    let end = |name: &str| operators.get(name).cloned();
    let bounds = Bounds {
        gte: end("gte"),
        gt: end("gt"),
        lte: end("lte"),
        lt: end("lt"),
    };
    Some(Filter::Range(field, bounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_comes_back_as_it_was() {
        let year = Bounds {
            gte: Some(json!("2024")),
            lt: Some(json!("2025")),
            ..Bounds::default()
        };
        let all = vec![
            Filter::In("department".into(), vec![json!("hr"), json!(4), json!(true)]),
            Filter::Any(vec![
                Filter::Range("date".into(), year),
                Filter::Not(Box::new(Filter::Exists("date".into()))),
            ]),
        ];
        for filter in [
            Filter::default(),
            Filter::All(all.clone()),
            Filter::All(all[..1].to_vec()),
        ] {
            assert_eq!(read(&write(&filter)), Some(filter));
        }
        assert_eq!(read(&json!("x")), None);
    }
}
