//! Qdrant's own engine in process. Exact search while small; writes are durable after `flush`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use qdrant_edge::external::serde_json::{self, Value, json};
use qdrant_edge::{
    DEFAULT_VECTOR_NAME, Distance, EdgeConfigBuilder, EdgeShard, EdgeVectorParamsBuilder, NamedQuery, PointId,
    PointInsertOperations, PointOperations, PointStruct, QueryEnum, ScrollRequest, SearchParams, SearchRequest,
    UpdateOperation, WithPayloadInterface, WithVector,
};

use crate::error::{Error, Result};
use crate::index::filter::matches;
use crate::index::vectors::{Point, VectorStore};
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

/// Points of one page of the sweep.
const PAGE: usize = 10_000;
/// Stands for everyone in a point's principals.
const PUBLIC: &str = "*";

/// One collection's vectors in a folder.
pub struct EdgeStore {
    shard: Arc<EdgeShard>,
    /// The engine's flush refuses to run beside a write.
    writing: Arc<Mutex<()>>,
}

impl EdgeStore {
    /// Opens or makes the shard in `folder` for vectors of `dimension`.
    pub fn open(folder: &Path, dimension: usize) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::storage("cannot make the vector folder", error))?;
        let shard = if folder.join("segments").is_dir() {
            EdgeShard::load(folder, None)
        } else {
            let vector = EdgeVectorParamsBuilder::new(dimension, Distance::Cosine).build();
            EdgeShard::new(
                folder,
                EdgeConfigBuilder::new().vector(DEFAULT_VECTOR_NAME, vector).build(),
            )
        };
        let shard = shard.map_err(|error| Error::storage("cannot open the vectors", error))?;
        Ok(Self {
            shard: Arc::new(shard),
            writing: Arc::default(),
        })
    }

    fn write(&self, operation: PointOperations) -> BoxFuture<'_, Result<()>> {
        self.work(move |shard| {
            shard
                .update(UpdateOperation::PointOperation(operation))
                .map_err(|error| Error::storage("cannot write vectors", error))
        })
    }

    /// Runs a write on a blocking thread, one at a time.
    fn work(&self, work: impl FnOnce(&EdgeShard) -> Result<()> + Send + 'static) -> BoxFuture<'_, Result<()>> {
        let (shard, writing) = (self.shard.clone(), self.writing.clone());
        Box::pin(off(move || {
            let _one = writing
                .lock()
                .map_err(|_| Error::Internal("a vector write broke".into()))?;
            work(&shard)
        }))
    }
}

impl VectorStore for EdgeStore {
    fn upsert(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        let points = points.into_iter().map(|point| {
            let mut principals = point.principals;
            if principals.is_empty() {
                principals.push(PUBLIC.to_owned());
            }
            let payload = json!({ "metadata": point.metadata, "principals": principals });
            PointStruct::new(PointId::Uuid(point.chunk.0), point.vector, payload).into()
        });
        self.write(PointOperations::UpsertPoints(PointInsertOperations::PointsList(
            points.collect(),
        )))
    }

    fn remove(&self, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<()>> {
        self.write(PointOperations::DeletePoints {
            ids: chunks.into_iter().map(|chunk| PointId::Uuid(chunk.0)).collect(),
        })
    }

    fn search<'a>(
        &'a self,
        vector: Vec<f32>,
        filter: &'a Filter,
        reader: &'a Reader,
        k: usize,
    ) -> BoxFuture<'a, Result<Vec<Hit>>> {
        let (shard, filter, reader) = (self.shard.clone(), filter.clone(), reader.clone());
        Box::pin(off(move || search(&shard, &vector, &filter, &reader, k)))
    }

    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>> {
        let shard = self.shard.clone();
        Box::pin(off(move || ids(&shard)))
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        self.work(|shard| {
            shard.flush();
            Ok(())
        })
    }

    fn optimize(&self) -> BoxFuture<'_, Result<()>> {
        let shard = self.shard.clone();
        Box::pin(off(move || {
            shard
                .optimize()
                .map(|_| ())
                .map_err(|error| Error::storage("cannot optimise the vectors", error))
        }))
    }
}

fn search(shard: &EdgeShard, vector: &[f32], filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
    let condition = condition(filter, reader);
    let mut fetch = if filter.is_empty() { k } else { k * 4 };
    loop {
        let request = SearchRequest {
            query: QueryEnum::Nearest(NamedQuery::default_dense(vector.to_vec())),
            filter: condition.clone(),
            params: Some(SearchParams {
                hnsw_ef: Some(128),
                ..SearchParams::default()
            }),
            limit: fetch,
            offset: 0,
            with_payload: Some(WithPayloadInterface::Bool(!filter.is_empty())),
            with_vector: Some(WithVector::Bool(false)),
            score_threshold: None,
        };
        let found = shard
            .search(request)
            .map_err(|error| Error::storage("the vector search failed", error))?;
        let exhausted = found.len() < fetch;
        let mut hits = Vec::with_capacity(k);
        for point in found {
            let admitted = filter.is_empty()
                || point
                    .payload
                    .as_ref()
                    .is_some_and(|payload| matches(filter, &metadata_of(payload.0.get("metadata"))));
            if let (true, Some(chunk)) = (admitted, chunk_id(&point.id.to_string())) {
                hits.push(Hit {
                    chunk,
                    score: point.score,
                });
            }
        }
        if hits.len() >= k || exhausted {
            // Ties go to the smaller id, so the order never wavers.
            hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
            hits.truncate(k);
            return Ok(hits);
        }
        fetch *= 8;
    }
}

/// What the engine can check itself: principals and equality. Ranges are checked on what comes back.
fn condition(filter: &Filter, reader: &Reader) -> Option<qdrant_edge::Filter> {
    let mut must = Vec::new();
    if let Reader::Principals(mine) = reader {
        let mut any = mine.clone();
        any.push(PUBLIC.to_owned());
        must.push(json!({ "key": "principals", "match": { "any": any } }));
    }
    if let Filter::All(parts) = filter {
        must.extend(parts.iter().filter_map(equality));
    }
    must.extend(equality(filter));
    if must.is_empty() {
        return None;
    }
    serde_json::from_value(json!({ "must": must })).ok()
}

fn equality(filter: &Filter) -> Option<Value> {
    let Filter::In(field, wanted) = filter else { return None };
    let plain = field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let strings = wanted.iter().all(Value::is_string);
    (plain && strings).then(|| json!({ "key": format!("metadata.{field}"), "match": { "any": wanted } }))
}

fn metadata_of(value: Option<&Value>) -> Metadata {
    value
        .and_then(|value| serde_json::from_value(value.clone()).ok())
        .unwrap_or_default()
}

fn chunk_id(text: &str) -> Option<ChunkId> {
    text.parse().ok()
}

fn ids(shard: &EdgeShard) -> Result<Vec<ChunkId>> {
    let mut ids = Vec::new();
    let mut offset = None;
    loop {
        let request = ScrollRequest {
            offset,
            limit: Some(PAGE),
            filter: None,
            with_payload: Some(WithPayloadInterface::Bool(false)),
            with_vector: WithVector::Bool(false),
            order_by: None,
        };
        let (records, next) = shard
            .scroll(request)
            .map_err(|error| Error::storage("cannot list the vectors", error))?;
        ids.extend(records.iter().filter_map(|record| chunk_id(&record.id.to_string())));
        match next {
            Some(next) => offset = Some(next),
            None => return Ok(ids),
        }
    }
}

async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::Internal(format!("the vector engine stopped: {error}"))),
    }
}
