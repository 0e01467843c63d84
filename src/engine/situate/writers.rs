//! What of writing sentences outlives a run: how the models fared of late, since each call to one that hangs would hold up
//! all jobs, and what they wrote for documents that are not published yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::future::Cache;

use crate::error::{Error, Result, UpstreamKind};

/// After so many failures in a row a model is left alone for a while; after a call that was late, at once.
const MOST_FAILURES: usize = 8;
const FAILING: &str = "failed 8 times in a row";
const LATE: &str = "did not answer in time";
/// How long.
const REST: Duration = Duration::from_mins(5);

/// Sentences that are at hand, and how long.
const AT_HAND: u64 = 10_000;
const KEPT: Duration = Duration::from_hours(1);

/// Those that write sentences, and what they wrote.
pub(in crate::engine) struct Writers {
    /// By route.
    routes: Mutex<BTreeMap<String, Fared>>,
    /// By key: equal chunks that are on their way at the same time are asked for once, also where a run is stopped.
    pub written: Cache<String, String>,
    /// Collections that were looked through for sentences of no document.
    swept: Mutex<BTreeSet<String>>,
}

impl Default for Writers {
    fn default() -> Self {
        Self {
            routes: Mutex::default(),
            written: Cache::builder().max_capacity(AT_HAND).time_to_live(KEPT).build(),
            swept: Mutex::default(),
        }
    }
}

#[derive(Default)]
struct Fared {
    failures: usize,
    /// When it may be asked again, and why not before.
    rests: Option<(Instant, &'static str)>,
}

impl Writers {
    /// An error with the reason while the model of that route is not to be asked.
    pub fn check(&self, route: &str, now: Instant) -> Result<()> {
        let routes = self.routes();
        let rests = routes.get(route).and_then(|fared| fared.rests);
        match rests.filter(|(end, _)| *end > now) {
            Some((end, why)) => Err(Error::Unavailable(format!(
                "the route `{route}` {why}, so it is not asked for {} s; mend it, and set `context_sentences` again to \
                 have it asked at once",
                (end - now).as_secs_f64().ceil()
            ))),
            None => Ok(()),
        }
    }

    /// The model of that route wrote a sentence, or failed.
    pub fn note(&self, route: &str, written: &Result<String>, now: Instant) {
        let mut routes = self.routes();
        let Err(error) = written else {
            routes.remove(route);
            return;
        };
        let fared = routes.entry(route.to_owned()).or_default();
        fared.failures += 1;
        let is_late = matches!(error, Error::Upstream(failure) if failure.kind == UpstreamKind::TimedOut);
        if is_late {
            fared.rests = Some((now + REST, LATE));
        } else if fared.failures >= MOST_FAILURES {
            fared.rests = Some((now + REST, FAILING));
        }
    }

    /// Something else is set: all may be asked, and asked again.
    pub fn forget(&self) {
        self.routes().clear();
        self.written.invalidate_all();
    }

    /// Whether the collection is still to be looked through for what a crash left; told once.
    pub fn is_unswept(&self, collection: &str) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        swept.insert(collection.to_owned())
    }

    fn routes(&self) -> MutexGuard<'_, BTreeMap<String, Fared>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: UpstreamKind) -> Result<String> {
        Err(Error::upstream(kind, None, "no"))
    }

    #[test]
    fn who_fails_again_and_again_is_left_alone_for_a_while() {
        let (writers, now) = (Writers::default(), Instant::now());
        for _ in 0..MOST_FAILURES {
            writers.check("a", now).unwrap();
            writers.note("a", &failed(UpstreamKind::Failed), now);
        }
        let why = writers.check("a", now).unwrap_err().to_string();
        assert!(
            why.contains("`a` failed 8 times in a row") && why.contains("300 s"),
            "{why}"
        );
        writers.check("b", now).unwrap();
        writers.check("a", now + REST).unwrap();
        // One more is enough, and one that is well ends it.
        writers.note("a", &failed(UpstreamKind::Failed), now + REST);
        writers.check("a", now + REST).unwrap_err();
        writers.note("a", &Ok("A sentence.".to_owned()), now + REST);
        writers.check("a", now + REST).unwrap();
        writers.note("a", &failed(UpstreamKind::Failed), now + REST);
        writers.check("a", now + REST).unwrap();
    }

    #[test]
    fn who_is_late_is_left_alone_at_once_until_somebody_sets_it_again() {
        let (writers, now) = (Writers::default(), Instant::now());
        writers.note("a", &failed(UpstreamKind::TimedOut), now);
        let why = writers.check("a", now).unwrap_err().to_string();
        assert!(why.contains("did not answer in time"), "{why}");
        writers.forget();
        writers.check("a", now).unwrap();
    }
}
