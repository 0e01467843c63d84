//! Every setting, typed, parsed once: `portolan.toml`, then the environment. Nothing else reads the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use indexer::chunk::Chunking;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

use crate::error::{Error, Result};

mod address;
mod chunks;
mod embedding;
mod limits;
mod qdrant;
mod rerank;
mod traces;

pub use address::without_password;
use address::{hosts, is_web_address, parse_hosts, web_address};
use chunks::ChunkSettings;
pub use embedding::Embedding;
use embedding::EmbeddingSettings;
use limits::LimitSettings;
pub use limits::Limits;
use qdrant::QdrantSettings;
use rerank::RerankSettings;
pub use rerank::{Rerank, RerankKind};
use traces::TraceSettings;
pub use traces::Traces;

/// Read from the working directory when no other file is named.
const FILE: &str = "portolan.toml";

/// All settings, with defaults where neither the file nor the environment says otherwise.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the index, the database and the lock.
    pub data: PathBuf,
    /// Where `serve` listens.
    pub listen: SocketAddr,
    /// The key that callers must send, if any.
    pub api_key: Option<Secret>,
    /// Names beside the loopback ones under which a service without a key answers; lower case, without ports.
    pub allowed_hosts: Vec<String>,
    /// Folder of the model files.
    pub models: PathBuf,
    /// The ONNX Runtime library.
    pub onnxruntime: PathBuf,
    /// What makes vectors.
    pub embedding: Embedding,
    /// The Qdrant server; none means the engine in process.
    pub qdrant_url: Option<String>,
    /// Its key.
    pub qdrant_api_key: Option<Secret>,
    /// Whether it keeps the chunks' tokens, too, and compares them.
    pub qdrant_tokens: bool,
    /// Base URL of the Portkey gateway, without a slash at its end.
    pub gateway_url: String,
    /// The key of the hosted gateway.
    pub portkey_api_key: Option<Secret>,
    /// The file that declares the routes.
    pub routes: Option<PathBuf>,
    /// How candidates are reranked.
    pub rerank: Rerank,
    /// When the evidence suffices.
    pub evidence: Evidence,
    /// How documents are cut.
    pub chunking: Chunking,
    /// How it is kept how answers came about.
    pub traces: Traces,
    /// How much at once.
    pub limits: Limits,
    /// The variables that the routes refer to.
    pub environment: Environment,
}

/// When the evidence suffices for an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// Decline when the evidence's strength, 0 to 1, is below this.
    pub decline_below: f32,
}

/// A key or password. It never shows in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[hidden]")
    }
}

/// The process's environment as it was at the start. It holds keys and never shows in `Debug`.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Deref for Environment {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{} variables]", self.0.len())
    }
}

/// The variables of this process; those that are not UTF-8 are left out.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Config {
    /// Reads `file`, or `portolan.toml` if it is there, and then `environment`, which wins. Empty variables count
    /// as absent.
    pub fn load(file: Option<&Path>, environment: BTreeMap<String, String>) -> Result<Self> {
        let fallback = Path::new(FILE);
        let mut settings = match file {
            Some(file) => read(file)?,
            None if fallback.exists() => read(fallback)?,
            None => Settings::default(),
        };
        settings.overlay(&environment)?;
        settings.resolve(environment)
    }
}

/// What the file may say. Absent means the default.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    api_key: Option<String>,
    #[serde(deserialize_with = "hosts")]
    allowed_hosts: Option<Vec<String>>,
    models: Option<PathBuf>,
    onnxruntime: Option<PathBuf>,
    routes: Option<PathBuf>,
    embedding: EmbeddingSettings,
    qdrant: QdrantSettings,
    gateway: GatewaySettings,
    rerank: RerankSettings,
    evidence: EvidenceSettings,
    chunks: ChunkSettings,
    traces: TraceSettings,
    limits: LimitSettings,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GatewaySettings {
    #[serde(deserialize_with = "web_address")]
    url: Option<String>,
    portkey_api_key: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EvidenceSettings {
    #[serde(deserialize_with = "share")]
    decline_below: Option<f32>,
}

impl Settings {
    fn overlay(&mut self, environment: &BTreeMap<String, String>) -> Result<()> {
        let text = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        let path = |name: &str| text(name).map(PathBuf::from);
        if let Some(value) = text("PORTOLAN_LISTEN") {
            let address = value
                .parse()
                .map_err(|_| wrong_variable("PORTOLAN_LISTEN", expected("listen")))?;
            self.listen = Some(address);
        }
        for (name, url) in [
            ("PORTOLAN_GATEWAY_URL", &mut self.gateway.url),
            ("QDRANT_URL", &mut self.qdrant.url),
        ] {
            let Some(value) = text(name) else { continue };
            if !is_web_address(&value) {
                return Err(wrong_variable(name, expected("url")));
            }
            *url = Some(value);
        }
        if let Some(value) = text("PORTOLAN_ALLOWED_HOSTS") {
            let names = parse_hosts(value.split(','));
            let names = names.ok_or_else(|| wrong_variable("PORTOLAN_ALLOWED_HOSTS", expected("allowed_hosts")))?;
            self.allowed_hosts = Some(names);
        }
        self.data = path("PORTOLAN_DATA").or(self.data.take());
        self.models = path("PORTOLAN_MODELS").or(self.models.take());
        self.onnxruntime = path("ORT_DYLIB_PATH").or(self.onnxruntime.take());
        self.routes = path("PORTOLAN_ROUTES").or(self.routes.take());
        self.api_key = text("PORTOLAN_API_KEY").or(self.api_key.take());
        self.qdrant.api_key = text("QDRANT_API_KEY").or(self.qdrant.api_key.take());
        self.qdrant.overlay(text("PORTOLAN_QDRANT_TOKENS").as_deref())?;
        self.gateway.portkey_api_key = text("PORTKEY_API_KEY").or(self.gateway.portkey_api_key.take());
        self.rerank
            .overlay(text("PORTOLAN_RERANK").as_deref(), text("PORTOLAN_RERANK_API_KEY"))
    }

    fn resolve(self, environment: BTreeMap<String, String>) -> Result<Config> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let secret = |given: Option<String>| given.filter(|secret| !secret.is_empty()).map(Secret);
        let gateway = self.gateway.url.unwrap_or_else(|| "http://127.0.0.1:8787/v1".into());
        Ok(Config {
            data: self.data.unwrap_or_else(|| ".portolan/data".into()),
            listen: self
                .listen
                .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            api_key: secret(self.api_key),
            allowed_hosts: self.allowed_hosts.unwrap_or_default(),
            models: self.models.unwrap_or_else(|| ".portolan/models".into()),
            onnxruntime: self
                .onnxruntime
                .unwrap_or_else(|| ".portolan/lib/libonnxruntime.so".into()),
            embedding: self.embedding.resolve(cores),
            qdrant_tokens: self.qdrant.tokens()?,
            qdrant_url: self.qdrant.url,
            qdrant_api_key: secret(self.qdrant.api_key),
            gateway_url: gateway.trim_end_matches('/').to_owned(),
            portkey_api_key: secret(self.gateway.portkey_api_key),
            routes: self.routes,
            rerank: self.rerank.resolve()?,
            evidence: Evidence {
                decline_below: self.evidence.decline_below.unwrap_or(0.55),
            },
            chunking: self.chunks.resolve(),
            traces: self.traces.resolve(),
            limits: self.limits.resolve(),
            environment: Environment(environment),
        })
    }
}

