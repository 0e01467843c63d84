//! A branch of a git repository, through the program `git`: fetched into a bare folder, so that nothing is checked out.
//!
//! No hook, filter or submodule of the repository runs, nobody is prompted, and only the protocol of its address is spoken.

mod program;

use std::path::{Path, PathBuf};
use std::process::Command;

use url::Url;

use super::fetch::{addresses, check};
use super::folder::media_type;
use super::site::address;
use super::{Before, Entry, MAX_FILE_BYTES, Part, Reading, Reason, Skipped, Source, SourceError, kind_of};
use crate::parse::{HEAD_BYTES, is_readable};
use crate::types::{Item, Metadata};
use program::{Blobs, ended, git, listed};

/// Before the address of a repository.
const PREFIX: &str = "git+";
/// Where the cache keeps what was fetched last.
const TIP: &str = "refs/portolan/tip";

/// A branch of a repository.
pub struct Git {
    key: String,
    url: Url,
    branch: Option<String>,
    folder: PathBuf,
    allow_private: bool,
    /// The id of each entry's blob.
    blobs: Vec<String>,
    reader: Option<Blobs>,
}

impl Git {
    /// Opens the repository at `text`, such as `git+https://example.org/docs.git#main`; it is fetched below `cache`.
    pub fn open(text: &str, allow_private: bool, cache: &Path) -> Result<Self, SourceError> {
        let rest = text.strip_prefix(PREFIX).unwrap_or(text);
        let mut url = address(rest)?;
        match url.scheme() {
            "http" | "https" => {
                let private = url.host_str().filter(|_| allow_private);
                check(&url, private).map_err(SourceError::Other)?;
            }
            "file" => {}
            other => {
                let detail = format!("`git+{other}:` is not read; git+https, git+http and git+file are");
                return Err(SourceError::Other(detail));
            }
        }
        let branch = url.fragment().map(str::to_owned);
        url.set_fragment(None);
        if let Some(branch) = branch.as_ref().filter(|branch| !is_branch(branch)) {
            return Err(SourceError::Other(format!(
                "`{branch}` is no name of a branch or a tag"
            )));
        }
        let mut named = url.clone();
        let _ = (named.set_username(""), named.set_password(None));
        let key = match &branch {
            Some(branch) => format!("{PREFIX}{named}#{branch}"),
            None => format!("{PREFIX}{named}"),
        };
        let hash = blake3::hash(key.as_bytes()).to_hex();
        Ok(Self {
            folder: cache.join("git").join(&hash[..16]),
            key,
            url,
            branch,
            allow_private,
            blobs: Vec::new(),
            reader: None,
        })
    }

    fn fetch(&self) -> Result<(), String> {
        let folder = self.folder.to_str().ok_or("the data folder's name is not UTF-8")?;
        if !self.folder.join("HEAD").exists() {
            std::fs::create_dir_all(&self.folder).map_err(|error| format!("cannot make `{folder}`: {error}"))?;
            ended(&mut git(&["init", "--bare", "--quiet", "--", folder]), "init")?;
        }
        let from = self.branch.as_deref().unwrap_or("HEAD");
        let reference = format!("+{from}:{TIP}");
        let mut fetch = git(&["-C", folder, "fetch", "--quiet", "--depth=1", "--no-tags"]);
        fetch.args([
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--",
            "portolan",
            &reference,
        ]);
        self.configure(&mut fetch)?;
        ended(&mut fetch, "fetch").map_err(|error| self.redacted(&error))
    }

    /// Tells `git` where the repository is, and to do nothing else. In the environment, since it may hold a password.
    fn configure(&self, command: &mut Command) -> Result<(), String> {
        let mut settings = vec![
            ("remote.portolan.url".to_owned(), self.url.to_string()),
            ("protocol.allow".to_owned(), "never".to_owned()),
            (format!("protocol.{}.allow", self.url.scheme()), "always".to_owned()),
        ];
        for (name, value) in [
            ("core.hooksPath", "/dev/null"),
            ("credential.helper", ""),
            ("http.followRedirects", "false"),
            // A proxy would look names up where nobody checks the addresses.
            ("http.proxy", ""),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "60"),
            ("gc.autoDetach", "false"),
        ] {
            settings.push((name.to_owned(), value.to_owned()));
        }
        settings.extend(self.pinned()?.map(|pin| ("http.curloptResolve".to_owned(), pin)));
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (at, (name, value)) in settings.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), name);
            command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        Ok(())
    }

    /// The host with the addresses that were checked, so that `git` looks up no others.
    fn pinned(&self) -> Result<Option<String>, String> {
        let Some((url::Host::Domain(host), port)) = self.url.host().zip(self.url.port_or_known_default()) else {
            return Ok(None);
        };
        let found = addresses(host, port, self.allow_private).map_err(|error| error.to_string())?;
        let found: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
        Ok(Some(format!("{host}:{port}:{}", found.join(","))))
    }

    fn redacted(&self, words: &str) -> String {
        let words = match self.url.password() {
            Some(password) if !password.is_empty() => words.replace(password, "***"),
            _ => words.to_owned(),
        };
        // A token may stand where others have a name.
        match self.url.username() {
            "" => words,
            name => words.replace(&format!("{name}@"), "***@"),
        }
    }

    /// The files of the branch.
    fn tree(&mut self) -> Result<Part, String> {
        let command = git(&[
            "-C",
            &self.folder.to_string_lossy(),
            "ls-tree",
            "-r",
            "-z",
            "--long",
            TIP,
        ]);
        let output = listed(command)?;
        let mut part = Part {
            last: true,
            ..Part::default()
        };
        for line in output.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let Some(file) = File::read(line) else { continue };
            let skip = |reason: Reason| Skipped {
                name: file.path.to_owned(),
                reason,
            };
            if file.path.contains(char::is_control) {
                part.skipped
                    .push(skip(Reason::Kind("of a name with control characters".to_owned())));
            } else if file.size > MAX_FILE_BYTES {
                part.skipped.push(skip(Reason::Kind("over 64 MB".to_owned())));
            } else {
                part.entries.push(Entry {
                    uri: format!("{}:{}", self.key, file.path),
                    at: self.blobs.len(),
                    size: file.size,
                    modified: None,
                    tag: Some(file.blob.to_owned()),
                });
                self.blobs.push(file.blob.to_owned());
            }
        }
        Ok(part)
    }
}

