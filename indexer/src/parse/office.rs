//! Word and PowerPoint files, new and old, and old Excel files: what `undoc` finds in them, written on a page.

use undoc::model::{Block, Cell, Paragraph, RevisionType, Section, Table};

use super::kind::Kind;
use super::package::{Package, Room};
use super::page::Page;
use super::rows::Rows;
use super::{apart, kind, member};

/// Old files are read into memory whole, cell by cell; no real one is larger.
const MOST_OLD_BYTES: usize = 32 << 20;

/// Which kind of document a zip file is, if it is one.
pub fn packed(bytes: &[u8]) -> Option<Kind> {
    let mut package = Package::open(bytes).ok()?;
    let is_office = package.has("[Content_Types].xml");
    for name in package.names() {
        match name.split('/').next().unwrap_or_default() {
            "word" if is_office => return Some(Kind::Word),
            "ppt" if is_office => return Some(Kind::Slides),
            "xl" if is_office => return Some(Kind::Workbook),
            _ => {}
        }
    }
    if package.has("META-INF/container.xml") {
        return Some(Kind::Epub);
    }
    let kind = package.text("mimetype", &mut Room::default()).ok()?;
    if kind.starts_with("application/vnd.oasis.opendocument") || kind.starts_with("application/vnd.sun.xml") {
        return Some(Kind::OpenDocument);
    }
    kind.starts_with("application/epub").then_some(Kind::Epub)
}

/// Which kind of document an old compound file is: its parts have names in UTF-16.
pub fn compound(bytes: &[u8]) -> Kind {
    let has = |name: &str| {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0]).collect();
        bytes.windows(name.len()).any(|part| part == name)
    };
    if has("EncryptedPackage") {
        Kind::Compound
    } else if has("WordDocument") {
        Kind::OldWord
    } else if has("PowerPoint Document") {
        Kind::OldSlides
    } else if has("Workbook") || has("Book") {
        Kind::OldWorkbook
    } else {
        Kind::Compound
    }
}

/// Writes a Word or PowerPoint file, or an old Excel file, on a page.
pub fn parse(kind: Kind, bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    if kind == Kind::Compound {
        return Err("it is locked with a password, or no document".to_owned());
    }
    if matches!(kind, Kind::Word | Kind::Slides) {
        let mut package = Package::open(bytes)?;
        package.check(room)?;
        package.check_depth()?;
    } else if bytes.len() > MOST_OLD_BYTES {
        return Err(format!("it is an old file of over {} MB", MOST_OLD_BYTES >> 20));
    }
    let document = apart::run(|| undoc::parse_bytes(bytes).map_err(|cause| one_line(&cause.to_string())))?;
    let mut page = Page::default();
    page.title.clone_from(&document.metadata.title);
    for section in &document.sections {
        match kind {
            Kind::Slides | Kind::OldSlides => slide(&mut page, section),
            Kind::OldWorkbook => sheet(&mut page, section),
            _ => write(&mut page, &section.content),
        }
    }
    if matches!(kind, Kind::Word | Kind::OldWord) {
        margins(&mut page, &document.sections);
    }
    if kind == Kind::Word {
        inserted(&mut page, bytes, room)?;
    }
    Ok(page)
}

/// Files of other formats that stand in a Word file as parts of its text.
fn inserted(page: &mut Page, bytes: &[u8], room: &mut Room) -> Result<(), String> {
    let mut package = Package::open(bytes)?;
    let is_part = |name: &&String| {
        let extension = kind::extension(name);
        name.starts_with("word/") && matches!(extension.as_str(), "html" | "htm" | "xhtml" | "mht" | "rtf" | "txt")
    };
    let names: Vec<String> = package.names().iter().filter(is_part).cloned().collect();
    for name in names {
        let bytes = package.read(&name, room)?;
        member::write(page, &name, &bytes, room)?;
    }
    Ok(())
}

fn one_line(cause: &str) -> String {
    let end = cause.floor_char_boundary(200);
    cause[..end].replace(char::is_control, " ")
}

