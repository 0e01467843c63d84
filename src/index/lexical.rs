//! Tantivy: the fields, the query, and what a reader sees of one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tantivy::collector::{Count, TopDocs};
use tantivy::query::{Bm25StatisticsProvider, Query, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value};
use tantivy::{
    DocAddress, DocSet, Index, IndexReader, IndexSettings, ReloadPolicy, Searcher, TERMINATED, TantivyDocument, Term,
};

use super::asked::Asked;
use super::directory::Directory;
use super::given::{self, Given};
use super::ids::Ids;
use super::language::{self, Language};
use super::{Statistics, ask, cards};
use crate::error::{Error, Result};
use crate::types::{Chunk, ChunkId, Document, DocumentCard, DocumentId, Hit, Reader};

/// Fetched beyond `k`, so that equal scores at the end are cut by id and not by place on disk.
const SPARE: usize = 16;
/// Bytes of text that are unpacked to read a passage; tantivy's 16 KB take most of the time that a page's texts take.
const STORE_BLOCK: usize = 4_096;

/// The search index of one collection.
pub(super) struct Lexical {
    /// Kept for the writer.
    pub index: Index,
    /// Where things are.
    pub fields: Fields,
    reader: IndexReader,
    snapshot: RwLock<Arc<Snapshot>>,
    generation: AtomicU64,
}

/// The fields; a chunk has all but `record` and `suggest`, a document's own record no words, facts and ids of chunks.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    /// Analysed words of title, headings and text.
    pub body: Field,
    /// Unstemmed words with positions, and identifiers.
    pub exact: Field,
    /// The id of the document; one deletion takes the record and the chunks.
    pub document: Field,
    /// The id of the document, on its record only.
    pub record: Field,
    /// The id of the chunk.
    pub chunk: Field,
    /// Its upper half, to read ids without stored fields.
    pub high: Field,
    /// Its lower half.
    pub low: Field,
    /// `filter::facts`.
    pub facts: Field,
    /// `filter::principal_words`.
    pub principals: Field,
    /// The upper half of the document's id; 0 on a record, which is no chunk.
    pub owner: Field,
    /// The chunk's place among those of its document.
    pub ordinal: Field,
    /// `suggest::entries`, on a record only.
    pub suggest: Field,
    /// ISO 639-1 code of the language that a chunk was stemmed in.
    pub language: Field,
    /// The `Document` or `Chunk` as JSON.
    pub source: Field,
}

/// One commit: what is searched and what is known of its documents always belong together.
pub(super) struct Snapshot {
    pub searcher: Searcher,
    pub fields: Fields,
    /// The chunks of each segment.
    pub ids: Vec<Arc<Ids>>,
    /// Every document.
    pub cards: BTreeMap<DocumentId, Arc<DocumentCard>>,
    /// What queries are stemmed in; at least one.
    pub languages: Vec<Language>,
    /// Whether any document is not for everyone.
    pub restricted: bool,
    directory: OnceLock<Arc<Directory>>,
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::AcqRel)
}

/// Maps tantivy's errors.
pub(super) fn failed(cause: impl std::fmt::Display) -> Error {
    Error::storage("the search index failed", cause)
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexed = |option| {
        let indexing = TextFieldIndexing::default().set_tokenizer(given::NAME);
        TextOptions::default().set_indexing_options(indexing.set_index_option(option))
    };
    let fields = Fields {
        body: builder.add_text_field("body", indexed(IndexRecordOption::WithFreqs)),
        exact: builder.add_text_field("exact", indexed(IndexRecordOption::WithFreqsAndPositions)),
        document: builder.add_text_field("document", STRING),
        record: builder.add_text_field("record", STRING),
        chunk: builder.add_text_field("chunk", STRING),
        high: builder.add_u64_field("high", FAST),
        low: builder.add_u64_field("low", FAST),
        facts: builder.add_text_field("facts", STRING),
        principals: builder.add_text_field("principals", STRING),
        owner: builder.add_u64_field("owner", FAST),
        ordinal: builder.add_u64_field("ordinal", FAST),
        suggest: builder.add_text_field("suggest", STRING),
        language: builder.add_text_field("language", STRING),
        source: builder.add_text_field("source", STORED),
    };
    (builder.build(), fields)
}

