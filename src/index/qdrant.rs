//! Vectors in a Qdrant server, for corpora that outgrow one process; the same points and filters as `edge`.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePointsBuilder,
    Distance, FieldType, PointId, PointStruct, PointsIdsList, QueryPointsBuilder, Range, ScoredPoint,
    ScrollPointsBuilder, UpsertPointsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::filter;
use super::vectors::{Point, VectorStore};
use crate::error::{Error, Result};
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

/// The longest wait for one call.
const DEADLINE: Duration = Duration::from_secs(5);
/// Points of one write.
const PAGE: usize = 256;
/// Ids of one page.
const IDS_PAGE: u32 = 1_000;
/// Fetched beyond `k`, so that equal scores at the end are cut by id.
const SPARE: usize = 16;

/// The vectors of one collection in a server.
pub struct QdrantStore {
    client: Qdrant,
    collection: String,
    dimension: usize,
    /// Set once the server's collection is known to be there and to fit.
    ready: OnceCell<()>,
}

impl QdrantStore {
    /// Prepares the connection; the first call connects and makes the server's collection where it is missing.
    pub fn connect(url: &str, api_key: Option<&str>, collection: &str, dimension: usize) -> Result<Self> {
        let builder = Qdrant::from_url(url).timeout(DEADLINE).connect_timeout(DEADLINE);
        let builder = builder.api_key(api_key.map(str::to_owned)).skip_compatibility_check();
        Ok(Self {
            client: builder.build().map_err(|cause| failed(&cause))?,
            collection: collection.to_owned(),
            dimension,
            ready: OnceCell::new(),
        })
    }

    /// The client, once the server's collection is there.
    async fn client(&self) -> Result<&Qdrant> {
        self.ready.get_or_try_init(|| self.prepare()).await?;
        Ok(&self.client)
    }

    async fn prepare(&self) -> Result<()> {
        let name = &self.collection;
        if within(self.client.collection_exists(name)).await? {
            self.fits().await?;
        } else {
            let params = VectorParamsBuilder::new(self.dimension as u64, Distance::Cosine);
            let create = CreateCollectionBuilder::new(name).vectors_config(params);
            within(self.client.create_collection(create)).await?;
        }
        // Also where the collection is there: whoever made it may have got no further, and again changes nothing.
        let index = CreateFieldIndexCollectionBuilder::new(name, "principals", FieldType::Keyword).wait(true);
        within(self.client.create_field_index(index)).await?;
        Ok(())
    }

    async fn fits(&self) -> Result<()> {
        let info = within(self.client.collection_info(&self.collection)).await?;
        let params = info
            .result
            .and_then(|info| info.config)
            .and_then(|config| config.params);
        let config = params
            .and_then(|params| params.vectors_config)
            .and_then(|vectors| vectors.config);
        let (name, dimension) = (&self.collection, self.dimension);
        match config {
            Some(Config::Params(params)) if params.size == dimension as u64 => Ok(()),
            _ => Err(Error::Conflict(format!(
                "collection `{name}` of the Qdrant server does not hold vectors of {dimension} numbers; \
                 delete it there or choose another name"
            ))),
        }
    }

    async fn query(&self, query: QueryPointsBuilder) -> Result<Vec<ScoredPoint>> {
        let client = self.client().await?;
        Ok(within(client.query(query)).await?.result)
    }

    async fn find(&self, vector: Vec<f32>, filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let (relaxed, same) = filter::relax(filter);
        let asked = condition(&relaxed, reader);
        let mut limit = if same { k + SPARE } else { k * 4 + SPARE };
        loop {
            let query = QueryPointsBuilder::new(&self.collection).query(vector.clone());
            let query = query.filter(asked.clone()).limit(limit as u64).with_payload(!same);
            let found = self.query(query).await?;
            let all = found.len() < limit;
            let mut hits = Vec::with_capacity(found.len());
            for point in found {
                let score = point.score;
                let chunk = chunk_id(point.id.clone())?;
                if same || metadata(&point).is_some_and(|metadata| filter::matches(filter, &metadata)) {
                    hits.push(Hit { chunk, score });
                }
            }
            if same || all || hits.len() >= k {
                hits.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.chunk.cmp(&right.chunk)));
                hits.truncate(k);
                return Ok(hits);
            }
            limit *= 4;
        }
    }

    async fn all_ids(&self) -> Result<Vec<ChunkId>> {
        let client = self.client().await?;
        let count = within(client.count(CountPointsBuilder::new(&self.collection).exact(true))).await?;
        let mut ids = Vec::with_capacity(count.result.map_or(0, |result| result.count as usize));
        let mut offset: Option<PointId> = None;
        loop {
            let mut page = ScrollPointsBuilder::new(&self.collection).limit(IDS_PAGE);
            page = page.with_payload(false).with_vectors(false);
            if let Some(offset) = offset {
                page = page.offset(offset);
            }
            let found = within(client.scroll(page)).await?;
            for point in found.result {
                ids.push(chunk_id(point.id)?);
            }
            match found.next_page_offset {
                Some(next) => offset = Some(next),
                None => return Ok(ids),
            }
        }
    }
}

