//! Parsing in a process of its own: a request a document on standard input, an answer a request on standard output.
//!
//! A request is the length of its head (4 bytes, little-endian), the head as JSON and the item's bytes; an answer is its
//! length and JSON. The text of a chunk is a part of the document's, so it is sent once.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chunk::{self, Chunking};
use crate::parse;
use crate::sources::MAX_FILE_BYTES;
use crate::types::{Chunk, Document, Item, Metadata};

/// The longest answer: the largest text, once as a document and once in chunks, with its escapes.
pub const MAX_ANSWER_BYTES: usize = 256 << 20;

/// A document with its chunks, or why the item is none.
pub type Answer = Result<(Document, Vec<Chunk>), String>;

/// What is known of an item, and how it is to be cut.
#[derive(Deserialize, Serialize)]
struct Head {
    uri: String,
    media_type: Option<String>,
    metadata: Metadata,
    principals: Vec<String>,
    modified: Option<i64>,
    fingerprint: String,
    target_bytes: usize,
    context: bool,
    bytes: usize,
}

/// How much longer than other items this one may take.
pub fn patience(item: &Item) -> Duration {
    parse::patience(item)
}

/// Parses and cuts an item.
pub fn work(item: &Item, fingerprint: &str, chunking: Chunking) -> Answer {
    let document = parse::document(item, fingerprint).map_err(|error| error.to_string())?;
    let chunks = chunk::split(&document, chunking);
    Ok((document, chunks))
}

/// A request without the item's bytes, which follow.
pub fn request(item: &Item, fingerprint: &str, chunking: Chunking) -> io::Result<Vec<u8>> {
    frame(&Head {
        uri: item.uri.clone(),
        media_type: item.media_type.clone(),
        metadata: item.metadata.clone(),
        principals: item.principals.clone(),
        modified: item.modified,
        fingerprint: fingerprint.to_owned(),
        target_bytes: chunking.target_bytes,
        context: chunking.context,
        bytes: item.bytes.len(),
    })
}

/// Reads an answer without its length.
pub fn answer(bytes: &[u8]) -> io::Result<Answer> {
    let mut answer: Answer = serde_json::from_slice(bytes)?;
    if let Ok((document, chunks)) = &mut answer {
        for chunk in chunks {
            let text = document.text.get(chunk.span.clone());
            text.ok_or_else(|| io::Error::other("a chunk lies outside of its document"))?
                .clone_into(&mut chunk.text);
        }
    }
    Ok(answer)
}

/// Answers requests until there are no more.
pub fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let head: Head = serde_json::from_slice(&exactly(&mut input, u32::from_le_bytes(length) as usize)?)?;
        let item = Item {
            bytes: exactly(&mut input, head.bytes)?,
            uri: head.uri,
            media_type: head.media_type,
            metadata: head.metadata,
            principals: head.principals,
            modified: head.modified,
        };
        let chunking = Chunking {
            target_bytes: head.target_bytes,
            context: head.context,
            ..Chunking::default()
        };
        let mut answer = work(&item, &head.fingerprint, chunking);
        for chunk in answer.iter_mut().flat_map(|(_, chunks)| chunks) {
            chunk.text.clear();
        }
        output.write_all(&frame(&answer)?)?;
        output.flush()?;
    }
}

fn exactly(input: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    if length as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("the request is too long"));
    }
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn frame(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(uri: &str, bytes: &[u8]) -> Item {
        Item {
            uri: uri.into(),
            media_type: None,
            bytes: bytes.into(),
            metadata: [("kind".to_owned(), "memo".into())].into(),
            principals: vec!["board".into()],
            modified: Some(7),
        }
    }

    #[test]
    fn what_a_worker_answers_is_what_is_made_here() {
        let items = [
            item("a.md", b"# A\n\nWords."),
            item("b.pdf", b"%PDF-1.4"),
            item("c.md", b""),
        ];
        let mut input = Vec::new();
        for item in &items {
            input.extend(request(item, "print", Chunking::default()).unwrap());
            input.extend(&item.bytes);
        }
        let mut output = Vec::new();
        serve(&input[..], &mut output).unwrap();
        let mut rest = &output[..];
        for item in &items {
            let (length, after) = rest.split_first_chunk::<4>().unwrap();
            let (body, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            assert_eq!(answer(body).unwrap(), work(item, "print", Chunking::default()));
            rest = after;
        }
        assert!(rest.is_empty());
    }
}
