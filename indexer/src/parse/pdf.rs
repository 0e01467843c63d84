//! PDF to a page: the text of its pages, with lines joined into paragraphs; of scans, what `ocr` reads in their pictures.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pdf_extract::{PlainTextOutput, output_doc_page};

use super::ocr::{self, Program};
use super::package::Room;
use super::page::Page;
use super::{apart, pdf_cycles, pdf_pictures, pdf_sizes};

/// A line shorter than this share of the page's widest line ends its paragraph.
const FULL_LINE_PERCENT: usize = 65;

/// Writes the text of a PDF on a page, or says what is wrong with the file.
pub fn parse(bytes: &[u8], room: &mut Room) -> Result<Page, String> {
    read(bytes, Program::installed(), &mut room.reading)
}

fn read(bytes: &[u8], program: Option<&Program>, left: &mut Duration) -> Result<Page, String> {
    // The reader panics on some broken files; one bad file must not end the run.
    let sheets = apart::run(|| sheets(bytes, program, left))?;
    let mut page = Page::default();
    let mut missing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (sheet, number) in sheets.iter().zip(1..) {
        page.turn();
        page.verbatim(&unwrap_lines(&sheet.text));
        for fault in &sheet.faults {
            missing.entry(fault.clone()).or_default().push(number);
        }
    }
    for (fault, numbers) in missing {
        let numbers = listed(numbers);
        page.leave_out(&numbers, &format!("{numbers}: {fault}"));
    }
    Ok(page)
}

/// What was read of one page of the file, and what could not be.
#[derive(Default)]
struct Sheet {
    text: String,
    faults: Vec<String>,
}

/// Each page; an error where all are broken.
fn sheets(bytes: &[u8], program: Option<&Program>, left: &mut Duration) -> Result<Vec<Sheet>, String> {
    let document = pdf_sizes::open(bytes)?;
    pdf_cycles::check(&document)?;
    let (mut sheets, mut broken) = (Vec::new(), Vec::new());
    for (number, id) in document.get_pages() {
        let mut sheet = Sheet::default();
        // The reader panics on some pages; the others are still to be read.
        let mut output = PlainTextOutput::new(&mut sheet.text);
        let read = catch_unwind(AssertUnwindSafe(|| output_doc_page(&document, &mut output, number)));
        let fault = match read {
            Ok(Ok(())) => None,
            Ok(Err(cause)) => Some(cause.to_string()),
            Err(_) => Some("damaged".to_owned()),
        };
        if let Some(fault) = fault {
            broken.push(format!("page {number}: {fault}"));
            sheet.text.clear();
            sheet.faults.push(fault);
        } else if sheet.text.trim().is_empty() {
            sheet = pictures(pdf_pictures::of(&document, id), program, left);
        }
        sheets.push(sheet);
    }
    match broken.pop() {
        Some(cause) if broken.len() + 1 == sheets.len() => Err(cause),
        _ => Ok(sheets),
    }
}

/// The words in the pictures of a page.
fn pictures(pictures: Vec<pdf_pictures::Picture>, program: Option<&Program>, left: &mut Duration) -> Sheet {
    let mut sheet = Sheet::default();
    for picture in pictures {
        let read = match (picture, program) {
            (Err(fault), _) => Err(fault),
            (Ok(_), None) => Err(format!("a picture without words to copy; {}", ocr::MEND)),
            (Ok(picture), Some(program)) => program.read(&picture, left),
        };
        match read {
            Ok(words) => sheet.text.extend([words.trim(), "\n\n"]),
            Err(fault) if sheet.faults.contains(&fault) => {}
            Err(fault) => sheet.faults.push(fault),
        }
    }
    sheet
}

/// `page 3`, `pages 1-3, 7`.
fn listed(numbers: Vec<usize>) -> String {
    let word = if numbers.len() > 1 { "pages" } else { "page" };
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some([_, last]) if *last + 1 == number => *last = number,
            _ => runs.push([number; 2]),
        }
    }
    let runs = runs.iter().map(|[first, last]| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    });
    format!("{word} {}", runs.collect::<Vec<_>>().join(", "))
}

/// Joins lines that were broken only because the page ended there.
fn unwrap_lines(text: &str) -> String {
    let widest = text.lines().map(|line| line.trim().chars().count()).max().unwrap_or(0);
    let mut joined = String::with_capacity(text.len());
    let mut previous = 0;
    for line in text.lines().map(str::trim) {
        let width = line.chars().count();
        if line.is_empty() {
            if !joined.is_empty() && !joined.ends_with("\n\n") {
                joined.push_str("\n\n");
            }
        } else {
            if !joined.is_empty() && !joined.ends_with('\n') {
                let goes_on = previous * 100 >= widest * FULL_LINE_PERCENT && !starts_item(line);
                joined.push(if goes_on { ' ' } else { '\n' });
            }
            joined.push_str(line);
        }
        previous = width;
    }
    joined.truncate(joined.trim_end().len());
    joined
}

fn starts_item(line: &str) -> bool {
    line.starts_with(['•', '-', '–', '*', '▪', '◦'])
        || line.split_once(['.', ')']).is_some_and(|(mark, rest)| {
            rest.starts_with(' ') && !mark.is_empty() && mark.len() <= 3 && mark.bytes().all(|b| b.is_ascii_digit())
        })
}

#[cfg(test)]
#[path = "pdf_tests.rs"]
mod tests;
