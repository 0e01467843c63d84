//! Vectors in this process: qdrant-edge in a folder of its own.

mod beam;
mod bits;
mod condition;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::future::BoxFuture;
use qdrant_edge::{
    Condition, EdgeShard, HasIdCondition, NamedQuery, PointId, PointInsertOperations, PointOperations, PointStruct,
    QueryEnum, QueryRequest, ScoredPoint, ScoringQuery, ScrollRequest, UpdateOperation, WithPayloadInterface,
    WithVector,
};
use serde_json::json;

use self::beam::{Beam, Measured};
use self::bits::Bits;
use super::tokens::Sketch;
use super::vectors::{Point, VectorStore};
use super::work::blocking;
use super::{copy, filter, room};
use crate::error::{Error, Result};
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

/// Points of one write, and of one page of ids.
const PAGE: usize = 1_000;
/// Fetched beyond `k`, so that equal scores at the end are cut by id.
const SPARE: usize = 16;
/// Proposed beyond `k`, for those that are removed meanwhile.
const FEW: usize = 4;
/// So many are proposed for each that is wanted where a filter admits some only.
const FILTERED: usize = 4;

/// The vectors of one collection in a folder.
#[derive(Clone)]
pub struct EdgeStore {
    inner: Arc<Inner>,
}

struct Inner {
    shard: Arc<EdgeShard>,
    folder: PathBuf,
    /// How many points there are; counting them takes longer than searching few.
    points: AtomicUsize,
    /// How far a search looks where there are many points.
    beam: RwLock<Measured>,
    /// What a search begins with where no graph finds the neighbours.
    bits: RwLock<Option<Bits>>,
    /// Held by writes, flushes and optimising, which take turns: the engine's `flush` panics when a write is under way.
    fields: Mutex<settings::Fields>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.folder.exists() {
            // The engine flushes when it is dropped, and a flush into a folder that was deleted ends the process.
            std::mem::forget(Arc::clone(&self.shard));
        }
    }
}

impl EdgeStore {
    /// Opens the vectors in `folder`, or makes an empty set of that dimension.
    pub async fn open(folder: &Path, dimension: usize) -> Result<Self> {
        let (folder, place) = (folder.to_owned(), folder.to_owned());
        let (shard, beam, bits) = blocking(move || {
            let beam = Measured::of(&place);
            let shard = open(&place, dimension, beam.beam)?;
            let bits = beam.bits(&shard, &place)?;
            Ok((Arc::new(shard), RwLock::new(beam), RwLock::new(bits)))
        })
        .await?;
        let info = shard.info();
        Ok(Self {
            inner: Arc::new(Inner {
                shard,
                folder,
                points: AtomicUsize::new(info.points_count),
                beam,
                bits,
                fields: Mutex::new(settings::Fields::new(info.payload_schema.into_keys())),
            }),
        })
    }

    async fn write(
        &self,
        work: impl FnOnce(&Inner, &mut settings::Fields) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let mut fields = inner.fields.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = work(&inner, &mut fields);
            inner.points.store(inner.shard.info().points_count, Ordering::Relaxed);
            outcome
        })
        .await
    }
}

