//! The tokens of chunks in a Qdrant server: a multivector beside each vector, a byte for each bit of a sketch, so that the
//! Manhattan distance of two is in how many bits they differ.

use std::collections::{BTreeMap, HashMap};

use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    BatchResult, Condition, Datatype, Distance, Filter, HnswConfigDiffBuilder, MultiVectorComparator,
    MultiVectorConfigBuilder, NamedVectors, PointId, QueryPoints, QueryPointsBuilder, Vector, VectorParams,
    VectorParamsBuilder, VectorsConfigBuilder,
};

use super::chunk_id;
use crate::error::Result;
use crate::index::tokens::{BITS, Sketch};
use crate::index::vectors::Point;
use crate::types::ChunkId;

/// The name of a chunk's vector, where tokens stand beside it.
pub(super) const VECTOR: &str = "vector";
/// And theirs.
const TOKENS: &str = "tokens";

/// What the server is to keep of a chunk. Tokens are read of a few chunks a question and never searched, so they need no
/// graph and no memory.
pub(super) fn kept(vector: VectorParamsBuilder) -> VectorsConfigBuilder {
    let tokens = VectorParamsBuilder::new(BITS as u64, Distance::Manhattan)
        .datatype(Datatype::Uint8)
        .multivector_config(MultiVectorConfigBuilder::new(MultiVectorComparator::MaxSim))
        .hnsw_config(HnswConfigDiffBuilder::default().m(0))
        .on_disk(true);
    let mut kept = VectorsConfigBuilder::default();
    kept.add_named_vector_params(VECTOR, vector);
    kept.add_named_vector_params(TOKENS, tokens);
    kept
}

/// Whether a collection of the server keeps that, with vectors of so many numbers.
pub(super) fn fits(config: Option<&Config>, dimension: usize) -> bool {
    let Some(Config::ParamsMap(kept)) = config else {
        return false;
    };
    let vector = |params: &VectorParams| params.size == dimension as u64 && params.multivector_config.is_none();
    let tokens = |params: &VectorParams| params.size == BITS as u64 && params.multivector_config.is_some();
    kept.map.get(VECTOR).is_some_and(vector) && kept.map.get(TOKENS).is_some_and(tokens)
}

/// A chunk's vector and tokens; the server takes no multivector of nothing.
pub(super) fn vectors(point: &Point) -> NamedVectors {
    let mut vectors = HashMap::from([(VECTOR.to_owned(), Vector::from(point.vector.clone()))]);
    if !point.tokens.is_empty() {
        let tokens: Vec<Vec<f32>> = point.tokens.iter().map(bits).collect();
        vectors.insert(TOKENS.to_owned(), Vector::from(tokens));
    }
    NamedVectors { vectors }
}

/// Each token alone among those of `chunks`: the server adds distances up, and what they tell is no sum of them.
pub(super) fn queries(collection: &str, question: &[Sketch], chunks: &[ChunkId]) -> Vec<QueryPoints> {
    let ids = chunks.iter().map(|chunk| PointId::from(chunk.to_string()));
    let among = Filter::must([Condition::has_id(ids)]);
    let query = |token: &Sketch| {
        let query = QueryPointsBuilder::new(collection)
            .query(vec![bits(token)])
            .using(TOKENS);
        let query = query.filter(among.clone()).limit(chunks.len() as u64);
        query.with_payload(false).into()
    };
    question.iter().map(query).collect()
}

/// What was answered to each token, by chunk.
pub(super) fn differences(answers: Vec<BatchResult>, chunks: &[ChunkId]) -> Result<Vec<Option<Vec<u32>>>> {
    let tokens = answers.len();
    let mut differences = BTreeMap::<ChunkId, Vec<u32>>::new();
    for answer in answers {
        for point in answer.result {
            let differing = point.score.abs().round() as u32;
            differences.entry(chunk_id(point.id)?).or_default().push(differing);
        }
    }
    // A chunk that came or went between two tokens has no answer to some of them.
    let whole = |chunk: &ChunkId| differences.get(chunk).filter(|differing| differing.len() == tokens);
    Ok(chunks.iter().map(|chunk| whole(chunk).cloned()).collect())
}

fn bits(sketch: &Sketch) -> Vec<f32> {
    let bit = |at: usize| (sketch[at / 64] >> (at % 64) & 1) as f32;
    (0..BITS).map(bit).collect()
}
