//! Chat through the Portkey gateway: one request with the route's config, one stream of deltas back.

use std::sync::{Arc, OnceLock};

use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, ChatCompletionStreamOptions, CreateChatCompletionRequest,
};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::time::Instant;

use super::routes::Route;
use super::secret::Secret;
use super::stream::{Call, deltas, late};
use super::{ChatModel, DeltaStream, config, failure, reach};
use crate::config::without_password;
use crate::error::{Error, Result, UpstreamKind};
use crate::types::{Delta, Prompt, Role};

/// The most we read of an error's body, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Where the gateway is.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its address with `/v1`.
    pub url: String,
    /// Key of a hosted gateway.
    pub portkey_api_key: Option<Secret>,
}

impl Gateway {
    /// The address of that part of its interface.
    pub(super) fn endpoint(&self, path: &str) -> Result<reqwest::Url> {
        let address = format!("{}/{path}", self.url.trim_end_matches('/'));
        reqwest::Url::parse(&address).map_err(|cause| {
            let url = without_password(&self.url);
            let detail = format!("`{url}` is no address of a gateway: {cause}");
            Error::bad_input("/gateway", detail)
        })
    }
}

/// One route through the gateway.
pub struct PortkeyModel {
    client: reqwest::Client,
    url: reqwest::Url,
    headers: HeaderMap,
    route: Route,
    secrets: Vec<Secret>,
}

impl PortkeyModel {
    /// Prepares the calls of `route`; connects to nothing yet.
    pub fn new(gateway: &Gateway, route: Route) -> Result<Self> {
        if let Some(mend) = &route.unavailable {
            let detail = format!("the route `{}` is not available: {mend}", route.name);
            return Err(Error::bad_input("/route", detail));
        }
        if route.targets.is_empty() {
            let detail = format!("the route `{}` has no target for the gateway", route.name);
            return Err(Error::bad_input("/route", detail));
        }
        let url = gateway.endpoint("chat/completions")?;
        let keys = route.targets.iter().filter_map(|target| target.api_key.clone());
        Ok(Self {
            client: client(&url, &route)?,
            url,
            headers: headers(gateway, &route)?,
            secrets: keys.chain(gateway.portkey_api_key.clone()).collect(),
            route,
        })
    }

    async fn call(&self, prompt: &Prompt) -> Result<DeltaStream> {
        let timers = self.route.timers;
        let started = Instant::now();
        let deadline = started + timers.first_token.min(timers.total);
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .headers(self.trace(prompt)?)
            .json(&self.body(prompt));
        let too_late = || {
            let words = late("the gateway gave no answer", timers.first_token.min(timers.total));
            Error::upstream(UpstreamKind::TimedOut, None, words)
        };
        let response = tokio::time::timeout_at(deadline, request.send())
            .await
            .map_err(|_| too_late())?
            .map_err(|error| self.unsent(&error))?;
        if !response.status().is_success() || !is_stream(response.headers()) {
            let failed = tokio::time::timeout_at(deadline, self.failed(response)).await;
            return Err(failed.unwrap_or_else(|_| too_late()));
        }
        let call = Call {
            timers,
            started,
            attempts: attempts(response.headers()),
            secrets: self.secrets.clone(),
        };
        let bytes = response
            .bytes_stream()
            .map(|chunk| chunk.map_err(|_| Error::upstream(UpstreamKind::Cut, None, "the connection broke")))
            .boxed();
        first(deltas(bytes, call)).await
    }

    fn body(&self, prompt: &Prompt) -> CreateChatCompletionRequest {
        let most = self.route.targets.iter().map(|target| target.max_output).min();
        let max_tokens = prompt.max_tokens.min(most.unwrap_or(prompt.max_tokens));
        let messages = prompt
            .messages
            .iter()
            .map(|it| wire_message(it.role, &it.text))
            .collect();
        // `max_tokens` is old at OpenAI, yet the one name that every provider behind the gateway knows.
        #[allow(deprecated)]
        CreateChatCompletionRequest {
            messages,
            model: self.route.targets[0].model.clone(),
            max_tokens: Some(u32::try_from(max_tokens).unwrap_or(u32::MAX)),
            temperature: Some(0.0),
            stream: Some(true),
            stream_options: Some(ChatCompletionStreamOptions {
                include_usage: Some(true),
                include_obfuscation: None,
            }),
            ..CreateChatCompletionRequest::default()
        }
    }

