//! The program `git`, without the settings of this machine, and bounded.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Bytes of a list of files.
const MAX_LIST: u64 = 64 << 20;
/// The most of what `git` says that is kept.
const MAX_WORDS: u64 = 4_096;
/// How often it is looked whether that has ended.
const PULSE: Duration = Duration::from_millis(20);
/// How long fetching may take.
const FETCH: Duration = Duration::from_mins(15);

/// Reads blobs from one `git` that stays.
pub struct Blobs {
    child: Child,
    asked: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Blobs {
    /// Starts it over the repository in `folder`.
    pub fn start(folder: &Path) -> std::io::Result<Self> {
        let mut command = git(&["-C", &folder.to_string_lossy(), "cat-file", "--batch"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (asked, told) = pipes.ok_or_else(|| std::io::Error::other("`git` has no pipes"))?;
        let told = BufReader::new(told);
        Ok(Self { child, asked, told })
    }

    /// The content of the blob of that id.
    pub fn read(&mut self, blob: &str) -> std::io::Result<Vec<u8>> {
        writeln!(self.asked, "{blob}")?;
        self.asked.flush()?;
        let mut head = String::new();
        self.told.read_line(&mut head)?;
        let size: Option<usize> = head.split_ascii_whitespace().nth(2).and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| std::io::Error::other("`git` does not have it any more; index it again"))?;
        let mut bytes = vec![0; size + 1];
        self.told.read_exact(&mut bytes)?;
        bytes.truncate(size);
        Ok(bytes)
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

/// A `git` that reads no settings of this machine and asks nobody anything.
pub fn git(arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(arguments).stdin(Stdio::null());
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    for name in [
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CONFIG_PARAMETERS",
        "GIT_PROXY_COMMAND",
    ] {
        command.env_remove(name);
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env("LC_ALL", "C");
    command
}

/// Runs a command to its end, within `FETCH`.
pub fn ended(command: &mut Command, what: &str) -> Result<(), String> {
    let began = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_run(&error))?;
    let stderr = child.stderr.take();
    let words = std::thread::spawn(move || {
        let Some(mut stderr) = stderr else { return Vec::new() };
        let mut words = Vec::new();
        // The rest is read too: who is not listened to waits.
        drop((&mut stderr).take(MAX_WORDS).read_to_end(&mut words));
        drop(std::io::copy(&mut stderr, &mut std::io::sink()));
        words
    });
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < FETCH => std::thread::sleep(PULSE),
            _ => {
                drop((child.kill(), child.wait()));
                return Err(format!("`git {what}` took over {} minutes", FETCH.as_secs() / 60));
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(said(what, &words.join().unwrap_or_default()))
}

/// What `command` lists, and no more than fits into memory: a few small trees may name themselves without end.
pub fn listed(mut command: Command) -> Result<Vec<u8>, String> {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().map_err(|error| not_run(&error))?;
    let mut list = Vec::new();
    let output = child.stdout.take();
    let read = output.map(|output| output.take(MAX_LIST + 1).read_to_end(&mut list));
    if list.len() as u64 > MAX_LIST {
        drop(child.kill());
        drop(child.wait());
        let megabytes = MAX_LIST >> 20;
        return Err(format!(
            "its list of files has over {megabytes} MB; index a checked-out folder of it"
        ));
    }
    let ended = child.wait_with_output().map_err(|error| not_run(&error))?;
    match read {
        Some(Ok(_)) if ended.status.success() => Ok(list),
        _ => Err(said("ls-tree", &ended.stderr)),
    }
}

/// Why it does not run.
pub fn not_run(error: &std::io::Error) -> String {
    format!("cannot run `git`: {error}; install it")
}

/// What it said when it failed.
pub fn said(what: &str, words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let words: Vec<&str> = words
        .split(char::is_control)
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    format!("`git {what}` failed: {}", words.join("; "))
}