/// A slide is a section that is called by its number and its title.
fn slide(page: &mut Page, section: &Section) {
    let is_title = |block: &Block| matches!(block, Block::Paragraph(one) if one.heading.level() == 1);
    let place = section.content.iter().position(is_title);
    let title = match place.map(|at| &section.content[at]) {
        Some(Block::Paragraph(one)) => text(one),
        _ => String::new(),
    };
    let number = section.index + 1;
    page.turn();
    if title.trim().is_empty() {
        page.heading(1, &format!("Slide {number}"));
    } else {
        page.heading(1, &format!("Slide {number}: {title}"));
    }
    let before = place.unwrap_or_default();
    write(page, &section.content[..before]);
    write(page, &section.content[place.map_or(0, |at| at + 1)..]);
    let notes: Vec<&Paragraph> = section.notes.iter().flatten().filter(|note| !note.is_empty()).collect();
    if !notes.is_empty() {
        page.heading(2, "Notes");
        for note in notes {
            paragraph(page, note);
        }
    }
}

fn sheet(page: &mut Page, section: &Section) {
    if let Some(name) = &section.name {
        page.heading(1, name);
    }
    for block in &section.content {
        let Block::Table(table) = block else {
            write(page, std::slice::from_ref(block));
            continue;
        };
        let mut rows = Rows::default();
        for row in &table.rows {
            let cells = row.cells.iter().map(Cell::plain_text).collect();
            rows.push(page, cells);
        }
        page.block();
    }
}

fn write(page: &mut Page, blocks: &[Block]) {
    for block in blocks {
        match block {
            Block::Paragraph(one) => paragraph(page, one),
            Block::Table(one) => table(page, one),
            Block::Note { label, content } => {
                page.block();
                page.verbatim(&format!("[{label}] "));
                for (at, note) in content.iter().enumerate() {
                    if at > 0 {
                        page.line();
                    }
                    page.verbatim(&text(note));
                }
                page.block();
            }
            Block::Image { alt_text, .. } => {
                page.block();
                page.verbatim(alt_text.as_deref().unwrap_or_default());
            }
            Block::PageBreak | Block::SectionBreak => page.block(),
        }
    }
}

fn paragraph(page: &mut Page, paragraph: &Paragraph) {
    let words = text(paragraph);
    if words.trim().is_empty() {
        return;
    }
    if paragraph.is_heading() {
        return page.heading(paragraph.heading.level(), &words);
    }
    if paragraph.is_list_item() {
        page.start_item();
        page.verbatim(words.trim());
        return page.end_item();
    }
    page.block();
    page.verbatim(words.trim_end());
    page.block();
}

fn table(page: &mut Page, table: &Table) {
    page.block();
    let mut nested = Vec::new();
    for row in &table.rows {
        page.start_row();
        for cell in &row.cells {
            page.start_cell();
            for (at, paragraph) in cell.content.iter().enumerate() {
                if at > 0 {
                    page.line();
                }
                page.verbatim(text(paragraph).trim());
            }
            page.end_cell();
            nested.extend(&cell.nested_tables);
        }
        page.end_row();
    }
    page.block();
    for inner in nested {
        self::table(page, inner);
    }
}

/// What a reader sees: nothing that was deleted, and the names of pictures.
fn text(paragraph: &Paragraph) -> String {
    let mut text = String::new();
    for run in paragraph
        .runs
        .iter()
        .filter(|run| run.revision != RevisionType::Deleted)
    {
        text.push_str(&run.text);
        if let Some(label) = &run.note {
            text.extend(["[", label, "]"]);
        }
        if run.line_break || run.page_break {
            text.push('\n');
        }
    }
    for image in &paragraph.images {
        let words = image.alt_text.as_deref().unwrap_or_default().trim();
        if !words.is_empty() {
            text.push(' ');
            text.push_str(words);
        }
    }
    text
}

/// Headers and footers, each once, at the end.
fn margins(page: &mut Page, sections: &[Section]) {
    let mut seen = std::collections::BTreeSet::new();
    for section in sections {
        for one in section.header.iter().chain(&section.footer).flatten() {
            let words = text(one);
            if !words.trim().is_empty() && seen.insert(words) {
                paragraph(page, one);
            }
        }
    }
}
