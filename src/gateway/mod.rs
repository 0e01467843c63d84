//! The seams to the models: `Embedder`, `Reranker` and `ChatModel`, and what stands behind them.

pub mod config;
pub mod cross_encoder;
pub mod failure;
pub mod local;
pub mod matryoshka;
pub mod peer;
pub mod portkey;
pub mod reach;
pub mod rerank;
pub mod routes;
pub mod secret;
pub mod selector;
pub mod stream;
pub mod tokens;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::error::Result;
use crate::types::{Delta, Prompt};

/// What the texts are for; some models want them marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// A question.
    Query,
    /// A chunk.
    Passage,
}

/// A text's vector, and one for each of its tokens that mean something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embedded {
    /// Of length 1.
    pub vector: Vec<f32>,
    /// One after the other, each as wide as `vector` and of length 1; empty where the embedder gives none.
    pub tokens: Vec<f32>,
}

/// Texts to vectors of length 1.
pub trait Embedder: Send + Sync {
    /// Name of the model with its precision; the index stores it and refuses another.
    fn name(&self) -> &str;
    /// Length of its vectors.
    fn dimension(&self) -> usize;
    /// One vector a text, in order; texts longer than the model's window are cut.
    fn embed(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Vec<f32>>>>;
    /// The same, with the token vectors of the same pass; those that have none leave them empty.
    fn embed_tokens(&self, texts: Vec<String>, kind: TextKind) -> BoxFuture<'_, Result<Vec<Embedded>>> {
        Box::pin(async move {
            let vectors = self.embed(texts, kind).await?.into_iter();
            let alone = |vector| Embedded {
                vector,
                tokens: Vec::new(),
            };
            Ok(vectors.map(alone).collect())
        })
    }
}

/// Judges how well texts answer a question, by reading both.
pub trait Reranker: Send + Sync {
    /// One score a text, in order; higher is better, comparable within one call only. Dropping the call stops it.
    fn scores(&self, query: String, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<f32>>>;
}

/// A stream of an answer. Ends after `Delta::Finish` or with an error, never silently.
pub type DeltaStream = BoxStream<'static, Result<Delta>>;

/// A prompt to a streamed answer. Dropping the stream cancels the call.
pub trait ChatModel: Send + Sync {
    /// Resolves when the first delta is there, or fails; so a caller can still choose another route.
    fn stream(&self, prompt: Arc<Prompt>) -> BoxFuture<'_, Result<DeltaStream>>;
    /// Why it would not answer now, and the mend, where that can be told at once and without a call to the model.
    fn fault(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }
}
