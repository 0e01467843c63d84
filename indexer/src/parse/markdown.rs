//! Markdown to a page: the text as a reader sees it, without its marks.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::html::TooDeep;
use super::page::Page;
use super::{front_matter, html};

/// Writes a Markdown text on a page.
pub fn parse(text: &str) -> Result<Page, TooDeep> {
    let (metadata, body) = front_matter::split(text);
    let title = metadata
        .get("title")
        .and_then(|title| title.as_str())
        .map(str::to_owned);
    let mut page = Page::default();
    page.title = title;
    page.metadata = metadata;
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_HEADING_ATTRIBUTES;
    // HTML comes a line at a time; only the whole block can be read.
    let mut markup = String::new();
    for event in Parser::new_ext(body, options) {
        match event {
            Event::Start(tag) => start(&mut page, &tag),
            Event::End(TagEnd::HtmlBlock) => html::append(&mut page, &std::mem::take(&mut markup))?,
            Event::End(tag) => end(&mut page, tag),
            Event::Html(line) => markup.push_str(&line),
            Event::InlineHtml(tag) if tag.to_ascii_lowercase().starts_with("<br") => page.line(),
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                page.verbatim(&text);
            }
            Event::SoftBreak => page.flowing(" "),
            Event::HardBreak => page.line(),
            Event::FootnoteReference(name) => page.verbatim(&format!("[{name}]")),
            Event::TaskListMarker(true) => page.verbatim("[x] "),
            Event::TaskListMarker(false) => page.verbatim("[ ] "),
            Event::InlineHtml(tag) if is_generic(&tag) => page.verbatim(&tag),
            Event::InlineHtml(_) | Event::Rule => {}
        }
    }
    Ok(page)
}

/// Elements that a writer puts between words; the rest of HTML stands in blocks of its own.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "br", "button", "center", "cite", "code", "data", "del",
    "details", "dfn", "div", "em", "embed", "font", "form", "hr", "i", "iframe", "img", "input", "ins", "kbd", "label",
    "li", "link", "mark", "meta", "nobr", "object", "ol", "option", "p", "path", "picture", "pre", "progress", "q",
    "rp", "rt", "ruby", "s", "samp", "script", "select", "small", "source", "span", "strike", "strong", "style", "sub",
    "summary", "sup", "svg", "table", "td", "textarea", "th", "time", "tr", "tt", "u", "ul", "use", "var", "video",
    "wbr",
];

/// Whether what Markdown takes for a tag is text, as in `Option<Lamp>`: no element is called so.
fn is_generic(tag: &str) -> bool {
    let name = tag.trim_start_matches(['<', '/']);
    let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
    let own = name[end..].starts_with('-');
    end > 0
        && !own
        && INLINE
            .binary_search(&name[..end].to_ascii_lowercase().as_str())
            .is_err()
}

fn start(page: &mut Page, tag: &Tag<'_>) {
    match tag {
        Tag::Heading { level, .. } => page.start_heading(*level as u8),
        Tag::Item => page.start_item(),
        Tag::TableHead | Tag::TableRow => page.start_row(),
        Tag::TableCell => page.start_cell(),
        Tag::FootnoteDefinition(name) => {
            page.block();
            page.verbatim(&format!("[{name}] "));
        }
        // A footnote's paragraph goes on where its mark stands.
        Tag::Paragraph if page.text.ends_with("] ") => {}
        Tag::List(_) | Tag::Paragraph | Tag::CodeBlock(_) | Tag::BlockQuote(_) | Tag::Table(_) | Tag::HtmlBlock => {
            page.block();
        }
        _ => {}
    }
}

fn end(page: &mut Page, tag: TagEnd) {
    match tag {
        TagEnd::Heading(_) => page.end_heading(),
        TagEnd::Item => page.end_item(),
        TagEnd::TableHead | TagEnd::TableRow => page.end_row(),
        TagEnd::TableCell => page.end_cell(),
        TagEnd::List(_) | TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::BlockQuote(_) | TagEnd::Table => page.block(),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(markdown: &str, expected: &str) {
        let page = parse(markdown).unwrap();
        assert_eq!(page.text.trim_end(), expected, "{markdown:?}");
        for heading in &page.headings {
            assert!(page.text[heading.start..].starts_with(&heading.title), "{heading:?}");
        }
    }

    #[test]
    fn a_reader_sees_words_and_no_marks() {
        check("", "");
        check(
            "# A *b* `c`\n\nOne [link](x) and **two**\nlines.",
            "A b c\n\nOne link and two lines.",
        );
        check("- a\n- b\n  - c\n\nEnd", "- a\n- b\n- c\n\nEnd");
        check("1. a\n\n   more\n2. b", "- a\nmore\n- b");
        check(
            "```rust\nfn a() {\n\n    b();\n}\n```\nx",
            "fn a() {\n\n    b();\n}\n\nx",
        );
        check("- [x] done\n- [ ] open", "- [x] done\n- [ ] open");
        check("a<br>b <b>c</b> &amp; d", "a\nb c & d");
        check("<div>\n<p>one</p>\n<p>two</p>\n</div>\n\nthree", "one\n\ntwo\n\nthree");
        check("a[^1]\n\n[^1]: note", "a[1]\n\n[1] note");
        check("![a picture](x.png) ~~old~~", "a picture old");
    }

    #[test]
    fn what_is_no_element_is_text() {
        assert!(INLINE.is_sorted());
        check(
            "an Option<Lamp> of Vec<u8> and Map<K, V>",
            "an Option<Lamp> of Vec<u8> and Map<K, V>",
        );
        check("<B>bold</B><!-- note --> <my-own>x</my-own>", "bold x");
        check("press <kbd>Esc</kbd> on <unit>", "press Esc on <unit>");
    }

    #[test]
    fn a_table_is_a_line_a_row() {
        check(
            "| a | b |\n|---|---|\n| `1` |  |\n|  | 2 |\n\nx",
            "a | b\n1 |\n | 2\n\nx",
        );
    }

    #[test]
    fn html_that_piles_up_elements_is_given_up() {
        let markdown = format!("# Title\n\n<div>\n{}\n</div>\n", "<div></x>".repeat(3_000));
        assert_eq!(parse(&markdown).map(drop), Err(TooDeep));
    }

    #[test]
    fn nul_and_other_control_characters_are_gone() {
        check("a\u{1}b\u{7}", "ab");
    }
}
