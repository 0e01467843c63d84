//! The answer of `POST /v1/search`.

use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::engine::record;
use crate::types::{Correction, Display, Dropped, Duplicate, Facet, Found, Group, Passage, Placed, Step, Stretch};

/// All of it; the steps only when they were asked for.
pub fn found(found: &Found, explain: bool, took_ms: u64) -> Value {
    let page = &found.page;
    let shown = found.passages.len();
    let total = page.total.map_or((shown, false), |total| (total.count, total.exact));
    let mut value = json!({
        "results": found.passages.iter().map(result).collect::<Vec<_>>(),
        "total": total.0,
        "total_relation": if total.1 { "exact" } else { "at_least" },
        "corrections": found.corrections.iter().map(correction).collect::<Vec<_>>(),
        "degraded": found.degraded,
        "took_ms": took_ms,
    });
    if !page.facets.is_empty() {
        value["facets"] = Value::Object(page.facets.iter().map(facet).collect());
        let cut = page.facets.iter().filter(|facet| facet.truncated);
        value["facets_truncated"] = cut.map(|facet| facet.field.as_str()).collect();
    }
    if explain {
        value["trace"] = json!({
            "steps": found.trace.iter().map(step).collect::<Vec<_>>(),
            "dropped": page.dropped.iter().map(dropped).collect::<Vec<_>>(),
            "not_reranked": page.not_reranked,
        });
    }
    value
}

fn correction(one: &Correction) -> Value {
    json!({ "word": one.word, "read_as": one.read_as })
}

/// A passage with what a search shows beside it.
pub fn result(passage: &Passage) -> Value {
    let Display {
        title_highlights,
        heading_highlights,
        before,
        after,
        duplicates,
        group,
        steps,
    } = &passage.display;
    let mut value = record::passage(passage);
    value["title_highlights"] = ranges(title_highlights);
    value["heading_highlights"] = heading_highlights.iter().map(|one| ranges(one)).collect();
    for (name, around) in [("before", before), ("after", after)] {
        if let Some(around) = around {
            value[name] = stretch(around);
        }
    }
    if !duplicates.is_empty() {
        value["duplicates"] = duplicates.iter().map(duplicate).collect();
    }
    if let Some(Group { total, more }) = group {
        value["group"] = json!({ "total": total, "more": more.iter().map(result).collect::<Vec<_>>() });
    }
    if !steps.is_empty() {
        value["explain"] = steps.iter().map(placed).collect();
    }
    value
}

fn duplicate(one: &Duplicate) -> Value {
    json!({
        "id": one.chunk,
        "collection": one.collection,
        "document": one.document.id,
        "uri": one.document.uri,
        "title": one.document.title,
        "version": one.document.version,
        "metadata": one.document.metadata,
    })
}

fn ranges(list: &[Range<usize>]) -> Value {
    list.iter().map(|range| json!([range.start, range.end])).collect()
}

fn stretch(stretch: &Stretch) -> Value {
    json!({ "span": [stretch.span.start, stretch.span.end], "text": stretch.text })
}

fn facet(facet: &Facet) -> (String, Value) {
    let values = facet
        .values
        .iter()
        .map(|(value, count)| json!({ "value": value, "count": count }));
    (facet.field.clone(), values.collect())
}

fn step(step: &Step) -> Value {
    json!({ "name": step.name, "took_ms": milliseconds(step.took), "count": step.count })
}

fn placed(placed: &Placed) -> Value {
    json!({ "step": placed.step, "rank": placed.rank, "score": placed.score })
}

fn dropped(dropped: &Dropped) -> Value {
    let mut value = Map::from_iter([
        ("id".to_owned(), json!(dropped.chunk)),
        ("step".to_owned(), json!(dropped.step)),
    ]);
    if let Some(kept) = dropped.kept {
        value.insert("kept".to_owned(), json!(kept));
    }
    Value::Object(value)
}

/// Milliseconds with three decimals: steps take less than one.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Page, Total};

    #[test]
    fn steps_are_told_only_when_asked() {
        let fuse = Step {
            name: "fuse",
            took: Duration::from_micros(1_500),
            count: 4,
        };
        let nothing = Found {
            passages: Vec::new(),
            degraded: vec!["vector".into()],
            trace: vec![fuse],
            corrections: vec![Correction {
                word: "cahrt".into(),
                read_as: vec!["chart".into()],
            }],
            page: Page {
                total: Some(Total { count: 7, exact: true }),
                ..Page::default()
            },
        };
        let expected = json!({
            "results": [], "total": 7, "total_relation": "exact",
            "corrections": [{ "word": "cahrt", "read_as": ["chart"] }], "degraded": ["vector"], "took_ms": 9,
        });
        assert_eq!(found(&nothing, false, 9), expected);
        let trace = json!({
            "steps": [{ "name": "fuse", "took_ms": 1.5, "count": 4 }],
            "not_reranked": 0,
            "dropped": [],
        });
        assert_eq!(found(&nothing, true, 9)["trace"], trace);
    }
}
