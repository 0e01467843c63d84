//! How far a search for the nearest vectors must look, measured on the vectors that are there.

use std::collections::HashSet;
use std::path::Path;

use qdrant_edge::{EdgeShard, PointId, ScrollRequest, VectorStructInternal, WithPayloadInterface, WithVector};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{failed, request, settings};
use crate::error::Result;

/// The vectors that are asked for their neighbours.
const SAMPLE: u128 = 48;
/// Their nearest, which the search must find.
const NEAREST: usize = 10;
/// The share of them that is enough, on average.
const ENOUGH: f64 = 0.98;

/// From cheap to dear; the graph of vectors that lie in groups, as those of texts do, needs the first only.
const GRAPH: [Beam; 2] = [Beam::Graph(128), Beam::Graph(512)];
/// Beside the shard's own files.
const FILE: &str = "beam.json";

/// What a search looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Beam {
    /// So many candidates of the graph.
    Graph(usize),
    /// Each vector that the filter admits.
    Everything,
}

/// That of an opened shard, as it was measured when the shard was last optimised.
pub(super) fn kept(shard: &EdgeShard, folder: &Path) -> Result<Beam> {
    let kept = std::fs::read(folder.join(FILE)).ok();
    match kept.and_then(|kept| serde_json::from_slice(&kept).ok()) {
        Some(beam) => Ok(beam),
        None => cheapest(shard),
    }
}

/// Measures and keeps the cheapest one that finds enough of the neighbours of a sample.
pub(super) fn measured(shard: &EdgeShard, folder: &Path) -> Result<Beam> {
    let beam = cheapest(shard)?;
    std::fs::write(folder.join(FILE), serde_json::to_vec(&beam).map_err(failed)?).map_err(failed)?;
    Ok(beam)
}

fn cheapest(shard: &EdgeShard) -> Result<Beam> {
    if shard.info().points_count < settings::EXACT_BELOW {
        return Ok(Beam::Everything);
    }
    through_graph(shard)
}

fn through_graph(shard: &EdgeShard) -> Result<Beam> {
    let sample = sample(shard)?;
    for beam in GRAPH {
        if recall(shard, &sample, beam)? >= ENOUGH {
            return Ok(beam);
        }
    }
    Ok(Beam::Everything)
}

struct Asked {
    vector: Vec<f32>,
    nearest: HashSet<PointId>,
}

/// Chunk ids are hashes: the ones that follow evenly spread ids are as good as drawn by lot, and the same each time.
fn sample(shard: &EdgeShard) -> Result<Vec<Asked>> {
    let mut sample = Vec::new();
    for number in 0..SAMPLE {
        let from = ScrollRequest {
            offset: Some(PointId::Uuid(Uuid::from_u128(u128::MAX / SAMPLE * number))),
            limit: Some(1),
            filter: None,
            with_payload: Some(WithPayloadInterface::Bool(false)),
            with_vector: WithVector::Bool(true),
            order_by: None,
        };
        for record in shard.scroll(from).map_err(failed)?.0 {
            if let Some(VectorStructInternal::Single(vector)) = record.vector {
                let nearest = nearest(shard, &vector, Beam::Everything)?;
                sample.push(Asked { vector, nearest });
            }
        }
    }
    Ok(sample)
}

fn nearest(shard: &EdgeShard, vector: &[f32], beam: Beam) -> Result<HashSet<PointId>> {
    let found = shard.query(request(vector, None, NEAREST, beam)).map_err(failed)?;
    Ok(found.into_iter().map(|point| point.id).collect())
}

fn recall(shard: &EdgeShard, sample: &[Asked], beam: Beam) -> Result<f64> {
    let mut found = 0;
    let mut wanted = 0;
    for asked in sample {
        found += nearest(shard, &asked.vector, beam)?
            .intersection(&asked.nearest)
            .count();
        wanted += asked.nearest.len();
    }
    Ok(found as f64 / (wanted as f64).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use qdrant_edge::{Distance, EdgeConfig, EdgeOptimizersConfig, EdgeVectorParams, HnswIndexConfig};
    use qdrant_edge::{PointInsertOperations, PointOperations, PointStruct};

    const DIMENSION: usize = 24;

    /// Vectors spread evenly, in a graph with so many links a point.
    fn shard(folder: &Path, links: usize) -> EdgeShard {
        let graph = HnswIndexConfig {
            m: links,
            ef_construct: 100,
            full_scan_threshold: 1,
            ..HnswIndexConfig::default()
        };
        let optimizers = EdgeOptimizersConfig {
            indexing_threshold: Some(1),
            ..EdgeOptimizersConfig::default()
        };
        let vector = EdgeVectorParams::builder(DIMENSION, Distance::Cosine).hnsw_config(graph);
        let config = EdgeConfig::builder()
            .vector("", vector.build())
            .hnsw_config(graph)
            .optimizers(optimizers)
            .build();
        let shard = EdgeShard::new(folder, config).unwrap();
        let mut state = 7_u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let points = (0..1_500_u128).map(|point| {
            let id = PointId::Uuid(Uuid::from_u128(point * (u128::MAX / 1_500)));
            let vector: Vec<f32> = (0..DIMENSION).map(|_| number()).collect();
            PointStruct::new(id, vector, serde_json::json!({})).into()
        });
        let insert = PointInsertOperations::PointsList(points.collect());
        super::super::update(&shard, PointOperations::UpsertPoints(insert)).unwrap();
        shard.optimize().unwrap();
        shard
    }

    #[test]
    fn a_graph_that_loses_neighbours_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
        for place in [&good, &bad] {
            std::fs::create_dir(place).unwrap();
        }
        assert_eq!(through_graph(&shard(&good, 16)).unwrap(), GRAPH[0]);
        assert_eq!(through_graph(&shard(&bad, 1)).unwrap(), Beam::Everything);
    }

    #[test]
    fn what_was_measured_is_kept_until_it_is_measured_again() {
        let folder = tempfile::tempdir().unwrap();
        let shard = shard(folder.path(), 1);
        assert_eq!(
            measured(&shard, folder.path()).unwrap(),
            Beam::Everything,
            "they are few"
        );
        std::fs::write(folder.path().join(FILE), br#"{"graph":512}"#).unwrap();
        assert_eq!(kept(&shard, folder.path()).unwrap(), GRAPH[1]);
        assert_eq!(measured(&shard, folder.path()).unwrap(), Beam::Everything);
        assert_eq!(kept(&shard, folder.path()).unwrap(), Beam::Everything);
        std::fs::write(folder.path().join(FILE), b"half").unwrap();
        assert_eq!(kept(&shard, folder.path()).unwrap(), Beam::Everything);
    }
}
