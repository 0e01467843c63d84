//! Zip, tar and gzip files to a page: a section a member, each read as if it lay there by itself.

use flate2::read::MultiGzDecoder;

use super::kind::{self, Kind};
use super::member;
use super::package::{Package, Room};
use super::page::Page;

/// Writes an archive on a page.
pub fn parse(kind: Kind, (name, bytes): (&str, &[u8]), room: &mut Room) -> Result<Page, String> {
    let mut page = Page::default();
    match kind {
        Kind::Tar => tar(&mut page, bytes, room)?,
        Kind::Gzip => return gzip((name, bytes), room),
        _ => zip(&mut page, bytes, room)?,
    }
    // Nothing could be read: the first reason stands for all.
    if page.text.trim().is_empty() {
        let reason = page.unread.into_iter().next();
        return Err(reason.unwrap_or_else(|| "no document is in it".to_owned()));
    }
    Ok(page)
}

fn zip(page: &mut Page, bytes: &[u8], room: &mut Room) -> Result<(), String> {
    let mut package = Package::open(bytes)?;
    let mut names: Vec<String> = package.names().iter().filter(|name| is_wanted(name)).cloned().collect();
    names.sort();
    names.dedup();
    for name in names {
        match package.read(&name, room) {
            Ok(bytes) => member::write(page, &name, &bytes, room)?,
            Err(cause) if room.bytes == 0 => return Err(cause),
            Err(cause) => page.leave_out(&name, &cause),
        }
    }
    Ok(())
}

fn tar(page: &mut Page, bytes: &[u8], room: &mut Room) -> Result<(), String> {
    let mut archive = tar::Archive::new(bytes);
    let damaged = |cause: std::io::Error| format!("it is damaged or cut off ({cause})");
    for entry in archive.entries().map_err(damaged)? {
        let entry = match entry {
            Ok(entry) => entry,
            // What comes before the damage is read.
            Err(_) if !page.text.is_empty() => break,
            Err(cause) => return Err(damaged(cause)),
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_file() && is_wanted(&name) {
            let bytes = room.read(entry)?;
            member::write(page, &name, &bytes, room)?;
        }
    }
    Ok(())
}

/// A packed file is read as what is in it.
fn gzip((name, bytes): (&str, &[u8]), room: &mut Room) -> Result<Page, String> {
    let inner = room.read(MultiGzDecoder::new(bytes))?;
    let stem = name.strip_suffix(".gz").unwrap_or(name);
    member::read(stem, &inner, room).map_err(|error| error.to_string())
}

/// Folders, hidden files and what a system adds on its own are no members.
fn is_wanted(name: &str) -> bool {
    let hidden = name
        .split('/')
        .any(|part| part.len() > 1 && part.starts_with('.') && part != "..");
    !name.ends_with('/') && !hidden && !name.starts_with("__MACOSX/") && !kind::is_program(name)
}
