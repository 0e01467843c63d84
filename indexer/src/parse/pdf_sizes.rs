//! What the streams of a PDF unpack to: a file of some kilobytes can hold gigabytes. Sizes are counted, not kept.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::bufread::{DeflateDecoder, ZlibDecoder};
use pdf_extract::{Dictionary, Document, LoadOptions, Object, Stream};

use super::pdf_xref;

/// A stream that unpacks to more is refused, in bytes.
pub const LARGEST: usize = if cfg!(test) { 4 << 20 } else { 256 << 20 };
/// All streams of a file together.
const MOST: usize = 2 << 30;
/// Packed data within packed data.
const LAYERS: usize = 4;
/// What stands in the place of an object stream that is too large.
const REFUSED: &[u8] = b"PortolanRefused";

/// Opens a file without a password; nothing of it unpacks to more than `LARGEST`.
pub fn open(bytes: &[u8]) -> Result<Document, String> {
    check_packed(bytes)?;
    pdf_xref::check(bytes)?;
    let options = LoadOptions::with_filter(|id, object| Some((id, without_bomb(object))));
    let mut document = Document::load_mem_with_options(bytes, options).map_err(|cause| cause.to_string())?;
    if document.is_encrypted() {
        document.decrypt("").map_err(|cause| cause.to_string())?;
    }
    for object in document.objects.values() {
        match object {
            Object::Stream(stream) => drop(unpacked(stream, LARGEST)?),
            Object::Name(name) if name == REFUSED => return Err(too_large(LARGEST)),
            _ => {}
        }
    }
    Ok(document)
}

/// How many bytes a stream unpacks to; an error past `limit`.
pub fn unpacked(stream: &Stream, limit: usize) -> Result<usize, String> {
    let Ok(filters) = stream.filters() else {
        return within(stream.content.len(), limit);
    };
    let parameters = stream.dict.get(b"DecodeParms");
    let mut content = stream.content.clone();
    let mut size = content.len();
    for (at, filter) in filters.iter().enumerate() {
        let mut dictionary = Dictionary::new();
        dictionary.set("Filter", Object::Name(filter.to_vec()));
        if let Ok(parameters) = parameters {
            dictionary.set("DecodeParms", parameters.clone());
        }
        let layer = Stream::new(dictionary, content);
        size = within(layer_size(&layer, filter, limit), limit)?;
        if at + 1 == filters.len() {
            break;
        }
        // What no reader can unpack is read as it is.
        let Ok(next) = layer.decompressed_content() else { break };
        content = next;
    }
    Ok(size)
}

fn layer_size(layer: &Stream, filter: &[u8], limit: usize) -> usize {
    match filter {
        b"FlateDecode" => inflate(&layer.content, &mut Count { bytes: 0, limit }),
        b"LZWDecode" => {
            use weezl::{BitOrder, decode::Decoder};
            let parameters = layer.dict.get(b"DecodeParms").and_then(Object::as_dict);
            let early = parameters
                .and_then(|parameters| parameters.get(b"EarlyChange"))
                .and_then(Object::as_i64);
            let mut decoder = if early.unwrap_or(1) == 0 {
                Decoder::new(BitOrder::Msb, 8)
            } else {
                Decoder::with_tiff_size_switch(BitOrder::Msb, 8)
            };
            let mut count = Count { bytes: 0, limit };
            // Damaged data gives what came before the damage.
            drop(decoder.into_stream(&mut count).decode_all(layer.content.as_slice()));
            count.bytes
        }
        // A letter stands for four bytes at most.
        b"ASCII85Decode" => layer.content.len() * 4,
        _ => layer.content.len(),
    }
}

/// Counts what the zlib data in `bytes` unpacks to, like the reader does it: without a good head, it is raw.
fn inflate(bytes: &[u8], into: &mut Count) -> usize {
    drop(io::copy(&mut ZlibDecoder::new(bytes), into));
    if into.bytes == 0 && bytes.len() > 2 {
        drop(io::copy(&mut DeflateDecoder::new(&bytes[2..]), into));
    }
    into.bytes
}

/// Tables of contents are unpacked while a file is opened, before anybody can ask: so all that may be packed is tried.
fn check_packed(bytes: &[u8]) -> Result<(), String> {
    let mut whole = 0;
    let left = Cell::new(readable(bytes));
    for (at, window) in bytes.windows(b"stream".len()).enumerate() {
        if window != b"stream" || bytes[..at].ends_with(b"end") {
            continue;
        }
        let data = data(&bytes[at + window.len()..]);
        whole += packed(Metered { data, left: &left })?;
        within(whole, MOST)?;
        if left.get() == 0 {
            return Err("its packed data lie within each other".to_owned());
        }
    }
    Ok(())
}

/// The data after the word `stream`: it begins on the next line.
pub fn data(after: &[u8]) -> &[u8] {
    let blanks = after.iter().take_while(|byte| b" \t".contains(byte)).count();
    let rest = &after[blanks..];
    let line = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n"));
    line.or_else(|| rest.strip_prefix(b"\r")).unwrap_or(rest)
}

/// How much of the data of `bytes` may be looked at, all in all: what lies within other data is looked at again.
pub fn readable(bytes: &[u8]) -> usize {
    let least = if cfg!(test) { 1 << 20 } else { 64 << 20 };
    least + 64 * bytes.len()
}

fn packed(data: Metered<'_>) -> Result<usize, String> {
    let mut whole = 0;
    for layers in 1..=LAYERS {
        let mut reader: Box<dyn BufRead + '_> = Box::new(data);
        for _ in 1..layers {
            reader = Box::new(BufReader::with_capacity(4_096, ZlibDecoder::new(reader)));
        }
        let mut count = Count {
            bytes: 0,
            limit: LARGEST,
        };
        drop(io::copy(&mut ZlibDecoder::new(reader), &mut count));
        if layers == 1 && count.bytes == 0 && data.data.len() > 2 {
            let rest = Metered {
                data: &data.data[2..],
                ..data
            };
            drop(io::copy(&mut DeflateDecoder::new(rest), &mut count));
        }
        if count.bytes == 0 {
            break;
        }
        whole += within(count.bytes, LARGEST)?;
    }
    Ok(whole)
}

/// The reader goes on with `object` as it is left here, and takes what comes back for one out of an object stream,
/// where no stream can be.
fn without_bomb(object: &mut Object) -> Object {
    if let Object::Stream(stream) = object {
        if stream.dict.has_type(b"ObjStm") && unpacked(stream, LARGEST).is_err() {
            *object = Object::Name(REFUSED.to_vec());
        }
        return Object::Null;
    }
    object.clone()
}

fn within(size: usize, limit: usize) -> Result<usize, String> {
    if size > limit { Err(too_large(limit)) } else { Ok(size) }
}

fn too_large(limit: usize) -> String {
    format!("it unpacks to over {} MB", limit >> 20)
}

/// Data that are read while `left` lasts.
#[derive(Clone, Copy)]
struct Metered<'a> {
    data: &'a [u8],
    left: &'a Cell<usize>,
}

impl Read for Metered<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.data[..self.data.len().min(self.left.get())])
    }

    fn consume(&mut self, count: usize) {
        self.data = &self.data[count..];
        self.left.set(self.left.get() - count);
    }
}

/// Counts up to a little past its limit.
struct Count {
    bytes: usize,
    limit: usize,
}

impl Write for Count {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.bytes += part.len();
        if self.bytes > self.limit {
            return Err(io::Error::other("enough"));
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
