//! Rows of a table in groups: each group repeats the names of the columns, so that a chunk says what its values mean.

use std::collections::BTreeSet;

use super::page::Page;
use super::{MAX_TEXT_BYTES, TooLong};

/// A group is about as long as a chunk, so that each chunk holds one.
const GROUP_BYTES: usize = 1_500;
/// A longer first row is not repeated.
const LONGEST_HEADER: usize = 500;

/// A table that is being written, row by row.
#[derive(Debug, Default)]
pub struct Rows {
    header: Header,
    /// Where the open group starts in the page's text.
    start: usize,
}

#[derive(Debug, Default)]
enum Header {
    /// No row of two cells or more has come yet.
    #[default]
    Awaited,
    /// The first row holds values.
    Absent,
    Given(Vec<String>),
}

impl Rows {
    /// Writes the next row; an empty one parts nothing and is left out.
    pub fn push(&mut self, page: &mut Page, mut cells: Vec<String>) {
        while cells.last().is_some_and(|cell| cell.trim().is_empty()) {
            cells.pop();
        }
        let filled = cells.iter().filter(|cell| !cell.trim().is_empty()).count();
        if filled == 0 {
            return;
        }
        if matches!(self.header, Header::Awaited) && filled > 1 {
            self.open(page);
            self.header = header(&cells);
        } else if page.text.len() - self.start.min(page.text.len()) > GROUP_BYTES {
            self.open(page);
            if let Header::Given(header) = &self.header {
                row(page, header);
            }
        }
        row(page, &cells);
    }

    fn open(&mut self, page: &mut Page) {
        page.block();
        self.start = page.text.len();
    }
}

/// The filled cells of a sheet: wherever they lie, they take the room of what they hold.
#[derive(Debug, Default)]
pub struct Cells {
    filled: Vec<(u32, u32, String)>,
    bytes: usize,
}

impl Cells {
    /// Adds a cell; an error once the sheet holds more than a document may.
    pub fn add(&mut self, row: u32, column: u32, text: String) -> Result<(), TooLong> {
        if text.trim().is_empty() {
            return Ok(());
        }
        // On the page a separator comes with each.
        self.bytes += text.len() + 3;
        if self.bytes > MAX_TEXT_BYTES {
            return Err(TooLong);
        }
        self.filled.push((row, column, text));
        Ok(())
    }

    /// Writes the rows and columns that hold something under the sheet's name; an empty sheet leaves no trace.
    pub fn write(mut self, name: &str, page: &mut Page) -> Result<(), TooLong> {
        if self.filled.is_empty() {
            return Ok(());
        }
        page.heading(1, name);
        self.filled.sort_by_key(|(row, column, _)| (*row, *column));
        let columns: BTreeSet<u32> = self.filled.iter().map(|(_, column, _)| *column).collect();
        let columns: Vec<u32> = columns.into_iter().collect();
        let mut rows = Rows::default();
        for cells in self.filled.chunk_by(|left, right| left.0 == right.0) {
            // No wider than its last cell: a sheet may have a million short rows and one long one.
            let mut row = Vec::new();
            for (_, column, text) in cells {
                let at = columns.binary_search(column).unwrap_or_else(|at| at);
                row.resize(at, String::new());
                row.push(text.clone());
            }
            rows.push(page, row);
            if page.text.len() > MAX_TEXT_BYTES {
                return Err(TooLong);
            }
        }
        page.block();
        Ok(())
    }
}

/// Names of columns are words, never numbers.
fn header(cells: &[String]) -> Header {
    let is_number = |cell: &String| cell.trim().trim_end_matches('%').parse::<f64>().is_ok();
    let length: usize = cells.iter().map(|cell| cell.len() + 3).sum();
    if length > LONGEST_HEADER || cells.iter().any(is_number) {
        Header::Absent
    } else {
        Header::Given(cells.to_vec())
    }
}

fn row(page: &mut Page, cells: &[String]) {
    page.start_row();
    for cell in cells {
        page.start_cell();
        page.flowing(cell.trim());
        page.end_cell();
    }
    page.end_row();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &[&[&str]]) -> String {
        let (mut page, mut rows) = (Page::default(), Rows::default());
        for cells in table {
            rows.push(&mut page, cells.iter().map(|cell| (*cell).to_owned()).collect());
        }
        page.block();
        page.text.trim_end().to_owned()
    }

    #[test]
    fn a_row_is_a_line() {
        let check = |table: &[&[&str]], expected: &str| assert_eq!(written(table), expected);
        check(&[], "");
        check(
            &[
                &["Prices of 2026"],
                &["Name", "Price"],
                &["", ""],
                &["Lamp", "12"],
                &["Two\nlines", "", ""],
            ],
            "Prices of 2026\n\nName | Price\nLamp | 12\nTwo lines",
        );
    }

    #[test]
    fn only_filled_rows_and_columns_of_a_sheet_are_written() {
        let (mut page, mut cells) = (Page::default(), Cells::default());
        for (row, column, text) in [
            (1_000_000, 16_000, "12"),
            (3, 2, "Name"),
            (3, 16_000, "Price"),
            (1_000_000, 2, "Lamp"),
        ] {
            cells.add(row, column, text.to_owned()).unwrap();
        }
        cells.write("Prices", &mut page).unwrap();
        assert_eq!(page.text.trim_end(), "Prices\n\nName | Price\nLamp | 12");
        let mut cells = Cells::default();
        assert_eq!(cells.add(0, 0, "x".repeat(MAX_TEXT_BYTES)), Err(TooLong));
        // Each row would be as wide as the sheet.
        let mut cells = Cells::default();
        for at in 0..5_000 {
            cells.add(at, at, "x".to_owned()).unwrap();
        }
        assert_eq!(cells.write("", &mut Page::default()), Err(TooLong));
    }

    #[test]
    fn each_group_repeats_the_names_of_the_columns() {
        let check = |first: [&str; 2], repeated: bool| {
            let row = ["a lamp of brass and glass", "12.50"];
            let table: Vec<&[&str]> = std::iter::once(&first[..])
                .chain(std::iter::repeat_n(&row[..], 200))
                .collect();
            let text = written(&table);
            let groups: Vec<&str> = text.split("\n\n").collect();
            assert!(groups.len() > 3);
            for group in &groups {
                assert_eq!(
                    group.starts_with(&first.join(" | ")),
                    repeated || group == &groups[0],
                    "{group}"
                );
                assert!(group.len() < 1_800, "{}", group.len());
            }
            assert_eq!(text.matches(row[0]).count(), 200);
        };
        check(["Name", "Price"], true);
        check(["1", "2"], false);
        check([&"long".repeat(200), "x"], false);
    }
}
