//! RTF to a page: paragraphs, headings by outline level, tables as rows, in the encodings that the file names.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::page::Page;
use super::rtf_signs::{charset, codepage, sign};
use super::rtf_tokens::{Token, Tokens};

/// Groups within groups; each takes some bytes only, but no writer goes as deep.
const DEEPEST: usize = 10_000;
/// Groups whose words a reader does not see.
const HIDDEN: &[&str] = &[
    "annotation",
    "atnauthor",
    "atnid",
    "author",
    "bkmkend",
    "bkmkstart",
    "blipuid",
    "category",
    "colortbl",
    "comment",
    "company",
    "creatim",
    "datastore",
    "doccomm",
    "falt",
    "ffdeftext",
    "ffname",
    "filetbl",
    "fldinst",
    "fontemb",
    "generator",
    "hlinkbase",
    "info",
    "keywords",
    "latentstyles",
    "listoverridetable",
    "listtable",
    "manager",
    "nonshppict",
    "objclass",
    "objdata",
    "objname",
    "operator",
    "panose",
    "pgdsctbl",
    "pict",
    "pnseclvl",
    "printim",
    "private",
    "revtbl",
    "revtim",
    "rsidtbl",
    "shpinst",
    "stylesheet",
    "subject",
    "tc",
    "template",
    "themedata",
    "userprops",
    "xe",
    "xmlnstbl",
];

/// Where words go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Title,
    /// The mark before an item of a list.
    Mark,
    Fonts,
    Nowhere,
}

/// What holds within the open group.
#[derive(Clone, Copy)]
struct Group {
    place: Place,
    deleted: bool,
    /// Letters that stand for one of `\u` and are skipped.
    fallback: usize,
    font: i32,
}

struct Reader {
    page: Page,
    groups: Vec<Group>,
    now: Group,
    /// The encoding of each font that names one.
    fonts: std::collections::BTreeMap<i32, &'static Encoding>,
    encoding: &'static Encoding,
    /// Bytes in the font's encoding that wait to be read together: a letter may take two.
    bytes: Vec<u8>,
    /// The first half of a letter that `\u` writes in two.
    half: Option<u16>,
    skip: usize,
    paragraph: String,
    title: String,
    level: Option<u8>,
    is_item: bool,
    in_table: bool,
    in_row: bool,
}

/// Writes an RTF file on a page.
pub fn parse(bytes: &[u8]) -> Result<Page, String> {
    let now = Group {
        place: Place::Text,
        deleted: false,
        fallback: 1,
        font: -1,
    };
    let mut reader = Reader {
        page: Page::default(),
        groups: Vec::new(),
        now,
        fonts: std::collections::BTreeMap::new(),
        encoding: WINDOWS_1252,
        bytes: Vec::new(),
        half: None,
        skip: 0,
        paragraph: String::new(),
        title: String::new(),
        level: None,
        is_item: false,
        in_table: false,
        in_row: false,
    };
    for token in Tokens::of(bytes) {
        reader.take(token)?;
    }
    reader.settle();
    reader.end_paragraph();
    reader.end_row();
    reader.page.title = Some(reader.title.trim().to_owned()).filter(|title| !title.is_empty());
    Ok(reader.page)
}