impl VectorStore for EdgeStore {
    fn upsert(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(move |inner, fields| {
            room::check(&inner.folder)?;
            for operation in fields.missing(&points)? {
                inner.shard.update(operation).map_err(failed)?;
            }
            if let Some(bits) = &mut *inner.bits.write().unwrap_or_else(PoisonError::into_inner) {
                bits.add(points.iter().map(|point| (point.chunk, &point.vector[..])))?;
            }
            let mut points = points.into_iter().map(persisted).peekable();
            while points.peek().is_some() {
                // Not only at the beginning: a page takes megabytes.
                room::check(&inner.folder)?;
                let page = points.by_ref().take(PAGE).map(Into::into).collect();
                let insert = PointInsertOperations::PointsList(page);
                update(&inner.shard, PointOperations::UpsertPoints(insert))?;
            }
            Ok(())
        }))
    }

    fn remove(&self, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(move |inner, _| {
            if let Some(bits) = &mut *inner.bits.write().unwrap_or_else(PoisonError::into_inner) {
                bits.remove(&chunks.iter().copied().collect());
            }
            for page in chunks.chunks(PAGE) {
                let ids = page.iter().map(|chunk| PointId::Uuid(chunk.0)).collect();
                update(&inner.shard, PointOperations::DeletePoints { ids })?;
            }
            Ok(())
        }))
    }

    fn search<'a>(
        &'a self,
        vector: Vec<f32>,
        filter: &'a Filter,
        reader: &'a Reader,
        k: usize,
    ) -> BoxFuture<'a, Result<Vec<Hit>>> {
        let (inner, filter, reader) = (Arc::clone(&self.inner), filter.clone(), reader.clone());
        Box::pin(blocking(move || inner.search(&vector, &filter, &reader, k)))
    }

    /// They are compared where they lie, beside tantivy.
    fn keeps_tokens(&self) -> bool {
        false
    }

    fn differences(&self, _: Vec<Sketch>, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<Vec<Option<Vec<u32>>>>> {
        Box::pin(async move { Ok(vec![None; chunks.len()]) })
    }

    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(blocking(move || ids(&inner.shard)))
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(|inner, _| {
            inner.shard.flush();
            Ok(())
        }))
    }

    fn copy_to(&self, folder: PathBuf) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(move |inner, _| {
            inner.shard.flush();
            copy::folder(&inner.folder, &folder).map_err(failed)
        }))
    }

    fn optimize(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(move |inner, _| {
            if let Some((measured, bits)) = inner.beam().optimize(&inner.shard, &inner.folder)? {
                *inner.bits.write().unwrap_or_else(PoisonError::into_inner) = bits;
                *inner.beam.write().unwrap_or_else(PoisonError::into_inner) = measured;
            } else if let Some(bits) = &*inner.bits.read().unwrap_or_else(PoisonError::into_inner) {
                bits.keep(&inner.folder)?;
            }
            Ok(())
        }))
    }

    fn compact(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(|Inner { shard, .. }, _| {
            if shard.info().points_count >= settings::EXACT_BELOW {
                // Its graph would be built anew for each point; `optimize` does that for a fifth of them.
                return Ok(());
            }
            let usual = shard.config().optimizers.clone();
            shard.set_optimizers_config(settings::eager(&usual)).map_err(failed)?;
            let compacted = shard.optimize();
            shard.set_optimizers_config(usual).map_err(failed)?;
            compacted.map(|_| ()).map_err(failed)
        }))
    }
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::storage("the vectors failed", cause)
}

fn open(folder: &Path, dimension: usize, beam: Beam) -> Result<EdgeShard> {
    std::fs::create_dir_all(folder).map_err(failed)?;
    let config = settings::config(dimension, beam);
    let made = folder.join("edge_config.json").exists();
    let shard = if made {
        settings::trim_log(folder).map_err(failed)?;
        EdgeShard::load(folder, Some(config))
    } else {
        room::check(folder)?;
        EdgeShard::new(folder, config)
    };
    shard.map_err(failed)
}

fn persisted(point: Point) -> PointStruct {
    let payload = json!({
        "metadata": point.metadata,
        "principals": filter::principal_words(&point.principals),
    });
    PointStruct::new(PointId::Uuid(point.chunk.0), point.vector, payload)
}

fn update(shard: &EdgeShard, operation: PointOperations) -> Result<()> {
    shard.update(UpdateOperation::PointOperation(operation)).map_err(failed)
}

