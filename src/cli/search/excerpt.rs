//! The part of a passage that a person looks for: a line around its marked words.

use std::ops::Range;

use serde_json::Value;

/// About how long a line is, in bytes.
const LENGTH: usize = 200;
/// What may stand before the first marked word, in bytes.
const LEAD: usize = 60;

/// How marked words stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// In bold, as terminals understand it.
    Bold,
    /// Not at all: the text is for another program.
    Plain,
}

/// One line of `text` where most of `highlights` are, which are in order and apart.
pub(super) fn excerpt(text: &str, highlights: &[Range<usize>], marks: Marks) -> String {
    let shown = window(text, highlights);
    let mut line = String::with_capacity(LENGTH + 64);
    if !text[..shown.start].trim().is_empty() {
        line.push('…');
    }
    let mut from = shown.start;
    for range in highlights
        .iter()
        .filter(|range| range.start >= shown.start && range.end <= shown.end)
    {
        line.push_str(&flat(&text[from..range.start]));
        let (on, off) = match marks {
            Marks::Bold => ("\u{1b}[1m", "\u{1b}[0m"),
            Marks::Plain => ("", ""),
        };
        line.extend([on, &flat(&text[range.clone()]), off]);
        from = range.end;
    }
    line.push_str(&flat(&text[from..shown.end]));
    let whole = text[shown.end..].trim().is_empty();
    let line = line.trim();
    if whole { line.to_owned() } else { format!("{line}…") }
}

/// The highlights of a result that lie within its text.
pub(super) fn highlights(result: &Value) -> Vec<Range<usize>> {
    let text = result["text"].as_str().unwrap_or_default();
    let ranges = result["highlights"].as_array().into_iter().flatten();
    let ranges = ranges.filter_map(|range| Some(range[0].as_u64()? as usize..range[1].as_u64()? as usize));
    ranges.filter(|range| text.get(range.clone()).is_some()).collect()
}

/// The first stretch of about `LENGTH` bytes that holds as many highlights as any; it begins and ends between words.
fn window(text: &str, highlights: &[Range<usize>]) -> Range<usize> {
    let held = |start: usize| {
        let inside = move |one: &&Range<usize>| one.start >= start && one.end <= start + LENGTH - LEAD;
        highlights.iter().filter(inside).count()
    };
    let mut best = (0, 0);
    for one in highlights {
        let count = held(one.start);
        if count > best.1 {
            best = (one.start, count);
        }
    }
    let first = best.0;
    // From the end of the text, as much before it as fits.
    let start = first.saturating_sub(LEAD).min(text.len().saturating_sub(LENGTH));
    let start = text.floor_char_boundary(start);
    let start = match text[start..first].find(char::is_whitespace) {
        Some(space) if start > 0 => start + space,
        _ => start,
    };
    let end = text.ceil_char_boundary((start + LENGTH).min(text.len()));
    let last = highlights
        .iter()
        .filter(|one| one.start < end && one.end > end)
        .map(|one| one.end);
    let end = last.max().unwrap_or(end);
    let end = match text[first..end].rfind(char::is_whitespace) {
        Some(space) if end < text.len() && space > 0 => first + space,
        _ => end,
    };
    start..end
}

/// On one line, and without what a document could do to a terminal.
fn flat(text: &str) -> String {
    let mut flat = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !flat.ends_with(' ') {
                flat.push(' ');
            }
        } else if !c.is_control() {
            flat.push(c);
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, words: &[&str], expected: &str) {
        let place = |word: &&str| text.find(word).map(|at| at..at + word.len());
        let ranges: Vec<_> = words.iter().filter_map(place).collect();
        assert_eq!(excerpt(text, &ranges, Marks::Plain), expected);
    }

    fn one(start: usize, end: usize) -> Vec<Range<usize>> {
        std::iter::once(start..end).collect()
    }

    #[test]
    fn a_line_lies_around_the_marked_words() {
        let before = "The first sentence says nothing about it. ".repeat(10);
        let after = " And then it goes on for a while.".repeat(10);
        let text = format!("{before}Copies are\n kept for thirty days.{after}");
        let expected = "… about it. The first sentence says nothing about it. Copies are kept for thirty days. And then it \
                        goes on for a while. And then it goes on for a while. And then it goes on for a while. And then \
                        it…";
        check(&text, &["Copies", "thirty"], expected);
        // Where most of them are, though one comes before.
        let text = format!("thirty. {text}");
        let range = |word: &str| text.rfind(word).map(|at| at..at + word.len());
        let ranges: Vec<_> = [Some(0..6), range("Copies"), range("kept")]
            .into_iter()
            .flatten()
            .collect();
        let line = excerpt(&text, &ranges, Marks::Plain);
        assert!(line.contains("Copies are kept"), "{line}");
    }

    #[test]
    fn a_short_text_is_whole_and_one_without_marks_is_its_beginning() {
        check("Short.", &["Short"], "Short.");
        check("", &[], "");
        let long = "word ".repeat(100);
        let line = excerpt(&long, &[], Marks::Plain);
        assert!(
            line.starts_with("word word") && line.ends_with("word…") && line.len() < 210,
            "{line}"
        );
        let glued = "\u{6f22}".repeat(200);
        let line = excerpt(&glued, &one(300, 303), Marks::Plain);
        assert!(
            line.starts_with('…') && line.ends_with('…') && line.contains('\u{6f22}'),
            "{line}"
        );
    }

    #[test]
    fn a_terminal_gets_bold_words_and_nothing_that_a_document_says_to_it() {
        let text = "a \u{1b}[31mred\u{7} word";
        let line = excerpt(text, &one(7, 10), Marks::Bold);
        assert_eq!(line, "a [31m\u{1b}[1mred\u{1b}[0m word");
    }

    #[test]
    fn a_range_outside_of_the_text_is_left_out() {
        let result = json!({ "text": "\u{e9}t\u{e9}", "highlights": [[0, 2], [1, 2], [3, 99]] });
        assert_eq!(highlights(&result), one(0, 2));
    }
}
