//! What a caller asks for, checked once at the door: `Query::parse`.

use super::options::{Expansion, Options};
use crate::error::{Error, Result};

/// The longest question, in bytes.
pub const MAX_QUERY_BYTES: usize = 32 * 1024;
/// The most results of one search.
pub const MAX_LIMIT: usize = 100;
/// The deepest page of a search.
pub const MAX_OFFSET: usize = 1_000;

/// Which legs a search uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// BM25 and vectors, fused.
    #[default]
    Hybrid,
    /// BM25 alone.
    Lexical,
    /// Vectors alone.
    Vector,
}

impl std::str::FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "hybrid" => Ok(Self::Hybrid),
            "lexical" => Ok(Self::Lexical),
            "vector" => Ok(Self::Vector),
            other => Err(Error::bad_input(
                "/mode",
                format!("no mode named `{other}`; use `hybrid`, `lexical` or `vector`"),
            )),
        }
    }
}

/// A condition on a document's metadata.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "filters are few and short-lived")]
pub enum Filter {
    /// All of them hold; an empty list always holds.
    All(Vec<Filter>),
    /// At least one holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The field has one of these values (strings, numbers or booleans); a list field has it among its items.
    In(String, Vec<serde_json::Value>),
    /// The field lies in the range; numbers by value, strings (ISO dates) by their bytes.
    Range(String, Bounds),
    /// The field is there.
    Exists(String),
}

/// Ends of a range; both may be open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// At least.
    pub gte: Option<serde_json::Value>,
    /// More than.
    pub gt: Option<serde_json::Value>,
    /// At most.
    pub lte: Option<serde_json::Value>,
    /// Less than.
    pub lt: Option<serde_json::Value>,
}

impl Default for Filter {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Filter {
    /// Whether it holds for every document.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(parts) if parts.is_empty())
    }
}

/// Who asks. Documents without principals are for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reader {
    /// May read everything: the operator.
    Everything,
    /// May read public documents and those of these principals.
    Principals(Vec<String>),
}

impl Reader {
    /// Whether a document with `principals` may be read.
    pub fn may_read(&self, principals: &[String]) -> bool {
        match self {
            Self::Everything => true,
            Self::Principals(mine) => principals.is_empty() || principals.iter().any(|theirs| mine.contains(theirs)),
        }
    }
}

/// What the caller typed, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct QueryInput {
    /// The question or key words.
    pub text: String,
    /// Collections to search; empty means `default`.
    pub collections: Vec<String>,
    /// Condition on metadata.
    pub filter: Filter,
    /// Legs.
    pub mode: Mode,
    /// How many results; 10 when none is given.
    pub limit: Option<usize>,
    /// How many to skip.
    pub offset: usize,
    /// Counts, order, groups and what is shown.
    pub options: Options,
    /// Whether the reader is still typing: the last word may be the beginning of one.
    pub typing: bool,
}

/// A checked search request; `Query::parse` is the only way in.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    text: String,
    collections: Vec<String>,
    filter: Filter,
    mode: Mode,
    limit: usize,
    offset: usize,
    options: Options,
    typing: bool,
    reader: Reader,
}

impl Query {
    /// Checks `input` on behalf of `reader`.
    pub fn parse(input: QueryInput, reader: Reader) -> Result<Self> {
        let text: String = input
            .text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(Error::bad_input("/query", "the query is empty; send at least one word"));
        }
        if text.len() > MAX_QUERY_BYTES {
            let detail = format!(
                "the query has {} bytes; at most {MAX_QUERY_BYTES} are accepted",
                text.len()
            );
            return Err(Error::bad_input("/query", detail));
        }
        let limit = input.limit.unwrap_or(10);
        if limit == 0 || limit > MAX_LIMIT {
            return Err(Error::bad_input(
                "/limit",
                format!("`limit` is {limit}; it goes from 1 to {MAX_LIMIT}"),
            ));
        }
        if input.offset > MAX_OFFSET {
            return Err(Error::bad_input(
                "/offset",
                format!("`offset` is {}; it goes to {MAX_OFFSET}", input.offset),
            ));
        }
        input.options.check()?;
        let passage = input
            .options
            .expand
            .as_ref()
            .is_some_and(|expand| expand.kind == Expansion::Passage);
        if passage && input.mode == Mode::Lexical {
            let detail = "a passage is compared by its vector, which `lexical` does not look at; use `queries`";
            return Err(Error::bad_input("/expand", detail));
        }
        let mut collections = input.collections;
        if collections.is_empty() {
            collections.push("default".to_owned());
        }
        for name in &collections {
            collection_name(name)?;
        }
        collections.dedup();
        Ok(Self {
            text,
            collections,
            filter: input.filter,
            mode: input.mode,
            limit,
            offset: input.offset,
            options: input.options,
            // A space ends the word.
            typing: input.typing && !input.text.ends_with(char::is_whitespace),
            reader,
        })
    }

    /// The question, trimmed, without control characters, never empty.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// At least one name.
    pub fn collections(&self) -> &[String] {
        &self.collections
    }

    /// The condition on metadata.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The legs to use.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// 1 to `MAX_LIMIT`.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// 0 to `MAX_OFFSET`.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Counts, order, groups and what is shown; checked.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The same without the condition on metadata.
    #[must_use]
    pub fn unfiltered(&self) -> Self {
        Self {
            filter: Filter::default(),
            ..self.clone()
        }
    }

    /// The same for other words, which are finished, under `filter`.
    #[must_use]
    pub fn reworded(&self, text: String, mode: Mode, filter: Filter) -> Self {
        Self {
            text,
            mode,
            filter,
            typing: false,
            ..self.clone()
        }
    }

    /// Whether the last word may be the beginning of one.
    pub fn typing(&self) -> bool {
        self.typing
    }

    /// On whose behalf.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }
}

/// Checks a collection's name, which is also the name of its folder.
pub fn collection_name(name: &str) -> Result<&str> {
    let good = !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if good {
        return Ok(name);
    }
    let shown: String = name.chars().take(64).collect();
    let detail = format!(
        "`{shown}` is no collection name; use 1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter or digit"
    );
    Err(Error::bad_input("/collection", detail))
}
