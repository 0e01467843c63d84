//! How the engine keeps and searches its vectors.

use std::collections::HashSet;
use std::path::Path;

use qdrant_edge::{
    AcornSearchParams, CreateIndex, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeVectorParams, FieldIndexOperations,
    HnswIndexConfig, JsonPath, PayloadFieldSchema, QuantizationSearchParams, ScalarQuantizationConfig, ScalarType,
    SearchParams, UpdateOperation, WalOptions,
};
use serde_json::{Value, json};

use super::beam::Beam;
use super::{Point, failed};
use crate::error::Result;
use crate::index::filter;

/// Up to here, and up to as many that a filter admits, every vector is looked at.
pub(super) const EXACT_BELOW: usize = 20_000;
/// The engine searches its segments one after the other: few large ones are quicker than many.
const SEGMENTS: usize = 2;
/// Indexed fields beyond these would cost more memory than their filters are worth; those are checked point by point.
const MAX_FIELDS: usize = 64;
/// Bytes of a part of the log: small, since the last two stay until more is written.
const LOG_PART: usize = 1 << 20;

/// The originals stay on disk and are read only to score the best again; what every search walks over is in memory,
/// a byte a number.
pub(super) fn config(dimension: usize, beam: Beam) -> EdgeConfig {
    let exact_kb = EXACT_BELOW * dimension * size_of::<f32>() / 1024;
    let threshold = HnswIndexConfig {
        full_scan_threshold: exact_kb,
        ..HnswIndexConfig::default()
    };
    let graph = graph(beam, threshold);
    let optimizers = EdgeOptimizersConfig {
        indexing_threshold: Some(exact_kb),
        default_segment_number: Some(SEGMENTS),
        ..EdgeOptimizersConfig::default()
    };
    let bytes = ScalarQuantizationConfig {
        r#type: ScalarType::Int8,
        quantile: Some(0.99),
        always_ram: Some(true),
    };
    let params = EdgeVectorParams::builder(dimension, Distance::Cosine)
        .on_disk(true)
        .hnsw_config(graph)
        .quantization_config(bytes.into());
    let log = WalOptions {
        segment_capacity: LOG_PART,
        ..WalOptions::default()
    };
    EdgeConfig::builder()
        .wal_options(log)
        .vector("", params.build())
        .hnsw_config(graph)
        .optimizers(optimizers)
        .build()
}

/// With the links that the beam walks along, or without any.
pub(super) fn graph(beam: Beam, other: HnswIndexConfig) -> HnswIndexConfig {
    let m = match beam {
        Beam::Bits | Beam::Scan => 0,
        Beam::Graph(_) | Beam::Exact => HnswIndexConfig::default().m,
    };
    HnswIndexConfig { m, ..other }
}

/// Rewrites a segment for a single removed point.
pub(super) fn eager(usual: &EdgeOptimizersConfig) -> EdgeOptimizersConfig {
    EdgeOptimizersConfig {
        deleted_threshold: Some(0.0),
        vacuum_min_vector_number: Some(1),
        ..usual.clone()
    }
}

/// How to look that far.
pub(super) fn search(beam: Beam) -> SearchParams {
    let (exact, hnsw_ef) = match beam {
        Beam::Graph(candidates) => (false, Some(candidates)),
        Beam::Bits | Beam::Scan => (false, None),
        Beam::Exact => (true, None),
    };
    SearchParams {
        exact,
        hnsw_ef,
        quantization: Some(QuantizationSearchParams {
            ignore: false,
            rescore: Some(true),
            oversampling: None,
        }),
        // The graph of what a filter admits falls apart; this walks through what it does not admit.
        acorn: Some(AcornSearchParams {
            enable: true,
            max_selectivity: None,
        }),
        ..SearchParams::default()
    }
}

/// The payload fields that the engine has an index of, so that a filter costs what it admits and not what there is.
pub(super) struct Fields(HashSet<JsonPath>);

impl Fields {
    /// Those of an opened shard.
    pub fn new(known: impl IntoIterator<Item = JsonPath>) -> Self {
        Self(known.into_iter().collect())
    }