impl Inner {
    fn beam(&self) -> Measured {
        *self.beam.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn search(&self, vector: &[f32], filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
        let points = self.points.load(Ordering::Relaxed);
        if k == 0 || points == 0 {
            return Ok(Vec::new());
        }
        let (relaxed, same) = filter::relax(filter);
        let beam = if points < settings::EXACT_BELOW {
            Beam::Exact
        } else {
            self.beam().beam
        };
        let limit = if same { k + SPARE } else { k * 4 + SPARE };
        let mut asked = QueryRequest {
            with_payload: WithPayloadInterface::Bool(!same),
            ..request(vector, condition::of(&relaxed, reader)?, limit, beam)
        };
        let unchecked = (!same).then_some(filter);
        let all = same && asked.filter.is_none();
        let wanted = if all { k + FEW } else { k * FILTERED };
        if beam == Beam::Bits
            && let Some(proposed) = self.proposed(vector, wanted)
        {
            let hits = admitted(among(&self.shard, proposed, &asked)?, unchecked)?;
            if hits.len() >= k {
                return Ok(best(hits, k));
            }
        }
        loop {
            let found = self.shard.query(asked.clone()).map_err(failed)?;
            let all = found.len() < asked.limit || asked.limit >= points;
            let hits = admitted(found, unchecked)?;
            if same || all || hits.len() >= k {
                return Ok(best(hits, k));
            }
            asked.limit = (asked.limit * 4).min(points);
        }
    }

    fn proposed(&self, vector: &[f32], k: usize) -> Option<Vec<ChunkId>> {
        let bits = self.bits.read().unwrap_or_else(PoisonError::into_inner);
        Some(bits.as_ref()?.nearest(vector, k))
    }
}

/// What `filter`, where one is left to check, admits.
fn admitted(found: Vec<ScoredPoint>, filter: Option<&Filter>) -> Result<Vec<Hit>> {
    let mut hits = Vec::with_capacity(found.len());
    for point in found {
        if filter.is_none_or(|filter| metadata(&point).is_some_and(|metadata| filter::matches(filter, &metadata))) {
            hits.push(hit(&point)?);
        }
    }
    Ok(hits)
}

fn best(mut hits: Vec<Hit>, k: usize) -> Vec<Hit> {
    hits.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.chunk.cmp(&right.chunk)));
    hits.truncate(k);
    hits
}

/// What is asked for, of these chunks only, by the vectors as they were given.
fn among(shard: &EdgeShard, chunks: Vec<ChunkId>, asked: &QueryRequest) -> Result<Vec<ScoredPoint>> {
    let ids: HasIdCondition = chunks.into_iter().map(|chunk| PointId::Uuid(chunk.0)).collect();
    let among = qdrant_edge::Filter::new_must(Condition::HasId(ids));
    let filter = match &asked.filter {
        Some(filter) => among.merge(filter),
        None => among,
    };
    let request = QueryRequest {
        filter: Some(filter),
        params: Some(settings::search(Beam::Exact)),
        ..asked.clone()
    };
    shard.query(request).map_err(failed)
}

fn request(vector: &[f32], filter: Option<qdrant_edge::Filter>, limit: usize, beam: Beam) -> QueryRequest {
    let nearest = QueryEnum::Nearest(NamedQuery::default_dense(vector.to_owned()));
    QueryRequest {
        prefetches: Vec::new(),
        query: Some(ScoringQuery::Vector(nearest)),
        filter,
        score_threshold: None,
        limit,
        offset: 0,
        params: Some(settings::search(beam)),
        with_vector: WithVector::Bool(false),
        with_payload: WithPayloadInterface::Bool(false),
    }
}

fn chunk_id(id: PointId) -> Result<ChunkId> {
    match id {
        PointId::Uuid(id) => Ok(ChunkId(id)),
        PointId::NumId(number) => Err(failed(format!("point {number} is not ours"))),
    }
}

fn hit(point: &ScoredPoint) -> Result<Hit> {
    Ok(Hit {
        chunk: chunk_id(point.id)?,
        score: point.score,
    })
}

fn metadata(point: &ScoredPoint) -> Option<Metadata> {
    let metadata = point.payload.as_ref()?.0.get("metadata")?;
    serde_json::from_value(metadata.clone()).ok()
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
        let (page, next) = shard.scroll(request).map_err(failed)?;
        for record in page {
            ids.push(chunk_id(record.id)?);
        }
        match next {
            Some(next) => offset = Some(next),
            None => return Ok(ids),
        }
    }
}
