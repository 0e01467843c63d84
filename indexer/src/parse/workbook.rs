//! Excel files to a page: a section a sheet, its rows in groups under the names of the columns.

use std::io::Cursor;

use calamine::{Cell, DataRef, ExcelDateTime, Reader, Xlsb, Xlsx};

use super::apart;
use super::package::{Package, Room};
use super::page::Page;
use super::rows::Cells;

/// Writes an Excel file on a page.
pub fn parse(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    let mut package = Package::open(bytes)?;
    package.check(room)?;
    let is_binary = package.has("xl/workbook.bin");
    apart::run(|| if is_binary { binary(bytes) } else { workbook(bytes) })
}

fn workbook(bytes: &[u8]) -> Result<Page, String> {
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(|cause| cause.to_string())?;
    let mut page = Page::default();
    for name in book.sheet_names() {
        // A sheet of a chart has no cells.
        let Ok(mut reader) = book.worksheet_cells_reader(&name) else {
            continue;
        };
        sheet(&name, &mut page, || reader.next_cell().ok()?.map(|cell| placed(&cell)))?;
    }
    Ok(page)
}

fn binary(bytes: &[u8]) -> Result<Page, String> {
    let mut book = Xlsb::new(Cursor::new(bytes)).map_err(|cause| cause.to_string())?;
    let mut page = Page::default();
    for name in book.sheet_names() {
        let Ok(mut reader) = book.worksheet_cells_reader(&name) else {
            continue;
        };
        sheet(&name, &mut page, || reader.next_cell().ok()?.map(|cell| placed(&cell)))?;
    }
    Ok(page)
}

/// Writes a sheet; of one that is damaged, what comes before the damage.
fn sheet(name: &str, page: &mut Page, mut next: impl FnMut() -> Option<Placed>) -> Result<(), String> {
    let mut cells = Cells::default();
    while let Some(((row, column), text)) = next() {
        cells.add(row, column, text)?;
    }
    cells.write(name, page)?;
    Ok(())
}

/// Row and column of a cell, and what it says.
type Placed = ((u32, u32), String);

fn placed(cell: &Cell<DataRef<'_>>) -> Placed {
    (cell.get_position(), text(cell.get_value()))
}

fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(time) => moment(*time),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

/// A date, a time or both, as ISO 8601 writes them.
fn moment(time: ExcelDateTime) -> String {
    if time.is_duration() {
        let seconds = (time.as_f64() * 86_400.0).round() as i64;
        return format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = time.to_ymd_hms_milli();
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    match (time.as_f64() < 1.0, time.as_f64().fract() == 0.0) {
        (true, _) => clock,
        (false, true) => format!("{year:04}-{month:02}-{day:02}"),
        (false, false) => format!("{year:04}-{month:02}-{day:02} {clock}"),
    }
}
