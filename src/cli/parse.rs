//! `portolan parse`: the parser that the service starts; it trusts no document and may use little.

use std::io::{stdin, stdout};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};

/// Memory that it may ask for, in bytes.
const MEMORY: u64 = 2 << 30;
/// By so much it gives way to those who search.
const NICE: i32 = 3;

pub(super) fn run() -> ExitCode {
    let memory = Rlimit {
        current: Some(MEMORY),
        maximum: Some(MEMORY),
    };
    // It writes no files and leaves no dump of its memory.
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::As, memory)
        .and_then(|()| setrlimit(Resource::Fsize, nothing))
        .and_then(|()| setrlimit(Resource::Core, nothing))
        // A loop must not outlive the service.
        .and_then(|()| set_parent_process_death_signal(Some(Signal::KILL)));
    if limited.is_err() {
        return ExitCode::FAILURE;
    }
    // Where that is not allowed, it is only less polite.
    let _ = nice(NICE);
    match indexer::worker::serve(stdin().lock(), stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
