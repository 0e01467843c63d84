//! The embedded index: tantivy decides what exists, vectors only point.

pub mod analyse;
mod ask;
pub mod asked;
mod cards;
mod confirm;
mod copy;
mod coverage;
pub mod directory;
mod display;
pub mod durable;
pub mod edge;
mod embeddings;
mod entries;
pub mod filter;
mod folder;
pub mod fusion;
mod given;
mod ids;
pub mod language;
pub mod lexical;
pub mod matches;
pub mod publish;
pub mod qdrant;
mod room;
mod segments;
pub mod settings;
pub mod suggest;
mod sweep;
mod synonyms;
pub mod syntax;
mod tokens;
pub mod vectors;
mod vocabulary;
pub mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::types::{ChunkId, Display, Document, DocumentCard, DocumentId, Filter, Hit, Passage, Query, Reader, Scores};
pub use asked::Asked;
pub use confirm::Held;
use edge::EdgeStore;
pub use embeddings::{Embedding, Stored, TextHash};
pub use fusion::{Fusion, Weights};
use lexical::Lexical;
pub use publish::Replacement;
use publish::Writer;
pub use settings::{ContextSentences, Settings};
pub use tokens::{BITS, Comparison, Sketch};
use vectors::VectorStore;

/// Version of `analyse`; another one finds other words, so it needs a new index.
pub const ANALYSER: &str = "unicode-languages-2";
/// Version of the fields in tantivy and of the payload of a vector.
pub const SCHEMA: u32 = 3;

/// Documents with chunks without a vector.
type Incomplete = Mutex<BTreeSet<DocumentId>>;

/// What an index was made with; an index is opened with the same or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The embedder's name and version.
    pub embedder: String,
    /// Numbers in a vector.
    pub dimension: usize,
    /// `ANALYSER` when it was made.
    pub analyser: String,
    /// `SCHEMA` when it was made.
    pub schema: u32,
}

impl Identity {
    /// What this program makes with that embedder.
    pub fn current(embedder: &str, dimension: usize) -> Self {
        Self {
            embedder: embedder.to_owned(),
            dimension,
            analyser: ANALYSER.to_owned(),
            schema: SCHEMA,
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            embedder,
            dimension,
            analyser,
            schema,
        } = self;
        write!(
            formatter,
            "embedder `{embedder}`, dimension {dimension}, analyser `{analyser}`, schema {schema}"
        )
    }
}

/// How much a collection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Documents.
    pub documents: usize,
    /// Chunks of all documents.
    pub chunks: usize,
}

/// One set of documents: a folder with tantivy's files, the vectors and `identity.json`.
pub struct Collection {
    name: String,
    lexical: Arc<Lexical>,
    vectors: Arc<dyn VectorStore>,
    writer: Writer,
    settings: settings::Kept,
    /// What the sweep found and nobody has mended since.
    incomplete: OnceCell<Incomplete>,
    /// Set once what is kept here of it was sent again.
    mended: OnceCell<()>,
    closing: CancellationToken,
}

