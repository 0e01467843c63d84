//! The values that flow from a question to an answer. No I/O, no async.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use indexer::types::{Chunk, ChunkContext, ChunkId, Document, DocumentId, Heading, Item, Metadata, Pages, Patch};

mod check;
mod context;
mod expected;
mod options;
mod page;
mod query;

pub use check::{Conflict, Fault, Finding, SentenceCheck, Side};
pub use context::{Context, Ledger, LeftOut, Reason};
pub use expected::{Checked, Expected};
pub use options::{Expand, Expansion, MAX_FACET_VALUES, MAX_FACETS, Options, Recency, Sort};
pub use page::{Display, Dropped, Duplicate, Facet, Group, Page, Placed, Stretch, Total};
pub use query::{
    Bounds, Filter, MAX_LIMIT, MAX_OFFSET, MAX_QUERY_BYTES, Mode, Query, QueryInput, Reader, collection_name,
};

use crate::error::Error;

/// A chunk that a leg found, with that leg's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// What was found.
    pub chunk: ChunkId,
    /// Higher is better; comparable within one leg and query only.
    pub score: f32,
}

/// Scores and ranks of one passage, by step; ranks count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// BM25.
    pub lexical: Option<f32>,
    /// Cosine.
    pub vector: Option<f32>,
    /// Rank in the lexical leg.
    pub lexical_rank: Option<usize>,
    /// Rank in the vector leg.
    pub vector_rank: Option<usize>,
    /// What the reranker thinks: a mean cosine, or a model's own score.
    pub rerank: Option<f32>,
    /// What fusion and reranker together give, in the unit of `fused`.
    pub reranked: Option<f32>,
    /// How much it holds of the identifiers that were asked for: 2 for one verbatim, 1 for its words in their order.
    pub exact: usize,
    /// The same of names that few texts have.
    pub names: usize,
    /// After fusion.
    pub fused: f32,
    /// What a model's other words give it, when some were searched for.
    pub expanded: Option<f32>,
    /// How new its document is, 0 to 1, when newer ones gain.
    pub recency: Option<f32>,
}

impl Scores {
    /// The order of results: what holds an identifier that was asked for comes before what does not.
    pub fn best_first(left: &Self, right: &Self) -> std::cmp::Ordering {
        let exact = right.exact.cmp(&left.exact);
        exact.then(right.fused.total_cmp(&left.fused))
    }
}

/// What is known of a document without its text.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentCard {
    /// Identity.
    pub id: DocumentId,
    /// Name within the collection.
    pub uri: String,
    /// Title, never empty.
    pub title: String,
    /// Facts.
    pub metadata: Metadata,
    /// Who may read it.
    pub principals: Vec<String>,
    /// Fingerprint of the version.
    pub version: String,
    /// Fingerprint that it was read with; another one when something was changed of it since.
    pub read_as: String,
}

/// A chunk with its document, ready to be shown, packed and cited.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The collection it came from.
    pub collection: String,
    /// Its document.
    pub document: Arc<DocumentCard>,
    /// The text and where it stands.
    pub chunk: Arc<Chunk>,
    /// How it was found.
    pub scores: Scores,
    /// Byte ranges of `chunk.text` that match the query's words.
    pub highlights: Vec<Range<usize>>,
    /// What a search shows beside it.
    pub display: Display,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Best first.
    pub passages: Vec<Passage>,
    /// Words for what did not work: `lexical`, `vector`, `expand`, `rerank`.
    pub degraded: Vec<String>,
    /// Time and count of each step.
    pub trace: Vec<Step>,
    /// What all passages share.
    pub page: Page,
    /// Words that were read as others.
    pub corrections: Vec<Correction>,
}

/// A word that no document has, and the words that were searched for in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// As the reader typed it.
    pub word: String,
    /// Nearest and most common first.
    pub read_as: Vec<String>,
}

/// One step of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// `understand`, `lexical`, `vector`, `fuse`, `rerank`, `passages`.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// How many it yielded.
    pub count: usize,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// The reader.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The word on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a prompt or a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
}

/// What a chat model is given.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// System first, the question last.
    pub messages: Vec<Message>,
    /// The stand-alone question.
    pub question: String,
    /// The evidence, as packed.
    pub context: Context,
    /// Room for the answer.
    pub max_tokens: usize,
    /// Our id of the run, for the gateway's trace.
    pub run: String,
}

/// Tokens and attempts of one model call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Answer tokens.
    pub tokens_out: u64,
    /// Prompt tokens that the provider had cached.
    pub cached: u64,
    /// Whether the counts are ours, not the provider's.
    pub estimated: bool,
    /// Cost in USD as a decimal string, when the provider or the price list tells.
    pub cost_usd: Option<String>,
    /// Attempts that the gateway made.
    pub attempts: u32,
    /// The model that answered.
    pub model: Option<String>,
}

/// What a chat model streams.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// More of the answer.
    Text(String),
    /// Token counts.
    Usage(Usage),
    /// The answer is whole; the reason is `stop`, `length` or `content_filter`.
    Finish(String),
}

/// A checked link from the answer to a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Citation {
    /// The passage's number.
    pub number: usize,
    /// Byte range of the supported words in the answer's text.
    pub answer_range: Range<usize>,
    /// The source.
    pub document: DocumentId,
    /// Its version.
    pub version: String,
    /// Byte range in the document's text.
    pub source_range: Range<usize>,
    /// The words there.
    pub quote: String,
    /// Whether the quote was found at its range and supports the words; unchecked quotes are not shown.
    pub checked: bool,
}

/// What the evidence allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The documents answer the question.
    Answered,
    /// They answer a part of it.
    Partial,
    /// They do not say.
    Declined,
}

impl Outcome {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Partial => "partial",
            Self::Declined => "declined",
        }
    }
}

/// The outcome with its reasons.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What it came to.
    pub outcome: Outcome,
    /// Words of the question that the evidence lacks.
    pub missing: Vec<String>,
    /// The nearest passages, when declined.
    pub nearest: Vec<Passage>,
    /// What became of each sentence, when answered.
    pub sentences: Vec<SentenceCheck>,
    /// Where sources contradict each other.
    pub conflicts: Vec<Conflict>,
}

/// What a chat sends, in this order: started, sources, (text | citation)*, verdict unless it failed, usage, then done
/// or failed.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run exists.
    Started {
        /// Id of the run.
        run: String,
        /// Id of the conversation.
        conversation: String,
        /// Id of the answer's message.
        message: String,
        /// The route's name.
        route: String,
        /// Why it was chosen.
        reason: String,
        /// The question as it was searched for, made self-contained.
        question: String,
        /// What of the search did not work, as in `Found`.
        degraded: Vec<String>,
    },
    /// The numbered passages, and what was left out.
    Sources(Context),
    /// More of the answer.
    Text(String),
    /// A link from the answer to a source.
    Citation(Citation),
    /// Answered, partial or declined.
    Verdict(Verdict),
    /// Tokens, and the time to the first text in milliseconds.
    Usage(Usage, Option<u64>),
    /// The whole answer was received.
    Done(String),
    /// It was not; what was received stays, marked incomplete.
    Failed(Arc<Error>),
}
