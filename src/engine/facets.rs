//! Counts of metadata values over the matching documents of all collections.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde_json::Value;

use crate::index::directory;
use crate::index::matches::Matches;
use crate::types::{Facet, MAX_FACET_VALUES, MAX_FACETS};

/// Stands for all fields.
const ALL: &str = "*";

/// The facets of `fields`, in that order.
pub(super) fn count(all: &[Matches], fields: &[String]) -> Vec<Facet> {
    if fields.iter().any(|field| field == ALL) {
        let mut facets = every(all);
        // The name of a field that only others may read says something about what they read.
        facets.retain(|facet| !facet.values.is_empty());
        return facets;
    }
    named(all, fields)
}

/// The most common fields of each collection, as many as may be named.
fn every(all: &[Matches]) -> Vec<Facet> {
    let mut fields: Vec<String> = Vec::new();
    for field in all.iter().flat_map(|one| one.fields().iter().take(MAX_FACETS)) {
        if fields.len() < MAX_FACETS && !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    named(all, &fields)
}

fn named(all: &[Matches], fields: &[String]) -> Vec<Facet> {
    let facet = |field: &String| match all {
        [one] => one.facet(field, MAX_FACET_VALUES),
        // What is rare in one collection may be frequent in all.
        several => merge(field, several.iter().map(|one| one.facet(field, usize::MAX))),
    };
    fields.iter().map(facet).collect()
}

fn merge(field: &str, parts: impl Iterator<Item = Facet>) -> Facet {
    let mut counts: HashMap<String, (Value, usize)> = HashMap::new();
    for (value, count) in parts.flat_map(|part| part.values) {
        counts.entry(value.to_string()).or_insert((value, 0)).1 += count;
    }
    let mut values: Vec<(Value, usize)> = counts.into_values().collect();
    values.sort_by(|left, right| {
        Reverse(left.1)
            .cmp(&Reverse(right.1))
            .then(directory::compare(&left.0, &right.0))
    });
    let truncated = values.len() > MAX_FACET_VALUES;
    values.truncate(MAX_FACET_VALUES);
    Facet {
        field: field.to_owned(),
        values,
        truncated,
    }
}
