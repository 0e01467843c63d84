//! HTML to a page: the words of the document itself, without menus, scripts and forms.
//!
//! Trees are walked with a loop, never by recursion: their depth is in the hands of whoever wrote the file.

use html5ever::driver::{self, Parser};
use html5ever::tendril::TendrilSink;
use html5ever::{QualName, local_name, ns};
use scraper::{ElementRef, Html, HtmlTreeSink, Node, node::Element};

use super::page::Page;

/// What is open around the node that the walk has come to.
struct Walk {
    /// Elements named `pre` that are open.
    verbatim: usize,
    /// Elements named `header` that are open: lists in them are menus.
    headers: usize,
}

/// Deeper pages are refused.
pub const DEEPEST: usize = 1_000;
/// The most elements and stretches of text.
const MOST_NODES: usize = if cfg!(test) { 100_000 } else { 2_000_000 };
/// Bytes that are read before the tree is looked at again.
const PIECE: usize = 1_024;

/// Elements beyond reason.
#[derive(Debug, PartialEq, Eq)]
pub struct TooDeep;

impl From<TooDeep> for String {
    fn from(_: TooDeep) -> Self {
        "it nests over 1,000 elements or holds over 2,000,000".to_owned()
    }
}

/// Writes an HTML text on a page.
pub fn parse(text: &str) -> Result<Page, TooDeep> {
    let tree = whole(text)?;
    let mut page = Page::default();
    page.title = find(&tree, "title")
        .map(|title| words(title))
        .filter(|title| !title.is_empty());
    write(&mut page, main_part(&tree));
    if page.title.is_none() {
        page.title = page
            .headings
            .iter()
            .find(|heading| heading.level == 1)
            .map(|heading| heading.title.clone());
    }
    Ok(page)
}

/// The tree of a whole page.
pub(super) fn whole(text: &str) -> Result<Html, TooDeep> {
    let sink = HtmlTreeSink::new(Html::new_document());
    tree(driver::parse_document(sink, driver::ParseOpts::default()), text)
}

/// Writes a piece of HTML that stands inside another text.
pub fn append(page: &mut Page, markup: &str) -> Result<(), TooDeep> {
    let sink = HtmlTreeSink::new(Html::new_fragment());
    let body = QualName::new(None, ns!(html), local_name!("body"));
    let parser = driver::parse_fragment(sink, driver::ParseOpts::default(), body, Vec::new(), false);
    let tree = tree(parser, markup)?;
    write(page, tree.root_element());
    page.block();
    Ok(())
}

/// Builds the tree piece by piece and gives up early: what closes what only the parser knows, and some pages make
/// it open the same elements again and again.
fn tree(mut parser: Parser<HtmlTreeSink>, text: &str) -> Result<Html, TooDeep> {
    let mut rest = text;
    while !rest.is_empty() {
        let piece;
        (piece, rest) = rest.split_at(rest.ceil_char_boundary(PIECE));
        parser.process(piece.into());
        let html = parser.tokenizer.sink.sink.0.borrow();
        let mut nodes = html.tree.nodes();
        let depth = nodes.next_back().map_or(0, |last| last.ancestors().count());
        if depth > DEEPEST || nodes.len() > MOST_NODES {
            return Err(TooDeep);
        }
    }
    Ok(parser.finish())
}

/// The element that holds the document: `main`, the only `article`, or everything.
fn main_part(tree: &Html) -> ElementRef<'_> {
    if let Some(main) = find(tree, "main")
        && main.text().any(|text| !text.trim().is_empty())
    {
        return main;
    }
    let mut articles = elements(tree).filter(|element| element.value().name() == "article");
    match (articles.next(), articles.next()) {
        (Some(article), None) => article,
        _ => find(tree, "body").unwrap_or_else(|| tree.root_element()),
    }
}

pub(super) fn elements(tree: &Html) -> impl Iterator<Item = ElementRef<'_>> {
    tree.tree.nodes().filter_map(ElementRef::wrap)
}

fn find<'a>(tree: &'a Html, name: &str) -> Option<ElementRef<'a>> {
    elements(tree).find(|element| element.value().name() == name)
}

fn words(element: ElementRef<'_>) -> String {
    let mut page = Page::default();
    for text in element.text() {
        page.flowing(text);
    }
    page.text.trim().to_owned()
}

fn write(page: &mut Page, root: ElementRef<'_>) {
    let mut walk = Walk {
        verbatim: 0,
        headers: 0,
    };
    let root = *root;
    let mut node = root;
    loop {
        let enters = match node.value() {
            Node::Element(element) if node != root && walk.skips(element) => false,
            Node::Element(element) => {
                walk.open(page, element);
                true
            }
            Node::Text(text) if walk.verbatim > 0 => {
                page.verbatim(text);
                false
            }
            Node::Text(text) => {
                page.flowing(text);
                false
            }
            _ => false,
        };
        if enters && let Some(child) = node.first_child() {
            node = child;
            continue;
        }
        let mut open = enters;
        loop {
            if open && let Some(element) = node.value().as_element() {
                walk.close(page, element);
            }
            if node == root {
                return;
            }
            if let Some(sibling) = node.next_sibling() {
                node = sibling;
                break;
            }
            let Some(parent) = node.parent() else { return };
            node = parent;
            open = true;
        }
    }
}

