//! What the double holds: an embedded shard a collection, and the translation of each message to it and back.

use std::collections::BTreeMap;
use std::sync::Mutex;

use ::qdrant_client::Payload;
use ::qdrant_client::qdrant::condition::ConditionOneOf;
use ::qdrant_client::qdrant::r#match::MatchValue;
use ::qdrant_client::qdrant::point_id::PointIdOptions;
use ::qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use ::qdrant_client::qdrant::vectors_config::Config;
use ::qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use ::qdrant_client::qdrant::*;
use qdrant_edge::{EdgeShard, FieldIndexOperations, PointInsertOperations};
use qdrant_edge::{PointOperations, UpdateOperation, WithPayloadInterface, WithVector};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::Status;

use super::vectors;

pub type Answer<T> = Result<T, Status>;

/// What a server takes where no limit is named.
const LIMIT: usize = 10;

pub struct Shards {
    /// Shards with the parameters they were made with. Before `folder`, since they flush when they are dropped.
    open: Mutex<BTreeMap<String, (EdgeShard, Config)>>,
    folder: TempDir,
    /// The end of the path of a call, and what it is answered with.
    pub refusal: Mutex<Option<(&'static str, Status)>>,
}

impl Default for Shards {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
            folder: tempfile::tempdir().unwrap(),
            refusal: Mutex::default(),
        }
    }
}

impl Shards {
    #[expect(clippy::unnecessary_wraps, reason = "every call is answered alike")]
    pub fn exists(&self, asked: CollectionExistsRequest) -> Answer<CollectionExistsResponse> {
        let name = asked.collection_name;
        let exists = self.open.lock().unwrap().contains_key(&name);
        Ok(CollectionExistsResponse {
            result: Some(CollectionExists { exists }),
            ..CollectionExistsResponse::default()
        })
    }

    pub fn get(&self, asked: GetCollectionInfoRequest) -> Answer<GetCollectionInfoResponse> {
        let name = asked.collection_name;
        let config = self.on(&name, |_, config| Ok(config.clone()))?;
        let params = CollectionParams {
            vectors_config: Some(config.into()),
            ..CollectionParams::default()
        };
        let config = CollectionConfig {
            params: Some(params),
            ..CollectionConfig::default()
        };
        let info = CollectionInfo {
            config: Some(config),
            ..CollectionInfo::default()
        };
        Ok(GetCollectionInfoResponse {
            result: Some(info),
            ..GetCollectionInfoResponse::default()
        })
    }

    pub fn create(&self, asked: CreateCollection) -> Answer<CollectionOperationResponse> {
        let name = asked.collection_name;
        let Some(config) = asked.vectors_config.and_then(|vectors| vectors.config) else {
            return Err(Status::invalid_argument("no vectors"));
        };
        let mut open = self.open.lock().unwrap();
        if open.contains_key(&name) {
            return Err(Status::already_exists(format!("Collection `{name}` already exists!")));
        }
        let folder = self.folder.path().join(&name);
        std::fs::create_dir(&folder)?;
        let shard = EdgeShard::new(&folder, vectors::config(&config)?).map_err(failed)?;
        open.insert(name, (shard, config));
        Ok(CollectionOperationResponse {
            result: true,
            time: 0.0,
        })
    }

    pub fn create_field_index(&self, asked: CreateFieldIndexCollection) -> Answer<PointsOperationResponse> {
        if asked.field_type() != FieldType::Keyword {
            return Err(Status::unimplemented("another index than of keywords"));
        }
        let (name, field) = (asked.collection_name, asked.field_name);
        let index = json!({"create_index": {"field_name": field, "field_schema": "keyword"}});
        let index: FieldIndexOperations = serde_json::from_value(index).map_err(failed)?;
        self.write(&name, asked.wait, UpdateOperation::FieldIndexOperation(index))
    }

    pub fn upsert(&self, asked: UpsertPoints) -> Answer<PointsOperationResponse> {
        let points = asked.points.into_iter().map(point).collect::<Answer<Vec<_>>>()?;
        let insert = PointInsertOperations::PointsList(points.into_iter().map(Into::into).collect());
        let operation = UpdateOperation::PointOperation(PointOperations::UpsertPoints(insert));
        self.write(&asked.collection_name, asked.wait, operation)
    }

