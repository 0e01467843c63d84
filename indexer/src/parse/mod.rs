//! Bytes to a document: readable text and its structure. The type is told by the bytes first, then by the name.

mod html;
mod markdown;
mod outline;
mod text;

use std::path::Path;

use crate::types::{Document, DocumentId, Item};

use outline::Outline;

/// Grows when a parser yields other text for the same bytes; part of every fingerprint.
pub const VERSION: u32 = 1;
/// Longer texts are refused, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// Why an item is not a document.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// A PDF that the library cannot read.
    #[error("`{uri}` is not a readable PDF ({cause}); save it again with another program")]
    Pdf {
        /// The item.
        uri: String,
        /// What the library said.
        cause: String,
    },
    /// The bytes are no text.
    #[error("`{uri}` is binary, not text; only Markdown, text, HTML and PDF are read")]
    Binary {
        /// The item.
        uri: String,
    },
    /// Too much text.
    #[error("`{uri}` holds {bytes} bytes of text; at most {LONGEST} are read, split it")]
    TooLong {
        /// The item.
        uri: String,
        /// Its text's size.
        bytes: usize,
    },
}

/// Parses an item whose fingerprint is known.
pub fn document(item: &Item, fingerprint: &str) -> Result<Document, ParseError> {
    let mut outline = outline(item)?;
    if outline.text.len() > LONGEST {
        return Err(ParseError::TooLong {
            uri: item.uri.clone(),
            bytes: outline.text.len(),
        });
    }
    let mut metadata = std::mem::take(&mut outline.metadata);
    metadata.extend(item.metadata.clone());
    let title = metadata
        .get("title")
        .and_then(|title| title.as_str())
        .map(str::to_owned);
    let title = title
        .or(outline.title)
        .or_else(|| outline.headings.first().map(|heading| heading.title.clone()))
        .filter(|title| !title.trim().is_empty())
        .unwrap_or_else(|| stem(&item.uri));
    Ok(Document {
        id: DocumentId::of(&item.uri),
        uri: item.uri.clone(),
        title: title.trim().to_owned(),
        text: outline.text,
        headings: outline.headings,
        metadata,
        principals: item.principals.clone(),
        fingerprint: fingerprint.to_owned(),
    })
}

fn outline(item: &Item) -> Result<Outline, ParseError> {
    if item.bytes.starts_with(b"%PDF-") {
        return pdf(item);
    }
    let decoded = text::decode(&item.bytes).ok_or_else(|| ParseError::Binary { uri: item.uri.clone() })?;
    let extension = Path::new(&item.uri)
        .extension()
        .and_then(|text| text.to_str())
        .unwrap_or_default()
        .to_lowercase();
    let media_type = item.media_type.as_deref().unwrap_or_default();
    let start = decoded.trim_start().get(..14).unwrap_or_default().to_lowercase();
    let is_html = matches!(extension.as_str(), "html" | "htm")
        || media_type.starts_with("text/html")
        || start.starts_with("<!doctype html")
        || start.starts_with("<html");
    if is_html {
        return Ok(html::parse(&decoded));
    }
    let is_markdown = matches!(extension.as_str(), "md" | "markdown") || media_type == "text/markdown";
    Ok(if is_markdown {
        markdown::parse(&decoded)
    } else {
        text::parse(&decoded)
    })
}

/// Hostile files make the library panic; that costs this file alone.
fn pdf(item: &Item) -> Result<Outline, ParseError> {
    let pages = std::panic::catch_unwind(|| pdf_extract::extract_text_from_mem_by_pages(&item.bytes));
    let failure = |cause: String| ParseError::Pdf {
        uri: item.uri.clone(),
        cause,
    };
    let pages = pages
        .map_err(|_| failure("the parser gave up".into()))?
        .map_err(|error| failure(error.to_string()))?;
    let mut outline = Outline::default();
    for page in pages {
        for paragraph in text::unwrap_lines(&text::clean(&page)) {
            outline.block(&paragraph);
        }
    }
    Ok(outline)
}

fn stem(uri: &str) -> String {
    let name = Path::new(uri).file_stem().and_then(|name| name.to_str()).unwrap_or(uri);
    if name.is_empty() {
        "untitled".to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Metadata;

    fn item(uri: &str, bytes: &[u8]) -> Item {
        let (metadata, principals) = (Metadata::new(), vec![]);
        Item {
            uri: uri.into(),
            media_type: None,
            bytes: bytes.to_vec(),
            metadata,
            principals,
            modified: None,
        }
    }

    fn check(uri: &str, bytes: &[u8], title: &str, text: &str) {
        let document = document(&item(uri, bytes), "f").unwrap();
        assert_eq!((document.title.as_str(), document.text.as_str()), (title, text));
        for heading in &document.headings {
            assert!(
                document.text[heading.start..].starts_with(&heading.title),
                "{heading:?}"
            );
        }
    }

    #[test]
    fn markdown_becomes_what_a_reader_sees() {
        check(
            "a/b.md",
            b"---\ntitle: Leave\ndays: 27\n---\n# Leave policy\n\nYou get **27** [days](http://x).\n\n- one\n- two\n\n| A | B |\n|---|---|\n| 1 | x y |\n",
            "Leave",
            "Leave policy\n\nYou get 27 days.\n\n- one\n- two\n\nA | B\n1 | x y",
        );
        let parsed = document(&item("b.md", b"---\ntags: [a, b]\ndraft: true\n---\nText"), "f").unwrap();
        assert_eq!(parsed.metadata["tags"], serde_json::json!(["a", "b"]));
        assert_eq!(parsed.metadata["draft"], serde_json::json!(true));
        assert_eq!(parsed.title, "b");
    }

    #[test]
    fn html_loses_its_menus() {
        check(
            "p.html",
            b"<!doctype html><title>Prices</title><nav>Home</nav><main><h1>Price list</h1><p>All &amp; sundry.</p><table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table><script>x()</script></main><footer>f</footer>",
            "Prices",
            "Price list\n\nAll & sundry.\n\nA | B\n1 | 2",
        );
    }

    #[test]
    fn text_is_decoded_and_cleaned() {
        check(
            "n.txt",
            b"caf\xe9 au lait\r\nsecond\x00line\r\n",
            "n",
            "caf\u{e9} au lait\nsecondline",
        );
        check("e.txt", b"", "e", "");
    }

    #[test]
    fn hostile_input_is_an_error_or_text_but_never_a_panic() {
        assert!(document(&item("x.pdf", b"%PDF-1.7\ngarbage \xff\xfe"), "f").is_err());
        let deep = format!("<html>{}deep{}", "<div>".repeat(2_000), "</div>".repeat(2_000));
        assert_eq!(document(&item("d.html", deep.as_bytes()), "f").unwrap().text, "deep");
        let mut binary = vec![0u8; 4_000];
        binary[7] = 0xff;
        assert!(document(&item("b.txt", &binary), "f").is_err());
    }
}
