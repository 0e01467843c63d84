//! Items to published documents: fingerprint, parse, chunk, embed, publish, with a job that tells how far it is.

mod embed;
mod flow;
mod learn;
mod outline;
mod pace;
mod publish;
mod puts;
mod source;
mod take;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::chunk::Chunking;
use indexer::types::Item;
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::engine::changes::Known;
use crate::engine::quarantine::Quarantine;
use crate::engine::removals::Accepted;
use crate::engine::situate::Situator;
use crate::engine::wishes::Wished;
use crate::error::{Error, Result};
use crate::index::Collection;
use crate::index::work::blocking;
use crate::store::{ErrorKind, JobRecord, JobState};
use crate::types::Reader;
use flow::Flow;
pub(crate) use outline::Ground;
pub use outline::Indexing;
pub(in crate::engine) use outline::{Outline, failed};
use pace::Pace;
use puts::Line;
pub use puts::{Feed, Put, stale};

/// How often a job tells how far it is, at least while it goes from document to document.
const PULSE: Duration = Duration::from_millis(500);
/// Up to here a scan of the vectors is as quick as an index of them.
const SCAN: usize = 20_000;
/// What a run over a source takes of the queue, in KiB: the names of its entries.
const SOURCE: u32 = 1_024;

/// What a job works on.
enum Work {
    Puts(Vec<Put>),
    Lines(mpsc::Receiver<Line>),
    /// With its name.
    Source(Indexing, String),
}

impl Work {
    /// Places in the queue, a KiB of memory each.
    fn weight(&self) -> u32 {
        match self {
            Self::Puts(puts) => puts.iter().map(|put| weight(&put.item)).sum(),
            Self::Lines(_) => 1,
            Self::Source(..) => SOURCE,
        }
    }
}

fn weight(item: &Item) -> u32 {
    let facts = serde_json::to_vec(&(&item.metadata, &item.principals)).map_or(0, |facts| facts.len());
    ((item.bytes.len() + facts) / 1024) as u32 + 1
}

impl Engine {
    /// Indexes a source; documents that are gone from it are removed. Returns the job's id at once.
    pub async fn index(self: &Arc<Self>, collection: &str, indexing: Indexing) -> Result<String> {
        let (origin, ground) = (indexing.origin.clone(), self.ground(collection));
        let name = blocking(move || Ok(ground.open(&origin)?.1.key().to_owned())).await?;
        let work = Work::Source(indexing, name);
        self.start(collection, ("index", Reader::Everything), work).await
    }

    async fn start(self: &Arc<Self>, collection: &str, (kind, reader): (&str, Reader), work: Work) -> Result<String> {
        let place = self
            .queue()
            .clone()
            // Of what is larger than the queue, one at a time.
            .try_acquire_many_owned(work.weight().min(self.queue_kib()))
            .map_err(|_| Error::Overloaded {
                detail: "too much waits to be indexed; send it again later".into(),
                retry_after: Duration::from_secs(5),
            })?;
        let collection = self.open_collection(collection).await?;
        let mut record = JobRecord {
            collection: collection.name().to_owned(),
            source: match &work {
                Work::Source(_, name) => Some(name.clone()),
                Work::Puts(_) | Work::Lines(_) => None,
            },
            ..JobRecord::default()
        };
        let job = self.store().start_job(kind, &record).await?;
        record.id.clone_from(&job);
        let mut run = IngestRun {
            engine: self.clone(),
            known: Known::default(),
            chunking: self.chunking_of(&collection.settings()),
            situator: None,
            outline: None,
            wished: self.wishes.begin(&job, collection.closing().clone()),
            quarantine: Quarantine::default(),
            collection,
            record,
            accepted: Arc::new(self.removals.accept()),
            reader,
            flow: Flow::of(self.in_flight_bytes()),
            started: Instant::now(),
            told: Instant::now(),
            pace: Pace::default(),
        };
        self.tasks().spawn(async move {
            let turn = match work {
                // It has its turn for each batch.
                Work::Lines(_) => Ok(None),
                Work::Puts(_) | Work::Source(..) => run.turn().await.map(Some),
            };
            let outcome = match &turn {
                Ok(_) => run.work(work).await,
                Err(error) => Err(error.clone()),
            };
            run.end(outcome).await;
            drop((turn, place));
            run.tidy().await;
        });
        Ok(job)
    }
}

