//! The stages of a run, all at work at once: items are parsed while others are embedded and others published. What is
//! between them is bounded in bytes.

use std::collections::{HashMap, VecDeque};
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::IngestRun;
use super::embed::{Group, Made};
use super::publish::Ready;
use super::take::{Parsed, Parsing};
use crate::engine::rerank::Indexed;
use crate::engine::situate::Situated;
use crate::error::{Error, Result};
use crate::index::TextHash;
use crate::store::JobError;

/// Documents that are parsed ahead of the embedder.
const AHEAD: usize = 256;
/// How long a document waits for others to be embedded with.
const GATHER: Duration = Duration::from_millis(250);
/// Chunks that are published as one.
const BATCH: usize = 1_024;
/// How long a document waits for others to be published with.
const COMMIT: Duration = Duration::from_secs(1);

/// Work of a stage; it ends when nobody waits for it any more.
pub(super) type Task<T> = AbortOnDropHandle<Result<T>>;

/// Begins work of a stage.
pub(super) fn begin<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Task<T> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// What is between the source and the index.
pub(super) struct Flow {
    /// Bytes that may be here at once.
    budget: usize,
    /// In the order of the source.
    pub parsing: VecDeque<Parsing>,
    /// What waits for the embedder.
    pub parsed: VecDeque<Parsed>,
    /// When the first of it came.
    pub waiting: Option<Instant>,
    /// What the embedder is at.
    pub groups: VecDeque<Group>,
    /// What waits to be published.
    pub ready: Vec<Ready>,
    /// When the first of it came.
    pub since: Option<Instant>,
    /// What is being published, and what it weighs.
    pub publishing: Option<(Task<Vec<JobError>>, usize)>,
    /// What was made of the texts of `ready`, and of what is being published: the index has none of it yet.
    pub made: [HashMap<TextHash, Made>; 2],
    /// Nothing more comes, so nothing waits for it.
    pub is_ending: bool,
}

/// What has come about.
pub(super) enum Moved {
    /// Of the first that was being parsed.
    Parsed(Box<Situated>),
    /// Of the group at that place.
    Embedded(usize, Vec<Indexed>),
    /// What could not be published.
    Published(Vec<JobError>),
}

impl Flow {
    /// Nothing yet; up to so many bytes.
    pub fn of(budget: usize) -> Self {
        Self {
            budget,
            parsing: VecDeque::new(),
            parsed: VecDeque::new(),
            waiting: None,
            groups: VecDeque::new(),
            ready: Vec::new(),
            since: None,
            publishing: None,
            made: [HashMap::new(), HashMap::new()],
            is_ending: false,
        }
    }

    /// Whether an item of so many bytes has to wait.
    pub fn is_full(&self, bytes: usize) -> bool {
        let held = self.bytes();
        self.parsing.len() + self.parsed.len() >= AHEAD || (held > 0 && held + bytes > self.budget)
    }

    fn bytes(&self) -> usize {
        let parsing = self.parsing.iter().map(Parsing::weight);
        let parsed = self.parsed.iter().map(Parsed::weight);
        let groups = self.groups.iter().map(Group::weight);
        let publishing = self.publishing.as_ref().map_or(0, |(_, weight)| *weight);
        parsing.chain(parsed).chain(groups).sum::<usize>() + self.ready_bytes() + publishing
    }

    pub fn ready_bytes(&self) -> usize {
        self.ready.iter().map(|one| one.weight).sum()
    }

    /// Whether everything has come to its end.
    pub fn is_empty(&self) -> bool {
        self.is_idle() && self.ready.is_empty() && self.publishing.is_none()
    }

    /// Whether nothing more becomes ready by itself.
    fn is_idle(&self) -> bool {
        self.parsing.is_empty() && self.parsed.is_empty() && self.groups.is_empty()
    }

    /// Whether something is to be published now.
    fn is_due(&self) -> bool {
        if self.ready.is_empty() || self.publishing.is_some() {
            return false;
        }
        let chunks: usize = self.ready.iter().map(Ready::chunks).sum();
        let is_late = self.since.is_some_and(|since| since.elapsed() >= COMMIT);
        let is_much = chunks >= BATCH || self.ready_bytes() >= self.budget / 4;
        is_much || is_late || (self.is_ending && self.is_idle())
    }