    /// What must be done before `points` are written: an index for each field that is new.
    pub fn missing(&mut self, points: &[Point]) -> Result<Vec<UpdateOperation>> {
        let mut operations = Vec::new();
        let principals = std::iter::once(("principals".to_owned(), "keyword"));
        let metadata = points.iter().flat_map(|point| &point.metadata);
        let fields = metadata.filter(|(field, _)| filter::is_path(field));
        let fields = fields.filter_map(|(field, value)| Some((filter::path(field), kind(value)?)));
        for (path, kind) in principals.chain(fields) {
            let path: JsonPath = path.parse().map_err(|()| failed(format!("`{path}` is no path")))?;
            if self.0.len() >= MAX_FIELDS || !self.0.insert(path.clone()) {
                continue;
            }
            let create = FieldIndexOperations::CreateIndex(CreateIndex {
                field_name: path,
                field_schema: Some(schema(kind)?),
            });
            operations.push(UpdateOperation::FieldIndexOperation(create));
        }
        Ok(operations)
    }
}

/// The engine keeps one kind of index a field: that of the first value seen. Other values are checked one by one.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => Some("keyword"),
        Value::Number(_) => Some("float"),
        Value::Bool(_) => Some("bool"),
        Value::Array(items) => items.first().and_then(kind),
        Value::Null | Value::Object(_) => None,
    }
}

/// Without links of its own in the graph: a field's links may cost as much to build as the graph.
fn schema(kind: &str) -> Result<PayloadFieldSchema> {
    serde_json::from_value(json!({"type": kind, "on_disk": true, "enable_hnsw": false})).map_err(failed)
}

/// The engine logs what it writes and never reads the log again (0.7.2); all but the newest closed part go, which
/// says where to count on.
pub(super) fn trim_log(folder: &Path) -> std::io::Result<()> {
    let mut closed = Vec::new();
    let log = match std::fs::read_dir(folder.join("wal")) {
        // A copy may leave out a folder that was empty.
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        log => log?,
    };
    for entry in log {
        let entry = entry?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix("closed-")?.parse::<u64>().ok());
        closed.extend(number.map(|number| (number, entry.path())));
    }
    closed.sort();
    closed.pop();
    for (_, part) in closed {
        std::fs::remove_file(part)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ChunkId, Metadata};
    use uuid::Uuid;

    #[test]
    fn of_the_log_only_the_part_in_use_and_the_newest_closed_one_stay() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("wal");
        std::fs::create_dir(&log).unwrap();
        for name in ["closed-2", "closed-10", "closed-9", "open-11", "first-index"] {
            std::fs::write(log.join(name), name).unwrap();
        }
        trim_log(folder.path()).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(&log)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["closed-10", "first-index", "open-11"]);
    }

    #[test]
    fn a_field_is_indexed_once_by_the_kind_of_its_first_value() {
        let mut fields = Fields::new([]);
        let mut made = |metadata: Value| {
            let metadata: Metadata = serde_json::from_value(metadata).unwrap();
            let point = Point {
                chunk: ChunkId(Uuid::nil()),
                vector: vec![1.0],
                metadata,
                principals: Vec::new(),
                tokens: Vec::new(),
            };
            let operations = fields.missing(&[point]).unwrap();
            let named = operations.iter().map(|operation| match operation {
                UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(create)) => {
                    let schema = serde_json::to_value(&create.field_schema).unwrap();
                    format!("{}: {}", create.field_name, schema["type"].as_str().unwrap_or_default())
                }
                other => panic!("{other:?}"),
            });
            let mut named: Vec<String> = named.collect();
            named.sort();
            named
        };
        let first = made(json!({"team": "red", "year": 2026, "tags": [true], "none": null}));
        assert_eq!(
            first,
            [
                "metadata.tags: bool",
                "metadata.team: keyword",
                "metadata.year: float",
                "principals: keyword"
            ]
        );
        assert_eq!(made(json!({"team": 7, "until": "2027"})), ["metadata.until: keyword"]);
        let many: serde_json::Map<_, _> = (0..2 * MAX_FIELDS).map(|n| (format!("f{n}"), json!(n))).collect();
        assert_eq!(
            made(Value::Object(many)).len(),
            MAX_FIELDS - 5,
            "the rest is checked point by point"
        );
    }
}
