//! Parsers: an item's bytes become a document. The type is taken from the bytes first, then from the name.

mod apart;
mod archive;
#[cfg(test)]
mod built;
mod code;
mod epub;
#[cfg(test)]
mod format_tests;
mod front_matter;
mod html;
mod json;
mod kind;
pub(crate) mod links;
mod mail;
mod markdown;
mod member;
mod ocr;
mod office;
mod opendocument;
mod package;
mod page;
mod pdf;
mod pdf_cycles;
mod pdf_pictures;
mod pdf_sizes;
mod pdf_xref;
mod plain;
mod rows;
mod rtf;
mod rtf_signs;
mod rtf_tokens;
mod table;
mod workbook;
mod xml;

use std::time::Duration;

use crate::facts;
use crate::types::{Document, DocumentId, Item, Pages};
use kind::Kind;
pub use kind::{HEAD_BYTES, is_readable};
use package::Room;
use page::Page;
pub(crate) use table::mark as delimiter;

/// More text than this is a data set, not a document.
pub const MAX_TEXT_BYTES: usize = 16 << 20;
/// The longest title of a document or a heading.
pub const MAX_TITLE_BYTES: usize = 500;

/// Why an item is no document.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// The bytes are no text in any known encoding.
    #[error("`{0}` is not text in a known encoding; save it as UTF-8")]
    Undecodable(String),
    /// The reader of its kind could not read the file.
    #[error("cannot read the {kind} `{uri}`: {cause}; {mend}")]
    Unreadable {
        /// The item.
        uri: String,
        /// What it is, in a word or two.
        kind: &'static str,
        /// What the reader said.
        cause: String,
        /// What helps.
        mend: &'static str,
    },
    /// Archives within archives beyond reason.
    #[error("`{0}` lies in too many archives; unpack it")]
    TooNested(String),
    /// Elements beyond reason; the time to parse grows with the square of their depth.
    #[error("`{0}` nests over 1,000 elements or holds over 2,000,000; split it into smaller pages")]
    TooDeep(String),
    /// More facts than `facts::check` lets pass.
    #[error("`{uri}`: {cause}")]
    Facts {
        /// The item.
        uri: String,
        /// What is wrong with them.
        cause: String,
    },
    /// More text than `MAX_TEXT_BYTES`.
    #[error("`{0}` holds over 16 MB of text; split it into smaller files")]
    TooLong(String),
}

/// What is parsed: an item, or a document that lies within one.
#[derive(Clone, Copy)]
struct Source<'a> {
    name: &'a str,
    media_type: Option<&'a str>,
    bytes: &'a [u8],
}

/// More text than a document may hold.
#[derive(Debug, PartialEq, Eq)]
struct TooLong;

impl From<TooLong> for String {
    fn from(_: TooLong) -> Self {
        "it holds over 16 MB of text".to_owned()
    }
}

/// Parses an item; a file without words is a document with an empty text.
pub fn document(item: &Item, fingerprint: &str) -> Result<Document, ParseError> {
    let source = Source {
        name: &item.uri,
        media_type: item.media_type.as_deref(),
        bytes: &item.bytes,
    };
    let mut room = Room {
        reading: ocr::budget(source.bytes),
        ..Room::default()
    };
    let page = page(source, &mut room)?;
    let document = finish(item, page, fingerprint);
    facts::check(&document.metadata, &document.principals).map_err(|fault| ParseError::Facts {
        uri: item.uri.clone(),
        cause: fault.detail,
    })?;
    Ok(document)
}

/// Reads a document of any kind.
fn page(source: Source<'_>, room: &mut Room) -> Result<Page, ParseError> {
    let kind = kind::of(source.name, source.media_type, source.bytes);
    let mut page = match kind {
        Kind::Markdown | Kind::Plain | Kind::Html | Kind::Json | Kind::JsonLines | Kind::Table | Kind::Code => {
            text(kind, source)?
        }
        _ => binary(kind, source, room).map_err(|cause| ParseError::Unreadable {
            uri: source.name.to_owned(),
            kind: kind.name(),
            // Readers quote what they stumbled over.
            cause: one_line(&cause),
            mend: kind.mend(),
        })?,
    };
    limit(source, &page.text)?;
    if page.title.is_none() && kind.is_called_by_its_file() {
        page.title = Some(stem(source.name));
    }
    if page.text.trim().is_empty() && !source.bytes.is_empty() && page.unread.is_empty() {
        page.leave_out(source.name, "no words were found in it");
    }
    Ok(page)
}

