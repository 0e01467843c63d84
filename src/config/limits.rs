//! `[limits]`: how much is accepted at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

/// How much is accepted at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Chats at once.
    pub streams: usize,
    /// Searches at once.
    pub searches: usize,
    /// Connections at once.
    pub connections: usize,
    /// Collections that requests and commands may come to.
    pub collections: usize,
    /// Bytes of documents that wait to be indexed, and of those that are on their way into an index.
    pub in_flight_bytes: usize,
    /// How long open streams may go on after the signal to stop.
    pub drain: Duration,
}

/// What the file may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitSettings {
    body_bytes: Option<NonZeroUsize>,
    streams: Option<NonZeroUsize>,
    searches: Option<NonZeroUsize>,
    connections: Option<NonZeroUsize>,
    collections: Option<NonZeroUsize>,
    in_flight_bytes: Option<NonZeroUsize>,
    drain_seconds: Option<u32>,
}

impl LimitSettings {
    pub(super) fn resolve(&self) -> Limits {
        let count = |given: Option<NonZeroUsize>, otherwise: usize| given.map_or(otherwise, NonZeroUsize::get);
        Limits {
            body_bytes: count(self.body_bytes, 32 * 1024 * 1024),
            streams: count(self.streams, 1_000),
            searches: count(self.searches, 256),
            connections: count(self.connections, 2_048),
            collections: count(self.collections, 1_000),
            in_flight_bytes: count(self.in_flight_bytes, 256 * 1024 * 1024),
            drain: Duration::from_secs(self.drain_seconds.unwrap_or(10).into()),
        }
    }
}
