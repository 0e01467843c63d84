//! The vectors of a point, one or several by name, from each message to the engine's form of it.

use std::collections::HashMap;

use ::qdrant_client::qdrant::vectors::VectorsOptions;
use ::qdrant_client::qdrant::vectors_config::Config;
use ::qdrant_client::qdrant::*;
use qdrant_edge::{EdgeConfig, EdgeVectorParams, NamedQuery, VectorInternal, VectorStorageDatatype};
use tonic::Status;

use super::shards::{Answer, failed};

type EngineVector = qdrant_edge::Vector;

/// What the engine is to keep.
pub fn config(config: &Config) -> Answer<EdgeConfig> {
    let mut kept = EdgeConfig::builder();
    match config {
        Config::Params(one) => kept = kept.vector("", params(one)?),
        Config::ParamsMap(several) => {
            for (name, one) in &several.map {
                kept = kept.vector(name.clone(), params(one)?);
            }
        }
    }
    Ok(kept.build())
}

fn params(params: &VectorParams) -> Answer<EdgeVectorParams> {
    let distance = match params.distance() {
        Distance::Cosine => qdrant_edge::Distance::Cosine,
        Distance::Manhattan => qdrant_edge::Distance::Manhattan,
        other => return Err(Status::unimplemented(format!("the distance {other:?}"))),
    };
    let datatype = match params.datatype() {
        Datatype::Default | Datatype::Float32 => VectorStorageDatatype::Float32,
        Datatype::Uint8 => VectorStorageDatatype::Uint8,
        other => return Err(Status::unimplemented(format!("the datatype {other:?}"))),
    };
    let kept = EdgeVectorParams::builder(params.size as usize, distance).datatype(datatype);
    Ok(match &params.multivector_config {
        // It has one comparator, as the engine.
        Some(_) => kept
            .multivector_config(qdrant_edge::MultiVectorConfig::default())
            .build(),
        None => kept.build(),
    })
}

/// A point's vectors.
pub fn of(vectors: Option<VectorsOptions>) -> Answer<qdrant_edge::Vectors> {
    Ok(match vectors {
        Some(VectorsOptions::Vector(one)) => vector(one)?.into(),
        Some(VectorsOptions::Vectors(several)) => {
            let named = several.vectors.into_iter().map(|(name, one)| Ok((name, vector(one)?)));
            named.collect::<Answer<HashMap<String, EngineVector>>>()?.into()
        }
        None => return Err(Status::invalid_argument("a point without vectors")),
    })
}

fn vector(vector: Vector) -> Answer<EngineVector> {
    match vector.vector {
        Some(vector::Vector::Dense(dense)) => Ok(dense.data.into()),
        Some(vector::Vector::MultiDense(several)) => Ok(multi(several)?.into()),
        other => Err(Status::unimplemented(format!("the vector {other:?}"))),
    }
}

fn multi(several: MultiDenseVector) -> Answer<VectorInternal> {
    let several: Vec<Vec<f32>> = several.vectors.into_iter().map(|one| one.data).collect();
    VectorInternal::try_from(several).map_err(failed)
}

/// What is near to a vector, or to several at once, in the vectors of that name.
pub fn nearest(query: Option<Query>, using: Option<String>) -> Answer<NamedQuery<VectorInternal>> {
    let Some(query::Variant::Nearest(input)) = query.and_then(|query| query.variant) else {
        return Err(Status::unimplemented("another query than for the nearest"));
    };
    let query = match input.variant {
        Some(vector_input::Variant::Dense(dense)) => VectorInternal::Dense(dense.data),
        Some(vector_input::Variant::MultiDense(several)) => multi(several)?,
        other => return Err(Status::unimplemented(format!("the query {other:?}"))),
    };
    Ok(NamedQuery { query, using })
}
