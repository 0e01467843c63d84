//! Zip files read in bounds: how many members they have, and how much is unpacked of them.

use std::borrow::Cow;
use std::io::{self, Cursor, Read, Write};
use std::time::Duration;

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{kind, plain};

/// What the members of a file may take together, however they lie within each other.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes that may still be unpacked.
    pub bytes: u64,
    /// Members that may still be read.
    pub members: usize,
    /// Archives that may still lie within each other.
    pub depth: usize,
    /// How long the words in its pictures may still be looked for.
    pub reading: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: MOST_BYTES,
            members: MOST_MEMBERS,
            depth: 4,
            reading: Duration::ZERO,
        }
    }
}

/// The most that a file may unpack to.
pub const MOST_BYTES: u64 = if cfg!(test) { 4 << 20 } else { 256 << 20 };
/// The most elements within elements.
const DEEPEST: usize = 1_000;
/// The most members of a file.
pub const MOST_MEMBERS: usize = 10_000;

impl Room {
    /// Reads all of a member, or says that there is no room for it.
    pub fn read(&mut self, member: impl Read) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        member
            .take(self.bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(|cause| format!("a part of it is damaged ({cause})"))?;
        self.take(bytes.len() as u64)?;
        Ok(bytes)
    }

    /// Takes room; once there is too little, there is none for anything else.
    fn take(&mut self, bytes: u64) -> Result<(), String> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or_default();
        left.map(drop)
            .ok_or_else(|| format!("it unpacks to over {} MB", MOST_BYTES >> 20))
    }
}

/// An open zip file.
pub struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
}

impl<'a> Package<'a> {
    /// Opens a zip file; its members are listed, not unpacked.
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        // The reader keeps all of the list, so it is counted first.
        let listed = bytes.windows(4).filter(|mark| *mark == b"PK\x01\x02").count();
        if listed > MOST_MEMBERS {
            return Err(format!("it holds over {MOST_MEMBERS} files"));
        }
        let damaged = |cause: ZipError| format!("it is damaged or cut off ({cause})");
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        let names = archive.file_names().flatten().map(Cow::into_owned).collect();
        Ok(Self { archive, names })
    }

    /// The names of the members in the order of the list; folders end in `/`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is a member of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|one| one == name)
    }

    /// The bytes of a member.
    pub fn read(&mut self, name: &str, room: &mut Room) -> Result<Vec<u8>, String> {
        match self.archive.by_name(name) {
            Ok(member) => room.read(member),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => Err("it has a password".to_owned()),
            Err(cause) => Err(format!("its part `{name}` cannot be read ({cause})")),
        }
    }

    /// The text of a member, in whatever encoding.
    pub fn text(&mut self, name: &str, room: &mut Room) -> Result<String, String> {
        let bytes = self.read(name, room)?;
        plain::decode(&bytes).ok_or_else(|| format!("its part `{name}` is no text"))
    }

    /// Looks at all XML in the package, to know that a reader that follows its nesting comes to an end.
    pub fn check_depth(&mut self) -> Result<(), String> {
        let mut room = Room::default();
        for name in self.names.clone().iter().filter(|name| kind::extension(name) == "xml") {
            // What cannot be read is told by who needs it.
            let Ok(text) = self.text(name, &mut room) else { continue };
            if is_deep(&text) {
                return Err(format!("it nests over {DEEPEST} elements"));
            }
        }
        Ok(())
    }

    /// Unpacks everything and keeps nothing, to know that a reader without bounds may have the file.
    pub fn check(&mut self, room: &mut Room) -> Result<(), String> {
        for at in 0..self.archive.len() {
            let Ok(member) = self.archive.by_index(at) else {
                continue;
            };
            let mut count = Count(0);
            // Damaged data take the room of what came before the damage.
            drop(io::copy(&mut member.take(room.bytes + 1), &mut count));
            room.take(count.0)?;
        }
        Ok(())
    }
}

/// Whether elements of an XML text nest beyond reason: a reader that follows them would run out of stack.
fn is_deep(text: &str) -> bool {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    // Behind the first fault no reader goes on.
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => break,
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

/// How many bytes were written to it.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
