//! The composition root: the only file that names concrete back ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::extractive::Extractive;
use crate::engine::retrieve::blocking;
use crate::engine::{Engine, Parts};
use crate::error::{Error, Result};
use crate::gateway::local::{LocalEmbedder, LocalModel};
use crate::gateway::portkey::{Gateway, PortkeyModel};
use crate::gateway::routes::{self, RouteKind};
use crate::gateway::secret::Secret;
use crate::gateway::{ChatModel, Embedder};
use crate::store::Store;

/// The routes that come with the binary.
const ROUTES: &str = include_str!("../gateway/routes.toml");

/// Opens the data folder and connects everything.
pub async fn open(config: &Config) -> Result<Arc<Engine>> {
    let text = match &config.routes {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Error::storage(&format!("cannot read `{}`", file.display()), error))?,
        None => ROUTES.to_owned(),
    };
    let routes = routes::load(&text, &config.environment)?;
    let parts = Parts {
        data: config.data.clone(),
        embedder: embedder(config).await?,
        store: Store::open(&config.data.join("portolan.sqlite")).await?,
        models: models(config, &routes)?,
        routes,
        vectors: None,
        decline_below: config.evidence.decline_below,
    };
    Engine::open(parts).await
}

/// The embedding model alone.
pub async fn embedder(config: &Config) -> Result<Arc<dyn Embedder>> {
    let model = LocalModel {
        folder: absolute(&config.models.join(&config.embedding_model))?,
        name: config.embedding_model.clone(),
        onnxruntime: absolute(&config.onnxruntime)?,
        threads: config.embedding_threads,
    };
    let embedder = blocking(move || LocalEmbedder::load(&model)).await?;
    Ok(Arc::new(embedder))
}

fn models(config: &Config, routes: &[routes::Route]) -> Result<BTreeMap<String, Arc<dyn ChatModel>>> {
    let key = config.portkey_api_key.as_ref().map(|key| Secret::new(key.expose()));
    let gateway = Gateway {
        url: config.gateway_url.clone(),
        portkey_api_key: key,
    };
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