/// One job under way: it takes items in their order and hands them from stage to stage. What takes time goes on
/// beside it (`flow`).
struct IngestRun {
    engine: Arc<Engine>,
    collection: Arc<Collection>,
    known: Known,
    /// How documents are cut.
    chunking: Chunking,
    /// Who writes sentences of their chunks.
    situator: Option<Arc<Situator>>,
    quarantine: Quarantine,
    /// Of the source, when it is one that is indexed.
    outline: Option<Outline>,
    record: JobRecord,
    accepted: Arc<Accepted>,
    wished: Wished,
    /// On whose behalf documents are written.
    reader: Reader,
    flow: Flow,
    started: Instant,
    /// When the record was last written down.
    told: Instant,
    pace: Pace,
}

impl IngestRun {
    /// One job at a time.
    async fn turn(&mut self) -> Result<tokio::sync::OwnedMutexGuard<()>> {
        let indexing = self.engine.indexing().clone();
        self.wished
            .unless_stopped(async { Ok(indexing.lock_owned().await) })
            .await
    }

    async fn work(&mut self, work: Work) -> Result<()> {
        if let Work::Lines(lines) = work {
            return self.lines(lines).await;
        }
        let missing = self.learn().await?;
        self.quarantine = Quarantine::read(&self.engine.quarantine_file(self.collection.name()));
        match work {
            Work::Lines(_) => {}
            Work::Puts(puts) => {
                self.record.documents = puts.len() as u64;
                self.record.bytes = puts.iter().map(|put| put.item.bytes.len() as u64).sum();
                self.note().await?;
                self.puts(puts).await?;
                self.flush().await?;
            }
            Work::Source(indexing, _) => {
                if let Some(record) = &mut self.record.context_sentences {
                    record.missing = missing;
                }
                self.source(indexing).await?;
            }
        }
        Ok(())
    }

    /// Takes what was replaced off the disk, and lets the vector engine build its indexes where there is much to
    /// search.
    async fn tidy(&self) {
        if self.wished.keeps_collection().is_err() {
            return;
        }
        let replaced = self.record.changed + self.record.moved + self.record.deleted > 0;
        if replaced {
            self.engine.forget_answers();
        }
        if let Err(error) = self.engine.store().tidy_sentences().await {
            tracing::warn!(collection = self.collection.name(), %error, "replaced context sentences stay on the disk for now");
        }
        if replaced && let Err(error) = self.collection.compact().await {
            tracing::warn!(collection = self.collection.name(), %error, "replaced texts stay on the disk for now");
        }
        let changed = replaced || self.record.added > 0;
        if changed
            && self.collection.statistics().chunks > SCAN
            && let Err(error) = self.collection.optimize().await
        {
            tracing::warn!(collection = self.collection.name(), %error, "the vectors were not optimised");
        }
    }

    /// Goes on from a document of so many bytes.
    async fn done(&mut self, bytes: u64) -> Result<()> {
        self.record.bytes_done += bytes;
        self.tell().await
    }

    /// Writes the record down when that was some time ago.
    async fn tell(&mut self) -> Result<()> {
        if self.told.elapsed() < PULSE {
            return Ok(());
        }
        self.note().await
    }

    async fn note(&mut self) -> Result<()> {
        self.told = Instant::now();
        self.record.took_ms = self.started.elapsed().as_millis() as u64;
        if self.record.state == JobState::Running {
            self.pace.tell(&mut self.record);
        } else {
            Pace::end(&mut self.record);
        }
        self.engine.store().update_job(&self.record.id, &self.record).await
    }

    async fn end(&mut self, outcome: Result<()>) {
        self.flow.stop();
        self.record.state = match &outcome {
            Ok(()) => JobState::Done,
            Err(_) if self.wished.is_stopped() => JobState::Cancelled,
            Err(_) => JobState::Failed,
        };
        if let Err(error) = outcome {
            if self.record.state == JobState::Failed {
                tracing::error!(job = self.record.id, %error, "indexing failed");
            }
            self.record.add_error(ErrorKind::Job, "", error.to_string());
        }
        self.note_end().await;
        let errors = self.record.error_count;
        // What a job that ended early had embedded is published, and nobody has to wait for that.
        if let Err(error) = self.publish_rest().await {
            tracing::warn!(job = self.record.id, %error, "what a job had embedded when it ended is lost");
        }
        if self.record.error_count > errors {
            self.note_end().await;
        }
        if self.record.state != JobState::Done
            && self.wished.keeps_collection().is_ok()
            && let Err(error) = self.forget_strays().await
        {
            tracing::warn!(job = self.record.id, %error, "context sentences of no document stay for now");
        }
    }

    async fn note_end(&mut self) {
        if let Err(error) = self.note().await {
            tracing::error!(job = self.record.id, %error, "the end of a job could not be written down");
            self.engine.remember(self.record.clone());
        }
    }
}

fn hidden(uri: &str) -> String {
    format!("the document `{uri}` may not be replaced with this key; give yours another name")
}