/// Reads what is text, in whatever encoding.
fn text(kind: Kind, source: Source<'_>) -> Result<Page, ParseError> {
    let text = plain::decode(source.bytes).ok_or_else(|| ParseError::Undecodable(source.name.to_owned()))?;
    limit(source, &text)?;
    let too_deep = |html::TooDeep| ParseError::TooDeep(source.name.to_owned());
    let too_long = |TooLong| ParseError::TooLong(source.name.to_owned());
    match kind {
        Kind::Markdown => markdown::parse(&text).map_err(too_deep),
        Kind::Html => html::parse(&text).map_err(too_deep),
        Kind::Json => json::parse(&text).map_err(too_long),
        Kind::JsonLines => json::lines(&text).map_err(too_long),
        Kind::Table => table::parse(&text).map_err(too_long),
        Kind::Code => Ok(code::parse(&text)),
        _ => Ok(plain::parse(&text)),
    }
}

/// Reads what has a form of its own.
fn binary(kind: Kind, source: Source<'_>, room: &mut Room) -> Result<Page, String> {
    let bytes = source.bytes;
    match kind {
        Kind::Pdf => pdf::parse(bytes, room),
        Kind::Rtf => rtf::parse(bytes),
        Kind::Workbook => workbook::parse(bytes, room),
        Kind::OpenDocument => opendocument::parse(bytes, room),
        Kind::FlatOpenDocument => {
            let text = plain::decode(bytes).ok_or("it is no text in a known encoding")?;
            opendocument::flat(&text)
        }
        Kind::Epub => epub::parse(bytes, room),
        Kind::Mail => mail::parse(bytes, room),
        Kind::Mailbox => mail::mailbox(bytes, room),
        Kind::Zip | Kind::Tar | Kind::Gzip => archive::parse(kind, (source.name, bytes), room),
        _ => office::parse(kind, bytes, room),
    }
}

/// How much longer than other documents this one may take, for the words in its pictures.
pub(crate) fn patience(item: &Item) -> Duration {
    ocr::patience(&item.bytes)
}

/// Whether pictures in a file would be read: installing what reads them makes another document of it.
pub(crate) fn sees(bytes: &[u8]) -> bool {
    ocr::Program::installed().is_some() && (kind::is_pdf(bytes) || !plain::is_text(bytes))
}

/// The same of any file.
pub(crate) fn can_see() -> bool {
    ocr::Program::installed().is_some()
}

fn limit(source: Source<'_>, text: &str) -> Result<(), ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ParseError::TooLong(source.name.to_owned()));
    }
    Ok(())
}

fn finish(item: &Item, mut page: Page, fingerprint: &str) -> Document {
    page.text.truncate(page.text.trim_end().len());
    // Empty pages at the end begin where the text ends.
    let starts = page.pages.iter().map(|start| page.text.floor_char_boundary(*start));
    let starts: Vec<usize> = starts.collect();
    // What the source says about a document outweighs what the document says about itself.
    let given = item
        .metadata
        .get("title")
        .and_then(|title| title.as_str())
        .map(str::to_owned);
    // It stands before every chunk, in prompts and on terminals.
    let given = given.map(|title| one_line(&title)).filter(|title| !title.is_empty());
    let own = page
        .title
        .map(|title| one_line(&title))
        .filter(|title| !title.is_empty());
    for heading in &mut page.headings {
        heading
            .title
            .truncate(heading.title.floor_char_boundary(MAX_TITLE_BYTES));
    }
    let title = given
        .or(own)
        .or_else(|| page.headings.first().map(|heading| heading.title.clone()));
    let mut metadata = page.metadata;
    if !page.unread.is_empty() {
        metadata.insert("unread".to_owned(), page.unread.into());
    }
    metadata.extend(item.metadata.clone());
    Document {
        id: DocumentId::of(&item.uri),
        uri: item.uri.clone(),
        title: title.unwrap_or_else(|| stem(&item.uri)),
        text: page.text,
        headings: page.headings,
        pages: Pages::starting(&starts),
        metadata,
        principals: item.principals.clone(),
        fingerprint: fingerprint.to_owned(),
        patched: None,
    }
}

/// The beginning of a title without characters that steer a terminal or hide; white space is one space.
pub fn one_line(title: &str) -> String {
    let mut line = String::new();
    for word in title.split(|c: char| c.is_whitespace() || c.is_control()) {
        let word = word.replace(is_hidden, "");
        if !line.is_empty() && !word.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
        if line.len() > MAX_TITLE_BYTES {
            break;
        }
    }
    line.truncate(line.floor_char_boundary(MAX_TITLE_BYTES));
    line
}

