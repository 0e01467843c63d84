//! PDF to a page: the text of its pages, with lines joined into paragraphs. Scans hold no text.

use std::panic;

use super::page::Page;

/// A line shorter than this share of the page's widest line ends its paragraph.
const FULL_LINE_PERCENT: usize = 65;

/// Writes the text of a PDF on a page, or says what is wrong with the file.
pub fn parse(bytes: &[u8]) -> Result<Page, String> {
    // The reader panics on some broken files; one bad file must not end the run.
    let read = panic::catch_unwind(|| pdf_extract::extract_text_from_mem_by_pages(bytes));
    let pages = match read {
        Ok(Ok(pages)) => pages,
        Ok(Err(cause)) => return Err(cause.to_string()),
        Err(_) => return Err("it is damaged".to_owned()),
    };
    let mut page = Page::default();
    for text in pages {
        page.block();
        page.verbatim(&unwrap_lines(&text));
    }
    Ok(page)
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
mod tests {
    use super::*;

    fn check(lines: &str, expected: &str) {
        assert_eq!(unwrap_lines(lines), expected);
    }

    #[test]
    fn wrapped_lines_become_paragraphs() {
        check("", "");
        check(
            "\n\nTitle\n\nThe first line goes\non to the second one\nand ends.\n\n\nNext",
            "Title\n\nThe first line goes on to the second one and ends.\n\nNext",
        );
        check(
            "A line as long as this\n• one\n• two",
            "A line as long as this\n• one\n• two",
        );
        check(
            "Head\nA line as long as this one\nend",
            "Head\nA line as long as this one end",
        );
    }

    #[test]
    fn broken_files_are_errors() {
        for bytes in [
            &b"%PDF-1.7\n"[..],
            b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 1 0 R >>\nendobj\ntrailer << /Root 1 0 R >>",
            b"%PDF-\xff\xff\0\0",
        ] {
            assert!(parse(bytes).is_err());
        }
    }

    #[allow(
        clippy::format_push_string,
        clippy::format_collect,
        reason = "a test file is written once"
    )]
    /// A PDF with a page for each text, written out so that no binary lies in the repository.
    fn pdf(texts: &[&str]) -> Vec<u8> {
        let pages: String = (0..texts.len()).map(|page| format!("{} 0 R ", 4 + page * 2)).collect();
        let mut objects = vec![
            "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
            format!("<< /Type /Pages /Kids [{pages}] /Count {} >>", texts.len()),
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        ];
        for text in texts {
            let content = objects.len() + 2;
            objects.push(format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R \
                 /Resources << /Font << /F 3 0 R >> >> >>"
            ));
            let stream = format!("BT /F 12 Tf 50 700 Td ({text}) Tj ET");
            objects.push(format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()));
        }
        let (mut file, mut table) = ("%PDF-1.4\n".to_owned(), "0000000000 65535 f \n".to_owned());
        for (index, object) in objects.iter().enumerate() {
            table.push_str(&format!("{:010} 00000 n \n", file.len()));
            file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
        }
        let (start, size) = (file.len(), objects.len() + 1);
        file.push_str(&format!(
            "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
        ));
        file.push_str(&format!("startxref\n{start}\n%%EOF\n"));
        file.into_bytes()
    }

    #[test]
    fn pages_are_read_and_parted() {
        assert_eq!(
            parse(&pdf(&["Hello world", "Second page"])).unwrap().text,
            "Hello world\n\nSecond page"
        );
        let whole = pdf(&["Hello world"]);
        for end in 0..whole.len() {
            // Cut anywhere the file is an error or a text, never a panic.
            drop(parse(&whole[..end]));
        }
    }
}
