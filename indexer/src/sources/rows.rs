//! Files whose rows are the documents: JSON lines, and tables of values with a line of names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use serde_json::Value;

use super::fields::{self, Fields, Row};
use super::folder::{modified, open};
use super::{Before, Entry, MAX_FILE_BYTES, Part, ROWS, Reading, Reason, Skipped, Source, SourceError};
use crate::parse::{HEAD_BYTES, delimiter};
use crate::types::Item;

/// At the beginning of some files.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file whose rows are documents.
pub struct Rows {
    key: String,
    path: PathBuf,
    /// What the file is called.
    name: String,
    fields: Fields,
    form: Form,
    file: File,
    spans: Vec<Span>,
    part: Part,
    /// The line of each name.
    lines: BTreeMap<String, u64>,
}

/// How rows are written.
enum Form {
    Json,
    Table { delimiter: u8, header: Vec<String> },
}

/// Where a row stands.
struct Span {
    start: u64,
    length: u64,
    line: u64,
}

impl Rows {
    /// Opens the file at `path`.
    pub fn open(path: &Path, fields: &Fields) -> Result<Self, SourceError> {
        fields::check(fields).map_err(SourceError::Other)?;
        let path = path.canonicalize().map_err(|cause| SourceError::of(path, cause))?;
        let mut file = open(&path).map_err(|cause| SourceError::of(&path, cause))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| SourceError::Unsupported(path.clone()))?.to_owned();
        let mut head = Vec::new();
        (&mut file)
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(|cause| SourceError::of(&path, cause))?;
        let form = Form::of(&path, &head);
        Ok(Self {
            key: format!("{}{ROWS}", path.display()),
            fields: fields.clone(),
            spans: Vec::new(),
            part: Part::default(),
            lines: BTreeMap::new(),
            path,
            name,
            form,
            file,
        })
    }

    fn list_json(&mut self) -> std::io::Result<()> {
        let file = File::open(&self.path)?;
        let mut reader = BufReader::new(file);
        let (mut start, mut line) = (0, 0);
        loop {
            let mut bytes = Vec::new();
            let mut length = (&mut reader).take(MAX_FILE_BYTES + 1).read_until(b'\n', &mut bytes)? as u64;
            if length == 0 {
                return Ok(());
            }
            line += 1;
            let span = Span { start, length, line };
            if length > MAX_FILE_BYTES {
                if bytes.last() != Some(&b'\n') {
                    length += reader.skip_until(b'\n')? as u64;
                }
                self.fault(line, "it is over 64 MB; split it".to_owned());
            } else if !bytes.trim_ascii().is_empty() && bytes != BYTE_ORDER_MARK {
                self.add(span, &bytes);
            }
            start += length;
        }
    }

    fn list_table(&mut self, delimiter: u8) -> csv::Result<()> {
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_path(&self.path)?;
        let mut record = ByteRecord::new();
        let mut is_header = true;
        while reader.read_byte_record(&mut record)? {
            let (start, line) = record.position().map_or((0, 0), |at| (at.byte(), at.line()));
            let length = reader.position().byte() - start;
            if std::mem::take(&mut is_header) {
                let names = record
                    .iter()
                    .map(|name| String::from_utf8_lossy(name).trim().to_owned());
                let header = names.collect();
                self.form = Form::Table { delimiter, header };
                continue;
            }
            let bytes = slice(&mut self.file, start, length);
            match bytes {
                Ok(bytes) => self.add(Span { start, length, line }, &bytes),
                Err(cause) => self.fault(line, cause.to_string()),
            }
        }
        Ok(())
    }

    /// Adds the row that stands there, if it makes a document.
    fn add(&mut self, span: Span, bytes: &[u8]) {
        let line = span.line;
        let item = match self.item(bytes, line) {
            Ok(item) => item,
            Err(fault) => return self.fault(line, fault),
        };
        if let Some(first) = self.lines.get(&item.uri) {
            let fault = format!("line {first} has the name `{}`, too", item.uri);
            return self.fault(line, fault);
        }
        self.lines.insert(item.uri.clone(), line);
        self.part.entries.push(Entry {
            uri: item.uri,
            at: self.spans.len(),
            size: item.bytes.len() as u64,
            modified: None,
            tag: None,
        });
        self.spans.push(span);
    }

    fn fault(&mut self, line: u64, fault: String) {
        self.part.skipped.push(Skipped {
            name: format!("{}:{line}", self.name),
            reason: Reason::Fault(fault),
        });
    }

    fn item(&self, bytes: &[u8], line: u64) -> Result<Item, String> {
        let row = self.form.row(bytes)?;
        let name = |id: Option<&str>| match id {
            Some(id) => format!("{}#{id}", self.name),
            None => format!("{}#{line}", self.name),
        };
        fields::item(&row, &self.fields, name)
    }
}

impl Source for Rows {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, _: &Before) -> Result<Part, SourceError> {
        let listed = match self.form {
            Form::Json => self.list_json(),
            Form::Table { delimiter, .. } => self.list_table(delimiter).map_err(std::io::Error::other),
        };
        listed.map_err(|cause| SourceError::of(&self.path, cause))?;
        self.lines.clear();
        self.part.last = true;
        Ok(std::mem::take(&mut self.part))
    }

    fn read(&mut self, entry: &Entry, _: Option<&str>) -> Result<Reading, SourceError> {
        let Span { start, length, line } = self.spans[entry.at];
        let bytes = slice(&mut self.file, start, length).map_err(|cause| SourceError::of(&self.path, cause))?;
        let facts = self
            .file
            .metadata()
            .map_err(|cause| SourceError::of(&self.path, cause))?;
        let other = || SourceError::Other(format!("line {line} changed meanwhile; index the file again"));
        let item = self.item(&bytes, line).map_err(|_| other())?;
        if item.uri != entry.uri {
            return Err(other());
        }
        let modified = modified(&facts);
        Ok(Reading::Item(Item { modified, ..item }, None))
    }
}

