//! Markdown as a reader sees it: no marks, headings kept, a line for each list item and table row.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use super::outline::Outline;
use crate::types::Metadata;

/// Parses Markdown with front matter, tables and footnotes.
pub fn parse(source: &str) -> Outline {
    let mut walk = Walk::default();
    let body = match front_matter(source) {
        Some((metadata, body)) => {
            walk.outline.metadata = metadata;
            body
        }
        None => source,
    };
    for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        walk.event(event);
    }
    walk.outline
}

#[derive(Default)]
struct Walk {
    outline: Outline,
    open: String,
    cells: Vec<String>,
    lists: Vec<Option<u64>>,
    marker: Option<String>,
    first_line: bool,
}

impl Walk {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) | Event::Code(text) => self.open.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.open.push(' '),
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.item();
                self.first_line = self.lists.is_empty();
                self.lists.push(*first);
            }
            Tag::Item => {
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let marker = format!("{number}. ");
                        *number += 1;
                        marker
                    }
                    _ => "- ".to_owned(),
                });
            }
            Tag::Table(_) => self.first_line = true,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let title = std::mem::take(&mut self.open);
                self.outline.heading(depth(level), &title);
            }
            TagEnd::Paragraph if self.lists.is_empty() => self.block(),
            TagEnd::CodeBlock if self.lists.is_empty() => self.block(),
            TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock => self.item(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.open).trim().to_owned()),
            TagEnd::TableRow | TagEnd::TableHead => {
                let row = std::mem::take(&mut self.cells).join(" | ");
                self.line(&row);
            }
            _ => {}
        }
    }

    fn block(&mut self) {
        let block = std::mem::take(&mut self.open);
        self.outline.block(&block);
    }

    fn item(&mut self) {
        let text = std::mem::take(&mut self.open);
        if text.trim().is_empty() {
            return;
        }
        let indent = "  ".repeat(self.lists.len().saturating_sub(1));
        let marker = self.marker.take().unwrap_or_default();
        self.line(&format!("{indent}{marker}{}", text.trim()));
    }

    fn line(&mut self, line: &str) {
        if std::mem::take(&mut self.first_line) {
            self.outline.block(line)
        } else {
            self.outline.line(line)
        }
    }
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

/// `key: value` lines between two `---` lines at the very start.
fn front_matter(source: &str) -> Option<(Metadata, &str)> {
    let rest = source.strip_prefix("---\n")?;
    let end = rest.find("\n---")?;
    let body = rest[end + 4..].trim_start_matches('-');
    let mut metadata = Metadata::new();
    for line in rest[..end].lines() {
        if let Some((key, value)) = line.split_once(':')
            && !key.trim().is_empty()
        {
            metadata.insert(key.trim().to_owned(), scalar_or_list(value.trim()));
        }
    }
    Some((metadata, body))
}

fn scalar_or_list(text: &str) -> Value {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(list) => list
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(scalar)
            .collect::<Vec<_>>()
            .into(),
        None => scalar(text),
    }
}

fn scalar(text: &str) -> Value {
    let quoted = text.len() >= 2 && (text.starts_with('"') && text.ends_with('"'));
    if quoted {
        return text[1..text.len() - 1].into();
    }
    match text {
        "true" => true.into(),
        "false" => false.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}
