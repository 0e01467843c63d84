//! Builds the readable text of a document and remembers where its headings stand.

use crate::types::{Heading, Metadata};

/// Text in the making.
#[derive(Debug, Default)]
pub struct Outline {
    /// Blocks with an empty line between them.
    pub text: String,
    /// In order.
    pub headings: Vec<Heading>,
    /// From `<title>` or front matter.
    pub title: Option<String>,
    /// From front matter.
    pub metadata: Metadata,
}

impl Outline {
    /// Adds a paragraph, code block or whole list.
    pub fn block(&mut self, block: &str) {
        self.add(block, "\n\n");
    }

    /// Adds a list item or a table row right below the last line.
    pub fn line(&mut self, line: &str) {
        self.add(line, "\n");
    }

    /// Adds a heading.
    pub fn heading(&mut self, level: u8, title: &str) {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.is_empty() {
            return;
        }
        self.block(&title);
        let start = self.text.len() - title.len();
        self.headings.push(Heading { level, title, start });
    }

    fn add(&mut self, text: &str, gap: &str) {
        let text = text.trim_matches('\n').trim_end();
        if text.trim().is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str(gap);
        }
        self.text.push_str(text);
    }
}
