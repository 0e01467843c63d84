//! The embedded index of one collection: tantivy decides what exists, vectors only point.

pub mod analyse;
pub mod edge;
pub mod filter;
pub mod lexical;
pub mod publish;
pub mod vectors;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::types::{Document, DocumentCard, DocumentId, Filter, Hit, Passage, Reader, Scores};
use edge::EdgeStore;
use lexical::{Lexical, document_key};
use publish::Publisher;
pub use publish::Replacement;
use vectors::VectorStore;

/// Grows when the stored form changes.
const SCHEMA: u32 = 1;

/// What an index was made with; another one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the embedder.
    pub embedder: String,
    /// Length of its vectors.
    pub dimension: usize,
    /// Name of the analyser.
    pub analyser: String,
    /// Version of the stored form.
    pub schema: u32,
}

impl Identity {
    /// What this binary makes with that embedder.
    pub fn current(embedder: &str, dimension: usize) -> Self {
        Self {
            embedder: embedder.to_owned(),
            dimension,
            analyser: analyse::ANALYSER.to_owned(),
            schema: SCHEMA,
        }
    }
}

/// Size of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Documents in it.
    pub documents: usize,
    /// Chunks in it.
    pub chunks: usize,
}

/// An open collection.
pub struct Collection {
    name: String,
    lexical: Lexical,
    vectors: Arc<dyn VectorStore>,
    publisher: Mutex<Publisher>,
    cards: RwLock<Arc<BTreeMap<DocumentId, Arc<DocumentCard>>>>,
}

impl Collection {
    /// Opens or makes the collection in `folder`; without `vectors` they are kept in the folder too.
    pub async fn open(
        folder: &Path,
        name: &str,
        identity: Identity,
        vectors: Option<Arc<dyn VectorStore>>,
    ) -> Result<Arc<Self>> {
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::storage("cannot make the collection's folder", error))?;
        check_identity(folder, name, &identity)?;
        let lexical = Lexical::open(&folder.join("lexical"))?;
        let publisher = Publisher::new(lexical.writer()?);
        let vectors = match vectors {
            Some(vectors) => vectors,
            None => Arc::new(EdgeStore::open(&folder.join("vectors"), identity.dimension)?),
        };
        let mut cards = BTreeMap::new();
        lexical.all_documents(|document| {
            cards.insert(document.id, Arc::new(card(&document)));
        })?;
        let cards = RwLock::new(Arc::new(cards));
        let open = Self {
            name: name.to_owned(),
            lexical,
            vectors,
            publisher: Mutex::new(publisher),
            cards,
        };
        open.sweep().await?;
        Ok(Arc::new(open))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lexical leg. CPU work: the caller moves it off the async threads.
    pub fn lexical(&self, text: &str, filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
        self.lexical.search(text, self.allowed(filter, reader), k)
    }

    /// The vector leg; a vector without its chunk is passed over.
    pub async fn vector(&self, vector: Vec<f32>, filter: &Filter, reader: &Reader, k: usize) -> Result<Vec<Hit>> {
        self.vectors.search(vector, filter, reader, k).await
    }

    /// The texts of hits, in their order; what does not exist or may not be read is left out.
    pub fn passages(&self, hits: &[Hit], query: &str, reader: &Reader) -> Result<Vec<Passage>> {
        let words: BTreeSet<String> = analyse::terms(query)
            .into_iter()
            .filter(|term| !term.stop)
            .map(|term| term.text)
            .collect();
        let cards = self.cards();
        let mut passages = Vec::with_capacity(hits.len());
        for hit in hits {
            let Some(chunk) = self.lexical.chunk(hit.chunk)? else {
                continue;
            };
            let Some(document) = cards.get(&chunk.document) else {
                continue;
            };
            if !reader.may_read(&document.principals) {
                continue;
            }
            passages.push(Passage {
                collection: self.name.clone(),
                document: document.clone(),
                highlights: highlights(&chunk.text, &words),
                chunk: Arc::new(chunk),
                scores: Scores {
                    fused: hit.score,
                    ..Scores::default()
                },
            });
        }
        Ok(passages)
    }

    /// A document with its text.
    pub fn document(&self, id: DocumentId, reader: &Reader) -> Result<Option<Document>> {
        let document = self.lexical.document(id)?;
        Ok(document.filter(|document| reader.may_read(&document.principals)))
    }

    /// Readable documents by URI, and how many there are.
    pub fn documents(&self, reader: &Reader, offset: usize, limit: usize) -> Result<(usize, Vec<DocumentCard>)> {
        let cards = self.cards();
        let mut readable: Vec<&Arc<DocumentCard>> = cards
            .values()
            .filter(|card| reader.may_read(&card.principals))
            .collect();
        readable.sort_by(|a, b| a.uri.cmp(&b.uri));
        let page = readable
            .iter()
            .skip(offset)
            .take(limit)
            .map(|card| (***card).clone())
            .collect();
        Ok((readable.len(), page))
    }

