//! Two ways to the evidence of one question, compared.

use serde_json::{Value, json};

use crate::store::TraceRecord;

/// What differs between a trace, with `passages` as they may be shown, and what was made again.
pub(super) fn compare(before: &TraceRecord, passages: [&[Value]; 2], now: &Value) -> Value {
    let (now, after) = (&as_kept(now), passages[1].iter().map(as_kept).collect::<Vec<_>>());
    let then = &before.record;
    let hashes = [&then["evidence_hash"], &now["evidence_hash"]];
    let mut differences = Vec::new();
    for (name, values) in [
        ("route", [&then["route"]["name"], &now["route"]]),
        ("mode", [&then["asked"]["mode"], &now["mode"]]),
        ("degraded", [&then["search"]["degraded"], &now["degraded"]]),
        ("gate.outcome", [&then["gate"]["outcome"], &now["gate"]["outcome"]]),
        ("gate.support", [&then["gate"]["support"], &now["gate"]["support"]]),
        ("gate.coverage", [&then["gate"]["coverage"], &now["gate"]["coverage"]]),
        ("gate.cosine", [&then["gate"]["cosine"], &now["gate"]["cosine"]]),
        (
            "gate.decline_below",
            [&then["gate"]["decline_below"], &now["gate"]["decline_below"]],
        ),
        (
            "packing.budget",
            [&then["packing"]["budget"], &now["packing"]["budget"]],
        ),
        (
            "packing.tokens",
            [&then["packing"]["tokens"], &now["packing"]["tokens"]],
        ),
    ] {
        if values[0] != values[1] {
            differences.push(json!({ "field": name, "before": values[0], "after": values[1] }));
        }
    }
    json!({
        "run": before.run,
        "identical": hashes[0] == hashes[1],
        "evidence_hash": { "before": hashes[0], "after": hashes[1] },
        "differences": differences,
        "diff": moves(passages[0], &after),
    })
}

/// With its numbers as they come back from the store: reading one may change its last digit.
fn as_kept(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_default()
}

/// Which passages came, went or have another place; both lists as they were traced.
fn moves(before: &[Value], after: &[Value]) -> Value {
    let find = |list: &'_ [Value], id: &Value| list.iter().find(|one| one["id"] == *id).cloned();
    let mut moves = Vec::new();
    for was in before {
        let Some(is) = find(after, &was["id"]) else {
            moves.push(place("gone", was, was, &Value::Null));
            continue;
        };
        let same = ["number", "rank", "dropped", "scores"]
            .iter()
            .all(|name| was[*name] == is[*name]);
        if !same {
            moves.push(place("changed", &is, was, &is));
        }
    }
    for is in after {
        if find(before, &is["id"]).is_none() {
            moves.push(place("new", is, &Value::Null, is));
        }
    }
    json!(moves)
}

fn place(change: &str, of: &Value, was: &Value, is: &Value) -> Value {
    let side = |one: &Value| {
        if one.is_null() {
            return Value::Null;
        }
        json!({ "number": one["number"], "rank": one["rank"], "dropped": one["dropped"], "scores": one["scores"] })
    };
    json!({
        "change": change, "id": of["id"], "collection": of["collection"], "document": of["document"],
        "title": of["title"], "uri": of["uri"],
        "before": side(was), "after": side(is),
    })
}
