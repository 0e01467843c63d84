//! Documents that callers send: all at once, or line by line while the job goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout_at;

use super::{IngestRun, Work, hidden, weight};
use crate::engine::Engine;
use crate::engine::quarantine::Quarantine;
use crate::error::{Error, Result};
use crate::store::{ErrorKind, JobError};
use crate::types::{Checked, DocumentId, Expected, Item, Reader};

/// What may wait between the one who sends lines and the job, in KiB: 32 MiB.
const WAITING_KIB: u32 = 32 * 1_024;
/// Lines that are indexed as one, at most.
const LINES: usize = 256;
/// How long lines are gathered before they are indexed: documents appear soon, also of one who sends slowly.
const GATHERED: Duration = Duration::from_millis(500);

/// A document that a caller sent.
#[derive(Clone, Debug)]
pub struct Put {
    /// The document.
    pub item: Item,
    /// What must hold of the version that it replaces.
    pub expected: Expected,
    /// The line of the body that it stands in, from 1.
    pub line: Option<u64>,
}

impl From<Item> for Put {
    fn from(item: Item) -> Self {
        Self {
            item,
            expected: Expected::Anything,
            line: None,
        }
    }
}

/// What comes in a line.
pub(super) enum Line {
    /// A document, with its place among those that wait.
    Put(Box<Put>, OwnedSemaphorePermit),
    /// It is no document.
    Bad(JobError),
    /// There are no more lines.
    End,
}

/// The way into a job for documents that come line by line. When it is dropped before its end, so is the job.
pub struct Feed {
    /// The job.
    pub job: String,
    lines: mpsc::Sender<Line>,
    places: Arc<Semaphore>,
}

impl Feed {
    /// Sends a document; waits while too much waits. False when the job has ended.
    pub async fn put(&self, put: Put) -> bool {
        let weight = weight(&put.item).min(WAITING_KIB);
        let Ok(place) = self.places.clone().acquire_many_owned(weight).await else {
            return false;
        };
        self.lines.send(Line::Put(Box::new(put), place)).await.is_ok()
    }

    /// Tells of a line that is no document. False when the job has ended.
    pub async fn bad(&self, line: u64, detail: String) -> bool {
        let mut error = JobError::new(ErrorKind::Line, "", detail);
        error.line = Some(line);
        self.lines.send(Line::Bad(error)).await.is_ok()
    }

    /// There are no more lines.
    pub async fn end(self) {
        // A job that was cancelled needs not be told.
        drop(self.lines.send(Line::End).await);
    }
}

impl Engine {
    /// Indexes documents that a caller sent; returns the job's id at once. Nobody replaces what he may not read.
    /// Where one is sent alone, it is looked at once whether it replaces the version that was expected.
    pub async fn put(self: &Arc<Self>, collection: &str, puts: Vec<Put>, reader: &Reader) -> Result<Checked<String>> {
        let open = self.collection(collection);
        if let Ok(open) = &open
            && let Some(put) = puts
                .iter()
                .find(|put| open.is_hidden(DocumentId::of(&put.item.uri), reader))
        {
            return Err(Error::Forbidden(hidden(&put.item.uri)));
        }
        if let [put] = &puts[..] {
            let version = open.ok().and_then(|open| open.version(DocumentId::of(&put.item.uri)));
            if !put.expected.admits(version.as_deref()) {
                return Ok(Checked::Stale(version));
            }
        }
        let job = self
            .start(collection, ("put", reader.clone()), Work::Puts(puts))
            .await?;
        Ok(Checked::Made(job))
    }

    /// Starts a job that indexes documents as they are sent.
    pub async fn feed(self: &Arc<Self>, collection: &str, reader: &Reader) -> Result<Feed> {
        let (lines, received) = mpsc::channel(LINES);
        let job = self
            .start(collection, ("put", reader.clone()), Work::Lines(received))
            .await?;
        Ok(Feed {
            job,
            lines,
            places: Arc::new(Semaphore::new(WAITING_KIB as usize)),
        })
    }
}

impl IngestRun {
    /// Takes lines until there are no more. Between two batches other jobs have their turn: who sends slowly holds up
    /// nobody.
    pub(super) async fn lines(&mut self, mut lines: mpsc::Receiver<Line>) -> Result<()> {
        self.record.lines = Some(0);
        self.note().await?;
        let mut known = false;
        loop {
            let gathering = async { Ok(gathered(&mut lines).await) };
            let batch = self.wished.unless_stopped(gathering).await?;
            if batch.is_empty() {
                let line = self.record.lines.unwrap_or_default();
                return Err(Error::BadInput {
                    detail: format!(
                        "the body ended early: what stands in its first {line} lines is indexed; send it again, what is \
                         there already costs nothing"
                    ),
                    faults: Vec::new(),
                });
            }
            // Who sends a document again after its deletion wants it back.
            self.accepted = Arc::new(self.engine.removals.accept());
            let _turn = self.turn().await?;
            self.quarantine = Quarantine::read(&self.engine.quarantine_file(self.collection.name()));
            if !known {
                self.learn().await?;
                known = true;
            }
            if self.batch(batch).await? {
                return Ok(());
            }
        }
    }

    /// Indexes some lines; tells whether the end was among them.
    async fn batch(&mut self, batch: Vec<Line>) -> Result<bool> {
        let mut places = Vec::with_capacity(batch.len());
        let mut puts = Vec::with_capacity(batch.len());
        let (mut ended, mut last) = (false, self.record.lines);
        for line in batch {
            match line {
                Line::Put(put, place) => {
                    places.push(place);
                    last = put.line.or(last);
                    self.record.documents += 1;
                    self.record.bytes += put.item.bytes.len() as u64;
                    puts.push(*put);
                }
                Line::Bad(error) => {
                    last = error.line.or(last);
                    self.record.documents += 1;
                    self.record.add(error);
                }
                Line::End => ended = true,
            }
        }
        self.puts(puts).await?;
        self.flush().await?;
        // Only now: what is told as done is on the disk.
        self.record.lines = last;
        self.note().await?;
        Ok(ended)
    }

    /// Takes documents that were sent. What was changed of one since it was read is replaced with it.
    pub(super) async fn puts(&mut self, puts: Vec<Put>) -> Result<()> {
        for put in &puts {
            let current = self.collection.version(DocumentId::of(&put.item.uri));
            self.known.set(&put.item.uri, current);
        }
        for put in puts {
            self.take(put, None).await?;
        }
        Ok(())
    }
}

/// Why a document was not replaced.
pub fn stale(current: Option<&str>) -> String {
    match current {
        Some(version) => format!("its version is `{version}` by now; read it, and send it again with that version"),
        None => "it is not there by now; send it again without a version to make it anew".to_owned(),
    }
}

/// The next lines, as soon as there are enough or the first has waited for long; none when the sender is gone.
async fn gathered(lines: &mut mpsc::Receiver<Line>) -> Vec<Line> {
    let mut batch = Vec::with_capacity(LINES);
    if lines.recv_many(&mut batch, LINES).await == 0 {
        return batch;
    }
    let end = tokio::time::Instant::now() + GATHERED;
    while batch.len() < LINES && !matches!(batch.last(), Some(Line::End)) {
        let room = LINES - batch.len();
        match timeout_at(end, lines.recv_many(&mut batch, room)).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    batch
}