impl Form {
    fn of(path: &Path, head: &[u8]) -> Self {
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .map(str::to_ascii_lowercase);
        let is_json = match ending.as_deref() {
            Some("jsonl" | "ndjson") => true,
            Some("csv" | "tsv") => false,
            _ => head.trim_ascii_start().first() == Some(&b'{'),
        };
        if is_json {
            return Self::Json;
        }
        Self::Table {
            delimiter: delimiter(&String::from_utf8_lossy(head)),
            header: Vec::new(),
        }
    }

    fn row(&self, bytes: &[u8]) -> Result<Row, String> {
        let text = str::from_utf8(bytes).map_err(|_| "it is not UTF-8; save the file as UTF-8".to_owned())?;
        match self {
            Self::Json => match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
                Ok(Value::Object(row)) => Ok(row),
                Ok(_) => Err("it is no JSON object, such as {\"id\": 1, \"text\": \"words\"}".to_owned()),
                Err(error) => Err(format!("it is no JSON: {error}")),
            },
            Self::Table { delimiter, header } => cells(text, *delimiter, header),
        }
    }
}

fn cells(text: &str, delimiter: u8, header: &[String]) -> Result<Row, String> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    if record.len() != header.len() {
        let (values, names) = (record.len(), header.len());
        return Err(format!("it has {values} values, and the first line names {names}"));
    }
    let cells = header.iter().zip(&record).filter(|(_, cell)| !cell.trim().is_empty());
    Ok(cells.map(|(name, cell)| (name.clone(), value(cell))).collect())
}

/// A number or a truth value where writing it again gives the same letters, so that filters can compare it.
fn value(cell: &str) -> Value {
    let cell = cell.trim();
    let is_same = |value: &Value| {
        let again = value.to_string();
        (value.is_number() || value.is_boolean()) && again == cell
    };
    let value = serde_json::from_str(cell).ok().filter(is_same);
    value.unwrap_or_else(|| cell.into())
}

fn slice(file: &mut File, start: u64, length: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::with_capacity(length.min(MAX_FILE_BYTES) as usize);
    file.take(length.min(MAX_FILE_BYTES)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, content: &[u8], items: &[(&str, &str)], faults: &[(&str, &str)]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut rows = Rows::open(&path, &Fields::new()).unwrap();
        let part = rows.list(&Before::new()).unwrap();
        let mut found = Vec::new();
        for entry in &part.entries {
            let Reading::Item(item, None) = rows.read(entry, None).unwrap() else {
                panic!("no item");
            };
            found.push((item.uri, String::from_utf8(item.bytes).unwrap()));
        }
        let found: Vec<(&str, &str)> = found.iter().map(|(uri, text)| (uri.as_str(), text.as_str())).collect();
        assert_eq!(found, items);
        assert_eq!(part.skipped.len(), faults.len(), "{:?}", part.skipped);
        for (skipped, (place, words)) in part.skipped.iter().zip(faults) {
            assert_eq!(skipped.name, *place);
            assert!(
                matches!(&skipped.reason, Reason::Fault(fault) if fault.contains(words)),
                "{skipped:?}"
            );
        }
    }

    #[test]
    fn a_line_of_json_is_a_document_and_a_bad_line_costs_itself_alone() {
        check(
            "a.jsonl",
            "\u{feff}{\"id\":1,\"text\":\"one\"}\n\n{\"id\":2\n{\"id\":1,\"text\":\"again\"}\r\n[]\n\
             {\"id\":\"é\",\"text\":\"two\"}"
                .as_bytes(),
            &[("a.jsonl#1", "one"), ("a.jsonl#é", "two")],
            &[
                ("a.jsonl:3", "no JSON"),
                ("a.jsonl:4", "line 1"),
                ("a.jsonl:5", "object"),
            ],
        );
        check("b.jsonl", b"{\"text\":\"\xff\"}\n", &[], &[("b.jsonl:1", "UTF-8")]);
        check("c.jsonl", b"", &[], &[]);
    }

    #[test]
    fn a_row_of_a_table_is_a_document() {
        check(
            "a.csv",
            b"id;text;price\n1;\"one\nand; more\";2\n2;two\n\n007;three;4.50\n",
            &[("a.csv#1", "one\nand; more"), ("a.csv#007", "three")],
            &[("a.csv:4", "2 values")],
        );
        check(
            "b.tsv",
            b"\xef\xbb\xbfid\ttext\nx\twords\n",
            &[("b.tsv#x", "words")],
            &[],
        );
        check("c.csv", b"sku,length\n7,2\n", &[("c.csv#2", "sku: 7\nlength: 2")], &[]);
    }

    #[test]
    fn cells_that_are_numbers_are_numbers() {
        let check = |cell: &str, expected: Value| assert_eq!(value(cell), expected);
        check(" 12 ", 12.into());
        check("-1.5", (-1.5).into());
        check("true", true.into());
        check("007", "007".into());
        check("1.50", "1.50".into());
        check("\"x\"", "\"x\"".into());
    }
}