    pub fn delete(&self, asked: DeletePoints) -> Answer<PointsOperationResponse> {
        let Some(PointsSelectorOneOf::Points(list)) = asked.points.and_then(|points| points.points_selector_one_of)
        else {
            return Err(Status::unimplemented("deleting by a filter"));
        };
        let ids = list.ids.iter().map(engine_id).collect::<Answer<Vec<_>>>()?;
        let operation = UpdateOperation::PointOperation(PointOperations::DeletePoints { ids });
        self.write(&asked.collection_name, asked.wait, operation)
    }

    pub fn query(&self, asked: QueryPoints) -> Answer<QueryResponse> {
        let nearest = qdrant_edge::QueryEnum::Nearest(vectors::nearest(asked.query, asked.using)?);
        let request = qdrant_edge::QueryRequest {
            prefetches: Vec::new(),
            query: Some(qdrant_edge::ScoringQuery::Vector(nearest)),
            filter: engine_filter(asked.filter)?,
            score_threshold: None,
            limit: asked.limit.map_or(LIMIT, |limit| limit as usize),
            offset: 0,
            params: None,
            with_vector: WithVector::Bool(false),
            with_payload: with_payload(asked.with_payload),
        };
        let found = self.on(&asked.collection_name, |shard, _| shard.query(request).map_err(failed))?;
        let result = found.into_iter().map(|point| {
            let payload = point.payload.map(|payload| Payload::from(payload.0));
            ScoredPoint {
                id: Some(client_id(point.id)),
                payload: payload.unwrap_or_default().into(),
                score: point.score,
                ..ScoredPoint::default()
            }
        });
        Ok(QueryResponse {
            result: result.collect(),
            ..QueryResponse::default()
        })
    }

    pub fn query_batch(&self, asked: QueryBatchPoints) -> Answer<QueryBatchResponse> {
        let answers = asked.query_points.into_iter().map(|query| self.query(query));
        let result = answers.map(|answer| Ok(BatchResult { result: answer?.result }));
        Ok(QueryBatchResponse {
            result: result.collect::<Answer<Vec<_>>>()?,
            ..QueryBatchResponse::default()
        })
    }

    pub fn scroll(&self, asked: ScrollPoints) -> Answer<ScrollResponse> {
        let request = qdrant_edge::ScrollRequest {
            offset: asked.offset.as_ref().map(engine_id).transpose()?,
            limit: Some(asked.limit.map_or(LIMIT, |limit| limit as usize)),
            filter: engine_filter(asked.filter)?,
            with_payload: Some(with_payload(asked.with_payload)),
            with_vector: WithVector::Bool(false),
            order_by: None,
        };
        let (page, next) = self.on(&asked.collection_name, |shard, _| shard.scroll(request).map_err(failed))?;
        let result = page.into_iter().map(|record| RetrievedPoint {
            id: Some(client_id(record.id)),
            ..RetrievedPoint::default()
        });
        Ok(ScrollResponse {
            next_page_offset: next.map(client_id),
            result: result.collect(),
            ..ScrollResponse::default()
        })
    }

    pub fn count(&self, asked: CountPoints) -> Answer<CountResponse> {
        let request = qdrant_edge::CountRequest {
            exact: asked.exact(),
            filter: engine_filter(asked.filter)?,
        };
        let count = self.on(&asked.collection_name, |shard, _| shard.count(request).map_err(failed))?;
        Ok(CountResponse {
            result: Some(CountResult { count: count as u64 }),
            ..CountResponse::default()
        })
    }

    /// What the collection was made to keep.
    pub fn kept(&self, collection: &str) -> Config {
        self.on(collection, |_, config| Ok(config.clone())).unwrap()
    }

    /// The fields with an index.
    pub fn indexed(&self, collection: &str) -> Vec<String> {
        let info = self.on(collection, |shard, _| Ok(shard.info())).unwrap();
        info.payload_schema.keys().map(ToString::to_string).collect()
    }

    fn write(&self, name: &str, wait: Option<bool>, operation: UpdateOperation) -> Answer<PointsOperationResponse> {
        if wait != Some(true) {
            // A server would answer before the write can be read.
            return Err(Status::unimplemented("a write without `wait`"));
        }
        self.on(name, |shard, _| shard.update(operation).map_err(failed))?;
        Ok(PointsOperationResponse::default())
    }

