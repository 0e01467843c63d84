//! How far a search for the nearest vectors must look, measured on the vectors that are there.

use std::collections::HashSet;
use std::path::Path;

use qdrant_edge::{EdgeShard, PointId, ScrollRequest, VectorStructInternal, WithPayloadInterface, WithVector};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bits::Bits;
use super::{among, failed, request, settings};
use crate::error::Result;
use crate::index::durable;

/// The vectors that are asked for their neighbours.
const SAMPLE: u128 = 48;
/// What is fetched for each, as much as a search does: the engine scores so many again by the originals.
const FETCHED: usize = 100;
/// Of these the nearest, which the search must find.
const NEAREST: usize = 10;
/// The share of them that is enough, on average.
const ENOUGH: f64 = 0.98;
/// Measured anew when there are so many times the points.
const GROWN: usize = 2;

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
    /// What the short form of each vector proposes; there is no graph.
    Bits,
    /// The bytes of each vector; there is no graph.
    Scan,
    /// Each vector as it was given.
    Exact,
}

/// A beam, and how many points there were when it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Measured {
    pub beam: Beam,
    points: usize,
}

impl Measured {
    /// That of the shard in `folder`; where nothing was measured yet, what texts need.
    pub fn of(folder: &Path) -> Self {
        let kept = std::fs::read(folder.join(FILE)).ok();
        let kept = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
        kept.unwrap_or(Self {
            beam: GRAPH[0],
            points: 0,
        })
    }

    /// Optimises the shard, with a graph where the graph finds the neighbours; none where nothing was measured.
    pub fn optimize(self, shard: &EdgeShard, folder: &Path) -> Result<Option<(Self, Option<Bits>)>> {
        let points = shard.info().points_count;
        if points < settings::EXACT_BELOW || points < GROWN * self.points {
            shard.optimize().map_err(failed)?;
            return Ok(None);
        }
        build(shard, GRAPH[0])?;
        let (beam, bits) = cheapest(shard, folder)?;
        if !matches!(beam, Beam::Graph(_)) {
            build(shard, beam)?;
        }
        if let Some(bits) = &bits {
            bits.keep(folder)?;
        }
        let measured = Self { beam, points };
        let kept = serde_json::to_vec(&measured).map_err(failed)?;
        durable::write(&folder.join(FILE), &kept).map_err(failed)?;
        Ok(Some((measured, bits)))
    }

    /// The short forms of the shard's vectors, where searches begin with them.
    pub fn bits(self, shard: &EdgeShard, folder: &Path) -> Result<Option<Bits>> {
        (self.beam == Beam::Bits).then(|| Bits::of(shard, folder)).transpose()
    }
}

fn build(shard: &EdgeShard, beam: Beam) -> Result<()> {
    let graph = settings::graph(beam, shard.config().hnsw_config);
    shard.set_hnsw_config(graph).map_err(failed)?;
    shard.set_vector_hnsw_config("", graph).map_err(failed)?;
    shard.optimize().map(|_| ()).map_err(failed)
}

/// The cheapest beam that finds enough of the neighbours of a sample.
fn cheapest(shard: &EdgeShard, folder: &Path) -> Result<(Beam, Option<Bits>)> {
    let sample = sample(shard)?;
    for beam in GRAPH {
        if recall(&sample, |asked| nearest(shard, asked, beam))? >= ENOUGH {
            return Ok((beam, None));
        }
    }
    let bits = Bits::of(shard, folder)?;
    let found = recall(&sample, |asked| {
        let proposed = bits.nearest(asked, FETCHED);
        let found = among(shard, proposed, &request(asked, None, NEAREST, Beam::Exact))?;
        Ok(found.into_iter().map(|point| point.id).collect())
    })?;
    Ok(if found >= ENOUGH {
        (Beam::Bits, Some(bits))
    } else {
        (Beam::Scan, None)
    })
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
                let nearest = nearest(shard, &vector, Beam::Exact)?;
                sample.push(Asked { vector, nearest });
            }
        }
    }
    Ok(sample)
}

fn nearest(shard: &EdgeShard, vector: &[f32], beam: Beam) -> Result<HashSet<PointId>> {
    let found = shard.query(request(vector, None, FETCHED, beam)).map_err(failed)?;
    Ok(found.into_iter().take(NEAREST).map(|point| point.id).collect())
}

fn recall(sample: &[Asked], find: impl Fn(&[f32]) -> Result<HashSet<PointId>>) -> Result<f64> {
    let mut found = 0;
    let mut wanted = 0;
    for asked in sample {
        found += find(&asked.vector)?.intersection(&asked.nearest).count();
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

    /// Vectors spread evenly around a point on the diagonal, in a graph with so many links a point.
    fn shard(folder: &Path, links: usize, around: f32) -> EdgeShard {
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
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5 + around
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
    fn the_cheapest_way_that_finds_the_neighbours_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, links: usize, around: f32, expected: Beam| {
            let folder = folder.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let shard = shard(&folder, links, around);
            let (beam, bits) = cheapest(&shard, &folder).unwrap();
            assert_eq!((beam, bits.is_some()), (expected, expected == Beam::Bits), "{name}");
            shard
        };
        check("good graph", 16, 0.0, GRAPH[0]);
        check("few links", 1, 0.0, Beam::Bits);
        let shard = check(
            "few links, and all so near that bytes are the same",
            1,
            200.0,
            Beam::Scan,
        );
        build(&shard, Beam::Scan).unwrap();
        let found = recall(&sample(&shard).unwrap(), |asked| nearest(&shard, asked, Beam::Scan)).unwrap();
        assert!(
            (found - 1.0).abs() < f64::EPSILON,
            "there is no graph any more: {found}"
        );
    }

    #[test]
    fn what_was_measured_is_kept_until_there_is_much_more() {
        let folder = tempfile::tempdir().unwrap();
        let shard = shard(folder.path(), 1, 0.0);
        let fresh = Measured::of(folder.path());
        assert_eq!(fresh.beam, GRAPH[0]);
        assert!(fresh.optimize(&shard, folder.path()).unwrap().is_none(), "they are few");
        let measured = Measured {
            beam: Beam::Scan,
            points: 30_000,
        };
        std::fs::write(folder.path().join(FILE), serde_json::to_vec(&measured).unwrap()).unwrap();
        assert_eq!(Measured::of(folder.path()), measured);
        std::fs::write(folder.path().join(FILE), b"half").unwrap();
        assert_eq!(Measured::of(folder.path()), fresh);
    }
}