impl VectorStore for QdrantStore {
    fn upsert(&self, points: Vec<Point>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let client = self.client().await?;
            for page in points.chunks(PAGE) {
                let page = page.iter().map(persisted).collect::<Result<Vec<_>>>()?;
                within(client.upsert_points(UpsertPointsBuilder::new(&self.collection, page).wait(true))).await?;
            }
            Ok(())
        })
    }

    fn remove(&self, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let client = self.client().await?;
            for page in chunks.chunks(PAGE) {
                let ids = page.iter().map(|chunk| PointId::from(chunk.to_string())).collect();
                let delete = DeletePointsBuilder::new(&self.collection).points(PointsIdsList { ids });
                within(client.delete_points(delete.wait(true))).await?;
            }
            Ok(())
        })
    }

    fn search<'a>(
        &'a self,
        vector: Vec<f32>,
        filter: &'a Filter,
        reader: &'a Reader,
        k: usize,
    ) -> BoxFuture<'a, Result<Vec<Hit>>> {
        Box::pin(self.find(vector, filter, reader, k))
    }

    fn ids(&self) -> BoxFuture<'_, Result<Vec<ChunkId>>> {
        Box::pin(self.all_ids())
    }

    /// The server answered each write after it was applied and logged.
    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// The server optimises by itself.
    fn optimize(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// And has snapshots of its own.
    fn copy_to(&self, _: PathBuf) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// And vacuums by itself.
    fn compact(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// The client's deadline covers each request; this one covers connecting and retries, too. Boxed, since the
/// client's futures take 18 KB each.
fn within<'a, T>(
    call: impl Future<Output = std::result::Result<T, QdrantError>> + Send + 'a,
) -> BoxFuture<'a, Result<T>> {
    Box::pin(async move {
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(answer) => answer.map_err(|cause| failed(&cause)),
            Err(_) => Err(Error::Storage(
                "the Qdrant server did not answer in 5 seconds".to_owned(),
            )),
        }
    })
}

/// Statuses that only a server sends. With the others the words are the client's and may hold the URL.
/// Compared by name, since `tonic` is no dependency of the program.
const FROM_SERVER: &[&str] = &[
    "AlreadyExists",
    "FailedPrecondition",
    "InvalidArgument",
    "NotFound",
    "PermissionDenied",
    "ResourceExhausted",
    "Unauthenticated",
];

fn failed(cause: &QdrantError) -> Error {
    let mut detail = "it cannot be reached or did not answer; check its URL and that it runs".to_owned();
    if let QdrantError::ResponseError { status } = cause {
        let code = format!("{:?}", status.code());
        if FROM_SERVER.contains(&code.as_str()) {
            let words: String = status.message().chars().take(300).collect();
            detail = format!("{code}: {words}");
        }
    }
    Error::storage("the Qdrant server failed", detail)
}

fn persisted(point: &Point) -> Result<PointStruct> {
    let payload = json!({
        "metadata": point.metadata,
        "principals": filter::principal_words(&point.principals),
    });
    let payload = Payload::try_from(payload).map_err(|cause| failed(&cause))?;
    Ok(PointStruct::new(point.chunk.to_string(), point.vector.clone(), payload))
}

fn chunk_id(id: Option<PointId>) -> Result<ChunkId> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Uuid(id)) => id
            .parse()
            .map_err(|_| Error::Storage(format!("point `{id}` is not ours"))),
        _ => Err(Error::Storage(
            "the Qdrant server holds points that are not ours".to_owned(),
        )),
    }
}

fn metadata(point: &ScoredPoint) -> Option<Metadata> {
    let metadata = point.payload.get("metadata")?.clone().into_json();
    serde_json::from_value(metadata).ok()
}

fn condition(filter: &Filter, reader: &Reader) -> qdrant_client::qdrant::Filter {
    let mut must = Vec::new();
    if let Some(words) = filter::reader_words(reader) {
        must.push(Condition::matches("principals", words));
    }
    if !filter.is_empty() {
        must.push(translate(filter));
    }
    qdrant_client::qdrant::Filter::must(must)
}

fn nothing() -> Condition {
    Condition::has_id(Vec::<PointId>::new())
}

fn translate(filter: &Filter) -> Condition {
    use qdrant_client::qdrant::Filter as Part;
    let parts = |parts: &[Filter]| parts.iter().map(translate).collect::<Vec<_>>();
    match filter {
        Filter::All(all) if all.is_empty() => Part::must_not([nothing()]).into(),
        Filter::All(all) => Part::must(parts(all)).into(),
        Filter::Any(any) if any.is_empty() => nothing(),
        Filter::Any(any) => Part::should(parts(any)).into(),
        Filter::Not(part) => Part::must_not([translate(part)]).into(),
        Filter::In(field, wanted) => {
            let path = filter::path(field);
            let wanted: Vec<_> = wanted.iter().filter_map(|value| equals(&path, value)).collect();
            if wanted.is_empty() {
                nothing()
            } else {
                Part::should(wanted).into()
            }
        }
        Filter::Range(field, bounds) => {
            let float = |end: &Option<Value>| end.as_ref().and_then(Value::as_f64);
            let range = Range {
                gte: float(&bounds.gte),
                gt: float(&bounds.gt),
                lte: float(&bounds.lte),
                lt: float(&bounds.lt),
            };
            Condition::range(filter::path(field), range)
        }
        Filter::Exists(field) => Part::must_not([Condition::is_empty(filter::path(field))]).into(),
    }
}

fn equals(path: &str, value: &Value) -> Option<Condition> {
    match value {
        Value::String(text) => Some(Condition::matches(path, MatchValue::Keyword(text.clone()))),
        Value::Bool(value) => Some(Condition::matches(path, MatchValue::Boolean(*value))),
        // A match compares integers only; a range compares by value.
        Value::Number(number) => {
            let end = Some(number.as_f64()?);
            let range = Range {
                gte: end,
                lte: end,
                ..Range::default()
            };
            Some(Condition::range(path, range))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
