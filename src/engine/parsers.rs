//! Parsing in child processes, so that a bomb, a loop or a crash costs one file and not the service.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use indexer::chunk::Chunking;
use indexer::sources::MAX_FILE_BYTES;
use indexer::types::{Chunk, Document, Item};
use indexer::worker::{self, Answer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, Semaphore};

use crate::error::{Error, Result};
use crate::index::work::blocking;
use crate::store::ErrorKind;

/// How long one document may be parsed.
const PARSING: Duration = Duration::from_mins(2);
/// Documents after which a child makes room for a fresh one.
const WORN: usize = 1_000;
/// A document with its chunks, or of what kind its fault is, and the fault.
pub(super) type Parsed = std::result::Result<(Document, Vec<Chunk>), (ErrorKind, String)>;

/// The parsers of an engine: a child that is kept for the next document, or this process.
pub struct Parsers {
    /// The program that parses when it is called with `parse`; none parses here.
    program: Option<PathBuf>,
    patience: Duration,
    /// One for each core: more at once would only take memory.
    places: Semaphore,
    /// Children that wait for a document.
    idle: Mutex<Vec<Worker>>,
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    parsed: usize,
}

impl Parsers {
    /// Parses in this process, which a hostile document may take with it.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            program: None,
            patience: PARSING,
            places: Semaphore::new(cores),
            idle: Mutex::default(),
        }
    }

    /// Parses in children: `program parse`, as `portolan` does it.
    pub fn children(program: PathBuf) -> Self {
        Self {
            program: Some(program),
            ..Self::here()
        }
    }

    /// Parses in children that run the program of this process, also after an upgrade has taken its file away.
    pub fn of_this_program() -> Self {
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() {
            Some(running)
        } else {
            std::env::current_exe().ok()
        };
        Self {
            program,
            ..Self::here()
        }
    }

    /// The same, with so much time for each document.
    #[cfg(test)]
    fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Parses and cuts an item. An error means that no parser could be started; when the call is dropped, its child
    /// ends.
    pub(super) async fn parse(&self, item: Item, print: String, chunking: Chunking) -> Result<Parsed> {
        if item.bytes.len() as u64 > MAX_FILE_BYTES {
            let megabytes = MAX_FILE_BYTES >> 20;
            let detail = format!("it has over {megabytes} MB; split it into smaller documents");
            return Ok(Err((ErrorKind::Unparsable, detail)));
        }
        let place = self.places.acquire().await;
        let _place = place.map_err(|cause| Error::Internal(cause.to_string()))?;
        let patience = self.patience + worker::patience(&item);
        let Some(program) = &self.program else {
            let parsed = blocking(move || Ok(worker::work(&item, &print, chunking)));
            let parsed = tokio::time::timeout(patience, parsed).await;
            return match parsed {
                Ok(answer) => Ok(told(answer?)),
                Err(_) => Ok(Err(late(patience))),
            };
        };
        let head = worker::request(&item, &print, chunking).map_err(|error| Error::Internal(error.to_string()))?;
        // A child that waited may have ended for reasons of its own.
        let idle = self.idle.lock().await.pop();
        if let Some(worker) = idle {
            match self.ask(worker, (&head, &item.bytes), patience).await {
                Asked::Answered(answer) => return Ok(told(*answer)),
                Asked::Late => return Ok(Err(late(patience))),
                Asked::Ended(_) => {}
            }
        }
        let worker = Worker::start(program)?;
        Ok(match self.ask(worker, (&head, &item.bytes), patience).await {
            Asked::Answered(answer) => told(*answer),
            Asked::Late => Err(late(patience)),
            Asked::Ended(reason) => Err((ErrorKind::Crashed, reason)),
        })
    }

    async fn ask(&self, mut worker: Worker, (head, bytes): (&[u8], &[u8]), patience: Duration) -> Asked {
        match tokio::time::timeout(patience, worker.ask(head, bytes)).await {
            Ok(Ok(answer)) => {
                worker.parsed += 1;
                if worker.parsed < WORN {
                    self.idle.lock().await.push(worker);
                }
                Asked::Answered(Box::new(answer))
            }
            Ok(Err(error)) => Asked::Ended(worker.end(&error).await),
            Err(_) => Asked::Late,
        }
    }
}

fn late(patience: Duration) -> (ErrorKind, String) {
    let detail = format!("it could not be read within {} s", patience.as_secs());
    (ErrorKind::TimedOut, detail)
}

/// What came of a request.
enum Asked {
    Answered(Box<Answer>),
    Late,
    Ended(String),
}