impl Lexical {
    /// Opens the index in `folder` or makes an empty one.
    pub fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(failed)?;
        let (schema, fields) = schema();
        let directory = tantivy::directory::MmapDirectory::open(folder).map_err(failed)?;
        let settings = IndexSettings {
            docstore_blocksize: STORE_BLOCK,
            ..IndexSettings::default()
        };
        let builder = Index::builder().schema(schema).settings(settings);
        let index = builder.open_or_create(directory).map_err(failed)?;
        index.tokenizers().register(given::NAME, Given::default());
        let builder = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader: IndexReader = builder.try_into().map_err(failed)?;
        let searcher = reader.searcher();
        let cards = cards::read(&searcher, fields)?;
        Ok(Self {
            index,
            fields,
            reader,
            snapshot: RwLock::new(Arc::new(Snapshot::new(searcher, fields, cards, &[])?)),
            generation: AtomicU64::new(fresh()),
        })
    }

    /// Another number after each change; no two states of any collection in this process share one.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Says that something has changed; only after the change can be seen.
    pub fn changed(&self) {
        self.generation.store(fresh(), Ordering::Release);
    }

    /// What is visible now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the last commit visible, together with its cards.
    pub fn show(&self, cards: BTreeMap<DocumentId, Arc<DocumentCard>>) -> Result<()> {
        self.reader.reload().map_err(failed)?;
        let snapshot = Snapshot::new(self.reader.searcher(), self.fields, cards, &self.snapshot().ids)?;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        self.changed();
        Ok(())
    }

    /// The `k` best chunks by BM25, those with an identifier that was asked for before all others; ties by id.
    pub fn search(&self, asked: &Asked, k: usize) -> Result<Vec<Hit>> {
        let snapshot = self.snapshot();
        let reader = snapshot.reader(&asked.reader);
        let mut hits = match ask::with_code(self.fields, asked, reader) {
            Some(query) => snapshot.top(&*query, k)?,
            None => Vec::new(),
        };
        if hits.len() < k
            && let Some(query) = ask::query(self.fields, asked, reader)
        {
            let known: BTreeSet<_> = hits.iter().map(|hit| hit.chunk).collect();
            let others = snapshot.top(&*query, k)?.into_iter();
            hits.extend(others.filter(|hit| !known.contains(&hit.chunk)));
            hits.truncate(k);
        }
        Ok(hits)
    }

    /// See `Collection::readable`.
    pub fn readable(&self, reader: &Reader) -> Result<Statistics> {
        let snapshot = self.snapshot();
        let cards = snapshot.cards.values();
        let documents = cards.filter(|card| reader.may_read(&card.principals)).count();
        let chunks = match ask::readable(self.fields, reader) {
            // The records of the documents have principals too.
            Some(query) if snapshot.restricted => {
                snapshot.searcher.search(&*query, &Count).map_err(failed)? - documents
            }
            _ => snapshot.chunks(),
        };
        Ok(Statistics { documents, chunks })
    }

    /// See `Collection::idf`.
    pub fn idf(&self, term: &str) -> f32 {
        self.snapshot().idf(term)
    }
}

impl Snapshot {
    fn new(
        searcher: Searcher,
        fields: Fields,
        cards: BTreeMap<DocumentId, Arc<DocumentCard>>,
        before: &[Arc<Ids>],
    ) -> Result<Self> {
        let restricted = cards.values().any(|card| !card.principals.is_empty());
        Ok(Self {
            ids: Ids::of_all(&searcher, before)?,
            languages: languages(&searcher, fields).unwrap_or_default(),
            searcher,
            fields,
            cards,
            restricted,
            directory: OnceLock::new(),
        })
    }

    /// See `Collection::idf`.
    pub fn idf(&self, term: &str) -> f32 {
        // Other languages have other stems; there the word itself tells more or less the same.
        let fields = [self.fields.body, self.fields.exact].into_iter();
        let having = fields
            .map(|field| self.having(field, term))
            .find(|having| *having > 0.0);
        self.rarity(having.unwrap_or_default())
    }

    /// How many chunks have the term in that field.
    pub fn having(&self, field: Field, term: &str) -> f32 {
        let term = Term::from_field_text(field, term);
        self.searcher.doc_freq(&term).unwrap_or(0) as f32
    }

    /// What a term that so many chunks have is worth.
    pub fn rarity(&self, having: f32) -> f32 {
        let total = self.chunks() as f32;
        // Deleted chunks count until their segment is merged.
        let having = having.min(total);
        (1.0 + (total - having + 0.5) / (having + 0.5)).ln()
    }

    /// The documents by number, made when first asked for.
    pub fn directory(&self) -> &Arc<Directory> {
        self.directory.get_or_init(|| Arc::new(Directory::new(&self.cards)))
    }

