//! What a result is shown with beside its text: marked titles, and what stands before and after it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tantivy::Term;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;

use super::lexical::{Snapshot, failed};
use super::{Collection, analyse};
use crate::error::Result;
use crate::types::{Chunk, ChunkId, Document, Passage, Reader, Stretch};

impl Collection {
    /// Marks the words of `query` in titles and headings, and adds `neighbours` chunks on either side.
    pub fn dress(&self, passages: &mut [Passage], query: &str, neighbours: usize) -> Result<()> {
        let snapshot = self.lexical.snapshot();
        let languages = &snapshot.languages;
        let wanted = analyse::wanted(query, languages);
        let mut open: Option<Arc<Document>> = None;
        for passage in passages {
            let headings = passage.chunk.heading_path.iter();
            passage.display.title_highlights = analyse::highlights(&passage.document.title, &wanted, languages);
            passage.display.heading_highlights = headings
                .map(|one| analyse::highlights(one, &wanted, languages))
                .collect();
            if neighbours == 0 {
                continue;
            }
            let id = passage.chunk.document;
            if open.as_ref().is_none_or(|document| document.id != id) {
                open = snapshot.document(id)?.map(Arc::new);
            }
            // A version that came since has other spans.
            let document = open.as_ref().filter(|one| one.fingerprint == passage.document.version);
            if let Some(document) = document {
                let around = snapshot.around(&passage.chunk, neighbours)?;
                passage.display.before = stretch(&document.text, around.start..passage.chunk.span.start);
                passage.display.after = stretch(&document.text, passage.chunk.span.end..around.end);
            }
        }
        Ok(())
    }

    /// The texts of `chunks`, of those that exist and that `reader` may read.
    pub fn texts(&self, chunks: &[ChunkId], reader: &Reader) -> Result<HashMap<ChunkId, String>> {
        let snapshot = self.lexical.snapshot();
        let mut texts = HashMap::with_capacity(chunks.len());
        for id in chunks {
            if let Some(chunk) = snapshot.chunk(*id)?
                && let Some(card) = snapshot.cards.get(&chunk.document)
                && reader.may_read(&card.principals)
            {
                texts.insert(*id, chunk.text);
            }
        }
        Ok(texts)
    }
}

impl Snapshot {
    /// The span from the `neighbours`th chunk before to the `neighbours`th after.
    fn around(&self, chunk: &Chunk, neighbours: usize) -> Result<Range<usize>> {
        let mut around = chunk.span.clone();
        let term = Term::from_field_text(self.fields.document, &chunk.document.to_string());
        let own = TermQuery::new(term, IndexRecordOption::Basic);
        let found = self.searcher.search(&own, &tantivy::collector::DocSetCollector);
        for at in found.map_err(failed)? {
            let columns = self.searcher.segment_reader(at.segment_ord).fast_fields();
            let ordinal = columns.u64("ordinal").map_err(failed)?.first(at.doc_id);
            let Some(ordinal) =
                ordinal.filter(|ordinal| ordinal.abs_diff(u64::from(chunk.ordinal)) <= neighbours as u64)
            else {
                continue;
            };
            if ordinal != u64::from(chunk.ordinal)
                && let Some(id) = self.id_at(at)
                && let Some(other) = self.chunk(id)?
            {
                around.start = around.start.min(other.span.start);
                around.end = around.end.max(other.span.end);
            }
        }
        Ok(around)
    }
}

/// That part of the text; nothing where there is none.
fn stretch(text: &str, span: Range<usize>) -> Option<Stretch> {
    let part = text.get(span.clone()).filter(|part| !part.is_empty())?;
    Some(Stretch {
        span,
        text: part.to_owned(),
    })
}
