//! What a run cost: processor time and memory as Linux counts them, and the order of the waits.

use std::time::Duration;

use serde::Serialize;

/// Ticks of /proc/self/stat in a second; the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// User and system seconds of all threads so far, in steps of 10 ms.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // The name of the program comes first and may hold spaces.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

/// Megabytes of memory.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// All that is resident, mapped files too.
    pub rss_mb: u64,
    /// What is not backed by a file.
    pub anonymous_mb: u64,
    /// The most that was ever resident.
    pub peak_mb: u64,
}

/// What this process holds now.
pub fn memory() -> Memory {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let read = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    Memory {
        rss_mb: read("VmRSS:"),
        anonymous_mb: read("RssAnon:"),
        peak_mb: read("VmHWM:"),
    }
}

/// The waits of one client, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Waits {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    /// Processor time of one, all threads together.
    pub cpu_ms: f64,
}

/// Runs `work` for each of `items` and tells what one of them costs.
pub fn each<T>(items: &[T], mut work: impl FnMut(&T)) -> Waits {
    let cpu = cpu_seconds();
    let mut waits: Vec<Duration> = Vec::with_capacity(items.len());
    for item in items {
        let started = std::time::Instant::now();
        work(item);
        waits.push(started.elapsed());
    }
    let cpu = cpu_seconds() - cpu;
    waits.sort();
    let at = |share: f64| waits[((waits.len() as f64 * share) as usize).min(waits.len() - 1)].as_secs_f64() * 1e3;
    Waits {
        p50_ms: at(0.50),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        cpu_ms: cpu * 1e3 / items.len() as f64,
    }
}

/// The size of a folder on disk, in megabytes: what its files occupy, not how long they are.
pub fn disk_mb(folder: &std::path::Path) -> u64 {
    fn bytes(folder: &std::path::Path) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let sizes = entries.map(|entry| match entry.metadata().unwrap() {
            held if held.is_dir() => bytes(&entry.path()),
            held => held.blocks() * 512,
        });
        sizes.sum()
    }
    bytes(folder) / (1 << 20)
}
