//! The one who reads an answer's events: may be slow, may leave, and is not waited for without end.

use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result, UpstreamKind};
use crate::types::Event;

/// How long a reader may take nothing at all.
const LISTENS: Duration = Duration::from_mins(1);

/// The one who reads the events.
pub(super) struct Listener<'a> {
    /// Where they go.
    pub events: &'a mpsc::Sender<Event>,
    /// Cancelled when the service stops.
    pub stopping: &'a CancellationToken,
}

impl Listener<'_> {
    /// Waits while the queue is full; a reader who takes nothing for `LISTENS` holds no model.
    pub async fn tell(&self, event: Event) -> Result<()> {
        match self.events.try_send(event) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(left()),
            Err(TrySendError::Full(event)) => tokio::select! {
                sent = self.events.send_timeout(event, LISTENS) => sent.map_err(|_| left()),
                () = self.stopping.cancelled() => Err(stopped()),
            },
        }
    }

    /// The next delta; an error when the reader has left or the service stops.
    pub async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            () = self.stopping.cancelled() => Err(stopped()),
            () = self.events.closed() => Err(left()),
        }
    }
}

fn left() -> Error {
    Error::upstream(UpstreamKind::Cut, None, "the reader left before the end")
}

fn stopped() -> Error {
    let retry_after = Duration::from_secs(5);
    Error::Overloaded {
        detail: "the service is stopping; ask again in a moment".into(),
        retry_after,
    }
}
