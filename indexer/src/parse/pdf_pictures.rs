//! The pictures that a page of a PDF shows, each as a file of its own that other programs read.

use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::pdf_cycles::{contents, drawn, resources};

/// Pictures of a page that are looked at, and drawings within drawings.
const MOST: usize = 32;
const DEEPEST: usize = 8;
/// Smaller ones hold no line of words, in points of the picture.
const NARROWEST: usize = 60;
const LOWEST: usize = 20;
/// The largest picture: A3 at 600 points an inch is 70 million.
const MOST_POINTS: usize = 100_000_000;

/// A picture as a file, or why there is none.
pub type Picture = Result<Vec<u8>, String>;

/// The pictures of a page, in the order in which they are drawn; nothing in it draws itself, as `pdf_cycles` has seen.
pub fn of(document: &Document, page: ObjectId) -> Vec<Picture> {
    let nothing = Dictionary::new();
    let resources = resources(document, page).ok().flatten().unwrap_or(&nothing);
    let mut walk = Walk {
        document,
        seen: Vec::new(),
        pictures: Vec::new(),
    };
    let content = document.get_page_content(page).unwrap_or_default();
    walk.follow(&content, resources, 0);
    walk.pictures
}

struct Walk<'a> {
    document: &'a Document,
    seen: Vec<*const Stream>,
    pictures: Vec<Picture>,
}

impl<'a> Walk<'a> {
    fn follow(&mut self, content: &[u8], resources: &'a Dictionary, depth: usize) {
        let drawings = resources.get_deref(b"XObject", self.document).and_then(Object::as_dict);
        let Ok(drawings) = drawings else { return };
        for name in drawn(content) {
            let drawing = drawings.get_deref(&name, self.document).and_then(Object::as_stream);
            let Ok(stream) = drawing else { continue };
            if self.pictures.len() == MOST || self.seen.contains(&std::ptr::from_ref(stream)) {
                continue;
            }
            self.seen.push(stream);
            match stream.dict.get(b"Subtype").and_then(Object::as_name) {
                Ok(b"Image") => self.pictures.extend(picture(self.document, stream)),
                Ok(b"Form") if depth < DEEPEST => {
                    let own = stream.dict.get_deref(b"Resources", self.document);
                    let resources = own.and_then(Object::as_dict).unwrap_or(resources);
                    self.follow(&contents(stream), resources, depth + 1);
                }
                _ => {}
            }
        }
    }
}

/// One picture, unless it is too small for words.
fn picture(document: &Document, stream: &Stream) -> Option<Picture> {
    let size = |key: &[u8]| {
        let size = stream.dict.get_deref(key, document).and_then(Object::as_i64);
        size.ok()
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or_default()
    };
    let (width, height) = (size(b"Width"), size(b"Height"));
    if width < NARROWEST || height < LOWEST {
        return None;
    }
    if width.saturating_mul(height) > MOST_POINTS {
        return Some(Err(format!("a picture of {width} by {height} points is too large")));
    }
    Some(file(document, stream, (width, height)))
}

fn file(document: &Document, stream: &Stream, (width, height): (usize, usize)) -> Picture {
    let filters = stream.filters().unwrap_or_default();
    let (last, before) = match filters.split_last() {
        Some((last, before)) => (*last, before),
        None => (&b""[..], &[][..]),
    };
    match last {
        b"DCTDecode" | b"DCT" => unpacked(stream, before),
        b"CCITTFaxDecode" | b"CCF" => {
            let fax = unpacked(stream, before)?;
            Ok(tiff(&Fax::of(document, stream, (width, height)), &fax))
        }
        b"JPXDecode" => Err("a picture in JPEG 2000 is not read".to_owned()),
        b"JBIG2Decode" => Err("a picture in JBIG2 is not read".to_owned()),
        _ => {
            let samples = unpacked(stream, &filters)?;
            Grey::of(document, stream)?.file(&samples, (width, height))
        }
    }
}

