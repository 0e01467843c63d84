//! Which page of its file a part of a text stands on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// The pages, or slides, of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// The page that the text begins on, from 1.
    pub first: u32,
    /// Where each further page begins, as byte offsets in the document's text, in their order; an empty page begins
    /// where the next one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaks: Vec<usize>,
}

impl Pages {
    /// Pages that begin at these offsets; none where there are no pages.
    pub fn starting(starts: &[usize]) -> Option<Self> {
        let (_, breaks) = starts.split_first()?;
        Some(Self {
            first: 1,
            breaks: breaks.to_vec(),
        })
    }

    /// The first and the last page of a span of the document's text.
    pub fn of(&self, span: &Range<usize>) -> [u32; 2] {
        let last = span.end.saturating_sub(1).max(span.start);
        [self.at(span.start), self.at(last)]
    }

    /// The pages of a part of the document's text.
    #[must_use]
    pub fn within(&self, span: &Range<usize>) -> Self {
        let inside = |at: &&usize| (span.start + 1..span.end).contains(*at);
        Self {
            first: self.at(span.start),
            breaks: self.breaks.iter().filter(inside).copied().collect(),
        }
    }

    fn at(&self, offset: usize) -> u32 {
        self.first + self.breaks.partition_point(|begin| *begin <= offset) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_knows_its_pages_and_so_does_a_part_of_it() {
        // The third page is empty.
        let pages = Pages::starting(&[0, 10, 20, 20]).unwrap();
        let check = |span: Range<usize>, expected: [u32; 2], breaks: &[usize]| {
            assert_eq!(pages.of(&span), expected, "{span:?}");
            let part = pages.within(&span);
            assert_eq!((part.first, &part.breaks[..]), (expected[0], breaks), "{span:?}");
            for at in span.clone() {
                assert_eq!(part.of(&(at..span.end)), pages.of(&(at..span.end)), "{at}");
            }
        };
        check(0..10, [1, 1], &[]);
        check(0..11, [1, 2], &[10]);
        check(10..20, [2, 2], &[]);
        check(9..30, [1, 4], &[10, 20, 20]);
        check(20..21, [4, 4], &[]);
        check(15..15, [2, 2], &[]);
        assert_eq!(Pages::starting(&[]), None);
        assert_eq!(Pages::starting(&[0]).unwrap().of(&(3..9)), [1, 1]);
    }
}
