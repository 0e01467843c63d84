//! What an item is to the index: new, another than before, moved here from a place that is gone, or as it was.

use std::collections::{BTreeMap, BTreeSet};

/// Up to here nobody is asked.
const FEW: usize = 10;
/// The share of a source's documents, in percent, that may vanish unasked.
const SHARE: usize = 30;

/// What an item is to the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Its name is new.
    Added,
    /// Its name is known, what it says is not.
    Changed,
    /// It is what stood under this name, which is gone.
    Moved(String),
    /// It is as it was, but sentences of its chunks are missing.
    Lacking,
    /// It is as it was.
    Unchanged,
}

/// The documents of a collection by their fingerprints, while a run goes through its items.
#[derive(Debug, Default)]
pub(super) struct Known {
    prints: BTreeMap<String, String>,
    /// Those that are to be indexed again whatever they say.
    again: BTreeSet<String>,
    /// Those of whose chunks sentences are missing.
    lacking: BTreeSet<String>,
    /// Names that are gone from the source, by fingerprint.
    gone: BTreeMap<String, Vec<String>>,
}

impl Known {
    /// The fingerprint of each document, the names of those that are to be indexed again, and of those that lack sentences.
    pub fn new(prints: BTreeMap<String, String>, again: BTreeSet<String>, lacking: BTreeSet<String>) -> Self {
        Self {
            prints,
            again,
            lacking,
            gone: BTreeMap::new(),
        }
    }

    /// Tells which names are gone from the source; the first of them is the first that another is moved from.
    pub fn set_gone<'a>(&mut self, gone: impl DoubleEndedIterator<Item = &'a String>) {
        for uri in gone.rev() {
            if let Some(print) = self.prints.get(uri) {
                self.gone.entry(print.clone()).or_default().push(uri.clone());
            }
        }
    }

    /// What the item is, and the fingerprint that stood in its place. From now on it is known.
    pub fn take(&mut self, uri: &str, print: &str) -> (Change, Option<String>) {
        let before = self.prints.insert(uri.to_owned(), print.to_owned());
        let change = match &before {
            Some(before) if before == print && self.again.remove(uri) => Change::Changed,
            Some(before) if before == print && self.lacking.remove(uri) => Change::Lacking,
            Some(before) if before == print => Change::Unchanged,
            Some(_) => Change::Changed,
            None => match self.gone.get_mut(print).and_then(Vec::pop) {
                Some(from) => Change::Moved(from),
                None => Change::Added,
            },
        };
        (change, before)
    }

    /// Tells what stands under a name by now.
    pub fn set(&mut self, uri: &str, print: Option<String>) {
        match print {
            Some(print) => drop(self.prints.insert(uri.to_owned(), print)),
            None => drop(self.prints.remove(uri)),
        }
    }

    /// The item could not be taken; `before` stays.
    pub fn put_back(&mut self, uri: String, before: Option<String>) {
        self.prints.remove(&uri);
        self.prints.extend(before.map(|before| (uri, before)));
    }

    /// The fingerprint of the document of that name.
    pub fn print(&self, uri: &str) -> Option<&String> {
        self.prints.get(uri)
    }

    /// Whether the index has what has that fingerprint under that name, and need not see it again.
    pub fn has(&self, uri: &str, print: &str) -> bool {
        let is_whole = !self.again.contains(uri) && !self.lacking.contains(uri);
        is_whole && self.prints.get(uri).is_some_and(|known| known == print)
    }

    /// How many of `gone` stand nowhere else in the source.
    pub fn vanished(&self, gone: &[String], seen: &BTreeSet<String>) -> usize {
        let here: BTreeSet<&String> = seen.iter().filter_map(|uri| self.prints.get(uri)).collect();
        let lives = |uri: &&String| self.prints.get(*uri).is_some_and(|print| here.contains(print));
        gone.len() - gone.iter().filter(lives).count()
    }
}

/// Whether so many of a source's documents vanish that somebody must be asked first: a disk that is not mounted looks
/// like a folder whose files were deleted.
pub(super) fn is_drastic(vanished: usize, before: usize) -> bool {
    vanished > FEW && vanished * 100 > before * SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(prints: &[(&str, &str)], again: &[&str], gone: &[&str]) -> Known {
        let prints = prints.iter().map(|(uri, print)| ((*uri).into(), (*print).into()));
        let again = again.iter().map(|uri| (*uri).into());
        let mut known = Known::new(prints.collect(), again.collect(), ["l".to_owned()].into());
        let gone: Vec<String> = gone.iter().map(|uri| (*uri).into()).collect();
        known.set_gone(gone.iter());
        known
    }

    #[test]
    fn an_item_is_what_the_index_makes_of_it() {
        let mut known = known(
            &[("a", "1"), ("b", "2"), ("c", "2"), ("d", "3"), ("l", "5")],
            &["d"],
            &["b", "c"],
        );
        let mut check = |uri: &str, print: &str, expected: Change| assert_eq!(known.take(uri, print).0, expected);
        check("a", "1", Change::Unchanged);
        check("a", "4", Change::Changed);
        check("a", "4", Change::Unchanged);
        check("d", "3", Change::Changed);
        check("d", "3", Change::Unchanged);
        check("l", "5", Change::Lacking);
        check("l", "5", Change::Unchanged);
        check("x", "2", Change::Moved("b".into()));
        check("y", "2", Change::Moved("c".into()));
        check("z", "2", Change::Added);
    }

    #[test]
    fn what_could_not_be_taken_is_as_it_was() {
        let mut known = known(&[("a", "1")], &[], &[]);
        for uri in ["a", "b"] {
            let (_, before) = known.take(uri, "2");
            known.put_back(uri.into(), before);
        }
        assert_eq!(known.take("a", "1").0, Change::Unchanged);
        assert_eq!(known.take("b", "2").0, Change::Added);
    }

    #[test]
    fn what_is_to_be_indexed_again_is_not_had() {
        let known = known(&[("a", "1"), ("b", "2"), ("l", "5")], &["b"], &[]);
        assert!(known.has("a", "1") && !known.has("l", "5"));
        assert!(!known.has("a", "2") && !known.has("b", "2") && !known.has("c", "1"));
    }

    #[test]
    fn what_stands_elsewhere_has_not_vanished() {
        let known = known(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "2")], &[], &["a", "b"]);
        let gone = ["a".to_owned(), "b".to_owned()];
        assert_eq!(known.vanished(&gone, &["c".into(), "d".into()].into()), 1);
        assert_eq!(known.vanished(&gone, &["c".into()].into()), 2);
    }

    #[test]
    fn few_may_go_and_a_small_share_of_many() {
        let check = |vanished, before, expected| assert_eq!(is_drastic(vanished, before), expected);
        check(10, 10, false);
        check(11, 11, true);
        check(30, 100, false);
        check(31, 100, true);
    }
}
