//! tantivy: the chunk store, the document records and BM25. What is not here does not exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use tantivy::collector::{FilterCollector, TopDocs};
use tantivy::query::{BooleanQuery, BoostQuery, Occur, PhraseQuery, Query, QueryClone, TermQuery};
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::{DocAddress, Index, IndexReader, IndexWriter, ReloadPolicy, Score, Searcher, TantivyDocument, Term, doc};

use crate::error::{Error, Result};
use crate::index::analyse;
use crate::types::{Chunk, ChunkId, Document, DocumentId, Hit};

/// Memory of the writer, in bytes.
const WRITER_BYTES: usize = 64 * 1024 * 1024;
/// A verbatim code outweighs any number of ordinary words.
const IDENTIFIER_BOOST: Score = 6.0;
/// Distinct words of a query that are searched for.
const WORDS: usize = 64;

#[derive(Clone, Copy)]
struct Fields {
    body: Field,
    exact: Field,
    chunk_id: Field,
    id_high: Field,
    id_low: Field,
    document: Field,
    document_key: Field,
    record_of: Field,
    stored: Field,
}

/// The index of one collection.
pub struct Lexical {
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

impl Lexical {
    /// Opens or makes the index in `folder`.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(|error| Error::storage("cannot make the index folder", error))?;
        let (schema, fields) = schema();
        let directory = tantivy::directory::MmapDirectory::open(folder)
            .map_err(|error| Error::storage("cannot open the index folder", error))?;
        let index =
            Index::open_or_create(directory, schema).map_err(|error| Error::storage("cannot open the index", error))?;
        index.tokenizers().register(analyse::BODY, analyse::body());
        index.tokenizers().register(analyse::EXACT, analyse::exact());
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(|error| Error::storage("cannot read the index", error))?;
        Ok(Self { index, reader, fields })
    }

    /// The only writer; a second one, also of another process, is refused.
    pub fn writer(&self) -> Result<IndexWriter> {
        self.index
            .writer_with_num_threads(1, WRITER_BYTES)
            .map_err(|error| match error {
                tantivy::TantivyError::LockFailure(..) => Error::Conflict(
                    "another process writes to this data folder; stop it, or name another folder with --data".into(),
                ),
                other => Error::storage("cannot write the index", other),
            })
    }

    /// Makes the last commit visible.
    pub fn reload(&self) -> Result<()> {
        self.reader
            .reload()
            .map_err(|error| Error::storage("cannot reload the index", error))
    }

    /// Adds a document with its chunks to the open commit, after dropping its last version.
    pub fn stage(&self, writer: &IndexWriter, document: &Document, chunks: &[Chunk]) -> Result<()> {
        self.stage_removal(writer, document.id);
        let fields = self.fields;
        let failed = |error: tantivy::TantivyError| Error::storage("cannot write the index", error);
        let key = document.id.to_string();
        let record =
            doc!(fields.document => key.clone(), fields.record_of => key.clone(), fields.stored => json(document)?);
        writer.add_document(record).map_err(failed)?;
        for chunk in chunks {
            let headed = Chunk::embedded_text(&document.title, &chunk.heading_path, &chunk.text);
            let (high, low) = chunk.id.0.as_u64_pair();
            let one = doc!(
                fields.body => headed.clone(),
                fields.exact => headed,
                fields.chunk_id => chunk.id.to_string(),
                fields.id_high => high,
                fields.id_low => low,
                fields.document => key.clone(),
                fields.document_key => document_key(document.id),
                fields.stored => json(chunk)?,
            );
            writer.add_document(one).map_err(failed)?;
        }
        Ok(())
    }

    /// Drops a document and its chunks in the open commit.
    pub fn stage_removal(&self, writer: &IndexWriter, document: DocumentId) {
        writer.delete_term(Term::from_field_text(self.fields.document, &document.to_string()));
    }

