//! The values that flow through the indexer: `Item`, `Document`, `Chunk`, and their identities.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fingerprint;

mod pages;

pub use pages::Pages;

/// Namespace of every identity that Portolan derives; never changes, since ids are stored.
const NAMESPACE: Uuid = Uuid::from_u128(0x706f_7274_6f6c_616e_8d1f_5a3c_27b9_40e1);

/// Free-form facts about a document, ordered by key so that equal metadata has equal bytes.
pub type Metadata = BTreeMap<String, serde_json::Value>;

/// Identity of a document within a collection: UUIDv5 of its URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentId(pub Uuid);

impl DocumentId {
    /// The id of the document at `uri`.
    pub fn of(uri: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, uri.as_bytes()))
    }
}

/// Identity of a chunk; a changed chunk is a new chunk. Also the id of its point in Qdrant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChunkId(pub Uuid);

impl ChunkId {
    /// The id of a chunk: UUIDv5 over document, ordinal, embedded text, metadata and principals.
    ///
    /// Parts are length-prefixed, so no two different inputs share their bytes.
    pub fn of(document: DocumentId, ordinal: u32, embedded: &str, context: &ChunkContext<'_>) -> Self {
        let metadata = serde_json::to_vec(context.metadata).unwrap_or_default();
        let mut name = Vec::with_capacity(embedded.len() + metadata.len() + 64);
        name.extend_from_slice(document.0.as_bytes());
        name.extend_from_slice(&ordinal.to_le_bytes());
        for part in [embedded.as_bytes(), &metadata] {
            name.extend_from_slice(&(part.len() as u64).to_le_bytes());
            name.extend_from_slice(part);
        }
        for principal in context.principals {
            name.extend_from_slice(&(principal.len() as u64).to_le_bytes());
            name.extend_from_slice(principal.as_bytes());
        }
        Self(Uuid::new_v5(&NAMESPACE, &name))
    }
}

/// What a chunk inherits from its document and what therefore changes its identity.
#[derive(Clone, Copy, Debug)]
pub struct ChunkContext<'a> {
    /// The document's metadata.
    pub metadata: &'a Metadata,
    /// Who may read the document; empty means everyone.
    pub principals: &'a [String],
}

impl fmt::Display for DocumentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for DocumentId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl FromStr for ChunkId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

/// What a source yields: bytes and what is known about them. Nothing is parsed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Stable name within the collection, for a folder the path relative to its root with `/` between parts.
    pub uri: String,
    /// Media type, when the source knows it; the parser trusts the bytes more.
    pub media_type: Option<String>,
    /// The raw content.
    pub bytes: Vec<u8>,
    /// Facts from the source; facts in the document itself (front matter) are added by the parser.
    pub metadata: Metadata,
    /// Who may read it; empty means everyone.
    pub principals: Vec<String>,
    /// Last change, seconds since 1970.
    pub modified: Option<i64>,
}

/// A heading and where its section starts in `Document::text`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// 1 is the outermost.
    pub level: u8,
    /// The heading's words, without markup.
    pub title: String,
    /// Byte offset of the heading in the document's text.
    pub start: usize,
}

/// A parsed document: readable text, the structure found in it, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Identity, derived from `uri`.
    pub id: DocumentId,
    /// As in `Item`.
    pub uri: String,
    /// From front matter, `<title>`, the first heading or the file name; never empty.
    pub title: String,
    /// What a reader would see, in UTF-8 with `\n` line ends; quotes and spans refer to it.
    pub text: String,
    /// Headings in order of appearance.
    pub headings: Vec<Heading>,
    /// Its pages or slides, where the format has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
    /// Facts for filters and display.
    pub metadata: Metadata,
    /// Who may read it; empty means everyone.
    pub principals: Vec<String>,
    /// Hash of content, metadata, principals, parser version and chunk settings; also the document's version.
    pub fingerprint: String,
    /// What was changed of it since it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patched: Option<Patched>,
}

impl Document {
    /// The fingerprint that it was read with, whatever was changed of it since.
    pub fn read_as(&self) -> &str {
        let patched = self.patched.as_ref();
        patched.map_or(&self.fingerprint, |patched| &patched.fingerprint)
    }

    /// Changes what `patch` names; the fingerprint follows.
    pub fn patch(&mut self, patch: Patch) {
        for (name, value) in &patch.metadata {
            if value.is_null() {
                self.metadata.remove(name);
            } else {
                self.metadata.insert(name.clone(), value.clone());
            }
        }
        if let Some(title) = &patch.title {
            self.title.clone_from(title);
        }
        if let Some(principals) = &patch.principals {
            self.principals.clone_from(principals);
        }
        let fingerprint = self.read_as().to_owned();
        let earlier = self.patched.take().map(|patched| patched.patch);
        let patch = earlier.unwrap_or_default().and(patch);
        self.fingerprint = fingerprint::patched(&fingerprint, &patch);
        self.patched = Some(Patched { patch, fingerprint });
    }
}

/// A change of what is known of a document; its text stays.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patch {
    /// Another title.
    pub title: Option<String>,
    /// Facts by their names; null takes one away.
    pub metadata: Metadata,
    /// Who may read it; an empty list means everyone.
    pub principals: Option<Vec<String>>,
}

impl Patch {
    /// This change, then `later`.
    fn and(mut self, later: Self) -> Self {
        self.title = later.title.or(self.title);
        self.metadata.extend(later.metadata);
        self.principals = later.principals.or(self.principals);
        self
    }
}

/// What was changed of a document since it was read; a source that is read again does not undo it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patched {
    /// All changes together.
    pub patch: Patch,
    /// The fingerprint that the document was read with.
    pub fingerprint: String,
}

/// A piece of a document that is found and cited as one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Content-addressed identity.
    pub id: ChunkId,
    /// The document it is part of.
    pub document: DocumentId,
    /// Position among the document's chunks, from 0.
    pub ordinal: u32,
    /// Titles of the headings above it, outermost first; without the document's title.
    pub heading_path: Vec<String>,
    /// Exactly `document.text[span]`.
    pub text: String,
    /// Byte range in `Document::text`, on character boundaries.
    pub span: Range<usize>,
    /// The pages or slides that it stands on, where the format has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Pages>,
}

impl Chunk {
    /// The text that is embedded: title and heading path give a chunk the context that its words lack.
    pub fn embedded_text(title: &str, heading_path: &[String], text: &str) -> String {
        let mut embedded = String::with_capacity(title.len() + text.len() + 64);
        embedded.push_str(title);
        for heading in heading_path {
            embedded.push_str(" > ");
            embedded.push_str(heading);
        }
        embedded.push('\n');
        embedded.push_str(text);
        embedded
    }
}
