//! Source code to a page: as it stands, with a section for each symbol and for the members of types.

use super::page::Page;
use crate::types::Heading;

/// Words before the word that says what is defined.
const MODIFIERS: &[&str] = &[
    "abstract",
    "async",
    "data",
    "declare",
    "default",
    "export",
    "extern",
    "final",
    "inline",
    "internal",
    "local",
    "open",
    "override",
    "partial",
    "private",
    "protected",
    "pub",
    "public",
    "sealed",
    "static",
    "suspend",
    "unsafe",
    "virtual",
];
/// Words that define something.
const DEFINES: &[&str] = &[
    "class",
    "def",
    "defmodule",
    "defp",
    "enum",
    "extension",
    "fn",
    "fun",
    "func",
    "function",
    "impl",
    "interface",
    "macro_rules!",
    "message",
    "mod",
    "module",
    "namespace",
    "object",
    "protocol",
    "record",
    "rpc",
    "service",
    "struct",
    "sub",
    "trait",
    "type",
    "union",
];
/// What holds members.
const HOLDS: &[&str] = &[
    "class",
    "defmodule",
    "extension",
    "impl",
    "interface",
    "mod",
    "module",
    "namespace",
    "object",
    "protocol",
    "record",
    "service",
    "struct",
    "trait",
];
/// Words that begin a statement, not a definition.
const STATEMENTS: &[&str] = &[
    "assert", "await", "case", "catch", "do", "elif", "else", "for", "foreach", "if", "new", "print", "return",
    "switch", "throw", "try", "using", "when", "while", "with", "yield",
];
/// A longer line is cut in a title.
const LONGEST_TITLE: usize = 120;

/// Writes source code on a page.
pub fn parse(text: &str) -> Page {
    let mut page = Page::default();
    page.verbatim(text.trim_start_matches('\u{feff}'));
    page.headings = symbols(&page.text);
    page
}

fn symbols(text: &str) -> Vec<Heading> {
    let mut headings = Vec::new();
    // Where the comments begin that stand right above.
    let mut above: Option<usize> = None;
    // Whether the last symbol holds members, and how far these are indented.
    let mut members: Option<Option<usize>> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = above.unwrap_or(offset);
        let indent = line.len() - line.trim_start().len();
        above = is_remark(line.trim()).then_some(start);
        offset += line.len();
        let is_member = match members {
            _ if indent == 0 => false,
            None => continue,
            Some(Some(width)) if indent != width => continue,
            Some(_) => true,
        };
        let Some(word) = defines(line, is_member) else { continue };
        if is_member {
            members = Some(Some(indent));
        } else {
            members = HOLDS.contains(&word).then_some(None);
        }
        let title = title(line);
        headings.push(Heading {
            level: 1 + u8::from(is_member),
            title,
            start,
        });
    }
    headings
}

fn is_remark(line: &str) -> bool {
    let is_macro = line.starts_with("#include") || line.starts_with("#define") || line.starts_with("#!");
    !is_macro
        && ["//", "/*", "*", "#", "@", "--", "[<", "[["]
            .iter()
            .any(|mark| line.starts_with(mark))
}

/// The word that says what a line defines; none for a line that defines nothing.
fn defines(line: &str, is_member: bool) -> Option<&str> {
    let trimmed = line.trim();
    if is_remark(trimmed) {
        return None;
    }
    let mut words = trimmed.split_whitespace();
    let mut word = words.next()?;
    while is_modifier(word) {
        word = words.next()?;
    }
    // `const fn` defines, `const` alone does not.
    if word == "const" && words.clone().next() == Some("fn") {
        return Some("fn");
    }
    let name = word.split(['<', '*']).next().unwrap_or_default();
    if DEFINES.contains(&name) && words.next().is_some() {
        return Some(name);
    }
    if word.eq_ignore_ascii_case("create") {
        return Some("create");
    }
    let is_arrow = matches!(word, "const" | "let") && !is_member && trimmed.contains("=>");
    (is_arrow || is_signature(trimmed, word)).then_some("fn")
}

fn is_modifier(word: &str) -> bool {
    MODIFIERS.contains(&word) || word.starts_with("pub(") || word.starts_with('"')
}

/// `int main(int count) {` and the like: a type, a name, and what it takes.
fn is_signature(line: &str, first: &str) -> bool {
    let Some((before, after)) = line.split_once('(') else {
        return false;
    };
    let opens = after.ends_with('{') || (after.ends_with(')') && !after.contains(';'));
    let named = before.split_whitespace().count() > 1 || before.contains("::");
    opens && named && !before.contains(['=', '.', '"']) && !STATEMENTS.contains(&first)
}

fn title(line: &str) -> String {
    let line = line.trim().trim_end_matches(['{', ':', ' ']);
    line[..line.floor_char_boundary(LONGEST_TITLE)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[(u8, &str, &str)]) {
        let page = parse(code);
        assert_eq!(page.text, code);
        let found: Vec<(u8, &str, &str)> = page
            .headings
            .iter()
            .map(|heading| {
                let first = page.text[heading.start..].lines().next().unwrap_or_default();
                (heading.level, heading.title.as_str(), first.trim())
            })
            .collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn symbols_are_sections_and_take_their_comments_along() {
        check(
            "//! A file.\n\nuse a;\n\n/// Does.\n#[must_use]\npub fn one<T>(a: T) -> T {\n    if x(a) {\n    }\n}\n\nimpl<T> A<T> {\n    // Two.\n    const fn two() {\n        fn inner() {}\n    }\n}\nstatic X: u8 = 1;\n",
            &[
                (1, "pub fn one<T>(a: T) -> T", "/// Does."),
                (1, "impl<T> A<T>", "impl<T> A<T> {"),
                (2, "const fn two()", "// Two."),
            ],
        );
        check(
            "import os\n\n@cache\ndef one(a):\n    if a:\n        def inner(): pass\n\nclass Two(Base):\n    x = 1\n    async def three(self):\n        return call(self)\n",
            &[
                (1, "def one(a)", "@cache"),
                (1, "class Two(Base)", "class Two(Base):"),
                (2, "async def three(self)", "async def three(self):"),
            ],
        );
    }

    #[test]
    fn other_languages_define_in_their_ways() {
        check(
            "#include <a.h>\n\nstatic int main(int n)\n{\n  while (n) {\n  }\n}\nint A::b() {\n}\nint x = f(1);\n",
            &[
                (1, "static int main(int n)", "static int main(int n)"),
                (1, "int A::b()", "int A::b() {"),
            ],
        );
        check(
            "public class A {\n  private int b;\n  public void c(int d) {\n    if (d) {\n  }\n}\n",
            &[
                (1, "public class A", "public class A {"),
                (2, "public void c(int d)", "public void c(int d) {"),
            ],
        );
        check(
            "export const one = async (a) => {\n}\nconst two = 2;\nexport default function three() {\n}\n",
            &[
                (
                    1,
                    "export const one = async (a) =>",
                    "export const one = async (a) => {",
                ),
                (
                    1,
                    "export default function three()",
                    "export default function three() {",
                ),
            ],
        );
        check(
            "CREATE TABLE a (b int);\n",
            &[(1, "CREATE TABLE a (b int);", "CREATE TABLE a (b int);")],
        );
        check(
            "func (s *S) Do(a int) error {\n}\n",
            &[(1, "func (s *S) Do(a int) error", "func (s *S) Do(a int) error {")],
        );
    }
}
