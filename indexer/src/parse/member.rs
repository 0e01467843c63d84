//! Documents within documents: members of archives and attachments of mails, each a section of the whole.

use super::package::Room;
use super::page::Page;
use super::{MAX_TEXT_BYTES, ParseError, Source, TooLong, kind, page, plain};

/// Writes a document that lies within another as a section of it; one that cannot be read is told in `unread`.
pub fn write(whole: &mut Page, name: &str, bytes: &[u8], room: &mut Room) -> Result<(), String> {
    room.members = room.members.checked_sub(1).ok_or("it holds over 10,000 files")?;
    // A picture is no document that failed.
    if kind::is_readable(name, &bytes[..bytes.len().min(kind::HEAD_BYTES)]) || plain::is_text(bytes) {
        match read(name, bytes, room) {
            Ok(part) => {
                whole.heading(1, name);
                whole.absorb(part, 1);
            }
            Err(error) if room.bytes == 0 => return Err(error.to_string()),
            Err(error) => whole.leave_out(name, &error.to_string()),
        }
    } else {
        whole.leave_out(name, "it is no document");
    }
    if whole.text.len() > MAX_TEXT_BYTES {
        return Err(TooLong.into());
    }
    Ok(())
}

/// Reads a document that lies within another.
pub fn read(name: &str, bytes: &[u8], room: &mut Room) -> Result<Page, ParseError> {
    room.depth = room
        .depth
        .checked_sub(1)
        .ok_or_else(|| ParseError::TooNested(name.to_owned()))?;
    let source = Source {
        name,
        media_type: None,
        bytes,
    };
    let read = page(source, room);
    room.depth += 1;
    read
}
