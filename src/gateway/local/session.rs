//! A model in ONNX Runtime: loaded from a folder or by name, run on a batch for vectors and token vectors.

use std::path::Path;

use fastembed::{
    EmbeddingModel, InitOptionsUserDefined, OutputKey, Pooling, SingleBatchOutput, TextEmbedding, TextInitOptions,
    TokenizerFiles, UserDefinedEmbeddingModel,
};
use tokenizers::{Encoding, Tokenizer};

use super::LocalModel;
use crate::error::{Error, Result};
use crate::gateway::Embedded;

/// Tokens of a text that the model sees; it was trained on no more.
const MAX_TOKENS: usize = 256;
/// What brings missing files.
const MEND: &str = "`make run` or `scripts/models embedding` fetches the embedding model";
/// Words that are in every text; a token that is one of them tells no passage from another.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// A model that is ready to run.
pub(super) struct Session {
    model: TextEmbedding,
    pooling: Pooling,
    outputs: Vec<OutputKey>,
    /// By token id: whether it means something.
    meaningful: Vec<bool>,
}

impl Session {
    /// Loads `model`.
    pub(super) fn load(model: &LocalModel, threads: usize) -> Result<Self> {
        if !model.folder.exists()
            && let Ok(known) = model.name.parse::<EmbeddingModel>()
        {
            let outputs = TextEmbedding::get_model_info(&known)
                .ok()
                .and_then(|info| info.output_key.clone());
            let pooling = TextEmbedding::get_default_pooling_method(&known).unwrap_or_default();
            let outputs = outputs.map_or_else(usual_outputs, |key| vec![key]);
            return Ok(Self::new(downloaded(model, known, threads)?, pooling, outputs));
        }
        Ok(Self::new(own(model, threads)?, Pooling::Mean, usual_outputs()))
    }

    fn new(model: TextEmbedding, pooling: Pooling, outputs: Vec<OutputKey>) -> Self {
        Self {
            meaningful: meaningful(&model.tokenizer),
            model,
            pooling,
            outputs,
        }
    }

    /// Embeds one batch; the texts are padded to the longest.
    pub(super) fn run(&mut self, texts: &[String]) -> Result<Vec<Embedded>> {
        let failed = |cause: &dyn std::fmt::Display| Error::Internal(format!("the embedding model failed: {cause}"));
        let batches = self.model.transform(texts, Some(texts.len().max(1)));
        let Some(output) = batches.map_err(|cause| failed(&cause))?.into_raw().pop() else {
            return Ok(Vec::new());
        };
        let pooled = output.select_and_pool_output(&self.outputs.as_slice(), Some(self.pooling.clone()));
        let pooled = pooled.map_err(|cause| failed(&cause))?;
        let mut embedded: Vec<Embedded> = Vec::with_capacity(texts.len());
        for row in pooled.rows() {
            let mut vector = row.to_vec();
            to_unit_length(&mut vector);
            embedded.push(Embedded {
                vector,
                tokens: Vec::new(),
            });
        }
        // The library does not give away the tokens that it ran on; cutting the text again costs a hundredth of the run.
        let encodings = self.model.tokenizer.encode_batch_fast(texts.to_vec(), true);
        self.add_tokens(&mut embedded, &output, &encodings.map_err(|cause| failed(&cause))?)
            .map_err(|cause| failed(&cause))?;
        Ok(embedded)
    }

    /// Takes the token vectors out of an output of shape texts x tokens x width. A model that pools by itself has none.
    fn add_tokens(
        &self,
        embedded: &mut [Embedded],
        output: &SingleBatchOutput,
        encodings: &[Encoding],
    ) -> fastembed::Result<()> {
        let states = output.select_output(&self.outputs.as_slice())?;
        let (&[_, length, width], Some(states)) = (states.shape(), states.as_slice()) else {
            return Ok(());
        };
        for (at, (text, encoding)) in embedded.iter_mut().zip(encodings).enumerate() {
            let own = &states[at * length * width..][..length * width];
            let special = encoding.get_special_tokens_mask();
            for ((state, id), special) in own.chunks_exact(width).zip(encoding.get_ids()).zip(special) {
                // Padding counts as special.
                if *special == 0 && self.meaningful.get(*id as usize) == Some(&true) {
                    let start = text.tokens.len();
                    text.tokens.extend_from_slice(state);
                    to_unit_length(&mut text.tokens[start..]);
                }
            }
        }
        Ok(())
    }
}

/// The output by the names that exporters give it, in the library's own order.
fn usual_outputs() -> Vec<OutputKey> {
    let named = ["text_embeds", "last_hidden_state", "sentence_embedding"].map(OutputKey::ByName);
    [OutputKey::OnlyOne].into_iter().chain(named).collect()
}

/// Which tokens of the vocabulary are parts of words with a meaning: no punctuation, no stop word.
fn meaningful(tokenizer: &Tokenizer) -> Vec<bool> {
    let vocabulary = tokenizer.get_vocab(true);
    let size = vocabulary.values().max().map_or(0, |last| *last as usize + 1);
    let mut meaningful = vec![false; size];
    for (token, id) in vocabulary {
        // `##s` goes on with a word; `▁the` and `Ġthe` begin one.
        let word = token.trim_start_matches(['▁', 'Ġ']).to_lowercase();
        meaningful[id as usize] =
            word.contains(char::is_alphanumeric) && STOP_WORDS.binary_search(&word.as_str()).is_err();
    }
    meaningful
}

fn to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in vector {
            *value /= length;
        }
    }
}

fn own(model: &LocalModel, threads: usize) -> Result<TextEmbedding> {
    let tokenizer = tokenizer_files(&model.folder)?;
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

/// The files that every model's folder has beside `model.onnx`.
pub(in crate::gateway) fn tokenizer_files(folder: &Path) -> Result<TokenizerFiles> {
    Ok(TokenizerFiles {
        tokenizer_file: read(folder, "tokenizer.json")?,
        config_file: read(folder, "config.json")?,
        special_tokens_map_file: read(folder, "special_tokens_map.json")?,
        tokenizer_config_file: read(folder, "tokenizer_config.json")?,
    })
}

fn read(folder: &Path, file: &str) -> Result<Vec<u8>> {
    let path = folder.join(file);
    std::fs::read(&path).map_err(|cause| {
        let detail = format!("the model's `{}` cannot be read ({cause}); {MEND}", path.display());
        Error::NotFound(detail)
    })
}
