//! Mails and mailboxes to a page: who, whom, when and about what, the words, and what is attached.

use std::io::Cursor;

use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::package::Room;
use super::page::Page;
use super::{MAX_TEXT_BYTES, TooLong, apart, html, member};

/// Mails that lie within each other.
const DEEPEST: usize = 4;
/// The most mails that may lie in a mail: the reader nests with them.
const MOST_NESTED: usize = 200;

/// Writes a mail on a page.
pub fn parse(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    if nested(bytes) > MOST_NESTED {
        return Err(format!("it holds over {MOST_NESTED} mails within each other"));
    }
    let message = apart::run(|| {
        MessageParser::default()
            .parse(bytes)
            .ok_or_else(|| "it has no head".to_owned())
    })?;
    let mut page = Page::default();
    page.title = message.subject().map(str::to_owned);
    write(&mut page, &message, (room, DEEPEST))?;
    Ok(page)
}

/// How many mails may lie in a mail: each names its kind, or lies in a digest.
fn nested(bytes: &[u8]) -> usize {
    let is_start = |part: &&[u8]| {
        let is = |kind: &[u8]| {
            part.get(..kind.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(kind))
        };
        is(b"message/") || is(b"multipart/digest")
    };
    let starts = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'm' | b'M'));
    starts.filter(|(at, _)| is_start(&&bytes[*at..])).count()
}

/// Writes a mailbox on a page, a section a mail.
pub fn mailbox(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    let mut page = Page::default();
    for message in MessageIterator::new(Cursor::new(bytes)) {
        let message = message.map_err(|cause| format!("it is damaged ({cause:?})"))?;
        room.members = room.members.checked_sub(1).ok_or("it holds over 10,000 mails")?;
        let one = parse(message.contents(), room)?;
        page.heading(1, one.title.as_deref().unwrap_or("Mail"));
        page.absorb(one, 1);
        if page.text.len() > MAX_TEXT_BYTES {
            return Err(TooLong.into());
        }
    }
    Ok(page)
}

fn write(page: &mut Page, message: &Message<'_>, (room, depth): (&mut Room, usize)) -> Result<(), String> {
    head(page, message);
    body(page, message)?;
    for (at, part) in message.attachments().enumerate() {
        let name = part
            .attachment_name()
            .map_or_else(|| format!("attachment {}", at + 1), str::to_owned);
        match &part.body {
            PartType::Message(inner) if depth > 0 => {
                page.heading(1, inner.subject().unwrap_or(&name));
                write(page, inner, (room, depth - 1))?;
            }
            PartType::Message(_) => page.leave_out(&name, "it lies in too many mails"),
            PartType::InlineBinary(_) => {}
            _ => member::write(page, &name, part.contents(), room)?,
        }
    }
    Ok(())
}

/// Who, whom, when and about what, a line each.
fn head(page: &mut Page, message: &Message<'_>) {
    let lines = [
        ("Subject", message.subject().unwrap_or_default().to_owned()),
        ("From", people(message.from())),
        ("To", people(message.to())),
        ("Cc", people(message.cc())),
        ("Date", message.date().map(ToString::to_string).unwrap_or_default()),
    ];
    page.block();
    for (label, words) in lines.iter().filter(|(_, words)| !words.is_empty()) {
        page.line();
        page.verbatim(&format!("{label}: {words}"));
    }
    page.block();
}

fn people(address: Option<&Address<'_>>) -> String {
    let mut names = Vec::new();
    for one in address.into_iter().flat_map(Address::iter) {
        names.push(match (one.name(), one.address()) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (name, address) => name.or(address).unwrap_or_default().to_owned(),
        });
    }
    names.join(", ")
}

/// The plain words where there are any, the HTML otherwise.
fn body(page: &mut Page, message: &Message<'_>) -> Result<(), String> {
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(words) => {
                page.block();
                page.verbatim(&words.replace("\r\n", "\n"));
            }
            PartType::Html(markup) => {
                page.block();
                page.absorb(html::parse(markup)?, 0);
            }
            _ => {}
        }
    }
    page.block();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_within_mails_have_an_end() {
        let check = |file: &str, expected: bool| {
            let read = parse(file.as_bytes(), &mut Room::default());
            assert_eq!(read.is_ok(), expected, "{read:?}");
        };
        let nested = |count: usize| {
            format!(
                "{}Subject: x\n\nwords",
                "Content-Type: Message/rfc822\n\n".repeat(count)
            )
        };
        check(&nested(100), true);
        check(&nested(100_000), false);
        let part = "Content-Type: multipart/digest; boundary=x\n\n--x\n\n";
        check(&part.repeat(100_000), false);
        let part = "Content-Type: multipart/mixed; boundary=x\n\n--x\n";
        check(&part.repeat(20_000), true);
    }
}