impl Collection {
    /// Opens the collection in `folder`, or makes it; without `vectors` they lie in `folder/vectors`. While they cannot
    /// be reached, words are searched alone.
    pub async fn open(
        folder: &Path,
        name: &str,
        identity: Identity,
        vectors: Option<Arc<dyn VectorStore>>,
    ) -> Result<Arc<Self>> {
        let (place, made, called) = (folder.to_owned(), identity.clone(), name.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            let known = folder::is_made(&place, &called, &made)?;
            let lexical = Lexical::open(&place.join("lexical")).map_err(folder::broken(&place, &called))?;
            let writer = Writer::open(&lexical, &place, &called, made.dimension)?;
            let settings = settings::Kept::open(&place)?;
            if !known {
                folder::write_identity(&place, &made)?;
            }
            Ok::<_, Error>((lexical, writer, settings))
        });
        let (lexical, writer, settings) = opened.await.map_err(|cause| Error::Internal(cause.to_string()))??;
        let vectors = match vectors {
            Some(vectors) => vectors,
            None => Arc::new(EdgeStore::open(&folder.join("vectors"), identity.dimension).await?),
        };
        let collection = Self {
            name: name.to_owned(),
            lexical: Arc::new(lexical),
            vectors,
            writer,
            settings,
            incomplete: OnceCell::new(),
            mended: OnceCell::new(),
            closing: CancellationToken::new(),
        };
        collection.swept().await?;
        Ok(Arc::new(collection))
    }

    /// The collection's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// It is to go: who works on it for long is to end.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Cancelled once the collection is to go.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// What the query means here; computes, so call it from a blocking thread.
    pub fn understand(&self, query: &Query) -> Result<Asked> {
        asked::understand(&self.lexical.snapshot(), &self.settings.synonyms(), query)
    }

    /// The `k` best chunks by BM25, those with an identifier that was asked for first; computes, so call it from a
    /// blocking thread.
    pub fn lexical(&self, asked: &Asked, k: usize) -> Result<Vec<Hit>> {
        self.lexical.search(asked, k)
    }

    /// Those of `chunks` that hold every phrase and nothing excluded. For each, how much it holds of the identifiers
    /// that were asked for: 2 for one verbatim, 1 for its words in their order.
    pub fn confirm(&self, asked: &Asked, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, Held>> {
        confirm::confirm(&self.lexical.snapshot(), asked, chunks)
    }

    /// The `k` nearest chunks.
    pub async fn vector(&self, vector: Vec<f32>, filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
        // Where everything is public there is nothing to check; `passages` looks again.
        let reader = if self.lexical.snapshot().restricted {
            reader
        } else {
            &Reader::Everything
        };
        self.vectors.search(vector, filter, reader, k).await
    }

    /// For each of `chunks` that exists the share of the words of `asked` that it holds, each word by its idf.
    pub fn coverage(&self, asked: &Asked, chunks: &[ChunkId]) -> Result<BTreeMap<ChunkId, f32>> {
        coverage::coverage(&self.lexical.snapshot(), asked, chunks)
    }

    /// The passages of `hits` in their order with the words of `query` marked, without those that are gone or that `reader` may not read.
    pub fn passages(&self, hits: &[Hit], query: &str, reader: &Reader) -> Result<Vec<Passage>> {
        let snapshot = self.lexical.snapshot();
        let wanted = analyse::wanted(query, &snapshot.languages);
        let mut passages = Vec::with_capacity(hits.len());
        for hit in hits {
            let Some(chunk) = snapshot.chunk(hit.chunk)? else {
                continue;
            };
            let Some(card) = snapshot.cards.get(&chunk.document) else {
                continue;
            };
            // The legs asked already; what they know may be older than the card.
            if !reader.may_read(&card.principals) {
                continue;
            }
            passages.push(Passage {
                collection: self.name.clone(),
                document: Arc::clone(card),
                highlights: analyse::highlights(&chunk.text, &wanted, &snapshot.languages),
                chunk: Arc::new(chunk),
                scores: Scores {
                    fused: hit.score,
                    ..Scores::default()
                },
                display: Display::default(),
            });
        }
        Ok(passages)
    }

    /// The whole document, if it exists and `reader` may read it.
    pub fn document(&self, id: DocumentId, reader: &Reader) -> Result<Option<Document>> {
        let snapshot = self.lexical.snapshot();
        match snapshot.cards.get(&id) {
            Some(card) if reader.may_read(&card.principals) => snapshot.document(id),
            _ => Ok(None),
        }
    }

    /// Whether the document exists.
    pub fn holds(&self, id: DocumentId) -> bool {
        self.lexical.snapshot().cards.contains_key(&id)
    }

    /// Whether the document exists and `reader` may not read it.
    pub fn is_hidden(&self, id: DocumentId, reader: &Reader) -> bool {
        let snapshot = self.lexical.snapshot();
        let card = snapshot.cards.get(&id);
        card.is_some_and(|card| !reader.may_read(&card.principals))
    }

    /// How many documents `reader` may read, and one page of them by URI.
    pub fn documents(&self, reader: &Reader, offset: usize, limit: usize) -> Result<(usize, Vec<DocumentCard>)> {
        let snapshot = self.lexical.snapshot();
        let mut cards: Vec<_> = snapshot.cards.values().collect();
        cards.retain(|card| reader.may_read(&card.principals));
        cards.sort_by(|left, right| left.uri.cmp(&right.uri).then(left.id.cmp(&right.id)));
        let page = cards.iter().skip(offset).take(limit).map(|card| (***card).clone());
        Ok((cards.len(), page.collect()))
    }

    /// The fingerprint that each document was read with, by URI. Those that had lost vectors when the sweep looked are left out, so
    /// that they are indexed again. Each indexing run begins here, so a sweep that was put off is caught up here.
    pub async fn fingerprints(&self) -> Result<BTreeMap<String, String>> {
        let incomplete = self
            .swept()
            .await?
            .map(|lost| lost.lock().unwrap_or_else(PoisonError::into_inner));
        let lost = |id: &DocumentId| incomplete.as_ref().is_some_and(|lost| lost.contains(id));
        let snapshot = self.lexical.snapshot();
        let cards = snapshot.cards.values().filter(|card| !lost(&card.id));
        Ok(cards.map(|card| (card.uri.clone(), card.read_as.clone())).collect())
    }

    /// How much there is.
    pub fn statistics(&self) -> Statistics {
        let snapshot = self.lexical.snapshot();
        Statistics {
            documents: snapshot.cards.len(),
            chunks: snapshot.chunks(),
        }
    }

    /// How much of it `reader` may read.
    pub fn readable(&self, reader: &Reader) -> Result<Statistics> {
        self.lexical.readable(reader)
    }

    /// How rare an analysed term is: ln(1 + (N - n + 0.5) / (n + 0.5)), n of N chunks having it.
    pub fn idf(&self, term: &str) -> f32 {
        self.lexical.idf(term)
    }

    /// How its legs become one list.
    pub fn fusion(&self) -> Fusion {
        self.settings.now().fusion
    }

    /// What is set for this collection.
    pub fn settings(&self) -> Settings {
        (*self.settings.now()).clone()
    }

    /// Sets what `change` names, a JSON object; the rest stays. Writes to disk, so call it from a blocking thread.
    pub fn change_settings(&self, change: serde_json::Value) -> Result<Settings> {
        let settings = self.settings.change(change)?;
        // What was found before may be found otherwise now.
        self.lexical.changed();
        Ok(settings)
    }

    /// Replaces and removes documents in one step that readers see whole or not at all.
    pub async fn publish(&self, batch: Vec<Replacement>, removals: Vec<DocumentId>) -> Result<()> {
        let whole: Vec<DocumentId> = batch.iter().map(|one| one.document.id).collect();
        self.writer
            .publish(&self.lexical, &self.vectors, batch, removals)
            .await?;
        if let Some(lost) = self.incomplete.get() {
            let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.retain(|id| !whole.contains(id));
        }
        Ok(())
    }

    /// Takes texts that were replaced or removed off the disk; may take long, reading and writing go on.
    pub async fn compact(&self) -> Result<()> {
        let compacted = self.writer.compact(&self.lexical).await;
        self.vectors.compact().await.and(compacted)
    }

    /// Merges what many small writes left behind, so that searches look into little; may take minutes.
    pub async fn optimize(&self) -> Result<()> {
        let tidied = self.writer.tidy(&self.lexical).await;
        let optimised = self.vectors.optimize().await;
        self.lexical.changed();
        tidied.and(optimised)
    }

    /// Another number after each change of what a search may find.
    pub fn generation(&self) -> u64 {
        self.lexical.generation()
    }
}

#[cfg(test)]
pub(crate) mod tests;