impl Source for Git {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, _: &Before) -> Result<Part, SourceError> {
        let failed = |error: String| SourceError::Other(format!("cannot read `{}`: {error}", self.key));
        self.fetch().map_err(failed)?;
        let listed = self.tree();
        listed.map_err(|error| SourceError::Other(format!("cannot read `{}`: {error}", self.key)))
    }

    fn read(&mut self, entry: &Entry, _: Option<&str>) -> Result<Reading, SourceError> {
        let failed = |error: std::io::Error| SourceError::Other(format!("cannot read its blob: {error}"));
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => Blobs::start(&self.folder).map_err(failed)?,
        };
        let bytes = self.reader.insert(reader).read(&self.blobs[entry.at]).map_err(failed)?;
        let path = Path::new(entry.uri.strip_prefix(&self.key).unwrap_or(&entry.uri));
        let told = media_type(path).map(str::to_owned);
        if told.is_none() && !is_readable(&entry.uri, &bytes[..bytes.len().min(HEAD_BYTES)]) {
            return Ok(Reading::Absent(kind_of(&entry.uri)));
        }
        let item = Item {
            uri: entry.uri.clone(),
            media_type: told,
            bytes,
            metadata: Metadata::new(),
            principals: Vec::new(),
            modified: None,
        };
        Ok(Reading::Item(item, entry.tag.clone()))
    }
}

/// A file of a tree: neither a link nor a submodule, and not hidden.
struct File<'a> {
    path: &'a str,
    blob: &'a str,
    size: u64,
}

impl<'a> File<'a> {
    /// Reads `mode type blob size<tab>path`.
    fn read(line: &'a [u8]) -> Option<Self> {
        let (facts, path) = str::from_utf8(line).ok()?.split_once('\t')?;
        let mut facts = facts.split_ascii_whitespace();
        let (mode, _, blob) = (facts.next()?, facts.next()?, facts.next()?);
        let is_file = matches!(mode, "100644" | "100755");
        let is_hidden = path.split('/').any(|part| part.starts_with('.'));
        let size = facts.next()?.parse().ok()?;
        (is_file && !is_hidden).then_some(Self { path, blob, size })
    }
}

/// The rules of `git check-ref-format`, as far as a name could mean something else.
fn is_branch(name: &str) -> bool {
    let odd = |sign: char| sign.is_control() || " ~^:?*[\\".contains(sign);
    !name.is_empty() && !name.starts_with(['-', '+', '/']) && !name.contains(odd) && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_repository_is_read_as_it_is_meant() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let opened = Git::open(text, false, Path::new("/cache")).map(|git| git.key);
            match (opened, expected) {
                (Ok(key), Ok(expected)) => assert_eq!(key, expected),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (opened, expected) => panic!("{opened:?} {expected:?}"),
            }
        };
        check(
            "git+https://u:p@a.example/b.git#main",
            Ok("git+https://a.example/b.git#main"),
        );
        check("git+file:///b.git", Ok("git+file:///b.git"));
        check("git+ssh://a.example/b.git", Err("git+https"));
        check("git+ext::sh -c touch", Err("git+https"));
        check("git+https://127.0.0.1/b.git", Err("--allow-private"));
        for branch in ["-x", "+x", "a..b", "a:b", "a^"] {
            check(&format!("git+file:///b.git#{branch}"), Err("no name of a branch"));
        }
    }

    #[test]
    fn of_a_tree_only_files_that_are_seen_are_read() {
        let check = |line: &str, expected: Option<(&str, u64)>| {
            let file = File::read(line.as_bytes());
            assert_eq!(file.map(|file| (file.path, file.size)), expected, "{line}");
        };
        check("100644 blob abc      12\ta b/c.md", Some(("a b/c.md", 12)));
        check("100755 blob abc 1\ta.sh", Some(("a.sh", 1)));
        check("120000 blob abc 1\tlink.md", None);
        check("160000 commit abc -\tsub", None);
        check("100644 blob abc 1\t.github/a.md", None);
    }
}
