//! The first stage: an item is looked at, and parsed when it is new or changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indexer::fingerprint;
use indexer::types::{Chunk, Document, DocumentId, Item};
use tokio::time::Instant;

use super::flow::{self, Task};
use super::{IngestRun, Put, hidden, stale};
use crate::engine::changes::Change;
use crate::engine::situate::{Situated, situate};
use crate::error::Result;
use crate::store::{ErrorKind, JobError};
use crate::types::Expected;

/// What a document takes beside its texts.
const OVERHEAD: usize = 4_096;

/// What is known of a document on its way.
pub(super) struct Ticket {
    pub uri: String,
    pub change: Change,
    /// What must hold of the version that it replaces, and the line that it stands in.
    pub expected: Expected,
    pub line: Option<u64>,
    /// Of the file.
    pub bytes: u64,
    /// Those that a model wrote of its chunks, in their order.
    pub sentences: Vec<Option<String>>,
    /// Of what the model was given of each.
    pub keys: Vec<String>,
}

/// An item that is being parsed.
pub(super) struct Parsing {
    pub task: Task<Situated>,
    /// In bytes, as far as that is known.
    weight: Arc<AtomicUsize>,
    ticket: Ticket,
    print: String,
    /// The fingerprint that stood in its place.
    before: Option<String>,
    /// By what its source will tell that it is as it was.
    tag: Option<String>,
}

/// A document that waits for its vectors.
pub(super) struct Parsed {
    pub document: Document,
    pub chunks: Vec<Chunk>,
    pub ticket: Ticket,
}

impl Parsing {
    pub fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }
}

impl Parsed {
    pub fn weight(&self) -> usize {
        weight(&self.document)
    }
}

fn weight(document: &Document) -> usize {
    // Its text stands in its chunks once more.
    2 * document.text.len() + OVERHEAD
}

impl IngestRun {
    /// Takes an item in, as soon as there is room. `tag` will tell that it is as it was.
    pub(super) async fn take(&mut self, put: Put, tag: Option<String>) -> Result<()> {
        let Put { item, expected, line } = put;
        let (uri, bytes) = (item.uri.clone(), item.bytes.len() as u64);
        self.go().await?;
        // What becomes of another item of that name has to be known before.
        self.until(|flow| !flow.parsing.iter().any(|other| other.ticket.uri == uri))
            .await?;
        // It may have come while this job waited. Who may not read it must not learn either whether it is the same.
        if self.collection.is_hidden(DocumentId::of(&uri), &self.reader) {
            let error = JobError::new(ErrorKind::Hidden, &uri, hidden(&uri));
            return self.refuse(error, line, bytes).await;
        }
        let print = fingerprint::of(&item, self.chunking);
        let (change, before) = self.known.take(&uri, &print);
        if !expected.admits(before.as_deref()) {
            let error = JobError::new(ErrorKind::Version, &uri, stale(before.as_deref()));
            self.known.put_back(uri, before);
            return self.refuse(error, line, bytes).await;
        }
        if change == Change::Unchanged {
            self.record.unchanged += 1;
            self.keep_tag(&uri, tag);
            return self.done(bytes).await;
        }
        if let Some(held) = self.quarantine.holds(&uri, &print) {
            self.known.put_back(uri.clone(), before);
            let error = JobError::new(held.kind, &uri, held.reason);
            return self.refuse(error, line, bytes).await;
        }
        self.until(|flow| !flow.is_full(bytes as usize + OVERHEAD)).await?;
        let (task, weight) = self.parse(item, print.clone());
        let ticket = Ticket {
            uri,
            change,
            expected,
            line,
            bytes,
            sentences: Vec::new(),
            keys: Vec::new(),
        };
        self.flow.parsing.push_back(Parsing {
            task,
            weight,
            ticket,
            print,
            before,
            tag,
        });
        self.tell().await
    }

    /// Begins to parse an item; what it weighs is known better once it is parsed.
    fn parse(&self, item: Item, print: String) -> (Task<Situated>, Arc<AtomicUsize>) {
        let weight = Arc::new(AtomicUsize::new(item.bytes.len() + OVERHEAD));
        let known = Arc::clone(&weight);
        let (engine, chunking, situator) = (self.engine.clone(), self.chunking, self.situator.clone());
        let task = flow::begin(async move {
            let parsed = engine.parsers().parse(item, print, chunking).await?;
            if let Ok((document, _)) = &parsed {
                known.store(self::weight(document), Ordering::Relaxed);
            }
            situate(situator, parsed, chunking).await
        });
        (task, weight)
    }

    /// What came of the first item that was being parsed.
    pub(super) fn parsed(&mut self, situated: Situated) -> Result<()> {
        let Some(one) = self.flow.parsing.pop_front() else {
            return Ok(());
        };
        let mut ticket = one.ticket;
        (ticket.sentences, ticket.keys) = (situated.sentences, situated.keys);
        if let Some(record) = &mut self.record.context_sentences {
            record.add(situated.record);
        }
        if ticket.change == Change::Lacking && situated.is_same && situated.parsed.is_ok() {
            self.record.unchanged += 1;
            self.record.bytes_done += ticket.bytes;
            self.keep_tag(&ticket.uri, one.tag);
            return Ok(());
        }
        let (kind, mut detail) = match situated.parsed {
            Ok((document, chunks)) => {
                self.quarantine.release(&ticket.uri)?;
                self.keep_tag(&ticket.uri, one.tag);
                let parsed = Parsed {
                    document,
                    chunks,
                    ticket,
                };
                self.flow.parsed.push_back(parsed);
                self.flow.waiting.get_or_insert_with(Instant::now);
                return Ok(());
            }
            Err(fault) => fault,
        };
        if matches!(kind, ErrorKind::Crashed | ErrorKind::TimedOut) {
            let held = format!("{detail}; it is in quarantine until it or the parser changes");
            if self.quarantine.add(&ticket.uri, one.print, kind, held.clone())? {
                detail = held;
            }
        } else {
            self.quarantine.release(&ticket.uri)?;
        }
        self.record.bytes_done += ticket.bytes;
        self.add_error(JobError::new(kind, &ticket.uri, detail), ticket.line);
        self.known.put_back(ticket.uri, one.before);
        Ok(())
    }

    async fn refuse(&mut self, error: JobError, line: Option<u64>, bytes: u64) -> Result<()> {
        self.add_error(error, line);
        self.done(bytes).await
    }

    /// What could not be taken is to be read again, and its error told again.
    fn add_error(&mut self, mut error: JobError, line: Option<u64>) {
        self.keep_tag(&error.uri, None);
        error.line = line;
        self.record.add(error);
    }

    fn keep_tag(&mut self, uri: &str, tag: Option<String>) {
        if let Some(outline) = &mut self.outline {
            outline.tell(uri, tag, &self.known);
        }
    }
}
