//! What a page of results tells beside its passages: how many there are, facets, groups, surroundings, reasons.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::{ChunkId, DocumentCard, Passage};

/// How many things match, and whether that is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// Matching passages, or documents when they are grouped.
    pub count: usize,
    /// False: there are at least so many.
    pub exact: bool,
}

/// How often each value of a metadata field occurs among the matching documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The field.
    pub field: String,
    /// Values with the number of documents; most first, then by value.
    pub values: Vec<(Value, usize)>,
    /// Whether there are more values than are told.
    pub truncated: bool,
}

/// A candidate that is not on the page although its rank was good enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropped {
    /// Which.
    pub chunk: ChunkId,
    /// `filter`, `duplicate`, `diversity` or `group`.
    pub step: &'static str,
    /// The result that stands for it, where there is one.
    pub kept: Option<ChunkId>,
}

/// What all results share.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// None when nobody asked.
    pub total: Option<Total>,
    /// In the order in which they were asked for.
    pub facets: Vec<Facet>,
    /// Only when the steps are to be explained.
    pub dropped: Vec<Dropped>,
    /// Likewise: candidates that the reranker looked at and could not judge.
    pub not_reranked: usize,
}

/// How one result is shown beside its text.
#[derive(Clone, Debug, Default)]
pub struct Display {
    /// Byte ranges of the document's title that match the query's words.
    pub title_highlights: Vec<Range<usize>>,
    /// The same for each heading of the path.
    pub heading_highlights: Vec<Vec<Range<usize>>>,
    /// What stands before the passage.
    pub before: Option<Stretch>,
    /// What stands after it.
    pub after: Option<Stretch>,
    /// Passages that say the same, best first.
    pub duplicates: Vec<Duplicate>,
    /// The rest of its document's group.
    pub group: Option<Group>,
    /// Each step that saw it, in order.
    pub steps: Vec<Placed>,
}

/// A passage that says the same as a better one; its document may be another version of the same, with its own dates.
#[derive(Clone, Debug)]
pub struct Duplicate {
    /// The collection that it came from.
    pub collection: String,
    /// Which passage.
    pub chunk: ChunkId,
    /// Its document.
    pub document: Arc<DocumentCard>,
}

/// A piece of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Byte range in the document's text.
    pub span: Range<usize>,
    /// The text there.
    pub text: String,
}

/// The passages of one document beside the one that stands for it.
#[derive(Clone, Debug)]
pub struct Group {
    /// How many of its passages match.
    pub total: usize,
    /// The next best.
    pub more: Vec<Passage>,
}

/// Where a step placed a passage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// The step's name.
    pub step: &'static str,
    /// From 1.
    pub rank: usize,
    /// What decided the rank.
    pub score: f32,
}
