//! The events of runs, kept under way and for a while after: who was cut off goes on where he was, and two may read one
//! run. No text is asked of the model again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::engine::EventStream;
use crate::error::{Error, Result, UpstreamKind};
use crate::types::{Event, Passage};

/// How long after its last event a run can be read.
const KEPT: Duration = Duration::from_mins(10);
/// All that is kept, in bytes; the runs that were read longest ago go first.
const BUDGET: u64 = 32 << 20;
/// Of one run: a model that never ends fills no memory.
const MOST: usize = 4 << 20;
/// How long a run goes on without a reader where it can be resumed, once one has begun to read it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The runs that can be read.
pub(super) struct Runs {
    kept: Cache<String, Arc<Recording>>,
    /// How often something was removed that runs may quote.
    removals: AtomicU64,
}

impl Runs {
    /// None yet.
    pub fn new() -> Self {
        let weigh = |_: &String, run: &Arc<Recording>| u32::try_from(run.state().bytes).unwrap_or(u32::MAX).max(1);
        let runs = Cache::builder()
            .max_capacity(BUDGET)
            .weigher(weigh)
            .time_to_live(KEPT)
            // A run that has just begun must not be refused its place.
            .eviction_policy(EvictionPolicy::lru());
        Self {
            kept: runs.build(),
            removals: AtomicU64::new(0),
        }
    }

    /// Begins to record a run.
    pub fn begin(&self, run: &str, owner: &str, resumable: bool) -> Arc<Recording> {
        let patience = if resumable { PATIENCE } else { Duration::ZERO };
        let recording = Arc::new(Recording::new(owner, patience));
        self.kept.insert(run.to_owned(), Arc::clone(&recording));
        recording
    }

    /// How often something was removed so far; who looks after that for what a run quotes tells `end` of it.
    pub fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// The run has ended; it is kept as what it weighs now if all that it quotes was there after so many removals.
    pub fn end(&self, run: &str, recording: &Arc<Recording>, whole_after: Option<u64>) {
        recording.end();
        if whole_after.is_some() {
            self.kept.insert(run.to_owned(), Arc::clone(recording));
        }
        // A removal that came before the insertion did not find it there.
        if whole_after != Some(self.removals()) {
            self.kept.invalidate(run);
        }
    }

    /// The run, for the one who asked.
    pub fn find(&self, run: &str, owner: &str) -> Result<Arc<Recording>> {
        let found = self.kept.get(run).filter(|recording| recording.owner == owner);
        found.ok_or_else(|| {
            let minutes = KEPT.as_secs() / 60;
            Error::NotFound(format!(
                "no run `{run}` is kept; it can be read for {minutes} minutes after its end, and its conversation after that"
            ))
        })
    }

    /// Forgets the runs that have ended: they may quote what was removed.
    pub fn forget(&self) {
        self.removals.fetch_add(1, Ordering::SeqCst);
        for (run, recording) in &self.kept {
            if recording.state().ended {
                self.kept.invalidate(run.as_str());
            }
        }
    }
}

/// The events of one run.
pub(crate) struct Recording {
    owner: String,
    patience: Duration,
    state: Mutex<State>,
    /// Told when there is more, or the end.
    grown: watch::Sender<()>,
    readers: watch::Sender<usize>,
    stopped: CancellationToken,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    bytes: usize,
    /// Whether a reader has taken any.
    taken: bool,
    /// When the last reader left.
    left_at: Option<Instant>,
    ended: bool,
}

impl Recording {
    fn new(owner: &str, patience: Duration) -> Self {
        Self {
            owner: owner.to_owned(),
            patience,
            state: Mutex::default(),
            grown: watch::Sender::new(()),
            readers: watch::Sender::new(0),
            stopped: CancellationToken::new(),
        }
    }

    /// All events from the first, and those to come. A run that cannot be resumed ends with its last reader.
    pub fn follow(self: &Arc<Self>) -> EventStream {
        self.readers.send_modify(|readers| *readers += 1);
        self.state().left_at = None;
        let reader = Reader {
            recording: Arc::clone(self),
            grown: self.grown.subscribe(),
            next: 0,
        };
        let events = stream::unfold(reader, |mut reader| async {
            let event = reader.next().await?;
            Some((event, reader))
        });
        events.boxed()
    }

    /// How many events there are, and whether these are all.
    pub fn length(&self) -> (usize, bool) {
        let state = self.state();
        (state.events.len(), state.ended)
    }

    /// Ends the run soon, whoever reads it.
    pub fn stop(&self) {
        self.stopped.cancel();
    }

    /// Whether a reader has stopped it, or all have left.
    pub fn is_over(&self) -> bool {
        self.stopped.is_cancelled() || (*self.readers.borrow() == 0 && self.given_up_at() <= Instant::now())
    }

    /// Records an event; an error when the run is to end.
    pub fn tell(&self, event: Event) -> Result<()> {
        let mut state = self.state();
        state.bytes += weight(&event);
        state.events.push(event);
        let full = state.bytes > MOST;
        drop(state);
        self.grown.send_replace(());
        if full {
            let megabytes = MOST >> 20;
            let detail = format!("the model wrote over {megabytes} MB and no end");
            return Err(Error::upstream(UpstreamKind::Failed, None, detail));
        }
        if self.is_over() {
            return Err(left());
        }
        Ok(())
    }

