//! What kind of file some bytes are: by their first bytes and what lies in them; the name parts only texts that look alike.

use super::{office, plain};

/// A kind of file that has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Markdown,
    Plain,
    Html,
    Pdf,
    Rtf,
    Word,
    Slides,
    Workbook,
    OldWord,
    OldSlides,
    OldWorkbook,
    /// A compound file of Microsoft's that is none of the three, or locked.
    Compound,
    OpenDocument,
    FlatOpenDocument,
    Epub,
    Mail,
    Mailbox,
    Json,
    JsonLines,
    Table,
    Code,
    Zip,
    Tar,
    Gzip,
}

/// Where the first bytes of a file end; enough for every mark.
pub const HEAD_BYTES: usize = 4_096;
/// Zip files that carry programs, not documents.
const PROGRAMS: &[&str] = &[
    "aar", "apk", "crx", "db", "ear", "egg", "ipa", "jar", "msi", "nupkg", "war", "whl", "xpi",
];
/// Endings of source code.
const CODE: &[&str] = &[
    "bash", "c", "cc", "clj", "cpp", "cs", "cxx", "dart", "ex", "exs", "fs", "go", "groovy", "h", "hpp", "hs", "java",
    "jl", "js", "jsx", "kt", "kts", "lua", "m", "mjs", "ml", "php", "pl", "pm", "proto", "ps1", "py", "pyi", "r", "rb",
    "rs", "scala", "sh", "sql", "swift", "tf", "ts", "tsx", "v", "vue", "zig", "zsh",
];
/// Lines that only the head of a mail has.
const MAIL_ONLY: &[&str] = &["message-id", "mime-version", "received", "return-path", "delivered-to"];
/// Lines that the head of a mail may have.
const MAIL: &[&str] = &["from", "to", "date", "subject", "cc", "reply-to", "content-type"];

impl Kind {
    /// Whether files of this kind begin with a mark of theirs, which no text does.
    fn has_mark(self) -> bool {
        matches!(
            self,
            Self::Pdf | Self::Word | Self::Slides | Self::Workbook | Self::OpenDocument | Self::Epub
        )
    }

    /// Whether the first heading names a part, so that the file's name says more of the whole.
    pub fn is_called_by_its_file(self) -> bool {
        matches!(
            self,
            Self::Workbook
                | Self::OldWorkbook
                | Self::Slides
                | Self::OldSlides
                | Self::Zip
                | Self::Tar
                | Self::Mailbox
                | Self::Json
                | Self::Code
        )
    }

    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pdf => "PDF",
            Self::Html => "HTML page",
            Self::Rtf => "RTF file",
            Self::Word | Self::OldWord => "Word file",
            Self::Slides | Self::OldSlides => "PowerPoint file",
            Self::Workbook | Self::OldWorkbook => "Excel file",
            Self::Compound => "Office file",
            Self::OpenDocument | Self::FlatOpenDocument => "OpenDocument file",
            Self::Epub => "e-book",
            Self::Mail | Self::Mailbox => "mail",
            Self::Table => "table",
            Self::Zip | Self::Tar | Self::Gzip => "archive",
            _ => "text",
        }
    }

    /// What mends a file of this kind that cannot be read.
    pub fn mend(self) -> &'static str {
        match self {
            Self::Pdf => "export it again, without a password",
            Self::Zip | Self::Tar | Self::Gzip => "pack it again, or index what is in it",
            Self::Compound => "save it as .docx, .xlsx, .pptx or, a mail, as .eml, without a password",
            Self::OldWord | Self::OldSlides | Self::OldWorkbook => "save it as .docx, .pptx or .xlsx",
            _ => "save it again, without a password",
        }
    }
}

/// Whether a file that begins so, and is called so, is likely to be read; a file that cannot be is told when it is parsed.
pub fn is_readable(name: &str, head: &[u8]) -> bool {
    !is_program(name) && (by_mark(head).is_some() || plain::is_text(head))
}

/// Whether a name is that of a program or of a system's own file.
pub fn is_program(name: &str) -> bool {
    PROGRAMS.contains(&extension(name).as_str())
}

/// Whether some bytes are a PDF.
pub fn is_pdf(bytes: &[u8]) -> bool {
    by_mark(&bytes[..bytes.len().min(HEAD_BYTES)]) == Some(Kind::Pdf)
}

