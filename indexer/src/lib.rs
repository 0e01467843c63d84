//! Bytes to chunks: sources yield items, parsers make documents of them, the chunker cuts them.
//!
//! This crate knows no store, no server and no model. Reading order: `types`, `sources`, `fingerprint`, `parse`, `chunk`, `worker`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that panics has said what it must")
)]

pub mod chunk;
pub mod facts;
pub mod fingerprint;
pub mod parse;
pub mod sources;
#[allow(clippy::doc_markdown, reason = "UUIDv5 is a name, not code")]
pub mod types;
pub mod worker;