    /// URI to fingerprint of every document.
    pub fn fingerprints(&self) -> BTreeMap<String, String> {
        self.cards()
            .values()
            .map(|card| (card.uri.clone(), card.version.clone()))
            .collect()
    }

    /// Its size.
    pub fn statistics(&self) -> Statistics {
        let documents = self.cards().len();
        let (all, _) = self.lexical.frequency("");
        Statistics {
            documents,
            chunks: (all as usize).saturating_sub(documents),
        }
    }

    /// How rare an analysed word is: ln(1 + (N - n + .5) / (n + .5)), as in BM25 (Robertson and Zaragoza 2009).
    pub fn idf(&self, word: &str) -> f32 {
        let (all, held) = self.lexical.frequency(word);
        let (all, held) = (all as f32, held as f32);
        (1.0 + (all - held + 0.5).max(0.0) / (held + 0.5)).ln()
    }

    /// Replaces and removes documents in one step that readers see at once.
    pub async fn publish(&self, batch: Vec<Replacement>, removals: Vec<DocumentId>) -> Result<()> {
        let mut publisher = self.publisher.lock().await;
        publisher
            .publish(&self.lexical, &self.vectors, &batch, &removals)
            .await?;
        let mut cards = (*self.cards()).clone();
        for id in &removals {
            cards.remove(id);
        }
        for replacement in &batch {
            cards.insert(replacement.document.id, Arc::new(card(&replacement.document)));
        }
        if let Ok(mut current) = self.cards.write() {
            *current = Arc::new(cards);
        }
        Ok(())
    }

    /// Lets the vector engine build its indexes.
    pub async fn optimize(&self) -> Result<()> {
        self.vectors.optimize().await
    }

    /// Removes vectors whose chunk does not exist: what a crash between two steps left behind.
    async fn sweep(&self) -> Result<()> {
        let known = self.lexical.all_chunks()?;
        let stale: Vec<_> = self
            .vectors
            .ids()
            .await?
            .into_iter()
            .filter(|id| !known.contains(id))
            .collect();
        if stale.is_empty() {
            return Ok(());
        }
        tracing::info!(
            collection = self.name,
            stale = stale.len(),
            "removed vectors that a crash left behind"
        );
        self.vectors.remove(stale).await?;
        self.vectors.flush().await
    }

    fn cards(&self) -> Arc<BTreeMap<DocumentId, Arc<DocumentCard>>> {
        self.cards.read().map(|cards| cards.clone()).unwrap_or_default()
    }

    /// Keys of the documents that `filter` and `reader` admit; none when all are.
    fn allowed(&self, filter: &Filter, reader: &Reader) -> Option<Arc<BTreeSet<u64>>> {
        let cards = self.cards();
        let all_readable = cards.values().all(|card| reader.may_read(&card.principals));
        if filter.is_empty() && all_readable {
            return None;
        }
        let admitted =
            |card: &DocumentCard| reader.may_read(&card.principals) && filter::matches(filter, &card.metadata);
        let keys = cards
            .values()
            .filter(|card| admitted(card))
            .map(|card| document_key(card.id));
        Some(Arc::new(keys.collect()))
    }
}

fn card(document: &Document) -> DocumentCard {
    DocumentCard {
        id: document.id,
        uri: document.uri.clone(),
        title: document.title.clone(),
        metadata: document.metadata.clone(),
        principals: document.principals.clone(),
        version: document.fingerprint.clone(),
    }
}

fn highlights(text: &str, words: &BTreeSet<String>) -> Vec<Range<usize>> {
    analyse::terms(text)
        .into_iter()
        .filter(|term| words.contains(&term.text))
        .map(|term| term.range)
        .collect()
}

fn check_identity(folder: &Path, name: &str, identity: &Identity) -> Result<()> {
    let file = folder.join("identity.json");
    match std::fs::read(&file) {
        Ok(bytes) => {
            let stored: Identity = serde_json::from_slice(&bytes)
                .map_err(|error| Error::storage(&format!("`{}` is broken", file.display()), error))?;
            if stored == *identity {
                return Ok(());
            }
            Err(Error::Conflict(format!(
                "collection `{name}` was made with {stored:?}, this is {identity:?}; move `{}` away and run \
                 `portolan index PATH --collection {name}` again",
                folder.display()
            )))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let bytes = serde_json::to_vec_pretty(identity).map_err(|error| Error::Internal(error.to_string()))?;
            std::fs::write(&file, bytes)
                .map_err(|error| Error::storage("cannot write the collection's identity", error))
        }
        Err(error) => Err(Error::storage("cannot read the collection's identity", error)),
    }
}

#[cfg(test)]
mod tests;