    /// What ties the gateway's records to ours.
    fn trace(&self, prompt: &Prompt) -> Result<HeaderMap> {
        let metadata = json!({ "run": prompt.run, "route": self.route.name }).to_string();
        let mut headers = HeaderMap::new();
        for (name, text) in [("x-portkey-trace-id", &prompt.run), ("x-portkey-metadata", &metadata)] {
            let value = HeaderValue::from_str(text).map_err(|_| Error::Internal(format!("`{name}` is no header")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        Ok(headers)
    }

    fn unsent(&self, error: &reqwest::Error) -> Error {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        if error.is_timeout() {
            let words = late(&format!("no connection to {host}:{port}"), self.route.timers.connect);
            return Error::upstream(UpstreamKind::TimedOut, None, words);
        }
        let what = if error.is_connect() {
            "nothing answers"
        } else {
            "the connection broke"
        };
        let detail = format!("{what} at {host}:{port}; `make run` starts the gateway");
        Error::upstream(UpstreamKind::Unreachable, None, detail)
    }

    /// The failure that an answer without a stream tells of.
    async fn failed(&self, response: reqwest::Response) -> Error {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = body_text(response, &self.secrets, MAX_ERROR_BYTES).await;
        if status.is_success() && failure::within(&text).is_none() {
            let detail = "the answer is no event stream";
            return Error::upstream(UpstreamKind::Failed, Some(status.as_u16()), detail);
        }
        let failure = failure::parse(status.as_u16(), &headers, text.as_bytes());
        Error::Upstream(Box::new(failure))
    }
}

impl ChatModel for PortkeyModel {
    fn stream(&self, prompt: Arc<Prompt>) -> BoxFuture<'_, Result<DeltaStream>> {
        Box::pin(async move { self.call(&prompt).await })
    }

    fn fault(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(async move {
            if let Some(fault) = reach::fault(self.url.as_str()).await {
                return Some(format!("{fault}; `make run` starts the gateway"));
            }
            let mut fault = None;
            for target in &self.route.targets {
                // One that answers, or is elsewhere, is enough.
                fault = Some(reach::fault(target.base_url.as_deref()?).await?);
            }
            fault.map(|fault| format!("{fault}; start the model's server there"))
        })
    }
}

/// Waits for the first delta, so that a failure before it is the call's and not the stream's.
async fn first(mut deltas: DeltaStream) -> Result<DeltaStream> {
    match deltas.next().await {
        Some(Ok(delta)) => Ok(stream::iter([Ok::<Delta, Error>(delta)]).chain(deltas).boxed()),
        Some(Err(error)) => Err(error),
        None => Err(Error::Internal("a stream ended without finish or error".into())),
    }
}

/// At most `limit` bytes of a body as text, without `secrets`.
pub(super) async fn body_text(mut response: reqwest::Response, secrets: &[Secret], limit: usize) -> String {
    let mut body = Vec::new();
    while body.len() < limit {
        let Ok(Some(chunk)) = response.chunk().await else {
            break;
        };
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    for key in secrets {
        text = text.replace(key.expose(), "[secret]");
    }
    text
}

/// What tells the gateway where a call goes, and who sends it.
pub(super) fn headers(gateway: &Gateway, route: &Route) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert("x-portkey-config", hidden(&config::header(route)?)?);
    if let Some(key) = &gateway.portkey_api_key {
        headers.insert("x-portkey-api-key", hidden(key.expose())?);
    }
    Ok(headers)
}

/// TLS for every client of the process.
pub(super) fn install_tls() {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    // An error means that another part of the process has chosen a provider; any will do.
    PROVIDER.get_or_init(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

pub(super) fn client(url: &reqwest::Url, route: &Route) -> Result<reqwest::Client> {
    install_tls();
    let mut builder = reqwest::Client::builder()
        .connect_timeout(route.timers.connect)
        // Keys travel in headers: they go where they were sent and nowhere else.
        .redirect(reqwest::redirect::Policy::none());
    if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|cause| Error::Internal(format!("no HTTP client could be made: {cause}")))
}

fn hidden(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| Error::bad_input("/routes", "a key or address has a character that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn wire_message(role: Role, text: &str) -> ChatCompletionRequestMessage {
    match role {
        Role::System => ChatCompletionRequestSystemMessage::from(text).into(),
        Role::User => ChatCompletionRequestUserMessage::from(text).into(),
        Role::Assistant => ChatCompletionRequestAssistantMessage::from(text).into(),
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// The gateway counts retries from 0, and says -1 when it has used them up.
fn attempts(headers: &HeaderMap) -> u32 {
    let retries = headers
        .get("x-portkey-retry-attempt-count")
        .and_then(|value| value.to_str().ok());
    match retries.and_then(|text| text.trim().parse::<i64>().ok()) {
        Some(retries @ 0..100) => retries as u32 + 1,
        Some(..0) => config::RETRIES + 1,
        _ => 1,
    }
}

#[cfg(test)]
#[path = "portkey_tests.rs"]
mod tests;
