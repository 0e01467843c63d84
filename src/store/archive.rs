//! Backups as tar files: the files of a data folder, and last of all a list of them with their hashes, so that one that
//! was cut or changed is told from a whole one.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What this program writes; it reads no later one.
const FORMAT: u32 = 1;
/// The last file of a backup.
const MANIFEST: &str = "manifest.json";
/// The longest list that is read.
const MANIFEST_BYTES: u64 = 256 << 20;
/// Bytes that are copied at once.
const PIECE: usize = 1 << 16;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `FORMAT` when it was made.
    pub format: u32,
    /// The program that made it.
    pub portolan: String,
    /// When, in RFC 3339.
    pub made_at: String,
    /// The collections in it, and how many documents each holds.
    pub collections: BTreeMap<String, usize>,
    /// Every file with its size and its SHA-256.
    pub files: BTreeMap<String, Sum>,
}

/// What a file must be like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Its size.
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// A file that is to be packed.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its name in the data folder.
    pub name: PathBuf,
    /// How much of it counts: what is appended later is no part of the backup.
    pub bytes: u64,
}

/// Writes `files` of `folder` into the tar `file`, all or nothing.
pub fn pack(folder: &Path, files: &[Packed], collections: BTreeMap<String, usize>, file: &Path) -> Result<Manifest> {
    let aside = aside(file, &format!(".{}.new", uuid::Uuid::now_v7()));
    let packed = write(folder, files, collections, &aside);
    let placed = packed.and_then(|manifest| {
        std::fs::rename(&aside, file)?;
        File::open(
            file.parent()
                .filter(|up| !up.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        )?
        .sync_all()?;
        Ok(manifest)
    });
    placed.map_err(|cause| {
        drop(std::fs::remove_file(&aside));
        Error::storage(&format!("cannot write the backup `{}`", file.display()), cause)
    })
}

fn write(
    folder: &Path,
    files: &[Packed],
    collections: BTreeMap<String, usize>,
    aside: &Path,
) -> std::io::Result<Manifest> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    // What is in it is for who runs the service, like the data folder.
    let target = options.create_new(true).write(true).mode(0o600).open(aside)?;
    let mut builder = tar::Builder::new(std::io::BufWriter::new(target));
    let mut sums = BTreeMap::new();
    for Packed { name, bytes } in files {
        let source = File::open(folder.join(name))?.take(*bytes);
        let mut hashing = Hashing::new(source);
        builder.append_data(&mut header(*bytes), name, &mut hashing)?;
        if hashing.bytes != *bytes {
            let cause = format!("`{}` became shorter while it was read", name.display());
            return Err(std::io::Error::other(cause));
        }
        sums.insert(name.display().to_string(), hashing.sum());
    }
    let manifest = Manifest {
        format: FORMAT,
        portolan: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        collections,
        files: sums,
    };
    let bytes = serde_json::to_vec_pretty(&manifest)?;
    builder.append_data(&mut header(bytes.len() as u64), MANIFEST, &bytes[..])?;
    let target = builder.into_inner()?.into_inner()?;
    target.sync_all()?;
    Ok(manifest)
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime((super::now() / 1_000) as u64);
    header
}

/// Makes the data folder `data` of the backup `file`. Nothing stands there before every file was looked at.
pub fn unpack(file: &Path, data: &Path) -> Result<Manifest> {
    let is_empty = match std::fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => true,
        Err(cause) => return Err(Error::storage(&format!("cannot read `{}`", data.display()), cause)),
    };
    if !is_empty {
        return Err(Error::Conflict(format!(
            "`{}` is not empty; name a new folder with --data DIR, or move this one away",
            data.display()
        )));
    }
    let source = File::open(file)
        .map_err(|cause| Error::storage(&format!("cannot read the backup `{}`", file.display()), cause))?;
    let aside = aside(data, &format!(".restoring-{}", super::new_id()));
    let restored = read(std::io::BufReader::new(source), &aside).and_then(|manifest| {
        // Only an empty folder goes; what stands there by now stays.
        drop(std::fs::remove_dir(data));
        std::fs::rename(&aside, data).map_err(told)?;
        Ok(manifest)
    });
    restored.map_err(|fault| {
        drop(std::fs::remove_dir_all(&aside));
        let file = file.display();
        match fault {
            Fault::Broken(what) => {
                Error::Conflict(format!("the backup `{file}` is broken: {what}; restore another one"))
            }
            Fault::Told(cause) => Error::storage(&format!("cannot restore `{file}`"), cause),
        }
    })
}

