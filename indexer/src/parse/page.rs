//! The page that parsers write on: text, headings and facts, with the rules for lines, lists and tables.

use crate::types::{Heading, Metadata};

/// Parts that could not be read are named up to this many.
const MOST_UNREAD: usize = 20;
/// The longest reason, in bytes.
const LONGEST_REASON: usize = 300;

/// A document being written.
#[derive(Debug, Default)]
pub struct Page {
    /// The text so far, free of control characters.
    pub text: String,
    /// The headings so far.
    pub headings: Vec<Heading>,
    /// Where each page or slide of the file begins in the text, where it has any.
    pub pages: Vec<usize>,
    /// The title, where the document states one.
    pub title: Option<String>,
    /// Facts that the document states.
    pub metadata: Metadata,
    /// What of it could not be read, and why.
    pub unread: Vec<String>,
    open_heading: Option<(u8, usize)>,
    /// Cells so far, for each open row; tables nest.
    rows: Vec<usize>,
    open_cells: usize,
    open_items: usize,
    /// Set between an item's mark and its first word, so that a paragraph in an item stays on the mark's line.
    fresh_item: bool,
}

impl Page {
    /// Writes text as it is; line ends become spaces where only one line can be.
    pub fn verbatim(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\n' if self.is_inline() => self.space(),
                '\n' | '\t' => self.text.push(character),
                _ if is_noise(character) => continue,
                _ => self.text.push(character),
            }
            self.fresh_item &= character.is_whitespace();
        }
    }

    /// Writes text whose white space means one space, as in HTML.
    pub fn flowing(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_whitespace() && character != '\u{a0}' {
                self.space();
            } else if !is_noise(character) {
                self.text.push(character);
                self.fresh_item = false;
            }
        }
    }

    /// Goes to the start of a line.
    pub fn line(&mut self) {
        if self.is_inline() {
            self.space();
        } else if !self.fresh_item {
            self.trim_line();
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
        }
    }

    /// Goes to the start of a paragraph; within a list, of a line.
    pub fn block(&mut self) {
        self.line();
        let may_part = self.open_items == 0 && !self.is_inline();
        if may_part && !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Goes to the next page or slide of the file.
    pub fn turn(&mut self) {
        self.block();
        self.pages.push(self.text.len());
    }

    /// Starts an item of a list.
    pub fn start_item(&mut self) {
        self.fresh_item = false;
        self.line();
        self.open_items += 1;
        self.text.push_str("- ");
        self.fresh_item = true;
    }

    /// Ends an item of a list.
    pub fn end_item(&mut self) {
        self.fresh_item = false;
        self.line();
        self.open_items = self.open_items.saturating_sub(1);
    }

    /// Starts a heading; in a cell it is plain text.
    pub fn start_heading(&mut self, level: u8) {
        self.block();
        if !self.is_inline() {
            self.open_heading = Some((level, self.text.len()));
        }
    }

    /// Ends the open heading; an empty one leaves no trace.
    pub fn end_heading(&mut self) {
        let Some((level, start)) = self.open_heading.take() else {
            return;
        };
        let title = self.text[start..].trim().to_owned();
        if !title.is_empty() {
            self.headings.push(Heading { level, title, start });
        }
        self.block();
    }

    /// Writes a whole heading.
    pub fn heading(&mut self, level: u8, words: &str) {
        self.start_heading(level);
        self.flowing(words);
        self.end_heading();
    }

    /// Writes another page at the end of this one, its headings so many levels deeper.
    pub fn absorb(&mut self, other: Page, deeper: u8) {
        self.block();
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.headings.extend(other.headings.into_iter().map(|heading| Heading {
            level: heading.level.saturating_add(deeper),
            start: start + heading.start,
            ..heading
        }));
        for reason in other.unread {
            self.note(reason);
        }
        self.block();
    }

    /// Keeps in mind that the part `name` could not be read, and why.
    pub fn leave_out(&mut self, name: &str, cause: &str) {
        // A reader's own error names the part already.
        let reason = if cause.contains(name) {
            cause.to_owned()
        } else {
            format!("`{name}`: {cause}")
        };
        self.note(reason);
    }

    fn note(&mut self, mut reason: String) {
        if self.unread.len() < MOST_UNREAD {
            reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
            self.unread.push(reason.replace(char::is_control, " "));
        }
    }

    /// Starts a row of a table.
    pub fn start_row(&mut self) {
        self.line();
        self.rows.push(0);
    }

    /// Ends a row of a table.
    pub fn end_row(&mut self) {
        self.rows.pop();
        self.line();
    }

    /// Starts a cell; all its text stays on the row's line.
    pub fn start_cell(&mut self) {
        if let Some(cells) = self.rows.last_mut() {
            *cells += 1;
            if *cells > 1 {
                self.trim_line();
                self.text.push_str(" | ");
            }
        }
        self.open_cells += 1;
    }

    /// Ends a cell.
    pub fn end_cell(&mut self) {
        self.open_cells = self.open_cells.saturating_sub(1);
    }

    fn is_inline(&self) -> bool {
        self.open_cells > 0 || self.open_heading.is_some()
    }

    fn space(&mut self) {
        let at_heading = self.open_heading.is_some_and(|(_, start)| start == self.text.len());
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n']) && !at_heading {
            self.text.push(' ');
        }
    }

    fn trim_line(&mut self) {
        let kept = self.text.trim_end_matches([' ', '\t']).len();
        self.text.truncate(kept);
    }
}

/// Control characters and byte order marks: never seen by a reader, and NUL breaks what stores text.
fn is_noise(character: char) -> bool {
    character.is_control() || character == '\u{feff}'
}