/// The kind of the file `name` that holds `bytes`.
pub fn of(name: &str, media_type: Option<&str>, bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    let start = String::from_utf8_lossy(head);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    match by_mark(head) {
        Some(Kind::Zip) => return office::packed(bytes).unwrap_or_else(|| packed(&extension(name))),
        Some(Kind::Compound) => return office::compound(bytes),
        Some(kind) => return kind,
        None => {}
    }
    if let Some(kind) = by_markup(start).or_else(|| mail(start)) {
        return kind;
    }
    let media_type = media_type.unwrap_or_default().split(';').next().unwrap_or_default();
    let by_name = || by_name(&extension(name));
    let told = match by_media_type(media_type.trim()) {
        // The ending of an address is that of a program or of a host as often as that of a file.
        told @ Some(_) if name.contains("://") => told,
        told => by_name().or(told),
    };
    // What is called a PDF and holds words alone is a text.
    told.filter(|kind| !kind.has_mark() || !plain::is_text(bytes))
        .unwrap_or_else(|| by_look(start, bytes.len() > HEAD_BYTES))
}

/// The ending of a name in small letters, without the dot.
pub fn extension(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.unwrap_or_default().to_ascii_lowercase()
}

fn by_mark(head: &[u8]) -> Option<Kind> {
    let is_pdf = |at: &[u8]| at == b"%PDF-";
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(Kind::Zip);
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Some(Kind::Compound);
    }
    if head.starts_with(b"\x1f\x8b\x08") {
        return Some(Kind::Gzip);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Kind::Tar);
    }
    let start = head.trim_ascii_start();
    if start.starts_with(b"{\\rtf") {
        return Some(Kind::Rtf);
    }
    // Some writers put a line or two before it.
    let marked = &head[..head.len().min(1_024)];
    (start.starts_with(b"%PDF-") || (!plain::is_text(head) && marked.windows(5).any(is_pdf))).then_some(Kind::Pdf)
}

/// The kind of a text that begins with its own markup, after an XML declaration and comments.
fn by_markup(start: &str) -> Option<Kind> {
    let mut rest = start;
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ => break,
        };
        rest = rest.split_once(end)?.1.trim_start();
    }
    let begins = |tag: &str| {
        let part = rest.get(..tag.len());
        part.is_some_and(|part| part.eq_ignore_ascii_case(tag))
    };
    if begins("<!doctype html") || begins("<html") {
        return Some(Kind::Html);
    }
    begins("<office:document").then_some(Kind::FlatOpenDocument)
}

/// A mail begins with lines such as `Received: ...`, a mailbox with a line `From ...` above them.
fn mail(start: &str) -> Option<Kind> {
    let (kind, head) = match start.strip_prefix("From ") {
        Some(rest) => (Kind::Mailbox, rest.split_once('\n')?.1),
        None => (Kind::Mail, start),
    };
    let (mut only, mut any) = (0, 0);
    for line in head.lines() {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { break };
        let name = name.to_ascii_lowercase();
        if name.contains(char::is_whitespace) {
            break;
        }
        only += usize::from(MAIL_ONLY.contains(&name.as_str()));
        any += usize::from(MAIL.contains(&name.as_str()));
    }
    (only > 0 && only + any > 1).then_some(kind)
}

fn by_name(extension: &str) -> Option<Kind> {
    Some(match extension {
        "md" | "markdown" => Kind::Markdown,
        "html" | "htm" | "xhtml" => Kind::Html,
        "txt" | "text" | "log" => Kind::Plain,
        "pdf" => Kind::Pdf,
        "docx" => Kind::Word,
        "pptx" => Kind::Slides,
        "xlsx" => Kind::Workbook,
        "odt" | "ods" | "odp" => Kind::OpenDocument,
        "epub" => Kind::Epub,
        "eml" => Kind::Mail,
        "mbox" => Kind::Mailbox,
        "json" => Kind::Json,
        "jsonl" | "ndjson" => Kind::JsonLines,
        "csv" | "tsv" => Kind::Table,
        _ if CODE.binary_search(&extension).is_ok() => Kind::Code,
        _ => return None,
    })
}

/// What a zip file is meant to be that is too damaged to tell.
fn packed(extension: &str) -> Kind {
    let told = by_name(extension).filter(|kind| kind.has_mark() && *kind != Kind::Pdf);
    told.unwrap_or(Kind::Zip)
}

