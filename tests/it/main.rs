//! The integration tests: one binary, so that it links once.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

mod answers;
mod app;
mod failures;
mod indexing;
mod portkey;
mod tidy;
mod upstream;