/// Marks of direction and characters without width.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn stem(uri: &str) -> String {
    let name = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    match [stem, name, uri].into_iter().find(|words| !words.trim().is_empty()) {
        Some(words) => words.trim().to_owned(),
        None => "Untitled".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Metadata;

    fn item(uri: &str, bytes: &[u8]) -> Item {
        let (media_type, metadata, principals) = (None, Metadata::new(), Vec::new());
        Item {
            uri: uri.into(),
            media_type,
            bytes: bytes.to_vec(),
            metadata,
            principals,
            modified: None,
        }
    }

    fn check(uri: &str, bytes: &[u8], expected: (&str, &str)) {
        let document = document(&item(uri, bytes), "f").unwrap();
        assert_eq!((document.title.as_str(), document.text.as_str()), expected);
    }

    #[test]
    fn type_and_title_come_from_bytes_and_name() {
        check("a/b.md", b"# One\n\ntwo", ("One", "One\n\ntwo"));
        check("a/b.md", b"---\ntitle: Zero\n---\n# One", ("Zero", "One"));
        check("b.txt", b"# One", ("b", "# One"));
        check("b.txt", b" <!DOCTYPE html><title>T</title><p>x", ("T", "x"));
        check("b.html", b"<p>x", ("b", "x"));
        check("b", b"\xef\xbb\xbfx\r\ny\n\n", ("b", "x\ny"));
        check("dir.d/.md", b"", (".md", ""));
        check("", b"", ("Untitled", ""));
    }

    #[test]
    fn nul_never_reaches_the_text() {
        let bytes = format!("{}\0end", "word ".repeat(100));
        assert!(
            !document(&item("a.txt", bytes.as_bytes()), "f")
                .unwrap()
                .text
                .contains('\0')
        );
        assert!(
            !document(&item("a.md", bytes.as_bytes()), "f")
                .unwrap()
                .text
                .contains('\0')
        );
        assert!(
            !document(&item("a.html", bytes.as_bytes()), "f")
                .unwrap()
                .text
                .contains('\0')
        );
    }

    #[test]
    fn what_cannot_be_read_says_what_to_do() {
        for (uri, bytes) in [
            ("a.pdf", &b"%PDF-1.7 junk"[..]),
            ("b.pdf", b"\0\x01\x02no"),
            ("c.md", b"\0\x01\x02\x03"),
        ] {
            let message = document(&item(uri, bytes), "f").unwrap_err().to_string();
            assert!(message.contains(uri) && message.contains("; "), "{message}");
        }
        let facts = format!("---\nnotes: {}\n---\nx", "a".repeat(facts::MAX_BYTES));
        let message = document(&item("a.md", facts.as_bytes()), "f").unwrap_err().to_string();
        assert!(message.contains("in `notes`; "), "{message}");
        let long = vec![b'a'; MAX_TEXT_BYTES + 1];
        assert_eq!(
            document(&item("a.txt", &long), "f").unwrap_err(),
            ParseError::TooLong("a.txt".into())
        );
    }

    #[test]
    fn a_title_is_one_short_line_without_hidden_characters() {
        let check = |given: &str, expected: &str| {
            let mut item = item("a.md", b"x");
            item.metadata.insert("title".into(), given.into());
            assert_eq!(document(&item, "f").unwrap().title, expected, "{given:?}");
        };
        check("\u{1b}[2J \u{202e}One\r\n two\t\u{0}three\u{200b}", "[2J One two three");
        check(" \u{200b}\n", "a");
        check(&" ".repeat(50_000), "a");
        check(&format!("{}é", "a".repeat(499)), &"a".repeat(499));
        let heading = document(&item("a.md", format!("# {}", "é".repeat(1_000)).as_bytes()), "f").unwrap();
        assert_eq!((heading.title.len(), heading.headings[0].title.len()), (500, 500));
        let html = format!("<title>{}</title>x", "a ".repeat(1_000));
        assert_eq!(
            document(&item("a.html", html.as_bytes()), "f").unwrap().title.len(),
            500
        );
    }

    #[test]
    fn the_source_outweighs_the_front_matter() {
        let mut item = item("a.md", b"---\nteam: docs\nyear: 2020\n---\nx");
        item.metadata.insert("team".into(), "web".into());
        let metadata = document(&item, "f").unwrap().metadata;
        assert_eq!(
            (metadata["team"].as_str(), metadata["year"].as_i64()),
            (Some("web"), Some(2020))
        );
    }
}
