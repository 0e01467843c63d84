//! Tables of values with a mark between them to a page: which mark, the bytes tell.

use csv::ReaderBuilder;

use super::page::Page;
use super::rows::Rows;
use super::{MAX_TEXT_BYTES, TooLong};

/// How much of a table is looked at to find its mark.
const LOOKED_AT: usize = 64 << 10;

/// Values of a row past these are left out; no program shows as many.
const MOST_COLUMNS: usize = 16_384;

/// Writes a table of values on a page.
pub fn parse(text: &str) -> Result<Page, TooLong> {
    let text = text.trim_start_matches('\u{feff}');
    let mut page = Page::default();
    let mut rows = Rows::default();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(mark(text))
        .from_reader(text.as_bytes());
    for record in reader.records() {
        // It is UTF-8 and rows may differ, so nothing else is left that could be wrong.
        let Ok(record) = record else { break };
        rows.push(&mut page, record.iter().take(MOST_COLUMNS).map(str::to_owned).collect());
        if page.text.len() > MAX_TEXT_BYTES {
            return Err(TooLong);
        }
    }
    page.block();
    Ok(page)
}

/// The mark that parts the most rows into the same number of values.
pub fn mark(text: &str) -> u8 {
    let looked_at = &text[..text.floor_char_boundary(LOOKED_AT)];
    let agreement = |mark: u8| {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(mark)
            .from_reader(looked_at.as_bytes());
        let widths: Vec<usize> = reader.records().flatten().map(|record| record.len()).collect();
        let first = widths.first().copied().unwrap_or_default();
        let same = widths.iter().filter(|width| **width == first).count();
        if first > 1 { same * 1_000 / widths.len() } else { 0 }
    };
    let mut best = (0, b',');
    for mark in [b',', b'\t', b';', b'|'] {
        let agreement = agreement(mark);
        if agreement > best.0 {
            best = (agreement, mark);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap().text.trim_end(), expected, "{text:?}");
    }

    #[test]
    fn the_mark_between_values_is_found() {
        check("", "");
        check("\u{feff}Name,Price\nLamp,12\n", "Name | Price\nLamp | 12");
        check(
            "Name\tNote\nLamp\tone, two, three\n",
            "Name | Note\nLamp | one, two, three",
        );
        check(
            "Name;Price\nLamp;12,5\nShade;3,5\n",
            "Name | Price\nLamp | 12,5\nShade | 3,5",
        );
        check("a|b\n1|2", "a | b\n1 | 2");
        check("words\nand words", "words\nand words");
    }

    #[test]
    fn quoted_values_and_uneven_rows_are_read() {
        check(
            "a,b\n\"x, y\",\"two\nlines\"\n1,2,3\n4\n\"open",
            "a | b\nx, y | two lines\n1 | 2 | 3\n4\nopen",
        );
    }

    #[test]
    fn long_tables_repeat_the_names_of_the_columns() {
        let text = format!("Name,Price\n{}", "A lamp of brass,12\n".repeat(300));
        assert!(parse(&text).unwrap().text.matches("Name | Price").count() > 2);
    }
}
