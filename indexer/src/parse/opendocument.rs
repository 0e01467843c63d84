//! OpenDocument texts, sheets and slides to a page, from a package or from one flat file.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

use super::package::{Package, Room};
use super::page::Page;
use super::rows::Cells;
use super::xml::{attribute, local};

/// Deeper files are refused.
const DEEPEST: usize = 1_000;
/// The most spaces that one element stands for.
const MOST_SPACES: usize = 100;

/// Writes an OpenDocument package on a page.
pub fn parse(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    let mut package = Package::open(bytes)?;
    if let Ok(manifest) = package.text("META-INF/manifest.xml", room)
        && manifest.contains("encryption-data")
    {
        return Err("it has a password".to_owned());
    }
    let content = package.text("content.xml", room)?;
    let mut page = flat(&content)?;
    if page.title.is_none()
        && let Ok(about) = package.text("meta.xml", room)
    {
        page.title = flat(&about)?.title;
    }
    Ok(page)
}

/// Writes a flat OpenDocument file on a page.
pub fn flat(text: &str) -> Result<Page, String> {
    let mut reader = Reader::from_str(text);
    let mut walk = Walk::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                walk.open(&tag)?;
            }
            Ok(Event::Empty(tag)) => {
                walk.open(&tag)?;
                walk.close()?;
            }
            Ok(Event::End(_)) => walk.close()?,
            Ok(Event::Text(words)) => walk.words(&words),
            Ok(Event::CData(words)) => walk.words(&words),
            Ok(Event::GeneralRef(name)) => walk.reference(&name),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            // What comes before the damage is read.
            Err(_) if !walk.page.text.is_empty() => break,
            Err(cause) => return Err(format!("it is damaged ({cause})")),
        }
    }
    Ok(walk.page)
}

/// What is open around the place that the walk has come to.
#[derive(Default)]
struct Walk {
    page: Page,
    /// Names of the open elements.
    open: Vec<String>,
    /// From this depth on nothing is written.
    hidden: Option<usize>,
    /// From this depth on words are the title.
    title: Option<usize>,
    /// Depth of the first open sheet, and what it holds.
    sheet: Option<(usize, Sheet)>,
    is_book: bool,
    slides: usize,
    /// Footnotes that are open: they stay on the line of their mark.
    notes: usize,
    level: u8,
}

#[derive(Default)]
struct Sheet {
    name: String,
    cells: Cells,
    row: u32,
    column: u32,
    cell: String,
    /// For how many columns and rows the open cell and the open row stand.
    repeated: (u32, u32),
    value: Option<String>,
}

