//! Bytes to chunks: sources yield items, parsers make documents of them, the chunker cuts them.
//!
//! This crate knows no store, no server and no model. Reading order: `types`, `sources`, `fingerprint`, `parse`, `chunk`.

pub mod chunk;
pub mod fingerprint;
pub mod parse;
pub mod sources;
pub mod types;