impl Worker {
    fn start(program: &Path) -> Result<Self> {
        let failed = |cause: std::io::Error| Error::storage("cannot start a parser", cause);
        let mut child = Command::new(program)
            .arg("parse")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::Internal("a parser has no pipes".into()));
        };
        Ok(Self {
            child,
            input,
            output,
            parsed: 0,
        })
    }

    async fn ask(&mut self, head: &[u8], bytes: &[u8]) -> std::io::Result<Answer> {
        self.input.write_all(head).await?;
        self.input.write_all(bytes).await?;
        self.input.flush().await?;
        let length = self.output.read_u32_le().await? as usize;
        if length > worker::MAX_ANSWER_BYTES {
            return Err(std::io::Error::other("it says more than a document may"));
        }
        let mut answer = vec![0; length];
        self.output.read_exact(&mut answer).await?;
        worker::answer(&answer)
    }

    /// Why the child is no more.
    async fn end(mut self, error: &std::io::Error) -> String {
        // Its end may come a moment after that of its pipes.
        let ended = tokio::time::timeout(Duration::from_secs(1), self.child.wait()).await;
        match ended {
            Ok(Ok(status)) => format!("its parser ended early: {}", reason(status)),
            _ => format!("its parser failed: {error}"),
        }
    }
}

fn reason(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        // A failed allocation aborts.
        Some(6) => "it gave up (signal 6), as where it wants more memory than it may have".to_owned(),
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}

fn told(answer: Answer) -> Parsed {
    answer.map_err(|detail| (ErrorKind::Unparsable, detail))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that does this when it is to parse.
    fn parsers(folder: &Path, script: &str) -> Parsers {
        let (text, program) = (folder.join("script"), folder.join("program"));
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&text, PermissionsExt::from_mode(0o700)).unwrap();
        // Written by another process: one that another test starts meanwhile would hold it open, and it could not run.
        let copied = std::process::Command::new("cp").args([&text, &program]).status();
        assert!(copied.unwrap().success());
        Parsers::children(program)
    }

    fn item(text: &str) -> Item {
        Item {
            uri: "a.md".into(),
            media_type: None,
            bytes: text.into(),
            metadata: indexer::types::Metadata::new(),
            principals: Vec::new(),
            modified: None,
        }
    }

    async fn parse(parsers: &Parsers, text: &str) -> Parsed {
        let parsed = parsers.parse(item(text), "print".into(), Chunking::default()).await;
        parsed.unwrap()
    }

    #[tokio::test]
    async fn a_document_costs_no_more_than_its_parser() {
        let folder = tempfile::tempdir().unwrap();
        let check = async |script: &str, expected: ErrorKind, words: &str| {
            let parsers = parsers(folder.path(), script);
            let (kind, reason) = parse(&parsers, "words").await.unwrap_err();
            assert!(kind == expected && reason.contains(words), "{kind:?} {reason}");
        };
        check("kill -SEGV $$", ErrorKind::Crashed, "signal 11").await;
        check("kill -ABRT $$", ErrorKind::Crashed, "memory").await;
        check("exit 3", ErrorKind::Crashed, "status: 3").await;
        check(
            "printf '\\377\\377\\377\\377'; cat > /dev/null",
            ErrorKind::Crashed,
            "more than a document may",
        )
        .await;
        let slow = parsers(folder.path(), "exec sleep 600").with_patience(Duration::from_secs(1));
        let (kind, reason) = parse(&slow, "words").await.unwrap_err();
        assert!(kind == ErrorKind::TimedOut && reason.contains("1 s"), "{reason}");
    }

    #[tokio::test]
    async fn a_child_that_ended_meanwhile_is_nobodys_fault() {
        let parsers = Parsers::here();
        let here = parse(&parsers, "# A\n\nWords.").await.unwrap();
        assert_eq!(here.0.title, "A");
        let folder = tempfile::tempdir().unwrap();
        let answer = serde_json::to_vec(&Ok::<_, String>(here.clone())).unwrap();
        let length = u32::try_from(answer.len()).unwrap().to_le_bytes();
        std::fs::write(folder.path().join("answer"), [&length[..], &answer].concat()).unwrap();
        // It reads one request, answers it and ends.
        let request = worker::request(&item("words"), "print", Chunking::default()).unwrap();
        let (asked, answer) = (request.len() + "words".len(), folder.path().join("answer"));
        let script = format!("head -c {asked} > /dev/null; exec cat {}", answer.display());
        let parsers = self::parsers(folder.path(), &script);
        for _ in 0..3 {
            assert_eq!(parse(&parsers, "words").await.unwrap(), here);
        }
    }
}