impl Walk {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = local(tag);
        self.open.push(name);
        if self.open.len() > DEEPEST {
            return Err(format!("it nests over {DEEPEST} elements"));
        }
        if self.hidden.is_some() {
            return Ok(());
        }
        let name = self.open.last().map(String::as_str).unwrap_or_default();
        match name {
            "annotation" | "tracked-changes" | "scripts" | "automatic-styles" | "master-styles" | "styles"
            | "font-face-decls" | "binary-data" | "note-citation" | "shapes" | "desc" => {
                self.hidden = Some(self.open.len());
            }
            "title" if self.open.iter().any(|outer| outer == "meta") => self.title = Some(self.open.len()),
            "spreadsheet" => self.is_book = true,
            "table" if self.is_book && self.sheet.is_none() => {
                let name = attribute(tag, "name").unwrap_or_default();
                let sheet = Sheet {
                    name,
                    ..Sheet::default()
                };
                self.sheet = Some((self.open.len(), sheet));
            }
            _ if self.sheet.is_some() => self.open_in_sheet(tag),
            _ => self.open_in_text(tag),
        }
        Ok(())
    }

    fn open_in_sheet(&mut self, tag: &BytesStart<'_>) {
        let Some((_, sheet)) = &mut self.sheet else { return };
        let count = |name: &str| attribute(tag, name).and_then(|count| count.parse().ok()).unwrap_or(1);
        match local(tag).as_str() {
            "table-row" => {
                sheet.column = 0;
                sheet.repeated.1 = count("number-rows-repeated");
            }
            "table-cell" | "covered-table-cell" => {
                sheet.repeated.0 = count("number-columns-repeated");
                sheet.cell.clear();
                sheet.value = attribute(tag, "date-value").or_else(|| attribute(tag, "value"));
            }
            "p" | "line-break" | "tab" | "s" if !sheet.cell.is_empty() => sheet.cell.push(' '),
            _ => {}
        }
    }

    fn open_in_text(&mut self, tag: &BytesStart<'_>) {
        let page = &mut self.page;
        match local(tag).as_str() {
            "h" => {
                self.level = attribute(tag, "outline-level")
                    .and_then(|level| level.parse().ok())
                    .unwrap_or(1);
                page.start_heading(self.level.clamp(1, 6));
            }
            "p" if self.notes == 0 => page.block(),
            "list-item" | "list-header" => page.start_item(),
            "table-row" => page.start_row(),
            "table-cell" | "covered-table-cell" => page.start_cell(),
            "table" | "list" => page.block(),
            "line-break" => page.line(),
            "tab" => page.verbatim("\t"),
            "s" => {
                let count = attribute(tag, "c").and_then(|count| count.parse().ok()).unwrap_or(1);
                page.verbatim(&" ".repeat(count.min(MOST_SPACES)));
            }
            "note" => {
                self.notes += 1;
                page.verbatim(" [");
            }
            "page" if self.open.iter().any(|outer| outer == "presentation") => {
                self.slides += 1;
                self.page.turn();
                self.page.heading(1, &format!("Slide {}", self.slides));
            }
            "notes" => self.page.heading(2, "Notes"),
            _ => {}
        }
    }

    fn close(&mut self) -> Result<(), String> {
        let depth = self.open.len();
        let Some(name) = self.open.pop() else { return Ok(()) };
        if let Some(from) = self.hidden {
            if from == depth {
                self.hidden = None;
            }
            return Ok(());
        }
        if self.title == Some(depth) {
            self.title = None;
        }
        if let Some((from, sheet)) = &mut self.sheet {
            if *from == depth {
                let sheet = self.sheet.take().map(|(_, sheet)| sheet).unwrap_or_default();
                sheet.cells.write(&sheet.name, &mut self.page)?;
                return Ok(());
            }
            return sheet.close(&name);
        }
        match name.as_str() {
            "h" => self.page.end_heading(),
            "p" if self.notes == 0 => self.page.block(),
            "list-item" | "list-header" => self.page.end_item(),
            "table-row" => self.page.end_row(),
            "table-cell" | "covered-table-cell" => self.page.end_cell(),
            "table" | "list" => self.page.block(),
            "note" => {
                self.notes = self.notes.saturating_sub(1);
                self.page.verbatim("]");
            }
            _ => {}
        }
        Ok(())
    }

    fn words(&mut self, words: &str) {
        if self.hidden.is_some() {
            return;
        }
        if self.title.is_some() {
            self.page.title.get_or_insert_default().push_str(words);
        } else if let Some((_, sheet)) = &mut self.sheet {
            if self.open.iter().any(|name| name == "p") {
                sheet.cell.push_str(words);
            }
        } else if self.open.iter().any(|name| name == "p" || name == "h") {
            self.page.flowing(words);
        }
    }

    /// Writes what a reference such as `&amp;` stands for; the file's own entities stand for nothing.
    fn reference(&mut self, name: &str) {
        let number = name
            .strip_prefix('#')
            .and_then(|number| match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => number.parse().ok(),
            });
        let character = number.and_then(char::from_u32).map(String::from);
        let known = character.or_else(|| resolve_predefined_entity(name).map(str::to_owned));
        self.words(&known.unwrap_or_default());
    }
}

impl Sheet {
    fn close(&mut self, name: &str) -> Result<(), String> {
        match name {
            "table-cell" | "covered-table-cell" => {
                let text = if self.cell.trim().is_empty() {
                    self.value.take().unwrap_or_default()
                } else {
                    std::mem::take(&mut self.cell)
                };
                // A value that is repeated says nothing new, so it is written once.
                self.cells.add(self.row, self.column, text)?;
                self.column = self.column.saturating_add(self.repeated.0);
            }
            "table-row" => self.row = self.row.saturating_add(self.repeated.1.max(1)),
            _ => {}
        }
        Ok(())
    }
}
