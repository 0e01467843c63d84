//! A Portolan that serves on this machine and owns the data, asked over its own API.

use std::path::Path;
use std::time::Duration;

use eventsource_stream::Eventsource;
use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::multipart::{Form, Part};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Fault, Result};

/// How long a running service may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a service says how it is reached, in its data folder.
pub const ADDRESS: &str = "serve.json";
/// The longest silence within an answer; events and keep-alives come sooner.
const SILENCE: Duration = Duration::from_mins(2);

/// What a service leaves in its data folder while it runs, readable by its user alone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Where it listens.
    pub url: String,
    /// The operator's token.
    pub token: String,
}

/// A running service.
pub struct Peer {
    address: Address,
    client: reqwest::Client,
}

impl Peer {
    /// The service that owns `data`, if one answers.
    pub async fn find(data: &Path) -> Option<Self> {
        let bytes = std::fs::read(data.join(ADDRESS)).ok()?;
        let address: Address = serde_json::from_slice(&bytes).ok()?;
        super::portkey::install_tls();
        let peer = Self {
            address,
            client: reqwest::Client::builder()
                .no_proxy()
                .connect_timeout(PATIENCE)
                .read_timeout(SILENCE)
                .build()
                .ok()?,
        };
        let alive = peer
            .client
            .get(format!("{}/healthz", peer.address.url))
            .timeout(PATIENCE)
            .send()
            .await
            .ok()?;
        alive.status().is_success().then_some(peer)
    }

    /// Sends JSON and reads JSON; a problem becomes its detail.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.answer(self.client.post(format!("{}{path}", self.address.url)).json(body))
            .await
    }

    /// Sends a file under that name and reads JSON.
    pub async fn upload(&self, path: &str, name: &str, bytes: Vec<u8>) -> Result<Value> {
        let part = Part::bytes(bytes).file_name(name.to_owned());
        // The service takes the name as it stands.
        let form = Form::new().part("file", part).percent_encode_noop();
        self.answer(self.client.post(format!("{}{path}", self.address.url)).multipart(form))
            .await
    }

    /// Reads JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.answer(self.client.get(format!("{}{path}", self.address.url)))
            .await
    }

    /// Removes what is there and reads JSON.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.answer(self.client.delete(format!("{}{path}", self.address.url)))
            .await
    }

    /// Sends JSON and follows server-sent events: name and data of each. A lost connection is the last item.
    pub async fn events(&self, path: &str, body: &Value) -> Result<BoxStream<'static, Result<(String, Value)>>> {
        let request = self.client.post(format!("{}{path}", self.address.url)).json(body);
        let response = request.bearer_auth(&self.address.token).send().await.map_err(lost)?;
        if !response.status().is_success() {
            return Err(problem(response.status(), &response.json().await.map_err(lost)?));
        }
        let events = response.bytes_stream().eventsource().map(|event| {
            let event = event.map_err(|error| Error::storage("the running service was lost", error))?;
            let data = serde_json::from_str(&event.data).map_err(|error| Error::Internal(error.to_string()))?;
            Ok((event.event, data))
        });
        Ok(events.boxed())
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.bearer_auth(&self.address.token).send().await.map_err(lost)?;
        let status = response.status();
        let value: Value = response.json().await.map_err(lost)?;
        if status.is_success() {
            Ok(value)
        } else {
            Err(problem(status, &value))
        }
    }
}

/// Whether anything answers at `url`, whatever it says.
pub async fn reachable(url: &str) -> std::result::Result<(), String> {
    super::portkey::install_tls();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client.get(url).timeout(PATIENCE).send().await;
    answer.map(|_| ()).map_err(|_| "nothing answers there".to_owned())
}

/// Whether `url` leads to this machine itself.
pub fn is_local(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn lost(error: reqwest::Error) -> Error {
    Error::storage("the running service did not answer", error.without_url())
}

fn problem(status: reqwest::StatusCode, body: &Value) -> Error {
    let detail = body["detail"].as_str().unwrap_or("no reason was given").to_owned();
    match status.as_u16() {
        401 | 403 => Error::Forbidden(detail),
        404 => Error::NotFound(detail),
        409 => Error::Conflict(detail),
        400..500 => Error::BadInput {
            detail,
            faults: body["errors"].as_array().into_iter().flatten().map(fault).collect(),
        },
        503 if body["type"].as_str().is_some_and(|kind| kind.ends_with(":unavailable")) => Error::Unavailable(detail),
        _ => Error::Storage(detail),
    }
}

fn fault(told: &Value) -> Fault {
    let part = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    Fault {
        pointer: part("pointer"),
        detail: part("detail"),
    }
}
