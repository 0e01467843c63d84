//! The integration tests: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod answers;
mod app;
mod failures;
mod indexing;
mod input;
mod openai;
mod portkey;
mod removal;
mod surroundings;
mod tidy;
mod tune;
mod upstream;