/// The content without these packings, of which nothing unpacks to more than `pdf_sizes` lets pass.
fn unpacked(stream: &Stream, filters: &[&[u8]]) -> Result<Vec<u8>, String> {
    if filters.is_empty() {
        return Ok(stream.content.clone());
    }
    let mut dictionary = stream.dict.clone();
    let names: Vec<Object> = filters.iter().map(|name| Object::Name(name.to_vec())).collect();
    dictionary.set("Filter", names);
    let packed = Stream::new(dictionary, stream.content.clone());
    packed
        .decompressed_content()
        .map_err(|_| "a picture is packed in a way that is not known".to_owned())
}

/// How a fax is written.
struct Fax {
    width: usize,
    height: usize,
    /// Below 0 in two dimensions (group 4), 0 in one, above 0 mixed.
    k: i64,
    /// White on black.
    inverted: bool,
}

impl Fax {
    fn of(document: &Document, stream: &Stream, (width, height): (usize, usize)) -> Self {
        let nothing = Dictionary::new();
        let parameters = stream.dict.get_deref(b"DecodeParms", document);
        let parameters = match parameters {
            // One for each packing.
            Ok(Object::Array(list)) => list.last().and_then(|last| last.as_dict().ok()),
            Ok(Object::Dictionary(one)) => Some(one),
            _ => None,
        };
        let parameters = parameters.unwrap_or(&nothing);
        let number = |key: &[u8]| parameters.get_deref(key, document).and_then(Object::as_i64);
        let columns = number(b"Columns").unwrap_or(1_728);
        let black_is_one = parameters.get_deref(b"BlackIs1", document).and_then(Object::as_bool);
        Self {
            width: usize::try_from(columns)
                .ok()
                .filter(|columns| *columns > 0)
                .unwrap_or(width),
            height,
            k: number(b"K").unwrap_or_default(),
            inverted: black_is_one.unwrap_or_default() != is_inverted(document, stream),
        }
    }
}

/// A TIFF file of one strip: the fax as it stands, behind a table of what it is.
fn tiff(fax: &Fax, content: &[u8]) -> Vec<u8> {
    let compression = if fax.k < 0 { 4 } else { 3 };
    let entries: [(u16, u32); 9] = [
        (256, fax.width as u32),
        (257, fax.height as u32),
        (258, 1),
        (259, compression),
        (262, u32::from(fax.inverted)),
        // The strip begins behind the table.
        (273, 8 + 2 + 9 * 12 + 4),
        (278, fax.height as u32),
        (279, content.len() as u32),
        (if fax.k < 0 { 293 } else { 292 }, u32::from(fax.k > 0)),
    ];
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        file.extend(tag.to_le_bytes());
        // One 32-bit number.
        file.extend([4, 0, 1, 0, 0, 0]);
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(content);
    file
}

fn is_inverted(document: &Document, stream: &Stream) -> bool {
    let decode = stream.dict.get_deref(b"Decode", document).and_then(Object::as_array);
    let ends = decode
        .ok()
        .and_then(|list| Some((list.first()?.as_float().ok()?, list.get(1)?.as_float().ok()?)));
    ends.is_some_and(|(first, second)| first > second)
}

/// How samples become shades of grey, which is all that reading takes.
struct Grey {
    /// Bits of a sample.
    bits: usize,
    /// Samples of a point: grey, red-green-blue, or inks.
    samples: usize,
    /// The shade that each sample means, where it is a number of a colour.
    palette: Option<Vec<u8>>,
    inverted: bool,
}

impl Grey {
    fn of(document: &Document, stream: &Stream) -> Result<Self, String> {
        let is_mask = stream.dict.get_deref(b"ImageMask", document).and_then(Object::as_bool);
        let bits = stream
            .dict
            .get_deref(b"BitsPerComponent", document)
            .and_then(Object::as_i64);
        let (bits, samples, palette) = if is_mask.unwrap_or_default() {
            (1, 1, None)
        } else {
            let unknown = || "the colours of a picture are not known".to_owned();
            let colours = stream.dict.get_deref(b"ColorSpace", document).map_err(|_| unknown())?;
            let palette = palette(document, colours);
            let samples = if palette.is_some() {
                Some(1)
            } else {
                samples(document, colours)
            };
            (bits.unwrap_or(8), samples.ok_or_else(unknown)?, palette)
        };
        if !matches!(bits, 1 | 2 | 4 | 8 | 16) {
            return Err(format!("a picture with {bits} bits a sample is not read"));
        }
        Ok(Self {
            bits: bits as usize,
            samples,
            palette,
            inverted: is_inverted(document, stream),
        })
    }

