//! The integration tests: one binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod answers;
mod app;
mod failures;
mod portkey;
mod tidy;
mod upstream;
