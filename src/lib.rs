//! Portolan turns a set of documents into search and cited chat. This is the map, in reading order.

/// Searches make and drop many small values on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod types;

pub mod error;

pub mod config;

pub mod telemetry;

pub mod index;

pub mod gateway;

pub mod store;

pub mod engine;

pub mod http;

pub mod app;

pub mod cli;
