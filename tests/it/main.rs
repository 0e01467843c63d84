//! The integration tests: one binary, so that it links once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod answers;
mod app;
mod backup;
mod cache;
mod cli;
mod collections;
mod events;
mod expand;
mod failures;
mod feedback;
mod golden;
mod guide;
mod hostile;
mod indexing;
mod input;
mod isolation;
mod jobs;
mod library;
mod mcp;
mod meanwhile;
mod message_stream;
mod openai;
mod pages;
mod plan;
mod portkey;
mod refine;
mod removal;
mod replays;
mod rerank;
mod responses;
mod resume;
mod search;
mod sites;
mod sources;
mod suggest;
mod surroundings;
mod tidy;
mod traces;
mod tune;
mod uploads;
mod upstream;
mod versions;
mod website;
mod words;