    /// A PGM file; rows that are missing at the end are left out.
    fn file(&self, content: &[u8], (width, height): (usize, usize)) -> Picture {
        let stride = (width * self.samples * self.bits).div_ceil(8);
        let rows: Vec<&[u8]> = content.chunks_exact(stride).take(height).collect();
        if rows.is_empty() {
            return Err("a picture is cut off".to_owned());
        }
        let mut file = format!("P5\n{width} {}\n255\n", rows.len()).into_bytes();
        file.reserve(width * rows.len());
        for row in rows {
            file.extend((0..width).map(|at| self.shade(row, at)));
        }
        Ok(file)
    }

    fn shade(&self, row: &[u8], at: usize) -> u8 {
        let sample = |number: usize| self.sample(row, at * self.samples + number);
        if let Some(palette) = &self.palette {
            return palette.get(sample(0)).copied().unwrap_or(u8::MAX);
        }
        let most = (1 << self.bits.min(8)) - 1;
        let level = |number: usize| sample(number) * 255 / most;
        let shade = match self.samples {
            3 => (level(0) * 30 + level(1) * 59 + level(2) * 11) / 100,
            // Inks take light away, black most of all.
            4 => (255 - level(3)) * (255 - (level(0) * 30 + level(1) * 59 + level(2) * 11) / 100) / 255,
            _ => level(0),
        };
        if self.inverted { 255 - shade as u8 } else { shade as u8 }
    }

    /// One sample of a row; of 16 bits the upper half.
    fn sample(&self, row: &[u8], at: usize) -> usize {
        match self.bits {
            8 => usize::from(row[at]),
            16 => usize::from(row[at * 2]),
            bits => {
                let from = at * bits;
                let byte = usize::from(row[from / 8]);
                (byte >> (8 - bits - from % 8)) & ((1 << bits) - 1)
            }
        }
    }
}

/// How many samples a point has in these colours.
fn samples(document: &Document, colours: &Object) -> Option<usize> {
    if let Ok(name) = colours.as_name() {
        return match name {
            b"DeviceGray" | b"CalGray" | b"G" => Some(1),
            b"DeviceRGB" | b"CalRGB" | b"RGB" | b"Lab" => Some(3),
            b"DeviceCMYK" | b"CMYK" => Some(4),
            _ => None,
        };
    }
    let list = colours.as_array().ok()?;
    let name = list.first()?;
    if name.as_name().ok()? != b"ICCBased" {
        return samples(document, name);
    }
    let (_, profile) = document.dereference(list.get(1)?).ok()?;
    let count = profile
        .as_stream()
        .ok()?
        .dict
        .get_deref(b"N", document)
        .and_then(Object::as_i64);
    count
        .ok()
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| matches!(count, 1 | 3 | 4))
}

/// The shades of numbered colours, where these are.
fn palette(document: &Document, colours: &Object) -> Option<Vec<u8>> {
    let [kind, base, _, table] = &colours.as_array().ok()?[..] else {
        return None;
    };
    if !matches!(kind.as_name().ok()?, b"Indexed" | b"I") {
        return None;
    }
    let (_, base) = document.dereference(base).ok()?;
    let (_, table) = document.dereference(table).ok()?;
    let table = match table {
        Object::String(bytes, _) => bytes.clone(),
        Object::Stream(stream) => contents(stream),
        _ => return None,
    };
    let base = Grey {
        bits: 8,
        samples: samples(document, base)?,
        palette: None,
        inverted: false,
    };
    let colours = table.chunks_exact(base.samples).take(256);
    Some(colours.map(|colour| base.shade(colour, 0)).collect())
}

#[cfg(test)]
#[path = "pdf_pictures_tests.rs"]
mod tests;