impl Walk {
    fn skips(&self, element: &Element) -> bool {
        let hidden = element.attr("hidden").is_some()
            || element.attr("aria-hidden") == Some("true")
            || element.attr("role") == Some("navigation");
        match element.name() {
            "script" | "style" | "nav" | "footer" | "aside" | "form" | "noscript" | "template" | "svg" | "head"
            | "menu" | "button" | "select" | "iframe" | "object" => true,
            "ul" | "ol" if self.headers > 0 => true,
            _ => hidden,
        }
    }

    fn open(&mut self, page: &mut Page, element: &Element) {
        match element.name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => page.start_heading(level(element)),
            "li" | "dd" => page.start_item(),
            "tr" => page.start_row(),
            "td" | "th" => page.start_cell(),
            "br" | "dt" => page.line(),
            "pre" => {
                page.block();
                self.verbatim += 1;
            }
            "header" => {
                page.block();
                self.headers += 1;
            }
            name if is_block(name) => page.block(),
            _ => {}
        }
    }

    fn close(&mut self, page: &mut Page, element: &Element) {
        match element.name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => page.end_heading(),
            "li" | "dd" => page.end_item(),
            "tr" => page.end_row(),
            "td" | "th" => page.end_cell(),
            "dt" => page.line(),
            "pre" => {
                self.verbatim -= 1;
                page.block();
            }
            "header" => {
                self.headers -= 1;
                page.block();
            }
            name if is_block(name) => page.block(),
            _ => {}
        }
    }
}

fn level(element: &Element) -> u8 {
    element.name().as_bytes()[1] - b'0'
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "section"
            | "article"
            | "main"
            | "body"
            | "blockquote"
            | "figure"
            | "figcaption"
            | "table"
            | "caption"
            | "ul"
            | "ol"
            | "dl"
            | "details"
            | "summary"
            | "address"
            | "hr"
            | "fieldset"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expected: &str) {
        let page = parse(html).unwrap();
        assert_eq!(page.text.trim_end(), expected, "{html:?}");
        for heading in &page.headings {
            assert!(page.text[heading.start..].starts_with(&heading.title), "{heading:?}");
        }
    }

    #[test]
    fn only_the_document_is_kept() {
        check("", "");
        check("<nav>menu</nav><p>one</p><footer>f</footer><script>x()</script>", "one");
        check(
            "<p>out</p><main><h1> A <b>b</b></h1><p>in &amp;\n  on</p></main>",
            "A b\n\nin & on",
        );
        check("<header><ul><li>Home</ul><h1>T</h1></header><p>x", "T\n\nx");
        check("<article>a</article><article>b</article>", "a\n\nb");
        check(
            "<form>f</form><p hidden>h</p><aside>s</aside><div>one<div>two</div></div>",
            "one\n\ntwo",
        );
    }

    #[test]
    fn lists_tables_and_code_keep_their_lines() {
        check("<ul><li>a</li><li><p>b</p></li></ul>c", "- a\n- b\n\nc");
        check(
            "<table><tr><th>a</th><th>b</th></tr><tr><td></td><td><p>1\n2</p></td></tr></table>x",
            "a | b\n | 1 2\n\nx",
        );
        check("<pre>a\n  b\n\nc</pre>d", "a\n  b\n\nc\n\nd");
        check("a<br>b", "a\nb");
    }

    #[test]
    fn pages_that_pile_up_elements_are_given_up() {
        let check = |html: &str, expected: Result<(), TooDeep>| {
            assert_eq!(parse(html).map(drop), expected, "{}", &html[..html.len().min(80)]);
            assert_eq!(append(&mut Page::default(), html), expected);
        };
        check(&"<p>words".repeat(5_000), Ok(()));
        check(&"<div><b>x</b></div><div>a < b</div>".repeat(3_000), Ok(()));
        check(&format!("<script>{}</script>", "a<b;".repeat(20_000)), Ok(()));
        check(&"<div><p>".repeat(3_000), Err(TooDeep));
        // What closes nothing opens on.
        check(&"<div></x>".repeat(3_000), Err(TooDeep));
        check(&"<b><div></b>".repeat(3_000), Err(TooDeep));
        check(&"<div><marquee></div></marquee>".repeat(3_000), Err(TooDeep));
        // Each paragraph opens again what was left open.
        let open: Vec<String> = (0..900).map(|at| format!("<b id={at}>")).collect();
        check(&format!("<p>{}{}", open.join(""), "<p>x".repeat(200)), Err(TooDeep));
    }

    #[test]
    fn deep_trees_do_not_overflow_the_stack() {
        let deep = format!("{}x{}", "<div>".repeat(900), "</div>".repeat(900));
        check(&deep, "x");
        check(&format!("<table><tr><td>{}", "<b>".repeat(900)), "");
    }

    #[test]
    fn the_title_is_the_pages_own() {
        assert_eq!(
            parse("<title> A\n b </title><h1>c</h1>").unwrap().title.as_deref(),
            Some("A b")
        );
        assert_eq!(parse("<title></title><h1>c</h1>").unwrap().title.as_deref(), Some("c"));
        assert_eq!(parse("<p>c").unwrap().title, None);
    }
}