    /// BM25 over the body; codes and quoted parts to the letter. `allowed` holds the keys of readable documents.
    pub fn search(&self, text: &str, allowed: Option<Arc<BTreeSet<u64>>>, k: usize) -> Result<Vec<Hit>> {
        let Some(query) = self.query(text) else {
            return Ok(Vec::new());
        };
        let searcher = self.reader.searcher();
        let top = TopDocs::with_limit(k.max(1)).order_by_score();
        let failed = |error: tantivy::TantivyError| Error::storage("the search failed", error);
        let found: Vec<(Score, DocAddress)> = match allowed {
            None => searcher.search(&query, &top).map_err(failed)?,
            Some(keys) => {
                let filter = FilterCollector::new("document_key".to_owned(), move |key: u64| keys.contains(&key), top);
                searcher.search(&query, &filter).map_err(failed)?
            }
        };
        let mut hits = Vec::with_capacity(found.len());
        for (score, address) in found {
            hits.push(Hit {
                chunk: Self::chunk_id(&searcher, address)?,
                score,
            });
        }
        // Ties go to the smaller id, so the order never wavers.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
        Ok(hits)
    }

    fn chunk_id(searcher: &Searcher, address: DocAddress) -> Result<ChunkId> {
        let columns = searcher.segment_reader(address.segment_ord).fast_fields();
        let read = |name: &str| -> Result<u64> {
            let column = columns
                .u64(name)
                .map_err(|error| Error::storage("cannot read the index", error))?;
            Ok(column.first(address.doc_id).unwrap_or_default())
        };
        Ok(ChunkId(uuid::Uuid::from_u64_pair(read("id_high")?, read("id_low")?)))
    }

