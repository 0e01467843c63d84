//! `/rerank` at a provider, through the Portkey gateway, which passes it on untouched. Cohere, Jina and Voyage take
//! the same request and differ in one word of the answer.

use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use super::portkey::{Gateway, body_text, client, headers};
use super::routes::{Route, RouteKind, Strategy, Target, Timers};
use super::secret::Secret;
use super::{Reranker, failure};
use crate::error::{Error, Result, UpstreamKind};

/// The most we read of an answer, in bytes; a judgement takes about 60.
const MAX_BYTES: usize = 1024 * 1024;

/// A model at a provider.
#[derive(Clone, Debug)]
pub struct RemoteModel {
    /// The gateway's name of the provider.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
    /// Where, unless it is the provider's own address; `/rerank` is added.
    pub base_url: Option<String>,
    /// The provider's key.
    pub api_key: Option<Secret>,
    /// How long a call may take.
    pub budget: Duration,
}

/// The answer: Cohere and Jina say `results`, Voyage `data`.
#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "data")]
    results: Vec<Judgement>,
}

#[derive(Deserialize)]
struct Judgement {
    index: usize,
    relevance_score: f32,
}

/// A reranker behind the gateway.
pub struct RemoteReranker {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
    model: String,
    secrets: Vec<Secret>,
}

impl RemoteReranker {
    /// Prepares the calls; connects to nothing yet.
    pub fn new(gateway: &Gateway, remote: RemoteModel) -> Result<Self> {
        let url = gateway.endpoint("rerank")?;
        let model = remote.model.clone();
        let keys = remote.api_key.iter().chain(&gateway.portkey_api_key).cloned().collect();
        let route = route(remote);
        Ok(Self {
            client: client(&url, &route)?,
            headers: headers(gateway, &route)?,
            url,
            model,
            secrets: keys,
        })
    }

    async fn call(&self, query: &str, texts: &[String]) -> Result<Vec<f32>> {
        let body = json!({ "model": self.model, "query": query, "documents": texts });
        let request = self.client.post(self.url.clone()).headers(self.headers.clone());
        let response = request.json(&body).send().await.map_err(|_| {
            let detail = "nothing answers at the gateway; `make run` starts it";
            Error::upstream(UpstreamKind::Unreachable, None, detail)
        })?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = body_text(response, &self.secrets, MAX_BYTES).await;
        if !status.is_success() || failure::within(&text).is_some() {
            let failure = failure::parse(status.as_u16(), &headers, text.as_bytes());
            return Err(Error::Upstream(Box::new(failure)));
        }
        read(&text, texts.len())
    }
}

impl Reranker for RemoteReranker {
    fn scores(&self, query: String, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<f32>>> {
        Box::pin(async move {
            if texts.is_empty() {
                return Ok(Vec::new());
            }
            self.call(&query, &texts).await
        })
    }
}

/// The scores in the order of the texts; every text must have one.
fn read(text: &str, texts: usize) -> Result<Vec<f32>> {
    let failed = |detail: String| Error::upstream(UpstreamKind::Failed, None, detail);
    let answer: Answer = serde_json::from_str(text).map_err(|cause| failed(format!("no list of scores: {cause}")))?;
    let mut scores = vec![None; texts];
    for judgement in answer.results {
        if let Some(score) = scores.get_mut(judgement.index) {
            *score = Some(judgement.relevance_score).filter(|score| score.is_finite());
        }
    }
    let all: Option<Vec<f32>> = scores.into_iter().collect();
    all.ok_or_else(|| failed(format!("not all of {texts} passages have a score")))
}

/// The form in which the gateway's config is made.
fn route(remote: RemoteModel) -> Route {
    let target = Target {
        provider: remote.provider,
        model: remote.model,
        base_url: remote.base_url,
        api_key: remote.api_key,
        window: 0,
        max_output: 0,
        weight: 1.0,
    };
    Route {
        name: "rerank".into(),
        description: String::new(),
        kind: RouteKind::Gateway,
        strategy: Strategy::Single,
        targets: vec![target],
        timers: Timers {
            first_token: remote.budget,
            total: remote.budget,
            ..Timers::default()
        },
        default: false,
        unavailable: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, expected: std::result::Result<&[f32], &str>) {
        match (read(answer, 2), expected) {
            (Ok(scores), Ok(expected)) => assert_eq!(scores, expected, "{answer}"),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (got, _) => panic!("{answer}: {got:?}"),
        }
    }

    #[test]
    fn the_answers_of_cohere_jina_and_voyage_are_read() {
        let cohere =
            r#"{"id":"1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.2}],"meta":{}}"#;
        let jina = r#"{"model":"m","usage":{},"results":[{"index":0,"document":{"text":"a"},"relevance_score":0.2},{"index":1,"relevance_score":0.9}]}"#;
        let voyage = r#"{"object":"list","data":[{"relevance_score":0.9,"index":1},{"relevance_score":0.2,"index":0}],"usage":{}}"#;
        for answer in [cohere, jina, voyage] {
            check(answer, Ok(&[0.2, 0.9]));
        }
    }

    #[test]
    fn an_answer_that_judges_less_than_all_is_a_failure() {
        check(
            r#"{"results":[{"index":1,"relevance_score":0.9}]}"#,
            Err("not all of 2"),
        );
        check(
            r#"{"results":[{"index":7,"relevance_score":0.9}]}"#,
            Err("not all of 2"),
        );
        check(
            r#"{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":1e39}]}"#,
            Err("not all of 2"),
        );
        check(r#"{"results":[{"index":1}]}"#, Err("relevance_score"));
        check("[]", Err("no list of scores"));
    }
}
