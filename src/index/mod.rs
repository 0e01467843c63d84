//! The embedded index: tantivy decides what exists, vectors only point.

pub mod vectors;
