//! The composition root: the only file that names concrete back ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, RerankKind};
use crate::engine::extractive::Extractive;
use crate::engine::rerank::{Kind, Reranking};
use crate::engine::{Engine, Parsers, Parts, VectorFactory};
use crate::error::{Error, Result};
use crate::gateway::cross_encoder::CrossEncoder;
use crate::gateway::local::{LocalEmbedder, LocalModel};
use crate::gateway::matryoshka::Shortened;
use crate::gateway::peer::{self, Address, Peer};
use crate::gateway::portkey::{Gateway, PortkeyModel};
use crate::gateway::rerank::{RemoteModel, RemoteReranker};
use crate::gateway::routes::{self, RouteKind};
use crate::gateway::secret::Secret;
use crate::gateway::{ChatModel, Embedder, tokens};
use crate::http::serve::Connections;
use crate::http::{self, HttpSettings, HttpState};
use crate::index::qdrant::{QdrantStore, Server};
use crate::index::work::blocking;
use crate::store::Store;
use crate::telemetry;

/// Conversations and jobs, in the data folder.
const DATABASE: &str = "portolan.sqlite";
/// How long answers that were ended may take to be stored and sent.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// The routes that come with the binary.
const ROUTES: &str = include_str!("../gateway/routes.toml");

/// The service that owns the data folder, if one runs. What a killed one left behind is not believed.
pub async fn peer(config: &Config) -> Option<Peer> {
    if is_busy(config) {
        Peer::find(&config.data).await
    } else {
        None
    }
}

/// Whether a process has the data folder open.
pub fn is_busy(config: &Config) -> bool {
    Store::is_owned(&config.data.join(DATABASE))
}

/// Whether the data folder holds data.
pub fn has_data(config: &Config) -> bool {
    config.data.join(DATABASE).exists()
}

/// Opens the data folder and connects everything.
pub async fn open(config: &Config) -> Result<Arc<Engine>> {
    let routes = routes(config)?;
    let embedder = embedder(config).await?;
    let reranking = reranking(config).await?;
    // In the background: a command that asks no model must not wait for it.
    drop(tokio::task::spawn_blocking(tokens::warm_up));
    let store = Store::open(&config.data.join(DATABASE)).await?;
    // From here on this process owns the folder, and no other one serves it.
    drop(std::fs::remove_file(config.data.join(peer::ADDRESS)));
    let parts = Parts {
        data: config.data.clone(),
        buckets: buckets(config),
        embedder,
        reranking: Arc::new(reranking),
        store,
        models: models(config, &routes)?,
        routes,
        vectors: vectors(config)?,
        decline_below: config.evidence.decline_below,
        chunking: config.chunking,
        traces: config.traces,
        parsers: Parsers::of_this_program(),
        in_flight_bytes: config.limits.in_flight_bytes,
    };
    Engine::bounded(parts, config.limits.collections).await
}

/// Serves until SIGINT or SIGTERM; then running streams get `limits.drain` to end.
pub async fn serve(config: &Config) -> Result<()> {
    let listener = listen(config).await?;
    let engine = open(config).await?;
    let local = listener
        .local_addr()
        .map_err(|error| Error::storage("cannot tell the address", error))?;
    let address = Address {
        url: format!("http://{local}"),
        token: uuid::Uuid::new_v4().to_string(),
    };
    let metrics = telemetry::metrics();
    let upkeep = metrics.clone();
    let settings = HttpSettings {
        metrics: Some(Arc::new(move || metrics.render())),
        ..settings(config, &address)
    };
    let router = http::router(HttpState::new(engine.clone(), settings));
    let note = config.data.join(peer::ADDRESS);
    leave_address(&note, &address)?;
    tracing::info!(url = address.url, "serving");
    let (stop, stopped) = tokio::sync::watch::channel(());
    let ask_to_stop = async move {
        asked_to_stop().await;
        drop(stop);
    };
    let connections = Connections {
        at_once: config.limits.connections,
        ..Connections::default()
    };
    tokio::select! {
        () = http::serve::serve(listener, router, connections, ask_to_stop) => {}
        () = drained(stopped, config.limits.drain, &engine) => {}
        () = keep_up(upkeep) => {}
    }
    drop(std::fs::remove_file(&note));
    Ok(())
}

/// The variables that buckets know.
fn buckets(config: &Config) -> BTreeMap<String, String> {
    let own = config.environment.iter().filter(|(name, _)| name.starts_with("AWS_"));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Before anything is opened: an address that is taken or too open is told at once.
async fn listen(config: &Config) -> Result<tokio::net::TcpListener> {
    if !config.listen.ip().is_loopback() && config.api_key.is_none() {
        let detail = format!(
            "`{}` is reachable from other machines and no API key is set; set PORTOLAN_API_KEY or listen on 127.0.0.1",
            config.listen
        );
        return Err(Error::bad_input("/listen", detail));
    }
    tokio::net::TcpListener::bind(config.listen).await.map_err(|error| {
        let detail = format!(
            "cannot listen on {}: {error}; another --listen ADDR may be free",
            config.listen
        );
        Error::bad_input("/listen", detail)
    })
}

fn settings(config: &Config, address: &Address) -> HttpSettings {
    HttpSettings {
        api_key: config.api_key.as_ref().map(|key| key.expose().to_owned()),
        operator_token: address.token.clone(),
        body_bytes: config.limits.body_bytes,
        searches: config.limits.searches,
        streams: config.limits.streams,
        metrics: None,
        allowed_hosts: config.allowed_hosts.clone(),
    }
}

/// Resolves after the stop and `drain`: what still runs then ends with `failed`, and has a moment to say and store so.
async fn drained(mut stopped: tokio::sync::watch::Receiver<()>, drain: Duration, engine: &Engine) {
    while stopped.changed().await.is_ok() {}
    tokio::time::sleep(drain).await;
    engine.stop();
    engine.tasks().close();
    drop(tokio::time::timeout(LAST_WORDS, engine.tasks().wait()).await);
}

/// Never resolves.
async fn keep_up(metrics: metrics_exporter_prometheus::PrometheusHandle) {
    let mut pulse = tokio::time::interval(Duration::from_secs(5));
    loop {
        pulse.tick().await;
        metrics.run_upkeep();
    }
}

/// Resolves at SIGINT or SIGTERM.
pub async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Tells the command line where the service is; only its own user may read it.
fn leave_address(file: &std::path::Path, address: &Address) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let bytes = serde_json::to_vec(address).map_err(|error| Error::Internal(error.to_string()))?;
    drop(std::fs::remove_file(file));
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|error| Error::storage("cannot write serve.json", error))
}

