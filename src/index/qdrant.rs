//! Vectors in a Qdrant server, for corpora that outgrow one process; the same points and filters as `edge`.

mod condition;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, DeletePointsBuilder, Distance,
    FieldType, PointId, PointStruct, PointsIdsList, QueryBatchPointsBuilder, QueryPointsBuilder, ScoredPoint,
    ScrollPointsBuilder, UpsertPointsBuilder, VectorParamsBuilder, Vectors,
};
use qdrant_client::{Payload, Qdrant, QdrantError};
use serde_json::json;
use tokio::sync::OnceCell;

use super::filter;
use super::tokens::Sketch;
use super::vectors::{Point, VectorStore};
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::types::{ChunkId, Filter, Hit, Metadata, Reader};

/// The longest wait for one call.
const DEADLINE: Duration = Duration::from_secs(5);
/// Points of one write.
const PAGE: usize = 256;
/// Points of one write with their tokens, of which one may have some hundreds, a kilobyte each on the way.
const PAGE_WITH_TOKENS: usize = 16;
/// Ids of one page.
const IDS_PAGE: u32 = 1_000;
/// Fetched beyond `k`, so that equal scores at the end are cut by id.
const SPARE: usize = 16;

/// A server, and what it keeps.
pub struct Server {
    /// Where it answers gRPC.
    pub url: String,
    /// Its key.
    pub api_key: Option<Secret>,
    /// Whether it keeps the chunks' tokens, too, and compares them.
    pub tokens: bool,
}

/// The vectors of one collection in a server.
pub struct QdrantStore {
    client: Qdrant,
    collection: String,
    dimension: usize,
    tokens: bool,
    /// Set once the server's collection is known to be there and to fit.
    ready: OnceCell<()>,
}

impl QdrantStore {
    /// Prepares the connection; the first call connects and makes the server's collection where it is missing.
    pub fn connect(server: &Server, collection: &str, dimension: usize) -> Result<Self> {
        let builder = Qdrant::from_url(&server.url).timeout(DEADLINE);
        let key = server.api_key.as_ref().map(|key| key.expose().to_owned());
        let builder = builder
            .connect_timeout(DEADLINE)
            .api_key(key)
            .skip_compatibility_check();
        Ok(Self {
            client: builder.build().map_err(|cause| failed(&cause))?,
            collection: collection.to_owned(),
            dimension,
            tokens: server.tokens,
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
            let create = CreateCollectionBuilder::new(name);
            let create = if self.tokens {
                create.vectors_config(tokens::kept(params))
            } else {
                create.vectors_config(params)
            };
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
        let fits = if self.tokens {
            tokens::fits(config.as_ref(), dimension)
        } else {
            matches!(config, Some(Config::Params(params)) if params.size == dimension as u64)
        };
        if fits {
            return Ok(());
        }
        let beside = if self.tokens { " and tokens" } else { "" };
        Err(Error::Conflict(format!(
            "collection `{name}` of the Qdrant server does not hold vectors of {dimension} numbers{beside}; \
             delete it there or choose another name"
        )))
    }

    fn point(&self, point: &Point) -> Result<PointStruct> {
        let payload = json!({
            "metadata": point.metadata,
            "principals": filter::principal_words(&point.principals),
        });
        let payload = Payload::try_from(payload).map_err(|cause| failed(&cause))?;
        let vectors: Vectors = if self.tokens {
            tokens::vectors(point).into()
        } else {
            point.vector.clone().into()
        };
        Ok(PointStruct::new(point.chunk.to_string(), vectors, payload))
    }

    async fn compared(&self, question: Vec<Sketch>, chunks: Vec<ChunkId>) -> Result<Vec<Option<Vec<u32>>>> {
        if !self.tokens || question.is_empty() || chunks.is_empty() {
            return Ok(vec![None; chunks.len()]);
        }
        let client = self.client().await?;
        let queries = tokens::queries(&self.collection, &question, &chunks);
        let batch = QueryBatchPointsBuilder::new(&self.collection, queries);
        let answers = within(client.query_batch(batch)).await?.result;
        if answers.len() != question.len() {
            return Err(Error::Storage(
                "the Qdrant server did not answer to each token".to_owned(),
            ));
        }
        tokens::differences(answers, &chunks)
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
        let asked = condition::of(&relaxed, reader);
        let mut limit = if same { k + SPARE } else { k * 4 + SPARE };
        loop {
            let query = QueryPointsBuilder::new(&self.collection).query(vector.clone());
            let query = query.filter(asked.clone()).limit(limit as u64).with_payload(!same);
            let query = if self.tokens {
                query.using(tokens::VECTOR)
            } else {
                query
            };
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
            let page = if self.tokens { PAGE_WITH_TOKENS } else { PAGE };
            for page in points.chunks(page) {
                let page = page.iter().map(|point| self.point(point)).collect::<Result<Vec<_>>>()?;
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

    fn keeps_tokens(&self) -> bool {
        self.tokens
    }

    fn differences(&self, question: Vec<Sketch>, chunks: Vec<ChunkId>) -> BoxFuture<'_, Result<Vec<Option<Vec<u32>>>>> {
        Box::pin(self.compared(question, chunks))
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

/// The collection was there when it was looked at.
const EMPTIED: &str = "; if it was emptied or restored, start Portolan again: the next `portolan index` fills it";

fn failed(cause: &QdrantError) -> Error {
    let mut detail = "it cannot be reached or did not answer; check its URL and that it runs".to_owned();
    if let QdrantError::ResponseError { status } = cause {
        let code = format!("{:?}", status.code());
        if FROM_SERVER.contains(&code.as_str()) {
            let words: String = status.message().chars().take(300).collect();
            detail = format!("{code}: {words}");
            if code == "NotFound" {
                detail.push_str(EMPTIED);
            }
        }
    }
    Error::storage("the Qdrant server failed", detail)
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