fn by_media_type(media_type: &str) -> Option<Kind> {
    Some(match media_type {
        "text/markdown" => Kind::Markdown,
        "text/html" | "application/xhtml+xml" => Kind::Html,
        "text/plain" => Kind::Plain,
        "application/pdf" => Kind::Pdf,
        "application/json" => Kind::Json,
        "application/x-ndjson" | "application/jsonl" => Kind::JsonLines,
        "text/csv" | "text/tab-separated-values" => Kind::Table,
        "message/rfc822" => Kind::Mail,
        "application/mbox" => Kind::Mailbox,
        _ => return None,
    })
}

/// What a text without a telling name looks like.
fn by_look(start: &str, is_cut: bool) -> Kind {
    let first = start.lines().next().unwrap_or_default();
    if start.starts_with("#!") {
        return Kind::Code;
    }
    if first.starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(first).is_ok()
        && start.lines().count() > 1
    {
        return Kind::JsonLines;
    }
    if start.starts_with(['{', '[']) && (is_cut || serde_json::from_str::<serde::de::IgnoredAny>(start).is_ok()) {
        return Kind::Json;
    }
    let mut lines: Vec<&str> = start.lines().collect();
    if is_cut {
        lines.pop();
    }
    let fields = |line: &&str| line.matches('\t').count();
    let is_table =
        lines.len() > 2 && fields(&lines[0]) > 0 && lines.iter().all(|line| fields(line) == fields(&lines[0]));
    if is_table { Kind::Table } else { Kind::Plain }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, bytes: &[u8], expected: Kind) {
        assert_eq!(
            of(name, None, bytes),
            expected,
            "{name} {}",
            String::from_utf8_lossy(bytes)
        );
    }

    #[test]
    fn bytes_decide_and_names_part_texts() {
        assert!(CODE.is_sorted());
        check("a.txt", b"%PDF-1.7\n", Kind::Pdf);
        check("a", b"\0\0\x01\x02\0\0%PDF-1.7\n", Kind::Pdf);
        check("a.md", b"How a file with %PDF-1.7 in it begins", Kind::Markdown);
        check("a.doc", b"{\\rtf1 x}", Kind::Rtf);
        check("a.txt", b"<?xml version='1.0'?>\n<!-- x -->\n<HTML>", Kind::Html);
        check(
            "a.xml",
            b"<?xml version='1.0'?><office:document x='1'>",
            Kind::FlatOpenDocument,
        );
        check("a.docx", b"PK\x03\x04 cut off", Kind::Word);
        check("a.zip", b"PK\x05\x06", Kind::Zip);
        check("a.pdf", b"words", Kind::Plain);
        check("a.pdf", b"\0\x01\x02", Kind::Pdf);
        check("a", b"\x1f\x8b\x08", Kind::Gzip);
        check("a.md", b"{\"a\": 1}", Kind::Markdown);
        check("a", b"{\"a\": 1}", Kind::Json);
        check("a", b"{\"a\": 1}\n{\"a\": 2}\n", Kind::JsonLines);
        check("a", b"{braces} are not JSON", Kind::Plain);
        check("a", b"a\tb\n1\t2\n3\t4\n", Kind::Table);
        check("a", b"#!/bin/sh\n", Kind::Code);
        check("src.d/a", b"words", Kind::Plain);
        check("a/b.RS", b"fn a() {}", Kind::Code);
    }

    #[test]
    fn a_mail_is_told_by_its_head() {
        check("a.txt", b"Received: x\n by y\nFrom: a@b\n\nHi", Kind::Mail);
        check("a", b"From a@b Mon\nMessage-ID: <1>\nFrom: a@b\n\nHi", Kind::Mailbox);
        check("a.txt", b"From: me\nTo: you\n\nA letter", Kind::Plain);
        check("a.txt", b"From here on: nothing", Kind::Plain);
        check("a.eml", b"Subject: x\n\nHi", Kind::Mail);
    }

    #[test]
    fn programs_and_pictures_are_left_alone() {
        let check = |name: &str, head: &[u8], expected: bool| assert_eq!(is_readable(name, head), expected, "{name}");
        check("a.jar", b"PK\x03\x04", false);
        check("a.bin", b"PK\x03\x04", true);
        check("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", false);
        check("Makefile", b"all:\n\tmake\n", true);
        check("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", true);
    }
}