    /// Stops everything but what is being published, which is written to its end.
    pub fn stop(&mut self) {
        self.parsing.clear();
        self.parsed.clear();
        self.groups.clear();
    }

    /// Resolves when something has come about; nothing is lost when it is dropped.
    async fn moved(&mut self) -> Result<Moved> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Moved>> {
        if let Some((task, _)) = &mut self.publishing
            && let Poll::Ready(refused) = ended(task, context)
        {
            self.publishing = None;
            return Poll::Ready(refused.map(Moved::Published));
        }
        for (at, group) in self.groups.iter_mut().enumerate() {
            if let Some(task) = group.task()
                && let Poll::Ready(embedded) = ended(task, context)
            {
                return Poll::Ready(embedded.map(|embedded| Moved::Embedded(at, embedded)));
            }
        }
        if let Some(first) = self.parsing.front_mut()
            && let Poll::Ready(parsed) = ended(&mut first.task, context)
        {
            return Poll::Ready(parsed.map(|parsed| Moved::Parsed(Box::new(parsed))));
        }
        Poll::Pending
    }

    /// Whether what was parsed has waited for others for long enough.
    pub fn is_gathered(&self) -> bool {
        let is_late = self.waiting.is_some_and(|since| since.elapsed() >= GATHER);
        is_late || (self.is_ending && self.parsing.is_empty())
    }

    /// When something is to begin because it has waited for long enough.
    fn late(&self, is_paused: bool) -> Option<Instant> {
        let embed = self.waiting.filter(|_| self.groups.is_empty() && !is_paused);
        let publish = self.since.filter(|_| self.publishing.is_none());
        let (embed, publish) = (embed.map(|since| since + GATHER), publish.map(|since| since + COMMIT));
        embed.into_iter().chain(publish).min()
    }
}

async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

fn ended<T>(task: &mut Task<T>, context: &mut Context<'_>) -> Poll<Result<T>> {
    let ended = Pin::new(task).poll(context);
    ended.map(|ended| ended.unwrap_or_else(|cause| Err(Error::Internal(format!("a stage ended early: {cause}")))))
}

impl IngestRun {
    /// The outcome of `work`; the stages go on meanwhile. An error when one of them fails or the job is to stop: then
    /// nobody waits for `work`.
    pub(super) async fn meanwhile<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        loop {
            if let Some(outcome) = self.next(work.as_mut()).await? {
                return outcome;
            }
        }
    }

    /// Lets the stages go on until that holds of what is between them.
    pub(super) async fn until(&mut self, holds: impl Fn(&Flow) -> bool) -> Result<()> {
        let mut nothing = pin!(pending::<()>());
        while !holds(&self.flow) {
            self.next(nothing.as_mut()).await?;
        }
        Ok(())
    }

    /// Waits while the job is to pause; an error when it is to stop.
    pub(super) async fn go(&mut self) -> Result<()> {
        let mut nothing = pin!(pending::<()>());
        while self.wished.is_paused()? {
            self.next(nothing.as_mut()).await?;
        }
        Ok(())
    }

    /// Publishes all that is on its way.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.flow.is_ending = true;
        self.until(Flow::is_empty).await?;
        self.flow.is_ending = false;
        Ok(())
    }

    /// One step: the outcome of `work` when that came first.
    async fn next<T>(&mut self, work: Pin<&mut impl Future<Output = T>>) -> Result<Option<T>> {
        let is_paused = self.wished.is_paused()?;
        if !is_paused {
            self.embed().await?;
        }
        if self.flow.is_due() {
            self.publish()?;
        }
        let late = self.flow.late(is_paused);
        let moved = tokio::select! {
            biased;
            wish = self.wished.changes() => return wish.map(|()| None),
            outcome = work => return Ok(Some(outcome)),
            moved = self.flow.moved() => moved?,
            () = passed(late) => return Ok(None),
        };
        match moved {
            Moved::Parsed(parsed) => self.parsed(*parsed)?,
            Moved::Embedded(at, embedded) => self.embedded(at, embedded).await?,
            Moved::Published(refused) => self.published(refused),
        }
        self.tell().await?;
        Ok(None)
    }
}
