//! A cross-encoder on this machine: an ONNX model that reads question and passage together.

use std::sync::{Arc, Mutex};

use fastembed::{
    RerankInitOptions, RerankInitOptionsUserDefined, RerankerModel, TextRerank, UserDefinedRerankingModel,
};
use futures::future::BoxFuture;

use super::Reranker;
use super::local::{LocalModel, load_runtime, lock, tokenizer_files};
use crate::error::{Error, Result};

/// Tokens of question and passage together.
const MAX_TOKENS: usize = 512;
/// Passages of one run; after each a call that nobody waits for ends.
const BATCH: usize = 8;

/// A loaded model; one question at a time.
pub struct CrossEncoder {
    model: Arc<Mutex<TextRerank>>,
}

impl CrossEncoder {
    /// Loads `model`: its folder with model.onnx and the files of its tokenizer, or else a model that the library
    /// knows by that name and fetches. Takes seconds: call it outside of the async runtime's own threads.
    pub fn load(model: &LocalModel) -> Result<Self> {
        load_runtime(&model.onnxruntime)?;
        let loaded = if model.folder.exists() {
            own(model)?
        } else {
            downloaded(model)?
        };
        Ok(Self {
            model: Arc::new(Mutex::new(loaded)),
        })
    }
}

impl Reranker for CrossEncoder {
    fn scores(&self, query: String, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<f32>>> {
        Box::pin(async move {
            let mut scores = Vec::with_capacity(texts.len());
            for batch in texts.chunks(BATCH) {
                let (model, query, batch) = (Arc::clone(&self.model), query.clone(), batch.to_vec());
                let judged = tokio::task::spawn_blocking(move || run(&mut lock(&model), query, &batch));
                let judged = judged.await;
                scores.extend(judged.map_err(|cause| Error::Internal(format!("reranking stopped: {cause}")))??);
            }
            Ok(scores)
        })
    }
}

fn run(model: &mut TextRerank, query: String, texts: &[String]) -> Result<Vec<f32>> {
    let judged = model
        .rerank(query, texts, false, None)
        .map_err(|cause| Error::Internal(format!("the cross-encoder failed: {cause}")))?;
    let mut scores = vec![0.0; texts.len()];
    for one in judged {
        scores[one.index] = one.score;
    }
    Ok(scores)
}

fn own(model: &LocalModel) -> Result<TextRerank> {
    let files = UserDefinedRerankingModel::new(model.folder.join("model.onnx"), tokenizer_files(&model.folder)?);
    let options = RerankInitOptionsUserDefined::new()
        .with_max_length(MAX_TOKENS)
        .with_intra_threads(model.threads)
        .with_session_config("session.intra_op.allow_spinning", "0");
    TextRerank::try_new_from_user_defined(files, options).map_err(|cause| {
        let what = format!(
            "`rerank.model`: the cross-encoder in `{}` does not load",
            model.folder.display()
        );
        Error::storage(&what, cause)
    })
}

fn downloaded(model: &LocalModel) -> Result<TextRerank> {
    let known = model.name.parse::<RerankerModel>().map_err(|_| {
        let all = TextRerank::list_supported_models();
        let names: Vec<String> = all.iter().map(|known| format!("`{}`", known.model_code)).collect();
        let detail = format!(
            "`rerank.model` names no cross-encoder: there is no folder `{}`, and the names to fetch one by are {}",
            model.folder.display(),
            names.join(", ")
        );
        Error::bad_input("/rerank/model", detail)
    })?;
    let options = RerankInitOptions::new(known)
        .with_max_length(MAX_TOKENS)
        .with_intra_threads(model.threads)
        .with_cache_dir(model.folder.with_extension("download"))
        .with_show_download_progress(false);
    TextRerank::try_new(options).map_err(|cause| {
        let what = format!("`rerank.model`: `{}` cannot be fetched", model.name);
        Error::storage(&what, cause)
    })
}

#[cfg(test)]
mod tests;
