//! Readers of others run apart: on a thread of their own with room to nest, so that a panic costs one file.

use std::thread;

/// Room for what nests as deep as it may.
const STACK_BYTES: usize = 64 << 20;

/// What `read` returns; an error where it panics.
pub fn run<T: Send>(read: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let done = thread::scope(|scope| {
        let reader = thread::Builder::new().stack_size(STACK_BYTES);
        reader.spawn_scoped(scope, read).map(thread::ScopedJoinHandle::join)
    });
    match done {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err("it is damaged".to_owned()),
        Err(cause) => Err(cause.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(super::run(|| Ok(1)), Ok(1));
        #[allow(clippy::panic, reason = "this is what is tested")]
        let read = || -> Result<(), String> { panic!("a broken reader") };
        assert_eq!(super::run(read), Err("it is damaged".to_owned()));
    }
}