impl Reader {
    fn take(&mut self, token: Token<'_>) -> Result<(), String> {
        match token {
            Token::Byte(b'\r' | b'\n') => {}
            Token::Byte(_) | Token::Code(_) | Token::Word(_, _) if self.skip > 0 => self.skip -= 1,
            Token::Byte(byte) | Token::Code(byte) => self.bytes.push(byte),
            Token::Open => {
                self.settle();
                if self.groups.len() == DEEPEST {
                    return Err(format!("it nests over {DEEPEST} groups"));
                }
                self.groups.push(self.now);
            }
            Token::Close => {
                self.settle();
                self.skip = 0;
                if let Some(group) = self.groups.pop() {
                    self.now = group;
                }
            }
            // A group that begins so may be left out; what of these is to be read is named here.
            Token::Optional(word) => {
                self.settle();
                if !matches!(word, "shptxt" | "shppict" | "fldrslt" | "pn" | "listtext" | "pntext") {
                    self.now.place = Place::Nowhere;
                }
                self.word(word, None);
            }
            Token::Word(word, value) => {
                self.settle();
                self.word(word, value);
            }
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: Option<i32>) {
        let number = value.unwrap_or_default();
        match word {
            "ansicpg" | "cpg" => self.set_encoding(codepage(number)),
            "mac" => self.set_encoding(Some(encoding_rs::MACINTOSH)),
            "fcharset" => self.set_encoding(charset(number)),
            "f" => self.now.font = number,
            "fonttbl" => self.now.place = Place::Fonts,
            "uc" => self.now.fallback = number.clamp(0, 16) as usize,
            "u" => self.unicode(number as u16),
            "title" if self.groups.len() > 1 => self.now.place = Place::Title,
            "shptxt" => self.now.place = Place::Text,
            "listtext" | "pntext" if self.now.place == Place::Text => {
                (self.now.place, self.is_item) = (Place::Mark, true);
            }
            "deleted" | "v" => self.now.deleted = value != Some(0),
            "plain" => self.now.deleted = false,
            "pard" => (self.level, self.in_table) = (None, false),
            "intbl" => self.in_table = true,
            "outlinelevel" if (0..6).contains(&number) => self.level = Some(number as u8 + 1),
            "par" | "sect" | "page" => self.end_paragraph(),
            "line" | "softline" => self.write("\n"),
            "cell" | "nestcell" => self.end_cell(),
            "row" | "nestrow" => self.end_row(),
            "footnote" => self.write(" "),
            _ if HIDDEN.binary_search(&word).is_ok() => self.now.place = Place::Nowhere,
            _ => self.write(sign(word)),
        }
    }

    fn set_encoding(&mut self, encoding: Option<&'static Encoding>) {
        let Some(encoding) = encoding else { return };
        if self.now.place == Place::Fonts {
            self.fonts.insert(self.now.font, encoding);
        } else {
            self.encoding = encoding;
        }
    }

    fn unicode(&mut self, unit: u16) {
        self.skip = self.now.fallback;
        let units = [self.half.take().unwrap_or_default(), unit];
        if (0xd800..0xdc00).contains(&unit) {
            self.half = Some(unit);
            return;
        }
        let from = usize::from(units[0] == 0);
        self.write(&String::from_utf16_lossy(&units[from..]));
    }

    /// Reads the bytes that wait.
    fn settle(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        let encoding = self.fonts.get(&self.now.font).copied().unwrap_or(self.encoding);
        let text = encoding.decode_without_bom_handling(&bytes).0;
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        match self.now.place {
            Place::Title => self.title.push_str(text),
            Place::Text if !self.now.deleted => self.paragraph.push_str(text),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        if self.now.place != Place::Text {
            return;
        }
        if self.in_table {
            return self.paragraph.push('\n');
        }
        self.end_row();
        let words = std::mem::take(&mut self.paragraph);
        let (words, is_item) = (words.trim_end(), std::mem::take(&mut self.is_item));
        match self.level {
            _ if words.trim().is_empty() => self.page.block(),
            Some(level) => self.page.heading(level, words),
            None if is_item => {
                self.page.start_item();
                self.page.verbatim(words.trim());
                self.page.end_item();
            }
            None => {
                self.page.block();
                self.page.verbatim(words);
                self.page.block();
            }
        }
    }

    fn end_cell(&mut self) {
        if !self.in_row {
            self.page.start_row();
            self.in_row = true;
        }
        self.page.start_cell();
        let words = std::mem::take(&mut self.paragraph);
        self.page.verbatim(words.trim());
        self.page.end_cell();
        self.is_item = false;
    }

    fn end_row(&mut self) {
        if std::mem::take(&mut self.in_row) {
            self.page.end_row();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rtf: &[u8], expected: &str) {
        let page = parse(rtf).unwrap();
        assert_eq!(page.text.trim_end(), expected, "{}", String::from_utf8_lossy(rtf));
        for heading in &page.headings {
            assert!(page.text[heading.start..].starts_with(&heading.title), "{heading:?}");
        }
    }

    #[test]
    fn words_are_kept_and_their_looks_are_not() {
        assert!(HIDDEN.is_sorted());
        check(b"", "");
        check(
            b"{\\rtf1\\ansi{\\fonttbl{\\f0 Times;}}{\\info{\\title A}{\\author B}}{\\*\\generator x;}{\\b One} tw\\\r\no\\par {\\i three}}",
            "One tw\n\no\n\nthree",
        );
        check(
            b"{\\rtf1 a\\tab b\\line c\\~d \\{\\\\\\} \\endash  e}",
            "a\tb\nc d {\\} \u{2013} e",
        );
        check(b"{\\rtf1 one {\\deleted two }three{\\v  four}}", "one three");
        check(b"{\\rtf1{\\b0\\*\\cs7 x}}", "x");
        check(b"{\\rtf1{\\pict\\bin4 }}}}}{\\*\\shppict{\\pict 00ff}}x}", "x");
        assert_eq!(
            parse(b"{\\rtf1{\\info{\\title A \\'e4}}x}").unwrap().title.as_deref(),
            Some("A \u{e4}")
        );
    }

    #[test]
    fn encodings_are_those_of_the_file_and_its_fonts() {
        check(b"{\\rtf1\\ansi Gr\\'f6\\'dfe \xfc}", "Gr\u{f6}\u{df}e \u{fc}");
        check(b"{\\rtf1\\ansicpg1251 \\'cf\\'f0\\'e8}", "\u{41f}\u{440}\u{438}");
        check(
            b"{\\rtf1{\\fonttbl{\\f1\\fcharset128 M;}{\\f2\\fcharset204 C;}}{\\f1 \\'93\\'fa\\'96\\'7b}{\\f2 \\'cf}\\'e9}",
            "\u{65e5}\u{672c}\u{41f}\u{e9}",
        );
        check(
            b"{\\rtf1\\uc1 \\u8364?\\u8364 ?{\\uc0\\u8364}\\uc2\\u8364\\'80\\'80\\u-10179 ??\\u-8704 ??x}",
            "\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{1f600}x",
        );
    }

    #[test]
    fn headings_lists_and_tables_keep_their_form() {
        check(
            b"{\\rtf1\\pard\\outlinelevel0 Title\\par\\pard Words\\par{\\listtext\\bullet\\tab}item\\par end}",
            "Title\n\nWords\n\n- item\n\nend",
        );
        check(
            b"{\\rtf1 x\\par\\trowd\\pard\\intbl a\\par b\\cell c\\cell\\row\\trowd\\pard\\intbl d\\cell e\\cell\\row\\pard y}",
            "x\n\na b | c\nd | e\n\ny",
        );
    }

    #[test]
    fn what_is_broken_or_hostile_is_no_harm() {
        assert!(parse(&b"{".repeat(20_000)).is_err());
        check(&b"}".repeat(20_000), "");
        check(b"{\\rtf1 a\\bin99999999999 b", "a");
        check(b"{\\rtf1 a\\u99999999999999 b\\'zz\\'", "a");
    }
}