fn read(file: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(file)
        .map_err(|cause| Error::bad_input("", format!("cannot read `{}`: {cause}", file.display())))?;
    toml::from_str(&text).map_err(|cause| wrong_setting(file, &text, &cause))
}

/// Names the file, the line, the key and what the key takes.
fn wrong_setting(file: &Path, text: &str, cause: &toml::de::Error) -> Error {
    let start = cause.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text.as_bytes()[..start];
    let number = before.split(|byte| *byte == b'\n').count();
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let message = cause.message();
    let place = format!("`{}`, line {number}", file.display());
    let Some(key) = key(line, message) else {
        return Error::bad_input(
            "",
            format!("{place}: a line is `key = value` or `[table]`; values are in quotes"),
        );
    };
    let place = format!("{place}, key `{key}`");
    // A parser may quote what it stumbles over.
    let message = if key.ends_with("api_key") && !message.starts_with("unknown field") {
        "wrong value"
    } else {
        message
    };
    let detail = match expected(key.rsplit('.').next().unwrap_or(key)) {
        Some(expected) => format!("{place}: {message}; use {expected}"),
        None => format!("{place}: {message}"),
    };
    Error::bad_input(&format!("/{}", key.replace('.', "/")), detail)
}

/// The key of a line, where it is sure to be one: what else a line holds may be a secret that lost its quotes.
fn key<'a>(line: &'a str, message: &str) -> Option<&'a str> {
    let (key, _) = line
        .split_once('=')
        .or_else(|| line.trim().starts_with('[').then_some((line, "")))?;
    let key = key.trim_matches(|c: char| c.is_whitespace() || "[]\"'".contains(c));
    let last = key.rsplit('.').next().unwrap_or(key);
    (expected(last).is_some() || message.starts_with("unknown field")).then_some(key)
}

fn wrong_variable(name: &str, expected: Option<&str>) -> Error {
    let mend = expected.unwrap_or("another value");
    Error::bad_input("", format!("the environment variable `{name}` is wrong; use {mend}"))
}

/// What a key takes, in words; keys that do not exist take nothing.
fn expected(key: &str) -> Option<&'static str> {
    match key {
        "data" | "models" | "onnxruntime" | "routes" => Some("a path in quotes"),
        "listen" => Some("an address and port such as `127.0.0.1:8080`"),
        "allowed_hosts" => Some("host names without scheme and port, such as `docs.example.org`"),
        "url" => Some("a URL that begins with `http://` or `https://`"),
        "api_key" | "portkey_api_key" => Some("the key in quotes"),
        "model" => Some("the model's name in quotes, such as `all-MiniLM-L6-v2`"),
        "threads" | "dimension" | "body_bytes" | "streams" | "searches" | "connections" | "collections"
        | "in_flight_bytes" | "budget_ms" => Some("a whole number from 1"),
        "drain_seconds" | "keep_days" => Some("a whole number from 0"),
        "decline_below" | "weight" => Some("a number from 0.0 to 1.0"),
        "kind" => Some("`late-interaction`, `cross-encoder`, `remote` or `none`"),
        "provider" => Some("the gateway's name of a provider in quotes, such as `cohere`"),
        "target_bytes" => Some("a whole number from 400 to 20000"),
        "context" | "words" | "tokens" => Some("`true` or `false`"),
        _ => None,
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<f32>, D::Error> {
    let value = f32::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&value) {
        return Ok(Some(value));
    }
    Err(D::Error::invalid_value(
        Unexpected::Float(value.into()),
        &"a number from 0.0 to 1.0",
    ))
}

#[cfg(test)]
mod tests;
