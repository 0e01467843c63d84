//! What is wished of the jobs under way: to go on, to pause, to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// What a job is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    Go,
    /// Begin nothing until it is to go on.
    Pause,
    /// End; what is indexed stays.
    Stop,
}

/// The jobs under way, by their ids.
#[derive(Clone, Default)]
pub(super) struct Wishes(Arc<Mutex<BTreeMap<String, watch::Sender<Wish>>>>);

impl Wishes {
    /// A job begins; it is under way until what is returned is dropped.
    pub fn begin(&self, id: &str, closing: CancellationToken) -> Wished {
        let (sender, wish) = watch::channel(Wish::Go);
        self.jobs().insert(id.to_owned(), sender);
        Wished {
            id: id.to_owned(),
            wishes: self.clone(),
            wish,
            closing,
        }
    }

    /// What is wished of the job, if it is under way.
    pub fn of(&self, id: &str) -> Option<Wish> {
        self.jobs().get(id).map(|job| *job.borrow())
    }

    /// Wishes something of the job; false when it is not under way. One that is to stop stays so.
    pub fn set(&self, id: &str, wish: Wish) -> bool {
        let jobs = self.jobs();
        let Some(job) = jobs.get(id) else { return false };
        job.send_if_modified(|now| *now != Wish::Stop && std::mem::replace(now, wish) != wish);
        true
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Wish>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job's side of it.
pub(super) struct Wished {
    id: String,
    wishes: Wishes,
    wish: watch::Receiver<Wish>,
    /// Cancelled when the collection is to be deleted: the deletion waits for this job.
    closing: CancellationToken,
}

impl Wished {
    /// Whether the job is to begin nothing for now; an error when it is to stop.
    pub fn is_paused(&self) -> Result<bool> {
        self.keeps_collection()?;
        match *self.wish.borrow() {
            Wish::Go => Ok(false),
            Wish::Pause => Ok(true),
            Wish::Stop => Err(stopped()),
        }
    }

    /// Resolves when something else is wished; an error when the job is to stop.
    pub async fn changes(&mut self) -> Result<()> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => {}
            // It is only over with the job.
            Ok(()) = self.wish.changed() => {}
        }
        self.is_paused().map(drop)
    }

    /// The outcome of `work`, or an error as soon as the job is to stop: then nobody waits for `work`.
    pub async fn unless_stopped<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.closing.cancelled() => Err(deleted()),
            Ok(_) = self.wish.wait_for(|wish| *wish == Wish::Stop) => Err(stopped()),
            outcome = work => outcome,
        }
    }

    /// An error when the collection is to be deleted; what a cancelled job has made is still published.
    pub fn keeps_collection(&self) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(deleted());
        }
        Ok(())
    }

    /// Whether the job is to stop.
    pub fn is_stopped(&self) -> bool {
        *self.wish.borrow() == Wish::Stop
    }
}

impl Drop for Wished {
    fn drop(&mut self) {
        self.wishes.jobs().remove(&self.id);
    }
}

fn deleted() -> Error {
    Error::Conflict("the collection was deleted meanwhile".into())
}

fn stopped() -> Error {
    Error::Conflict("the job was cancelled; what it had indexed stays, and nothing was deleted".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_does_what_is_wished_while_it_is_under_way() {
        let wishes = Wishes::default();
        let closing = CancellationToken::new();
        let mut job = wishes.begin("a", closing.clone());
        assert!(!job.is_paused().unwrap() && wishes.set("a", Wish::Pause));
        assert!(!wishes.set("b", Wish::Pause));
        assert!(job.is_paused().unwrap() && job.changes().await.is_ok());
        {
            let waiting = job.changes();
            tokio::pin!(waiting);
            assert!(futures::poll!(&mut waiting).is_pending());
            wishes.set("a", Wish::Go);
            assert!(waiting.await.is_ok());
        }
        assert!(job.unless_stopped(async { Ok(()) }).await.is_ok());
        wishes.set("a", Wish::Stop);
        wishes.set("a", Wish::Go);
        assert!(job.is_paused().is_err() && job.changes().await.is_err() && job.is_stopped());
        job.unless_stopped(std::future::pending::<Result<()>>())
            .await
            .unwrap_err();
        assert_eq!(wishes.of("a"), Some(Wish::Stop));
        let mut other = wishes.begin("c", closing.clone());
        wishes.set("c", Wish::Pause);
        closing.cancel();
        assert!(other.changes().await.is_err(), "a job that pauses keeps no collection");
        other.unless_stopped(async { Ok(()) }).await.unwrap_err();
        drop(job);
        assert!(wishes.of("a").is_none() && !wishes.set("a", Wish::Go));
    }
}
