//! E-books to a page: the chapters in reading order, each with its own headings.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::html;
use super::package::{Package, Room};
use super::page::Page;
use super::xml::{attribute, local};
use super::{MAX_TEXT_BYTES, TooLong};

/// Writes an e-book on a page.
pub fn parse(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    let mut package = Package::open(bytes)?;
    if package.has("META-INF/rights.xml") {
        return Err("it is locked for one reader".to_owned());
    }
    let container = package.text("META-INF/container.xml", room)?;
    let place = rootfile(&container).ok_or("it does not say where its list of chapters is")?;
    let book = package.text(&place, room)?;
    let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
    let list = list(&book)?;
    let mut page = Page::default();
    page.title = list.title;
    let (mut read, mut failure) = (0, None);
    for chapter in &list.chapters {
        let text = package.text(&resolve(folder, chapter), room);
        match text.and_then(|text| Ok(html::parse(&text)?)) {
            Ok(one) => {
                read += 1;
                page.absorb(one, 0);
            }
            Err(cause) => failure = Some(cause),
        }
        if page.text.len() > MAX_TEXT_BYTES {
            return Err(TooLong.into());
        }
    }
    match failure {
        Some(cause) if read == 0 => Err(cause),
        _ => Ok(page),
    }
}

/// What the package document lists.
#[derive(Default)]
struct List {
    title: Option<String>,
    /// Places of the chapters in reading order.
    chapters: Vec<String>,
}

fn rootfile(container: &str) -> Option<String> {
    let mut reader = Reader::from_str(container);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) if local(&tag) == "rootfile" => return attribute(&tag, "full-path"),
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn list(book: &str) -> Result<List, String> {
    let mut reader = Reader::from_str(book);
    let mut list = List::default();
    let mut places = std::collections::BTreeMap::new();
    loop {
        match reader
            .read_event()
            .map_err(|cause| format!("its list of chapters is damaged ({cause})"))?
        {
            Event::Start(tag) if local(&tag) == "title" && list.title.is_none() => {
                let words = reader.read_text(tag.name()).map_err(|cause| cause.to_string())?;
                let words = quick_xml::escape::unescape(&words).map(std::borrow::Cow::into_owned);
                list.title = words.ok();
            }
            Event::Start(tag) | Event::Empty(tag) => note(&tag, &mut places, &mut list.chapters),
            Event::Eof => return Ok(list),
            _ => {}
        }
    }
}

fn note(tag: &BytesStart<'_>, places: &mut std::collections::BTreeMap<String, String>, chapters: &mut Vec<String>) {
    match local(tag).as_str() {
        "item" => {
            if let (Some(id), Some(place)) = (attribute(tag, "id"), attribute(tag, "href")) {
                places.insert(id, place);
            }
        }
        "itemref" => chapters.extend(attribute(tag, "idref").and_then(|id| places.remove(&id))),
        _ => {}
    }
}

/// The name of a member that is called `place` from within `folder`.
fn resolve(folder: &str, place: &str) -> String {
    let place = place.split('#').next().unwrap_or_default();
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in place.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    unescape(&parts.join("/"))
}

/// `%20` and the like as the bytes that they stand for.
fn unescape(place: &str) -> String {
    let mut bytes = Vec::with_capacity(place.len());
    let mut rest = place.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