    /// The reader, or everything where all is public: tantivy then answers by skipping blocks.
    pub fn reader<'a>(&self, reader: &'a Reader) -> &'a Reader {
        if self.restricted { reader } else { &Reader::Everything }
    }

    /// How many chunks and records are gone but still counted in the frequency of a term.
    pub fn deleted(&self) -> u64 {
        let segments = self.searcher.segment_readers().iter();
        segments.map(|segment| u64::from(segment.num_deleted_docs())).sum()
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> usize {
        (self.searcher.num_docs() as usize).saturating_sub(self.cards.len())
    }

    /// The chunk, if it exists.
    pub fn chunk(&self, id: ChunkId) -> Result<Option<Chunk>> {
        let place = self.place(id);
        place.map(|at| read_source(&self.searcher, self.fields, at)).transpose()
    }

    /// The document, if it exists.
    pub fn document(&self, id: DocumentId) -> Result<Option<Document>> {
        let term = Term::from_field_text(self.fields.record, &id.to_string());
        let place = self.address(&term).map_err(failed)?;
        place.map(|at| read_source(&self.searcher, self.fields, at)).transpose()
    }

    /// The ids of all chunks.
    pub fn ids(&self) -> Vec<ChunkId> {
        let mut ids = Vec::with_capacity(self.chunks());
        for (segment, own) in self.searcher.segment_readers().iter().zip(&self.ids) {
            ids.extend(segment.doc_ids_alive().filter_map(|document| own.id(document)));
        }
        ids
    }

    /// The ids of a document's chunks.
    pub fn ids_of(&self, document: DocumentId) -> Result<Vec<ChunkId>> {
        let term = Term::from_field_text(self.fields.document, &document.to_string());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let addresses = self.searcher.search(&query, &tantivy::collector::DocSetCollector);
        let mut ids = Vec::new();
        for address in addresses.map_err(failed)? {
            ids.extend(self.id_at(address));
        }
        Ok(ids)
    }

    fn top(&self, query: &dyn Query, k: usize) -> Result<Vec<Hit>> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let collector = TopDocs::with_limit(k + SPARE).order_by_score();
        let found = self.searcher.search_with_statistics_provider(query, &collector, self);
        let mut hits = Vec::new();
        for (score, address) in found.map_err(failed)? {
            if let Some(chunk) = self.id_at(address) {
                hits.push(Hit { chunk, score });
            }
        }
        hits.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.chunk.cmp(&right.chunk)));
        hits.truncate(k);
        Ok(hits)
    }

    /// The one entry with that term, looked up without a query: there is nothing to score.
    fn address(&self, term: &Term) -> tantivy::Result<Option<DocAddress>> {
        for (ordinal, segment) in self.searcher.segment_readers().iter().enumerate() {
            let index = segment.inverted_index(term.field())?;
            let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? else {
                continue;
            };
            while segment.is_deleted(postings.doc()) && postings.advance() != TERMINATED {}
            if postings.doc() != TERMINATED {
                return Ok(Some(DocAddress::new(ordinal as u32, postings.doc())));
            }
        }
        Ok(None)
    }
}

/// BM25 counts chunks; the documents' records have no words and would shorten the average chunk.
impl Bm25StatisticsProvider for Snapshot {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.searcher.total_num_tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        // With deleted ones, since the counts of terms have them too and must not be larger.
        let segments = self.searcher.segment_readers();
        let all: u64 = segments.iter().map(|segment| u64::from(segment.max_doc())).sum();
        Ok(all.saturating_sub(self.cards.len() as u64))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.searcher.doc_freq(term)
    }
}

fn languages(searcher: &Searcher, fields: Fields) -> tantivy::Result<Vec<Language>> {
    let mut counted: BTreeMap<Language, u64> = BTreeMap::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(fields.language)?;
        let mut codes = index.terms().stream()?;
        while codes.advance() {
            if let Some(language) = std::str::from_utf8(codes.key()).ok().and_then(Language::of_code) {
                *counted.entry(language).or_default() += u64::from(codes.value().doc_freq);
            }
        }
    }
    Ok(language::most_common(counted.into_iter().collect()))
}

pub(super) fn read_source<T: serde::de::DeserializeOwned>(
    searcher: &Searcher,
    fields: Fields,
    at: DocAddress,
) -> Result<T> {
    let stored: TantivyDocument = searcher.doc(at).map_err(failed)?;
    let source = stored.get_first(fields.source).and_then(|value| value.as_str());
    serde_json::from_str(source.unwrap_or_default()).map_err(failed)
}
