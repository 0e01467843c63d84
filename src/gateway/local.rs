//! Embeddings on this machine: an ONNX model read from a folder, run by ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastembed::{
    EmbeddingModel, InitOptionsUserDefined, Pooling, TextEmbedding, TextInitOptions, TokenizerFiles,
    UserDefinedEmbeddingModel,
};
use futures::future::BoxFuture;
use moka::future::Cache;
use tokio::task::AbortHandle;

use super::{Embedder, TextKind};
use crate::error::{Error, Result};

/// Tokens of a text that the model sees; it was trained on no more.
const MAX_TOKENS: usize = 256;
/// Texts of one run of the model.
const BATCH: usize = 8;
/// How long the session for passages is kept when nothing is indexed.
const IDLE: Duration = Duration::from_secs(20);
/// Questions whose vectors are kept.
const CACHED_QUERIES: u64 = 10_000;
/// What brings missing files.
const MEND: &str = "`make run` or `scripts/models embedding` fetches it";

/// Which model to load, and with what.
#[derive(Clone, Debug)]
pub struct LocalModel {
    /// Holds model.onnx, tokenizer.json, config.json, `special_tokens_map.json` and `tokenizer_config.json`.
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
    queries: Arc<Mutex<TextEmbedding>>,
    cache: Cache<String, Arc<Vec<f32>>>,
}

impl std::fmt::Debug for LocalEmbedder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LocalEmbedder({}, {})", self.name, self.dimension)
    }
}

/// The session for passages: loaded when there is something to index and let go afterwards, since it and its work
/// space take more memory than all the rest of an idle service.
struct Passages {
    model: LocalModel,
    session: Arc<Mutex<Option<TextEmbedding>>>,
    release: Mutex<Option<AbortHandle>>,
}

impl Passages {
    async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        self.keep(None);
        let outcome = embed_sorted(texts, self.runner()).await;
        let session = Arc::clone(&self.session);
        let release = tokio::spawn(async move {
            tokio::time::sleep(IDLE).await;
            drop(lock(&session).take());
        });
        self.keep(Some(release.abort_handle()));
        outcome
    }

    fn runner(&self) -> Runner {
        let (session, model) = (Arc::clone(&self.session), self.model.clone());
        Arc::new(move |texts| {
            let mut held = lock(&session);
            if held.is_none() {
                *held = Some(self::session(&model, model.threads.max(1))?);
            }
            let session = held.as_mut().ok_or_else(|| Error::Internal("no session".into()))?;
            run(session, texts)
        })
    }

    /// Replaces the pending release.
    fn keep(&self, release: Option<AbortHandle>) {
        if let Some(before) = std::mem::replace(&mut *lock(&self.release), release) {
            before.abort();
        }
    }
}

/// A panic in the library leaves no half-made state that the next run would see.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalEmbedder {
    /// Loads `model`. Takes about a second: call it outside of the async runtime's own threads.
    pub fn load(model: &LocalModel) -> Result<Self> {
        load_runtime(&model.onnxruntime)?;
        let mut queries = session(model, 1)?;
        // One run tells the length of the vectors, and that the model works at all.
        let dimension = run(&mut queries, &["length"])?.first().map_or(0, Vec::len);
        if dimension == 0 {
            return Err(Error::Storage(format!(
                "the model `{}` gives empty vectors",
                model.name
            )));
        }
        Ok(Self {
            name: model.name.clone(),
            dimension,
            passages: Passages {
                model: model.clone(),
                session: Arc::default(),
                release: Mutex::default(),
            },
            queries: Arc::new(Mutex::new(queries)),
            cache: Cache::new(CACHED_QUERIES),
        })
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        let mut vectors = vec![Vec::new(); texts.len()];
        let (mut missing, mut places) = (Vec::new(), Vec::new());
        for (place, text) in texts.into_iter().enumerate() {
            if let Some(vector) = self.cache.get(&text).await {
                vectors[place] = vector.to_vec();
            } else {
                missing.push(text);
                places.push(place);
            }
        }
        let made = embed_sorted(missing.clone(), self.query_runner()).await?;
        for ((place, text), vector) in places.into_iter().zip(missing).zip(made) {
            self.cache.insert(text, Arc::new(vector.clone())).await;
            vectors[place] = vector;
        }
        Ok(vectors)
    }
}