    /// What `work` gives; an error when the readers have left, one of them stops the run, or the service stops.
    pub async fn wait<T>(&self, work: impl Future<Output = T>, stopping: &CancellationToken) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            () = stopping.cancelled() => Err(stopped()),
            () = self.stopped.cancelled() => Err(left()),
            () = self.abandoned() => Err(left()),
        }
    }

    /// Ends when nobody has read for too long.
    async fn abandoned(&self) {
        let mut readers = self.readers.subscribe();
        loop {
            if readers.wait_for(|readers| *readers == 0).await.is_err() {
                return;
            }
            let until = self.given_up_at();
            let back = readers.wait_for(|readers| *readers > 0);
            if until <= Instant::now() || timeout_at(until, back).await.is_err() {
                return;
            }
        }
    }

    /// Until when a reader who left may come back. Who left before the first event does not know which run to come
    /// back to.
    fn given_up_at(&self) -> Instant {
        let state = self.state();
        match state.left_at {
            Some(left_at) if state.taken => left_at + self.patience,
            _ => Instant::now(),
        }
    }

    fn end(&self) {
        self.state().ended = true;
        self.grown.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who reads a run.
struct Reader {
    recording: Arc<Recording>,
    grown: watch::Receiver<()>,
    next: usize,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.grown.borrow_and_update();
            let (event, ended) = {
                let mut state = self.recording.state();
                state.taken |= self.next < state.events.len();
                (state.events.get(self.next).cloned(), state.ended)
            };
            if event.is_some() || ended {
                self.next += 1;
                return event;
            }
            // The sender lives in the recording, which this reader holds.
            self.grown.changed().await.ok()?;
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.recording.state().left_at = Some(Instant::now());
        self.recording.readers.send_modify(|readers| *readers -= 1);
    }
}

/// About what an event takes of memory.
fn weight(event: &Event) -> usize {
    let passages = |passages: &[Passage]| passages.iter().map(|one| one.chunk.text.len() + 512).sum::<usize>();
    let text = match event {
        Event::Sources(context) => passages(&context.passages),
        Event::Verdict(verdict) => passages(&verdict.nearest),
        Event::Text(text) => text.len(),
        Event::Citation(citation) => citation.quote.len(),
        Event::Started { .. } | Event::Usage(..) | Event::Done(_) | Event::Failed(_) => 256,
    };
    text + size_of::<Event>()
}

fn left() -> Error {
    Error::upstream(UpstreamKind::Cut, None, "the reader left before the end")
}

fn stopped() -> Error {
    let retry_after = Duration::from_secs(5);
    Error::Overloaded {
        detail: "the service is stopping; ask again in a moment".into(),
        retry_after,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn text(words: &str) -> Event {
        Event::Text(words.into())
    }

    async fn read(mut events: EventStream, count: usize) -> String {
        let mut all = String::new();
        for _ in 0..count {
            match events.next().await {
                Some(Event::Text(text)) => all.push_str(&text),
                other => panic!("no text: {other:?}"),
            }
        }
        all
    }

    #[tokio::test]
    async fn all_readers_get_all_events_whenever_they_come() {
        let runs = Runs::new();
        let run = runs.begin("r", "me", false);
        let first = run.follow();
        run.tell(text("a")).unwrap();
        let second = run.follow();
        let both = tokio::spawn(async move { tokio::join!(read(first, 3), read(second, 3)) });
        run.tell(text("b")).unwrap();
        tokio::task::yield_now().await;
        run.tell(text("c")).unwrap();
        assert_eq!(both.await.unwrap(), ("abc".to_owned(), "abc".to_owned()));
        runs.end("r", &run, Some(0));
        assert_eq!(runs.find("r", "me").unwrap().follow().count().await, 3);
        assert!(runs.find("r", "you").is_err() && runs.find("s", "me").is_err());
        runs.forget();
        assert!(runs.find("r", "me").is_err());
        runs.end("r", &run, Some(0));
        assert!(runs.find("r", "me").is_err(), "it may quote what was removed meanwhile");
        runs.end("r", &run, Some(1));
        assert!(runs.find("r", "me").is_ok());
    }

    #[tokio::test]
    async fn a_run_waits_for_its_readers_only_where_it_can_be_resumed() {
        let never = std::future::pending::<()>;
        let (runs, going) = (Runs::new(), CancellationToken::new());
        let plain = runs.begin("plain", "me", false);
        let reader = plain.follow();
        assert!(plain.wait(never(), &going).now_or_never().is_none());
        drop(reader);
        assert!(plain.wait(never(), &going).await.is_err() && plain.tell(text("a")).is_err());

        let run = runs.begin("run", "me", true);
        run.tell(text("a")).unwrap_err();
        let reader = run.follow();
        assert_eq!(read(reader, 1).await, "a");
        run.tell(text("b")).unwrap();
        assert!(run.wait(never(), &going).now_or_never().is_none(), "a minute is long");
        let hasty = Arc::new(Recording::new("me", Duration::from_millis(1)));
        hasty.tell(text("a")).unwrap_err();
        assert_eq!(read(hasty.follow(), 1).await, "a");
        assert!(
            hasty.wait(never(), &going).await.is_err(),
            "it is not waited for without end"
        );
        let back = run.follow();
        assert!(
            run.wait(never(), &going).now_or_never().is_none(),
            "somebody reads it again"
        );
        run.stop();
        assert!(run.wait(never(), &going).await.is_err() && run.tell(text("c")).is_err());
        runs.end("run", &run, Some(0));
        assert_eq!(read(back, 3).await, "abc", "what was told is kept");

        let early = runs.begin("early", "me", true);
        drop(early.follow());
        assert!(early.wait(never(), &going).now_or_never().is_some(), "nobody knows it");
    }

    #[tokio::test]
    async fn a_model_without_an_end_fills_no_memory() {
        let runs = Runs::new();
        let run = runs.begin("r", "me", false);
        let _reader = run.follow();
        let told = (0..)
            .map(|_| run.tell(text(&"x".repeat(1 << 16))))
            .take_while(Result::is_ok);
        assert!((MOST / (1 << 16)).abs_diff(told.count()) <= 1);
    }
}