    fn on<T>(&self, name: &str, work: impl FnOnce(&EdgeShard, &Config) -> Answer<T>) -> Answer<T> {
        let open = self.open.lock().unwrap();
        let absent = || Status::not_found(format!("Collection `{name}` doesn't exist!"));
        let (shard, config) = open.get(name).ok_or_else(absent)?;
        work(shard, config)
    }
}

pub fn failed(cause: impl std::fmt::Display) -> Status {
    Status::internal(cause.to_string())
}

fn engine_id(id: &PointId) -> Answer<qdrant_edge::PointId> {
    match &id.point_id_options {
        Some(PointIdOptions::Uuid(id)) => id.parse().map(qdrant_edge::PointId::Uuid).map_err(failed),
        Some(PointIdOptions::Num(number)) => Ok(qdrant_edge::PointId::NumId(*number)),
        None => Err(Status::invalid_argument("a point without an id")),
    }
}

fn client_id(id: qdrant_edge::PointId) -> PointId {
    match id {
        qdrant_edge::PointId::Uuid(id) => id.to_string().into(),
        qdrant_edge::PointId::NumId(number) => number.into(),
    }
}

fn point(point: PointStruct) -> Answer<qdrant_edge::PointStruct> {
    let id = engine_id(&point.id.unwrap_or_default())?;
    let vectors = vectors::of(point.vectors.and_then(|vectors| vectors.vectors_options))?;
    let payload = Value::from(Payload::from(point.payload));
    Ok(qdrant_edge::PointStruct::new(id, vectors, payload))
}

fn with_payload(selector: Option<WithPayloadSelector>) -> WithPayloadInterface {
    let all = matches!(
        selector.and_then(|selector| selector.selector_options),
        Some(SelectorOptions::Enable(true))
    );
    WithPayloadInterface::Bool(all)
}

/// The engine's filter, by way of its JSON form.
fn engine_filter(filter: Option<Filter>) -> Answer<Option<qdrant_edge::Filter>> {
    let Some(filter) = filter else { return Ok(None) };
    serde_json::from_value(filter_json(filter)?).map(Some).map_err(failed)
}

fn filter_json(filter: Filter) -> Answer<Value> {
    let mut parts = serde_json::Map::new();
    for (name, conditions) in [
        ("must", filter.must),
        ("should", filter.should),
        ("must_not", filter.must_not),
    ] {
        // On the wire an empty list is no list.
        if !conditions.is_empty() {
            let conditions = conditions.into_iter().map(condition_json).collect::<Answer<Vec<_>>>()?;
            parts.insert(name.to_owned(), Value::Array(conditions));
        }
    }
    Ok(Value::Object(parts))
}

fn condition_json(condition: Condition) -> Answer<Value> {
    match condition.condition_one_of {
        Some(ConditionOneOf::Field(field)) => field_json(field),
        Some(ConditionOneOf::Filter(filter)) => filter_json(filter),
        Some(ConditionOneOf::IsEmpty(empty)) => Ok(json!({"is_empty": {"key": empty.key}})),
        Some(ConditionOneOf::HasId(list)) => {
            let ids = list.has_id.iter().map(engine_id).collect::<Answer<Vec<_>>>()?;
            Ok(json!({"has_id": ids}))
        }
        other => Err(Status::unimplemented(format!("the condition {other:?}"))),
    }
}

fn field_json(field: FieldCondition) -> Answer<Value> {
    let key = field.key;
    if let Some(range) = field.range {
        let Range { gte, gt, lte, lt } = range;
        return Ok(json!({"key": key, "range": {"gte": gte, "gt": gt, "lte": lte, "lt": lt}}));
    }
    let wanted = match field.r#match.and_then(|wanted| wanted.match_value) {
        Some(MatchValue::Keyword(text)) => json!({"value": text}),
        Some(MatchValue::Integer(number)) => json!({"value": number}),
        Some(MatchValue::Boolean(value)) => json!({"value": value}),
        Some(MatchValue::Keywords(words)) => json!({"any": words.strings}),
        other => return Err(Status::unimplemented(format!("the match {other:?}"))),
    };
    Ok(json!({"key": key, "match": wanted}))
}