/// The declared routes.
pub fn routes(config: &Config) -> Result<Vec<routes::Route>> {
    let text = match &config.routes {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Error::storage(&format!("cannot read `{}`", file.display()), error))?,
        None => ROUTES.to_owned(),
    };
    routes::load(&text, &config.environment)
}

/// The embedding model alone.
pub async fn embedder(config: &Config) -> Result<Arc<dyn Embedder>> {
    let model = local_model(config, &config.embedding.model)?;
    let embedder: Arc<dyn Embedder> = Arc::new(blocking(move || LocalEmbedder::load(&model)).await?);
    Ok(match config.embedding.dimension {
        Some(dimension) => Arc::new(Shortened::new(embedder, dimension)?),
        None => embedder,
    })
}

fn local_model(config: &Config, name: &str) -> Result<LocalModel> {
    Ok(LocalModel {
        folder: absolute(&config.models.join(name))?,
        name: name.to_owned(),
        onnxruntime: absolute(&config.onnxruntime)?,
        threads: config.embedding.threads,
    })
}

/// What moves the best candidates; loads a model that is named.
pub async fn reranking(config: &Config) -> Result<Reranking> {
    let kind = match &config.rerank.kind {
        RerankKind::None => Kind::Nothing,
        RerankKind::LateInteraction => Kind::LateInteraction,
        RerankKind::CrossEncoder { model } => {
            let model = local_model(config, model)?;
            Kind::Model(Arc::new(blocking(move || CrossEncoder::load(&model)).await?))
        }
        RerankKind::Remote {
            provider,
            model,
            url,
            api_key,
        } => {
            let remote = RemoteModel {
                provider: provider.clone(),
                model: model.clone(),
                base_url: url.clone(),
                api_key: api_key.as_ref().map(|key| Secret::new(key.expose())),
                budget: config.rerank.budget,
            };
            Kind::Model(Arc::new(RemoteReranker::new(&gateway(config), remote)?))
        }
    };
    Ok(Reranking {
        kind,
        weight: config.rerank.weight,
        budget: config.rerank.budget,
    })
}

fn gateway(config: &Config) -> Gateway {
    Gateway {
        url: config.gateway_url.clone(),
        portkey_api_key: config.portkey_api_key.as_ref().map(|key| Secret::new(key.expose())),
    }
}

/// A Qdrant server when one is named; otherwise each collection keeps its vectors itself. The names there hold the
/// id of this instance: two of them on one server must not sweep each other's points. With tokens they are others, since
/// a server's collection keeps what it was made for.
fn vectors(config: &Config) -> Result<Option<VectorFactory>> {
    let Some(url) = config.qdrant_url.clone() else {
        return Ok(None);
    };
    let server = Server {
        url,
        api_key: config.qdrant_api_key.clone(),
        tokens: config.qdrant_tokens,
    };
    let kept = if server.tokens { "portolan-tokens" } else { "portolan" };
    let instance = instance(&config.data)?;
    Ok(Some(Box::new(move |name, dimension| {
        let store = QdrantStore::connect(&server, &format!("{kept}-{instance}-{name}"), dimension)?;
        Ok(Arc::new(store))
    })))
}

/// The id of this data folder, made once.
fn instance(data: &std::path::Path) -> Result<String> {
    let file = data.join("instance");
    match std::fs::read_to_string(&file) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        _ => {
            let id = uuid::Uuid::new_v4().simple().to_string();
            std::fs::write(&file, &id).map_err(|error| Error::storage("cannot write the instance's id", error))?;
            Ok(id)
        }
    }
}

fn models(config: &Config, routes: &[routes::Route]) -> Result<BTreeMap<String, Arc<dyn ChatModel>>> {
    let gateway = gateway(config);
    let mut models: BTreeMap<String, Arc<dyn ChatModel>> = BTreeMap::new();
    for route in routes.iter().filter(|route| route.unavailable.is_none()) {
        let model: Arc<dyn ChatModel> = match route.kind {
            RouteKind::Extractive => Arc::new(Extractive),
            RouteKind::Gateway => Arc::new(PortkeyModel::new(&gateway, route.clone())?),
        };
        models.insert(route.name.clone(), model);
    }
    Ok(models)
}

fn absolute(path: &std::path::Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::storage("cannot tell the working folder", error))
}
