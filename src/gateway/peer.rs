//! A Portolan that serves on this machine and owns the data, asked over its own API.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};

/// How long a running service may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

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
        let bytes = std::fs::read(data.join("serve.json")).ok()?;
        let address: Address = serde_json::from_slice(&bytes).ok()?;
        super::portkey::install_tls();
        let peer = Self {
            address,
            client: reqwest::Client::builder().no_proxy().build().ok()?,
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

    /// Reads JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.answer(self.client.get(format!("{}{path}", self.address.url)))
            .await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let failed = |error: reqwest::Error| Error::storage("the running service did not answer", error.without_url());
        let response = request.bearer_auth(&self.address.token).send().await.map_err(failed)?;
        let status = response.status();
        let value: Value = response.json().await.map_err(failed)?;
        if status.is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().unwrap_or("no reason was given").to_owned();
        Err(if status.is_client_error() {
            Error::bad_input("", detail)
        } else {
            Error::Storage(detail)
        })
    }
}
