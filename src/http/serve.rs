//! The listener: how many connections at once, how long each may take to ask, and how it ends.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::task::TaskTracker;

/// What each connection is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Open at once; who comes then waits in the system's queue.
    pub at_once: usize,
    /// From its opening or its last answer to the end of a request's head.
    pub head: Duration,
    /// How long a reader may take nothing of what is written. A stream between two events writes nothing.
    pub write: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            at_once: 2_048,
            head: Duration::from_secs(30),
            write: Duration::from_mins(1),
        }
    }
}

/// Serves until `stop`; then open connections end with the answers that they are at.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(connections.at_once.min(Semaphore::MAX_PERMITS)));
    let (open, ends) = (TaskTracker::new(), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, stream) = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        // An answer's first words must not wait for more.
        drop(stream.set_nodelay(true));
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(connections.write));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(connections.head)
            .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router.clone()));
        let connection = ends.watch(connection);
        open.spawn(async move {
            // It ends with the connection, whatever ended that.
            drop(connection.await);
            drop(place);
        });
    }
    drop(listener);
    ends.shutdown().await;
    open.close();
    open.wait().await;
}

/// The next connection. One that broke is passed over; where no more can be opened, those that end make room.
async fn accept(listener: &TcpListener) -> tokio::net::TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                let broke = matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::ConnectionRefused
                );
                if !broke {
                    tracing::warn!(%error, "no connection can be accepted for now");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
