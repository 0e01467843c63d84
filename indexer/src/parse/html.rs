//! HTML's main content, without menus, scripts and footers. Walked without recursion: nesting may be hostile.

use scraper::node::Node;
use scraper::{Html, Selector};

use super::outline::Outline;

/// Elements whose content no reader came for.
const DROPPED: &[&str] = &[
    "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "svg", "iframe", "head",
    "select",
];
/// Elements that end the line before and after them.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "ul",
    "ol",
    "table",
    "blockquote",
    "pre",
    "figure",
    "figcaption",
    "dl",
    "dt",
    "dd",
    "hr",
    "header",
    "body",
    "details",
    "summary",
    "address",
    "caption",
];

/// Parses a page.
pub fn parse(source: &str) -> Outline {
    let html = Html::parse_document(source);
    let mut walk = Walk::default();
    walk.outline.title = first_text(&html, "title");
    let root = ["main", "article", "[role=main]", "body"]
        .iter()
        .find_map(|name| {
            Selector::parse(name)
                .ok()
                .and_then(|selector| html.select(&selector).next())
        })
        .unwrap_or_else(|| html.root_element());
    let mut skip = None;
    for edge in root.traverse() {
        use ego_tree::iter::Edge;
        match edge {
            Edge::Open(node) if skip.is_none() => match node.value() {
                Node::Element(element) if DROPPED.contains(&element.name()) => skip = Some(node.id()),
                Node::Element(element) => walk.open(element.name()),
                Node::Text(text) => walk.text(text),
                _ => {}
            },
            Edge::Close(node) if skip == Some(node.id()) => skip = None,
            Edge::Close(node) if skip.is_none() => {
                if let Node::Element(element) = node.value() {
                    walk.close(element.name());
                }
            }
            _ => {}
        }
    }
    walk.flush();
    walk.outline
}

fn first_text(html: &Html, name: &str) -> Option<String> {
    let selector = Selector::parse(name).ok()?;
    let text: String = html.select(&selector).next()?.text().collect();
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[derive(Default)]
struct Walk {
    outline: Outline,
    pending: String,
    cells: Vec<String>,
    first_line: bool,
    verbatim: bool,
}

impl Walk {
    fn open(&mut self, name: &str) {
        match name {
            "br" => self.pending.push('\n'),
            "td" | "th" => self.pending.clear(),
            "li" => {
                self.flush();
                self.pending.push_str("- ");
            }
            _ if is_heading(name) || BLOCKS.contains(&name) => {
                self.flush();
                self.verbatim = name == "pre";
                self.first_line |= matches!(name, "ul" | "ol" | "table");
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "td" | "th" => {
                let cell = collapse(&std::mem::take(&mut self.pending));
                self.cells.push(cell);
            }
            "tr" => {
                let row = std::mem::take(&mut self.cells).join(" | ");
                self.line(&row);
            }
            "li" => {
                let item = collapse(&std::mem::take(&mut self.pending));
                if item != "-" {
                    self.line(&item);
                }
            }
            _ if is_heading(name) => {
                let title = std::mem::take(&mut self.pending);
                self.outline.heading(name.as_bytes()[1] - b'0', &title);
            }
            _ if BLOCKS.contains(&name) => {
                self.flush();
                self.verbatim = false;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        self.pending.push_str(text);
    }

    fn flush(&mut self) {
        let pending = super::text::clean(&std::mem::take(&mut self.pending));
        if self.verbatim {
            self.outline.block(&pending)
        } else {
            self.outline.block(&collapse(&pending))
        }
    }

    fn line(&mut self, line: &str) {
        let line = super::text::clean(line);
        if std::mem::take(&mut self.first_line) {
            self.outline.block(&line)
        } else {
            self.outline.line(&line)
        }
    }
}

fn is_heading(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 2 && bytes[0] == b'h' && (b'1'..=b'6').contains(&bytes[1])
}

fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
