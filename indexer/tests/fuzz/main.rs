//! Random documents against every parser and the chunker: none may panic, and what comes out must hold together.
//!
//! `cargo test -p indexer --test fuzz` does a fixed number of rounds. `PORTOLAN_FUZZ_SECONDS=600` goes on for so long with
//! each target, from `PORTOLAN_FUZZ_FROM` (0) on; a round is its number and can be done again. What fails is written to
//! `kept/`, and all that is there comes first in every run.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics has said what it must"
)]
#![allow(clippy::print_stderr, reason = "a long run tells how far it came")]

#[path = "../../src/parse/built.rs"]
mod built;
mod chunks;
mod formats;
mod hold;
mod made;
mod packages;
mod pdf;

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use fastrand::Rng;

/// Rounds of each target where nobody asks for more.
const ROUNDS: u64 = 100;
/// A round that takes more of the processor has found something, in hundredths of a second: the inputs have some kilobytes.
const PATIENCE: u64 = 1_000;

/// Panics in our own code, also those that a thread or a reader around it catches.
static OWN: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Rounds take turns, so that a panic is that of the round that runs.
static TURN: Mutex<()> = Mutex::new(());

/// Rounds of one target: `make` makes an input from its random numbers, `try_it` panics where something is wrong.
fn run(target: &str, make: impl Fn(&mut Rng) -> Vec<u8>, try_it: impl Fn(&[u8])) {
    watch();
    for (file, input) in kept(target) {
        round(target, &input, &try_it).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    }
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let (from, seconds) = (
        number("PORTOLAN_FUZZ_FROM").unwrap_or(0),
        number("PORTOLAN_FUZZ_SECONDS"),
    );
    let (started, mut done) = (Instant::now(), 0);
    while seconds.map_or(done < ROUNDS, |seconds| started.elapsed().as_secs() < seconds) {
        let seed = from + done;
        let input = make(&mut Rng::with_seed(seed));
        if seconds.is_some() {
            // What takes the process with it is found here.
            std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(target), &input).unwrap();
        }
        if let Err(fault) = round(target, &input, &try_it) {
            let file = folder().join(format!("{target}-{seed}"));
            std::fs::write(&file, &input).unwrap();
            panic!("{target}, round {seed}: {fault}; the input is in {}", file.display());
        }
        done += 1;
    }
    if seconds.is_some() {
        eprintln!("{target}: {done} rounds from {from}");
    }
}

fn round(target: &str, input: &[u8], try_it: &impl Fn(&[u8])) -> Result<(), String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    OWN.lock().unwrap().clear();
    let before = used();
    let done = panic::catch_unwind(AssertUnwindSafe(|| try_it(input)));
    let own = std::mem::take(&mut *OWN.lock().unwrap());
    if !own.is_empty() {
        return Err(own.join("; "));
    }
    if done.is_err() {
        return Err("a panic in another crate that nobody caught".to_owned());
    }
    let took = used() - before;
    if took > PATIENCE {
        return Err(format!("{target} took {took} hundredths of a second"));
    }
    Ok(())
}

/// What all threads have taken of the processor, in hundredths of a second; other programs do not count.
fn used() -> u64 {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = told.rsplit(") ").next().unwrap_or_default().split(' ');
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum()
}

/// Notes where panics come from. Those of other crates are their own affair as long as they are caught.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |told| {
            let place = told.location().map(ToString::to_string).unwrap_or_default();
            let is_foreign = place.contains("/.cargo/") || place.starts_with("/rustc/");
            if place.starts_with("indexer/tests/fuzz/main.rs") {
                usual(told);
            } else if !is_foreign {
                let words = told.payload_as_str().unwrap_or_default();
                OWN.lock().unwrap().push(format!("{place}: {words}"));
            }
        }));
    });
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/kept")
}

/// Inputs that once went wrong.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.rsplit_once('-').is_some_and(|(own, _)| own == target) {
            let input = std::fs::read(&path).unwrap();
            kept.push((path, input));
        }
    }
    kept.sort();
    kept
}
