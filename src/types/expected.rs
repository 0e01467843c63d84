//! What a write wants of the version that it replaces.

/// What must hold of a document, or the write is not made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    #[default]
    Anything,
    /// It must not be there yet.
    Absent,
    /// It must be there.
    Present,
    /// It must be there in one of these versions.
    Versions(Vec<String>),
}

impl Expected {
    /// Whether a document of that version may be written over; none is one that is not there.
    pub fn admits(&self, current: Option<&str>) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Versions(wanted) => current.is_some_and(|current| wanted.iter().any(|one| one == current)),
        }
    }
}

/// A write whose expectation was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked<T> {
    /// It was made.
    Made(T),
    /// It was not: this is the document's version now, if it is there.
    Stale(Option<String>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_made_over_what_was_expected_alone() {
        let check = |expected: &Expected, admitted: [bool; 3]| {
            let found = [None, Some("a"), Some("b")].map(|current| expected.admits(current));
            assert_eq!(found, admitted, "{expected:?}");
        };
        check(&Expected::Anything, [true, true, true]);
        check(&Expected::Absent, [true, false, false]);
        check(&Expected::Present, [false, true, true]);
        check(&Expected::Versions(vec!["a".into(), "c".into()]), [false, true, false]);
    }
}
