//! Pictures of words to words: Debian's `tesseract`, where it is installed.
//!
//! It runs below the parser and inherits its limits: 2 GB of memory, no files written, no settings of ours. What it gets is
//! one picture on its standard input, what it says comes from its standard output. What is no picture it would take for a
//! list of names of files to read, so that never reaches it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::kind;

/// Where it is installed.
const PLACES: &[&str] = &["/usr/bin/tesseract", "/usr/local/bin/tesseract"];
/// What ends it when the parser is no longer there to do so.
const TIMEOUT: &str = "timeout";
/// How long one picture may take.
const PICTURE: Duration = Duration::from_mins(1);
/// How long the pictures of a PDF may take together, and those of a PDF that lies within another file.
const PDF: Duration = Duration::from_mins(8);
const MEMBER: Duration = Duration::from_mins(1);
/// More words than stand on any page.
const MOST_BYTES: u64 = 1 << 20;
/// How JPEG, grey PGM and little-endian TIFF begin; nothing else is given to it.
const PICTURES: [&[u8]; 3] = [&[0xff, 0xd8, 0xff], b"P5\n", b"II*\0"];
/// What helps where it is not installed.
pub const MEND: &str = "install Debian's `tesseract-ocr` and index again";

/// An installed program that reads pictures.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    /// Languages that it knows, joined with `+`; asked for once.
    languages: OnceLock<String>,
}

impl Program {
    /// The one of this machine.
    pub fn installed() -> Option<&'static Self> {
        static INSTALLED: OnceLock<Option<Program>> = OnceLock::new();
        let found = INSTALLED.get_or_init(|| {
            let place = PLACES.iter().map(Path::new).find(|place| place.exists());
            place.map(Self::at)
        });
        found.as_ref()
    }

    /// The one at `path`.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            languages: OnceLock::new(),
        }
    }

    /// The words of a picture, which is a whole file; it takes from the time that is left.
    pub fn read(&self, picture: &[u8], left: &mut Duration) -> Result<String, String> {
        if !PICTURES.iter().any(|start| picture.starts_with(start)) {
            return Err("it is no picture of its kind".to_owned());
        }
        if left.is_zero() {
            return Err(late());
        }
        let started = Instant::now();
        let languages = self.languages.get_or_init(|| self.known());
        let patience = PICTURE.min(*left);
        let read = self.ask(&["stdin", "stdout", "-l", languages], picture, patience);
        *left = left.saturating_sub(started.elapsed());
        read
    }

    /// All languages of the machine: whoever installs one wants it read.
    fn known(&self) -> String {
        let listed = self.ask(&["--list-langs"], &[], PICTURE).unwrap_or_default();
        // The first line is a heading; `osd` tells which way is up, and scripts are no languages.
        let names = listed.lines().skip(1).map(str::trim);
        let mut names: Vec<&str> = names
            .filter(|name| !name.is_empty() && *name != "osd" && !name.contains('/'))
            .collect();
        // The first one counts most.
        names.sort_by_key(|name| *name != "eng");
        if names.is_empty() {
            "eng".to_owned()
        } else {
            names.join("+")
        }
    }

    fn ask(&self, arguments: &[&str], input: &[u8], patience: Duration) -> Result<String, String> {
        let seconds = patience.as_secs().max(1).to_string();
        let mut child = Command::new(TIMEOUT)
            .args(["-s", "KILL", &seconds])
            .arg(&self.path)
            .args(arguments)
            .env_clear()
            // Each of its threads would ask for memory of its own.
            .env("OMP_THREAD_LIMIT", "1")
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|cause| format!("`tesseract` does not start ({cause})"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let mut words = Vec::new();
        thread::scope(|scope| {
            // It may end before it has read everything.
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
            stdout.map(|stdout| stdout.take(MOST_BYTES).read_to_end(&mut words))
        });
        let ended = child.wait().map_err(|cause| cause.to_string())?;
        match ended.code() {
            Some(0) => Ok(String::from_utf8_lossy(&words).into_owned()),
            Some(137) | None if patience < PICTURE => Err(late()),
            Some(137) | None => Err(format!("`tesseract` took over {seconds} s")),
            Some(_) => Err("`tesseract` cannot read its picture".to_owned()),
        }
    }
}

fn late() -> String {
    "the time for pictures was over; split the file into smaller ones".to_owned()
}

/// How long the pictures of a file may take together.
pub fn budget(bytes: &[u8]) -> Duration {
    if kind::is_pdf(bytes) { PDF } else { MEMBER }
}

/// How much longer than other files this one may take.
pub fn patience(bytes: &[u8]) -> Duration {
    match Program::installed() {
        Some(_) => budget(bytes).saturating_sub(MEMBER),
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_in_place_of_a_picture_reach_no_program() {
        // It would end well and say nothing.
        let program = Program::at(Path::new("/bin/true"));
        let read = |bytes: &[u8]| program.read(bytes, &mut Duration::from_mins(1));
        for names in [b"/etc/secret.png\n".as_slice(), b"", b"P5"] {
            assert!(read(names).unwrap_err().contains("no picture"), "{names:?}");
        }
        assert_eq!(read(b"P5\n1 1\n255\n.").unwrap(), "");
    }
}
