//! What became of an answer's sentences when they were held against the passages.

use std::ops::Range;

/// One sentence of an answer, held against the passages that it cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceCheck {
    /// Byte range in the answer's text, without white space and marks around it.
    pub range: Range<usize>,
    /// What was found.
    pub finding: Finding,
    /// Numbers of the passages that it cites.
    pub cited: Vec<usize>,
    /// Numbers that the model wrote there and that were taken out.
    pub removed: Vec<usize>,
    /// A passage that says it and that it does not cite.
    pub found_in: Option<usize>,
}

/// Whether a sentence rests on the passages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// They say it.
    Supported,
    /// It says nothing that they could: a greeting, a heading, code, that there is no answer.
    Plain,
    /// They do not.
    Unsupported(Fault),
}

/// Why a sentence does not rest on the passages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Numbers that they lack at that place.
    Numbers(Vec<String>),
    /// Days, months or years that they lack at that place.
    Dates(Vec<String>),
    /// Names that they lack at that place.
    Names(Vec<String>),
    /// It denies what they say, or says what they deny.
    Negation,
    /// The passage that it cited does not say it.
    Citation,
    /// They have too few of its words.
    Words,
}

/// Two sources that say different things of what a sentence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Byte range of the sentence in the answer's text.
    pub range: Range<usize>,
    /// What the answer rests on, and what contradicts it.
    pub sides: [Side; 2],
}

/// One of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Number of the passage.
    pub number: usize,
    /// Byte range in the document's text.
    pub source_range: Range<usize>,
    /// The words there.
    pub quote: String,
    /// The document's date, where its metadata has one.
    pub date: Option<String>,
}

impl Fault {
    /// The word on every wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Dates(_) => "dates",
            Self::Names(_) => "names",
            Self::Negation => "negation",
            Self::Citation => "citation",
            Self::Words => "words",
        }
    }

    /// What the passages lack, as the answer writes it.
    pub fn lacking(&self) -> &[String] {
        match self {
            Self::Numbers(lacking) | Self::Dates(lacking) | Self::Names(lacking) => lacking,
            Self::Negation | Self::Citation | Self::Words => &[],
        }
    }
}

impl Finding {
    /// The word on every wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Plain => "plain",
            Self::Unsupported(_) => "unsupported",
        }
    }
}