/// Why a backup is not restored.
enum Fault {
    /// It is not as it was made.
    Broken(String),
    /// The disk, which is no fault of the backup.
    Told(std::io::Error),
}

fn told(cause: std::io::Error) -> Fault {
    Fault::Told(cause)
}

fn broken(what: impl std::fmt::Display) -> Fault {
    Fault::Broken(what.to_string())
}

fn read(source: impl Read, folder: &Path) -> std::result::Result<Manifest, Fault> {
    make(folder).map_err(told)?;
    let mut archive = tar::Archive::new(source);
    let mut sums = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(|cause| broken(format!("it is no tar file to its end ({cause})")))?;
        let name = entry.path().map_err(broken)?.into_owned();
        let shown = name.display().to_string();
        if manifest.is_some() {
            return Err(broken(format!("`{shown}` follows after its end")));
        }
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !entry.header().entry_type().is_file() {
            return Err(broken(format!("`{shown}` is no file of a data folder")));
        }
        if name == Path::new(MANIFEST) {
            manifest = Some(listed(&mut entry)?);
            continue;
        }
        let sum = place(&mut entry, &folder.join(&name), &shown)?;
        if sums.insert(shown.clone(), sum).is_some() {
            return Err(broken(format!("`{shown}` is in it twice")));
        }
    }
    let Some(manifest) = manifest else {
        return Err(broken("its end is missing, so it was never finished or was cut"));
    };
    let names = sums.keys().chain(manifest.files.keys());
    for name in names {
        match (sums.get(name), manifest.files.get(name)) {
            (Some(found), Some(wanted)) if found == wanted => {}
            (Some(_), Some(_)) => return Err(broken(format!("`{name}` is not as it was when the backup was made"))),
            (None, _) => return Err(broken(format!("`{name}` is missing"))),
            (_, None) => return Err(broken(format!("`{name}` does not belong to it"))),
        }
    }
    Ok(manifest)
}

fn listed(entry: &mut impl Read) -> std::result::Result<Manifest, Fault> {
    #[derive(Deserialize)]
    struct Made {
        format: u32,
        portolan: String,
    }
    let mut bytes = Vec::new();
    entry.take(MANIFEST_BYTES).read_to_end(&mut bytes).map_err(broken)?;
    let made: Made = serde_json::from_slice(&bytes).map_err(|cause| broken(format!("its list of files: {cause}")))?;
    if made.format > FORMAT {
        return Err(broken(format!(
            "it is of format {}, and this portolan knows {FORMAT}; portolan {} made it and restores it",
            made.format, made.portolan
        )));
    }
    serde_json::from_slice(&bytes).map_err(|cause| broken(format!("its list of files: {cause}")))
}

/// Writes one file to the disk.
fn place(entry: &mut impl Read, path: &Path, shown: &str) -> std::result::Result<Sum, Fault> {
    if let Some(up) = path.parent() {
        make(up).map_err(told)?;
    }
    let mut target = File::create_new(path).map_err(told)?;
    let mut hashing = Hashing::new(entry);
    let mut piece = vec![0; PIECE];
    loop {
        // What cannot be read is the backup's fault, what cannot be written the disk's.
        let length = hashing
            .read(&mut piece)
            .map_err(|cause| broken(format!("`{shown}`: {cause}")))?;
        if length == 0 {
            break;
        }
        target.write_all(&piece[..length]).map_err(told)?;
    }
    target.sync_all().map_err(told)?;
    Ok(hashing.sum())
}

fn make(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn aside(path: &Path, end: &str) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(end);
    PathBuf::from(aside)
}

/// Hashes what is read through it.
struct Hashing<R> {
    source: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    fn sum(self) -> Sum {
        use std::fmt::Write;
        let mut sha256 = String::new();
        for byte in self.hasher.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Sum {
            bytes: self.bytes,
            sha256,
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.bytes += length as u64;
        Ok(length)
    }
}
