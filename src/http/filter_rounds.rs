//! Random filters: none panics, a fault's pointer leads to what is wrong, and what is accepted means the same everywhere.
//!
//! `PORTOLAN_FUZZ_SECONDS=600 cargo test --lib filter::rounds` goes on for so long.

use std::time::Instant;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::*;
use crate::index::filter::{matches, relax};
use crate::types::Metadata;

const NAMES: &[&str] = &[
    "and", "or", "not", "a", "b", "date", "", "x/y", "~0", "\"", "é", "eq", "ne", "in", "nin", "gte", "gt", "lte",
    "lt", "prefix", "exists", "\u{0}",
];

fn scalar(rng: &mut Rng) -> Value {
    match rng.u8(..8) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(-3..4).into(),
        3 => json!([0.5, -0.0, 1e300, 2.0][rng.usize(..4)]),
        4 => json!([u64::MAX, i64::MAX as u64 + 1][rng.usize(..2)]),
        5 => "x".repeat(rng.usize(..2_000)).into(),
        _ => ["", "a", "ab", "2024", "2024-05-01", "é", "\u{10ffff}"][rng.usize(..7)].into(),
    }
}

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..8) {
        0..4 if depth > 0 => {
            let count = [1, 1, 1, 2, 3, 0][rng.usize(..6)];
            let fields = (0..count).map(|_| (NAMES[rng.usize(..NAMES.len())].to_owned(), value(rng, depth - 1)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        4 if depth > 0 => {
            let count = if rng.u8(..) == 0 {
                rng.usize(..2_000)
            } else {
                rng.usize(..4)
            };
            (0..count).map(|_| value(rng, depth - 1)).collect()
        }
        _ => scalar(rng),
    }
}

/// A filter as people write them, with the names and operators in their places.
fn filter(rng: &mut Rng, depth: usize) -> Value {
    let field = ["a", "b", "date", "x/y", "\"", "é"][rng.usize(..6)];
    match rng.u8(..10) {
        0 if depth > 0 => json!({ "not": filter(rng, depth - 1) }),
        1 | 2 if depth > 0 => {
            let parts: Vec<Value> = (0..rng.usize(1..4)).map(|_| filter(rng, depth - 1)).collect();
            json!({ ["and", "or"][rng.usize(..2)]: parts })
        }
        3 => json!({ field: scalar(rng) }),
        4 => json!({ field: [scalar(rng), scalar(rng)] }),
        5 => json!({ field: { "exists": rng.bool() } }),
        6 => json!({ field: { "gte": scalar(rng), "lt": scalar(rng) } }),
        7 => json!({ field: { ["eq", "ne", "prefix", "gt", "lte"][rng.usize(..5)]: scalar(rng) } }),
        8 => json!({ field: { ["in", "nin"][rng.usize(..2)]: [scalar(rng)] } }),
        _ => json!({}),
    }
}

fn metadata(rng: &mut Rng) -> Metadata {
    let mut metadata = Metadata::new();
    for field in ["a", "b", "date", "x/y", "\"", "é"] {
        match rng.u8(..3) {
            0 => drop(metadata.insert(field.to_owned(), scalar(rng))),
            1 => drop(metadata.insert(field.to_owned(), json!([scalar(rng), scalar(rng)]))),
            _ => {}
        }
    }
    metadata
}

fn round(rng: &mut Rng) {
    let given = match rng.u8(..3) {
        0 => value(rng, 6),
        _ => filter(rng, 5),
    };
    let given =
        (0..if rng.u8(..64) == 0 { rng.usize(..30) } else { 0 }).fold(given, |inner, _| json!({ "not": inner }));
    let whole = json!({ "filter": given });
    let filter = match parse(Some(&given)) {
        Ok(filter) => filter,
        Err(Error::BadInput { faults, .. }) => {
            assert_eq!(faults.len(), 1);
            assert!(
                whole.pointer(&faults[0].pointer).is_some(),
                "{} in {whole}",
                faults[0].pointer
            );
            return;
        }
        Err(other) => panic!("{other}"),
    };
    let again: Value = serde_json::from_str(&given.to_string()).expect("its own JSON");
    assert_eq!(parse(Some(&again)).expect("what was accepted"), filter);
    let (relaxed, exact) = relax(&filter);
    for _ in 0..4 {
        let metadata = metadata(rng);
        let holds = matches(&filter, &metadata);
        assert!(holds || !holds_for_all(&filter), "{given} for {metadata:?}");
        let admits = matches(&relaxed, &metadata);
        assert!(admits || !holds, "{given} is relaxed to {relaxed:?}");
        assert!(!exact || admits == holds, "{given} is not the same as {relaxed:?}");
    }
}

#[test]
fn any_filter_is_read_or_refused_with_its_place() {
    let seconds = std::env::var("PORTOLAN_FUZZ_SECONDS")
        .ok()
        .map(|seconds| seconds.parse::<u64>().expect("a number"));
    let (started, mut done) = (Instant::now(), 0);
    while seconds.map_or(done < 20_000, |seconds| started.elapsed().as_secs() < seconds) {
        let seed = done;
        let faulty = std::panic::catch_unwind(|| round(&mut Rng::with_seed(seed)));
        assert!(faulty.is_ok(), "round {seed}");
        done += 1;
    }
    if seconds.is_some() {
        eprintln!("filter: {done} rounds");
    }
}
