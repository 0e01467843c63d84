//! How many files of a folder give text, by format: each is parsed in a process of its own with a limit of time and memory.
//!
//! `cargo run --release -p indexer --example formats -- FOLDER LABELS` prints a table; docs/formats.md says how to read it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command tells what it found")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indexer::parse;
use indexer::sources::{Before, Filter, Folder, Reading, Source, SourceError};
use indexer::types::Item;

/// How long a file may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// How much memory a file may take, in KiB.
const MEMORY: u64 = 2 << 20;

/// What became of one file.
struct Outcome {
    letters: u64,
    /// Why there is no text.
    reason: String,
    took: Duration,
    kilobytes: u64,
}

/// The files of one format.
#[derive(Default)]
struct Tally {
    files: u64,
    hold: u64,
    read: u64,
    refused: u64,
    failed: u64,
    took: Duration,
    slowest: Duration,
    kilobytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--one", file] => one(Path::new(file)),
        [folder, labels] => report(Path::new(folder), Path::new(labels)),
        _ => Err("usage: formats FOLDER LABELS".into()),
    }
}

fn read(file: &Path) -> Result<Item, SourceError> {
    let mut source = Folder::open(file, &Filter::default(), &Path::to_path_buf)?;
    let part = source.list(&Before::new())?;
    let entry = part.entries.first();
    match source.read(entry.ok_or_else(|| SourceError::Unsupported(file.to_path_buf()))?, None)? {
        Reading::Item(item, _) => Ok(item),
        _ => Err(SourceError::Unsupported(file.to_path_buf())),
    }
}

/// Parses one file and prints how much text it holds, how long that took, and how much memory.
fn one(file: &Path) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let read = read(file);
    let (letters, reason) = match read.map(|item: Item| parse::document(&item, "").map_err(|error| error.to_string())) {
        Ok(Ok(document)) => {
            let letters = document.text.chars().filter(|letter| letter.is_alphanumeric()).count();
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", document.text);
            }
            let unread = document.metadata.get("unread").filter(|_| letters == 0);
            (letters, unread.map(ToString::to_string).unwrap_or_default())
        }
        Ok(Err(reason)) => (0, reason),
        Err(reason) => (0, reason.to_string()),
    };
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    let peak: String = peak.chars().filter(char::is_ascii_digit).collect();
    println!("{letters}\t{}\t{peak}\t{reason}", started.elapsed().as_micros());
    Ok(())
}

fn report(folder: &Path, labels: &Path) -> Result<(), Box<dyn Error>> {
    let labels = std::fs::read_to_string(labels)?;
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut missed = Vec::new();
    for line in labels.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let (Some(name), Some(holds)) = (fields.next(), fields.next()) else {
            continue;
        };
        let outcome = apart(&folder.join(name))?;
        let format = name.rsplit('.').next().unwrap_or_default().to_owned();
        let tally = tallies.entry(format).or_default();
        tally.add(holds == "text", &outcome);
        println!(
            "{name}\t{holds}\t{}\t{}\t{}",
            outcome.letters,
            outcome.took.as_millis(),
            outcome.reason
        );
        if holds == "text" && outcome.letters == 0 {
            missed.push(format!("- `{name}`: {}", outcome.reason));
        }
    }
    println!(
        "\n| format | files | hold text | with text | none, with a reason | crashed, hung, too large | s | slowest, s | peak MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut whole = Tally::default();
    for (format, tally) in &tallies {
        println!("{}", tally.row(format));
        whole.join(tally);
    }
    println!("{}\n\nText that was not read:\n{}", whole.row("all"), missed.join("\n"));
    Ok(())
}

/// Parses a file in a process of its own.
fn apart(file: &Path) -> Result<Outcome, Box<dyn Error>> {
    let started = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" --one \"$1\"")])
        .arg(std::env::current_exe()?)
        .arg(file)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > DEADLINE {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut told = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut told)?;
    }
    let fields: Vec<&str> = told.trim_end_matches('\n').splitn(4, '\t').collect();
    if let [letters, took, kilobytes, reason] = fields[..] {
        return Ok(Outcome {
            letters: letters.parse()?,
            reason: reason.to_owned(),
            took: Duration::from_micros(took.parse()?),
            kilobytes: kilobytes.parse()?,
        });
    }
    let reason = ended.map_or_else(|| "HUNG".to_owned(), |status| format!("CRASHED: {status}"));
    Ok(Outcome {
        letters: 0,
        reason,
        took: started.elapsed(),
        kilobytes: 0,
    })
}

impl Tally {
    fn add(&mut self, holds: bool, outcome: &Outcome) {
        let failed = outcome.reason.starts_with("HUNG") || outcome.reason.starts_with("CRASHED");
        self.files += 1;
        self.hold += u64::from(holds);
        self.read += u64::from(holds && outcome.letters > 0);
        self.failed += u64::from(failed);
        self.refused += u64::from(!failed && outcome.letters == 0 && !outcome.reason.is_empty());
        self.took += outcome.took;
        self.slowest = self.slowest.max(outcome.took);
        self.kilobytes = self.kilobytes.max(outcome.kilobytes);
    }

    fn join(&mut self, other: &Self) {
        self.files += other.files;
        self.hold += other.hold;
        self.read += other.read;
        self.refused += other.refused;
        self.failed += other.failed;
        self.took += other.took;
        self.slowest = self.slowest.max(other.slowest);
        self.kilobytes = self.kilobytes.max(other.kilobytes);
    }

    fn row(&self, format: &str) -> String {
        format!(
            "| {format} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {} |",
            self.files,
            self.hold,
            self.read,
            self.refused,
            self.failed,
            self.took.as_secs_f64(),
            self.slowest.as_secs_f64(),
            self.kilobytes / 1024
        )
    }
}
