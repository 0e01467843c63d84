//! Body of `POST /v1/search`: JSON to a checked `Query`. Every fault names its place and what is allowed there.

use serde::Deserialize;
use serde_json::Value;

use crate::engine::recency;
use crate::error::{Error, Result};
use crate::http::filter;
use crate::http::wire::{OneOrMany, names};
use crate::types::{Expand, Options, Query, QueryInput, Reader, Recency, Sort};

/// Passages of a document when groups are asked for without a size.
const GROUP_SIZE: usize = 3;

/// Body of `POST /v1/search`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    query: String,
    collection: Option<OneOrMany>,
    mode: Option<String>,
    filter: Option<Value>,
    limit: Option<usize>,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    facets: Vec<String>,
    #[serde(default)]
    sort: Vec<SortBody>,
    group_by: Option<String>,
    group_size: Option<usize>,
    #[serde(default)]
    neighbours: usize,
    recency: Option<RecencyBody>,
    #[serde(default)]
    diversity: f32,
    #[serde(default)]
    fold_duplicates: bool,
    /// Whether the last word may be the beginning of one.
    #[serde(default)]
    typing: bool,
    /// Whether the steps are told.
    #[serde(default)]
    pub explain: bool,
    /// What a model is to write, and the route to it.
    expand: Option<String>,
    route: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SortBody {
    field: String,
    #[serde(default)]
    order: Order,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Asc,
    Desc,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecencyBody {
    field: String,
    half_life_days: f64,
    #[serde(default = "weight")]
    weight: f32,
    now: Option<Value>,
}

fn weight() -> f32 {
    0.2
}

impl SearchBody {
    /// Checks it on behalf of `reader`.
    pub fn query(self, reader: Reader) -> Result<Query> {
        let options = Options {
            whole: true,
            group_size: group(self.group_by.as_deref(), self.group_size)?,
            recency: self.recency.map(RecencyBody::read).transpose()?,
            facets: self.facets,
            sort: self.sort.into_iter().map(SortBody::read).collect(),
            neighbours: self.neighbours,
            diversity: self.diversity,
            fold_duplicates: self.fold_duplicates,
            expand: expand(self.expand.as_deref(), self.route)?,
            explain: self.explain,
        };
        let input = QueryInput {
            collections: names(self.collection)?,
            filter: filter::parse(self.filter.as_ref())?,
            mode: self.mode.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
            text: self.query,
            limit: self.limit,
            offset: self.offset,
            options,
            typing: self.typing,
        };
        Query::parse(input, reader)
    }
}

fn expand(kind: Option<&str>, route: Option<String>) -> Result<Option<Expand>> {
    let Some(kind) = kind else {
        return match route {
            Some(_) => Err(Error::bad_input(
                "/route",
                "`route` needs `expand` beside it: its model writes other words",
            )),
            None => Ok(None),
        };
    };
    let kind = kind.parse()?;
    Ok(Some(Expand { kind, route }))
}

fn group(by: Option<&str>, size: Option<usize>) -> Result<Option<usize>> {
    match by {
        Some("document") => Ok(Some(size.unwrap_or(GROUP_SIZE))),
        Some(other) => Err(Error::bad_input(
            "/group_by",
            format!("no group named `{other}`; use `document`"),
        )),
        None if size.is_some() => Err(Error::bad_input(
            "/group_size",
            "`group_size` needs `\"group_by\": \"document\"` beside it",
        )),
        None => Ok(None),
    }
}

impl SortBody {
    fn read(self) -> Sort {
        Sort {
            field: self.field,
            descending: self.order == Order::Desc,
        }
    }
}

impl RecencyBody {
    fn read(self) -> Result<Recency> {
        let now = match &self.now {
            None => now(),
            Some(date) => recency::seconds(date).ok_or_else(|| {
                let mend = "an ISO 8601 date such as \"2025-06-30\" or seconds since 1970 are wanted here";
                Error::bad_input("/recency/now", mend)
            })?,
        };
        Ok(Recency {
            field: self.field,
            half_life_days: self.half_life_days,
            weight: self.weight,
            now,
        })
    }
}

/// The server's clock in whole minutes: equal searches of one minute are equal.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64 / 60 * 60)
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::MAX_QUERY_BYTES;

    fn read(body: &Value) -> Result<Query> {
        let body: SearchBody = serde_json::from_value(body.clone()).expect("the right shape");
        body.query(Reader::Everything)
    }

    fn bad(body: &Value, pointer: &str) {
        match read(body) {
            Err(Error::BadInput { faults, .. }) => assert_eq!(faults[0].pointer, pointer),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_search_is_checked_before_it_starts() {
        bad(&json!({"query": " \n"}), "/query");
        bad(&json!({"query": "x".repeat(MAX_QUERY_BYTES + 1)}), "/query");
        bad(&json!({"query": "a", "limit": 0}), "/limit");
        bad(&json!({"query": "a", "limit": 101}), "/limit");
        bad(&json!({"query": "a", "offset": 1_001}), "/offset");
        bad(&json!({"query": "a", "mode": "magic"}), "/mode");
        bad(&json!({"query": "a", "collection": "../etc"}), "/collection");
        bad(&json!({"query": "a", "collection": []}), "/collection");
        bad(&json!({"query": "a", "filter": {"a": null}}), "/filter/a");
        bad(&json!({"query": "a", "group_by": "kind"}), "/group_by");
        bad(&json!({"query": "a", "group_size": 2}), "/group_size");
        bad(
            &json!({"query": "a", "group_by": "document", "group_size": 0}),
            "/group_size",
        );
        let recency = json!({"field": "date", "half_life_days": 9, "now": "soon"});
        bad(&json!({"query": "a", "recency": recency}), "/recency/now");
        let good = read(&json!({"query": "a", "collection": ["x", "y", "x"]})).expect("good");
        assert_eq!(good.collections(), ["x", "y"]);
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let body = json!({
            "query": "a", "group_by": "document",
            "recency": {"field": "date", "half_life_days": 9, "now": 60},
        });
        let good = read(&body).expect("good");
        let options = good.options();
        assert!(options.whole);
        assert_eq!(options.group_size, Some(GROUP_SIZE));
        let recency = options.recency.as_ref().expect("asked for");
        assert_eq!((recency.weight, recency.now), (0.2, 60));
        let good = read(&json!({"query": "a", "sort": [{"field": "date"}]})).expect("good");
        assert!(!good.options().sort[0].descending);
    }
}