impl LocalEmbedder {
    fn query_runner(&self) -> Runner {
        let session = Arc::clone(&self.queries);
        Arc::new(move |texts| run(&mut lock(&session), texts))
    }
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
            match kind {
                TextKind::Query => self.embed_queries(texts).await,
                TextKind::Passage => self.passages.embed(texts).await,
            }
        })
    }
}

/// Embeds one batch on a blocking thread.
type Runner = Arc<dyn Fn(&[String]) -> Result<Vec<Vec<f32>>> + Send + Sync>;

/// Vectors in the order of `texts`. Texts of like length run together, because a batch is padded to its longest.
async fn embed_sorted(texts: Vec<String>, runner: Runner) -> Result<Vec<Vec<f32>>> {
    let mut vectors = vec![Vec::new(); texts.len()];
    let mut numbered: Vec<(usize, String)> = texts.into_iter().enumerate().collect();
    numbered.sort_by_key(|(place, text)| (text.len(), *place));
    let mut rest = numbered.into_iter();
    loop {
        // One blocking task a batch: a caller that goes away stops the work at the next one.
        let (places, batch): (Vec<usize>, Vec<String>) = rest.by_ref().take(BATCH).unzip();
        if batch.is_empty() {
            return Ok(vectors);
        }
        let runner = Arc::clone(&runner);
        let made = tokio::task::spawn_blocking(move || runner(&batch))
            .await
            .map_err(|cause| Error::Internal(format!("embedding stopped: {cause}")))??;
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

fn run<S: AsRef<str> + Send + Sync>(session: &mut TextEmbedding, texts: &[S]) -> Result<Vec<Vec<f32>>> {
    let mut vectors = session
        .embed(texts, None)
        .map_err(|cause| Error::Internal(format!("the embedding model failed: {cause}")))?;
    for vector in &mut vectors {
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            for value in vector {
                *value /= length;
            }
        }
    }
    Ok(vectors)
}

/// Loads ONNX Runtime. Asked for later, a missing library would be a panic and not an error.
fn load_runtime(library: &Path) -> Result<()> {
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

fn session(model: &LocalModel, threads: usize) -> Result<TextEmbedding> {
    if !model.folder.exists()
        && let Ok(known) = model.name.parse::<EmbeddingModel>()
    {
        return downloaded(model, known, threads);
    }
    let tokenizer = TokenizerFiles {
        tokenizer_file: read(&model.folder, "tokenizer.json")?,
        config_file: read(&model.folder, "config.json")?,
        special_tokens_map_file: read(&model.folder, "special_tokens_map.json")?,
        tokenizer_config_file: read(&model.folder, "tokenizer_config.json")?,
    };
    let files =
        UserDefinedEmbeddingModel::new(read(&model.folder, "model.onnx")?, tokenizer).with_pooling(Pooling::Mean);
    let options = InitOptionsUserDefined::new()
        .with_max_length(MAX_TOKENS)
        .with_intra_threads(threads)
        // Threads that spin while they wait take the processor from the rest of the service.
        .with_session_config("session.intra_op.allow_spinning", "0");
    TextEmbedding::try_new_from_user_defined(files, options).map_err(|cause| {
        let what = format!("the model in `{}` does not load", model.folder.display());
        Error::storage(&what, cause)
    })
}

/// A model that the library knows by name and fetches itself, beside the folder that is not there.
fn downloaded(model: &LocalModel, known: EmbeddingModel, threads: usize) -> Result<TextEmbedding> {
    let options = TextInitOptions::new(known)
        .with_max_length(MAX_TOKENS)
        .with_intra_threads(threads)
        .with_cache_dir(model.folder.with_extension("download"))
        .with_show_download_progress(false);
    TextEmbedding::try_new(options).map_err(|cause| {
        let what = format!(
            "`{}` is not there and the model `{}` cannot be fetched",
            model.folder.display(),
            model.name
        );
        Error::storage(&what, cause)
    })
}

fn read(folder: &Path, file: &str) -> Result<Vec<u8>> {
    let path = folder.join(file);
    std::fs::read(&path).map_err(|cause| {
        let detail = format!(
            "the embedding model's `{}` cannot be read ({cause}); {MEND}",
            path.display()
        );
        Error::NotFound(detail)
    })
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
