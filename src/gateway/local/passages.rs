//! The session for passages, on a thread of its own that gives way to all others: who searches waits for no index run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::session::Session;
use super::{LocalModel, embed_sorted};
use crate::error::{Error, Result};
use crate::gateway::Embedded;

/// How long the session is kept when nothing is indexed: it and its work space take more memory than all the rest of an
/// idle service.
const IDLE: Duration = Duration::from_secs(20);
/// By so much the thread, and those that the session makes, give way: to half of what others get, so that a busy
/// machine indexes slowly, but does.
const NICE: i32 = 3;

/// Something to be done with the session, which is loaded when there is something to index.
type Work = Box<dyn FnOnce(&mut Option<Session>) + Send>;

/// The way to the thread; it ends when this is dropped.
pub(super) struct Passages {
    model: LocalModel,
    work: Sender<Work>,
}

impl Passages {
    /// Starts the thread; nothing is loaded yet.
    pub fn start(model: LocalModel) -> Result<Self> {
        let (work, received) = channel();
        std::thread::Builder::new()
            .name("passages".into())
            .spawn(move || serve(&received))
            .map_err(|cause| Error::storage("cannot start a thread for the embedding model", cause))?;
        Ok(Self { model, work })
    }

    /// Embeds texts, a batch after the other.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Embedded>> {
        embed_sorted(texts, |batch| self.run(batch)).await
    }

    async fn run(&self, texts: Vec<String>) -> Result<Vec<Embedded>> {
        let (tell, told) = oneshot::channel();
        let model = self.model.clone();
        let work = move |held: &mut Option<Session>| {
            // Who waited may have left.
            if !tell.is_closed() {
                drop(tell.send(session(held, &model).and_then(|session| session.run(&texts))));
            }
        };
        self.begin(Box::new(work))?;
        told.await.map_err(|_| ended())?
    }

    /// Lets the thread do something, after all that it was given before.
    pub(super) fn begin(&self, work: Work) -> Result<()> {
        self.work.send(work).map_err(|_| ended())
    }
}

fn ended() -> Error {
    Error::Internal("embedding stopped".into())
}

fn session<'a>(held: &'a mut Option<Session>, model: &LocalModel) -> Result<&'a mut Session> {
    if held.is_none() {
        *held = Some(Session::load(model, model.threads.max(1))?);
    }
    held.as_mut().ok_or_else(ended)
}

fn serve(work: &Receiver<Work>) {
    // Of this thread alone, as Linux does it. Where it is not allowed, searches are slower while documents are indexed.
    let _ = rustix::process::nice(NICE);
    let mut session = None;
    loop {
        match work.recv_timeout(IDLE) {
            Ok(work) => {
                let worked = catch_unwind(AssertUnwindSafe(|| work(&mut session)));
                if worked.is_err() {
                    // What a panic in the library leaves behind is not used again.
                    session = None;
                }
            }
            Err(RecvTimeoutError::Timeout) => session = None,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