    fn query(&self, text: &str) -> Option<BooleanQuery> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        let term = |field: Field, text: &str| -> Box<dyn Query> {
            Box::new(TermQuery::new(
                Term::from_field_text(field, text),
                IndexRecordOption::WithFreqs,
            ))
        };
        let words: BTreeSet<String> = analyse::terms(text)
            .into_iter()
            .filter(|term| !term.stop)
            .map(|term| term.text)
            .take(WORDS)
            .collect();
        clauses.extend(words.iter().map(|word| (Occur::Should, term(self.fields.body, word))));
        for name in analyse::identifiers(text).into_iter().take(WORDS) {
            let boosted = BoostQuery::new(term(self.fields.exact, &name), IDENTIFIER_BOOST);
            clauses.push((Occur::Should, Box::new(boosted)));
        }
        for phrase in text.split('"').skip(1).step_by(2).take(8) {
            clauses.extend(self.phrase(phrase).map(|query| (Occur::Must, query)));
        }
        if clauses.is_empty() {
            // Only stop words: they are searched for as they are written.
            let words = Self::exact_terms(text);
            clauses.extend(
                words
                    .iter()
                    .take(WORDS)
                    .map(|word| (Occur::Should, term(self.fields.exact, word))),
            );
        }
        (!clauses.is_empty()).then(|| BooleanQuery::new(clauses))
    }

    fn phrase(&self, phrase: &str) -> Option<Box<dyn Query>> {
        let terms: Vec<Term> = Self::exact_terms(phrase)
            .iter()
            .map(|word| Term::from_field_text(self.fields.exact, word))
            .collect();
        match terms.as_slice() {
            [] => None,
            [one] => Some(TermQuery::new(one.clone(), IndexRecordOption::WithFreqs).box_clone()),
            _ => Some(PhraseQuery::new(terms).box_clone()),
        }
    }

    fn exact_terms(text: &str) -> Vec<String> {
        let mut analyser = analyse::exact();
        let mut stream = analyser.token_stream(text);
        let mut words = Vec::new();
        while let Some(token) = stream.next() {
            words.push(token.text.clone());
        }
        words
    }

    /// The chunk, if it exists.
    pub fn chunk(&self, id: ChunkId) -> Result<Option<Chunk>> {
        self.fetch(Term::from_field_text(self.fields.chunk_id, &id.to_string()))
    }

    /// The document's record, if it exists.
    pub fn document(&self, id: DocumentId) -> Result<Option<Document>> {
        self.fetch(Term::from_field_text(self.fields.record_of, &id.to_string()))
    }

    /// Every document, for the cards that are kept in memory.
    pub fn all_documents(&self, mut each: impl FnMut(Document)) -> Result<()> {
        self.walk(|searcher, address, is_record| {
            if is_record {
                each(read(searcher, address, self.fields.stored)?);
            }
            Ok(())
        })
    }

    /// Every chunk's id, for the sweep.
    pub fn all_chunks(&self) -> Result<BTreeSet<ChunkId>> {
        let mut ids = BTreeSet::new();
        self.walk(|searcher, address, is_record| {
            if !is_record {
                ids.insert(Self::chunk_id(searcher, address)?);
            }
            Ok(())
        })?;
        Ok(ids)
    }

    fn walk(&self, mut each: impl FnMut(&Searcher, DocAddress, bool) -> Result<()>) -> Result<()> {
        let searcher = self.reader.searcher();
        for (ordinal, segment) in searcher.segment_readers().iter().enumerate() {
            let keys = segment.fast_fields().u64("document_key");
            let keys = keys.map_err(|error| Error::storage("cannot read the index", error))?;
            for id in segment.doc_ids_alive() {
                each(&searcher, DocAddress::new(ordinal as u32, id), keys.first(id).is_none())?;
            }
        }
        Ok(())
    }

    fn fetch<T: DeserializeOwned>(&self, term: Term) -> Result<Option<T>> {
        let searcher = self.reader.searcher();
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &TopDocs::with_limit(1).order_by_score());
        let found = found.map_err(|error| Error::storage("cannot read the index", error))?;
        match found.first() {
            Some((_, address)) => read(&searcher, *address, self.fields.stored).map(Some),
            None => Ok(None),
        }
    }

    /// Documents and chunks together, and how many hold `word`, an analysed term.
    pub fn frequency(&self, word: &str) -> (u64, u64) {
        let searcher = self.reader.searcher();
        let held = searcher
            .doc_freq(&Term::from_field_text(self.fields.body, word))
            .unwrap_or_default();
        (searcher.num_docs(), held)
    }
}

/// The first half of a document's id: what filters compare.
pub fn document_key(id: DocumentId) -> u64 {
    id.0.as_u64_pair().0
}

fn read<T: DeserializeOwned>(searcher: &Searcher, address: DocAddress, stored: Field) -> Result<T> {
    let document: TantivyDocument = searcher
        .doc(address)
        .map_err(|error| Error::storage("cannot read the index", error))?;
    let bytes = document
        .get_first(stored)
        .and_then(|value| value.as_bytes())
        .unwrap_or_default();
    serde_json::from_slice(bytes).map_err(|error| Error::storage("the index holds a broken record", error))
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::Internal(error.to_string()))
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let text = |analyser: &str, option: IndexRecordOption| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(analyser)
            .set_index_option(option);
        TextOptions::default().set_indexing_options(indexing)
    };
    let fields = Fields {
        body: builder.add_text_field("body", text(analyse::BODY, IndexRecordOption::WithFreqs)),
        exact: builder.add_text_field("exact", text(analyse::EXACT, IndexRecordOption::WithFreqsAndPositions)),
        chunk_id: builder.add_text_field("chunk_id", STRING),
        id_high: builder.add_u64_field("id_high", FAST),
        id_low: builder.add_u64_field("id_low", FAST),
        document: builder.add_text_field("document", STRING),
        document_key: builder.add_u64_field("document_key", FAST | INDEXED),
        record_of: builder.add_text_field("record_of", STRING),
        stored: builder.add_bytes_field("stored", STORED),
    };
    (builder.build(), fields)
}
