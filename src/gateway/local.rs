//! Embeddings on this machine: an ONNX model from a folder, or fetched by name where there is none, run by ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use moka::future::Cache;

use super::{Embedded, Embedder, TextKind};
use crate::error::{Error, Result};
use passages::Passages;
use session::Session;
pub(super) use session::tokenizer_files;

mod passages;
mod session;

/// Texts of one run of the model.
const BATCH: usize = 8;
/// Bytes of questions and their vectors that are kept; a question of ten words has about 18,000.
const CACHED_BYTES: u64 = 64 * 1024 * 1024;

/// Which model to load, and with what.
#[derive(Clone, Debug)]
pub struct LocalModel {
    /// Holds model.onnx, tokenizer.json, config.json, `special_tokens_map.json` and `tokenizer_config.json`; where it
    /// is not there, a model of that name that the library knows is fetched beside it.
    pub folder: PathBuf,
    /// Name with precision, such as `all-MiniLM-L6-v2`.
    pub name: String,
    /// The library of ONNX Runtime.
    pub onnxruntime: PathBuf,
    /// Threads for passages; questions use one of their own.
    pub threads: usize,
}

/// A loaded model: one session for passages and one for questions, so that no question waits for an index run.
pub struct LocalEmbedder {
    name: String,
    dimension: usize,
    passages: Passages,
    queries: Arc<Mutex<Session>>,
    cache: Cache<String, Arc<Embedded>>,
}

impl std::fmt::Debug for LocalEmbedder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LocalEmbedder({}, {})", self.name, self.dimension)
    }
}

/// A panic in the library leaves no half-made state that the next run would see.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalEmbedder {
    /// Loads `model`. Takes about a second: call it outside of the async runtime's own threads.
    pub fn load(model: &LocalModel) -> Result<Self> {
        load_runtime(&model.onnxruntime)?;
        let mut queries = Session::load(model, 1)?;
        // One run tells the length of the vectors, and that the model works at all.
        let probe = queries.run(&["length".to_owned()])?;
        let dimension = probe.first().map_or(0, |embedded| embedded.vector.len());
        if dimension == 0 {
            return Err(Error::Storage(format!(
                "the model `{}` gives empty vectors",
                model.name
            )));
        }
        Ok(Self {
            name: model.name.clone(),
            dimension,
            passages: Passages::start(model.clone())?,
            queries: Arc::new(Mutex::new(queries)),
            cache: Cache::builder()
                .weigher(|text: &String, embedded: &Arc<Embedded>| weight(text, embedded))
                .max_capacity(CACHED_BYTES)
                .build(),
        })
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Embedded>> {
        let mut embedded = vec![Embedded::default(); texts.len()];
        let (mut missing, mut places) = (Vec::new(), Vec::new());
        for (place, text) in texts.into_iter().enumerate() {
            if let Some(known) = self.cache.get(&text).await {
                embedded[place] = (*known).clone();
            } else {
                missing.push(text);
                places.push(place);
            }
        }
        let made = embed_sorted(missing.clone(), |batch| self.run(batch)).await?;
        for ((place, text), one) in places.into_iter().zip(missing).zip(made) {
            self.cache.insert(text, Arc::new(one.clone())).await;
            embedded[place] = one;
        }
        Ok(embedded)
    }

    async fn run(&self, questions: Vec<String>) -> Result<Vec<Embedded>> {
        let session = Arc::clone(&self.queries);
        tokio::task::spawn_blocking(move || lock(&session).run(&questions))
            .await
            .map_err(|cause| Error::Internal(format!("embedding stopped: {cause}")))?
    }
}

/// Bytes of a question in the cache.
fn weight(text: &str, embedded: &Embedded) -> u32 {
    (text.len() + size_of::<f32>() * (embedded.vector.len() + embedded.tokens.len())) as u32
}

impl Embedder for LocalEmbedder {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let embedded = self.embed_tokens(texts, kind).await?;
            Ok(embedded.into_iter().map(|one| one.vector).collect())
        })
    }

    fn embed_tokens(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
        Box::pin(async move {
            match kind {
                TextKind::Query => self.embed_queries(texts).await,
                TextKind::Passage => self.passages.embed(texts).await,
            }
        })
    }
}

/// In the order of `texts`. Those of like length run together, because a batch is padded to its longest. A caller that
/// goes away stops the work at the next batch.
async fn embed_sorted<F: Future<Output = Result<Vec<Embedded>>>>(
    texts: Vec<String>,
    run: impl Fn(Vec<String>) -> F,
) -> Result<Vec<Embedded>> {
    let mut vectors = vec![Embedded::default(); texts.len()];
    let mut numbered: Vec<(usize, String)> = texts.into_iter().enumerate().collect();
    numbered.sort_by_key(|(place, text)| (text.len(), *place));
    let mut rest = numbered.into_iter();
    loop {
        let (places, batch): (Vec<usize>, Vec<String>) = rest.by_ref().take(BATCH).unzip();
        if batch.is_empty() {
            return Ok(vectors);
        }
        let made = run(batch).await?;
        if made.len() != places.len() {
            return Err(Error::Internal(format!(
                "{} vectors for {} texts",
                made.len(),
                places.len()
            )));
        }
        for (place, vector) in places.into_iter().zip(made) {
            vectors[place] = vector;
        }
    }
}

/// Loads ONNX Runtime. Asked for later, a missing library would be a panic and not an error.
pub(super) fn load_runtime(library: &Path) -> Result<()> {
    // A relative path would be looked for beside the program first.
    let library = library.canonicalize().map_err(|_| {
        Error::NotFound(format!(
            "no ONNX Runtime at `{}`; `make run` installs it",
            library.display()
        ))
    })?;
    match ort::init_from(&library) {
        // The builder is for settings of the environment; the defaults are made with the first session.
        Ok(_builder) => Ok(()),
        Err(cause) => Err(Error::storage(
            "ONNX Runtime does not load; `make run` installs a fitting one",
            cause,
        )),
    }
}

#[cfg(test)]
mod tests;
