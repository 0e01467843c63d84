//! A document that is removed while jobs wait or run: what they accepted before must not bring it back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::DocumentId;

/// Which documents were removed since the oldest job that is still to end was accepted.
#[derive(Clone, Debug, Default)]
pub(super) struct Removals(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Jobs and removals are numbered together, in the order in which they came.
    last: u64,
    jobs: usize,
    removed: BTreeMap<(String, DocumentId), u64>,
}

/// A job's place in the order; the job has ended when it is dropped.
#[derive(Debug)]
pub(super) struct Accepted {
    removals: Removals,
    number: u64,
}

impl Removals {
    /// A job begins to wait.
    pub fn accept(&self) -> Accepted {
        let mut state = self.state();
        state.last += 1;
        state.jobs += 1;
        Accepted {
            removals: self.clone(),
            number: state.last,
        }
    }

    /// A document was removed.
    pub fn note(&self, collection: &str, document: DocumentId) {
        let mut state = self.state();
        state.last += 1;
        if state.jobs > 0 {
            let number = state.last;
            state.removed.insert((collection.to_owned(), document), number);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accepted {
    /// Whether the document was removed after this job was accepted.
    pub fn is_removed(&self, collection: &str, document: DocumentId) -> bool {
        let state = self.removals.state();
        let removed = state.removed.get(&(collection.to_owned(), document));
        removed.is_some_and(|number| *number > self.number)
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let mut state = self.removals.state();
        state.jobs -= 1;
        if state.jobs == 0 {
            state.removed.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_counts_for_the_jobs_before_it_only() {
        let removals = Removals::default();
        let (document, other) = (DocumentId::of("a"), DocumentId::of("b"));
        let before = removals.accept();
        removals.note("default", document);
        let after = removals.accept();
        assert!(before.is_removed("default", document));
        assert!(!before.is_removed("default", other));
        assert!(!before.is_removed("docs", document));
        assert!(!after.is_removed("default", document));
    }

    #[test]
    fn nothing_is_kept_when_no_job_is_left() {
        let removals = Removals::default();
        let first = removals.accept();
        removals.note("default", DocumentId::of("a"));
        drop(first);
        removals.note("default", DocumentId::of("b"));
        assert!(removals.state().removed.is_empty());
    }
}
