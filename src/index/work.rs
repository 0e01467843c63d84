//! Work that computes, off the threads that serve: a step on a thread of its own, or a whole request on one.

use std::cell::Cell;

use futures::future::{AbortHandle, abortable};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// Requests at once; the rest of tokio's 512 threads is for everything else.
static PLACES: Semaphore = Semaphore::const_new(128);

thread_local! {
    /// Whether this thread computes already.
    static COMPUTES: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` where it delays nobody; at once where a request has its own thread.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    if COMPUTES.get() {
        // Lets a request end here that nobody waits for any more.
        tokio::task::yield_now().await;
        return work();
    }
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(Error::Internal(format!("a worker ended early: {error}"))))
}

/// Runs a request that mostly computes on one thread, with every `blocking` of it: waking another thread for each step
/// costs more than most steps. Dropping it ends the request before its next step; a step is never cut short.
pub fn on_one_thread<T: Send + 'static>(
    request: impl Future<Output = Result<T>> + Send + 'static,
) -> impl Future<Output = Result<T>> {
    // A request is large, and whoever waits for it must not be.
    let request = Box::pin(request);
    async move {
        if COMPUTES.get() {
            return request.await;
        }
        // Embedding needs such threads, too, and a request holds its own while it waits for that.
        let place = PLACES.acquire().await;
        let (request, handle) = abortable(request);
        let _leaving = Leaving(handle);
        let runtime = Handle::current();
        let outcome = blocking(move || {
            let (_computes, _place) = (Computes::begin(), place);
            Ok(runtime.block_on(request))
        });
        outcome
            .await?
            .unwrap_or_else(|_| Err(Error::Internal("a request was given up".into())))
    }
}

/// Gives the request up once nobody waits for it.
struct Leaving(AbortHandle);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends with the request, also with one that panics: the thread serves others then.
struct Computes;

impl Computes {
    fn begin() -> Self {
        COMPUTES.set(true);
        Self
    }
}

impl Drop for Computes {
    fn drop(&mut self) {
        COMPUTES.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::thread::{ThreadId, current};

    use tokio::sync::oneshot;

    use super::*;

    async fn thread() -> ThreadId {
        blocking(|| Ok(current().id())).await.unwrap()
    }

    #[tokio::test]
    async fn the_steps_of_a_request_share_a_thread_that_serves_nobody_else() {
        let request = async {
            Ok((
                current().id(),
                thread().await,
                on_one_thread(async { Ok(thread().await) }).await?,
            ))
        };
        let (own, first, nested) = on_one_thread(request).await.unwrap();
        assert_eq!((own, own), (first, nested));
        assert_ne!(own, current().id());
        assert_ne!(thread().await, current().id());
    }

    #[test]
    fn a_thread_is_as_before_after_a_request_that_panicked() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build();
        runtime.unwrap().block_on(async {
            let request = async { Err::<(), _>([Error::Internal("fine".into())].into_iter().nth(1).unwrap()) };
            let error = on_one_thread(request).await.unwrap_err();
            assert!(error.to_string().contains("ended early"), "{error}");
            assert!(!blocking(|| Ok(COMPUTES.get())).await.unwrap());
        });
    }

    #[tokio::test]
    async fn the_steps_of_a_request_that_nobody_waits_for_are_not_taken() {
        let (begins, began) = oneshot::channel();
        let (goes_on, gone_on) = std::sync::mpsc::channel::<()>();
        let (ends, ended) = oneshot::channel::<()>();
        let request = async move {
            begins.send(()).unwrap();
            blocking(move || gone_on.recv().map_err(|cause| Error::Internal(cause.to_string()))).await?;
            blocking(move || ends.send(()).map_err(|()| Error::Internal("nobody".into()))).await
        };
        tokio::select! {
            _ = on_one_thread(request) => unreachable!("its first step waits"),
            _ = began => {}
        }
        goes_on.send(()).unwrap();
        ended.await.expect_err("the second step was taken");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn requests_leave_threads_for_what_they_wait_for() {
        let request = || {
            on_one_thread(async {
                let embedded = tokio::task::spawn_blocking(|| 1).await;
                embedded.map_err(|cause| Error::Internal(cause.to_string()))
            })
        };
        let all = futures::future::try_join_all((0..2_000).map(|_| request()))
            .await
            .unwrap();
        assert_eq!(all.into_iter().sum::<usize>(), 2_000);
    }

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_ends() {
        let (begins, began) = oneshot::channel();
        let (held, ended) = oneshot::channel::<()>();
        let request = async move {
            begins.send(()).unwrap();
            let _held = held;
            std::future::pending::<Result<()>>().await
        };
        tokio::select! {
            _ = on_one_thread(request) => unreachable!("it never ends by itself"),
            _ = began => {}
        }
        // Its half of the channel is dropped with it.
        ended.await.unwrap_err();
    }
}
