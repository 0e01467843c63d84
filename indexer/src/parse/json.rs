//! JSON to a page: a line a value under its name, a section for each large part of the whole, a paragraph a record.

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use super::page::Page;
use super::{MAX_TEXT_BYTES, TooLong, plain};

/// Writes a JSON text on a page; what is no JSON is a plain text.
pub fn parse(text: &str) -> Result<Page, TooLong> {
    let mut page = Page::default();
    match write(&mut page, text, 0) {
        Ok(()) => Ok(page),
        Err(_) if page.text.len() > MAX_TEXT_BYTES => Err(TooLong),
        Err(_) => Ok(plain::parse(text)),
    }
}

/// Writes a text of which each line is JSON on a page: a paragraph a line.
pub fn lines(text: &str) -> Result<Page, TooLong> {
    let mut page = Page::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        page.block();
        let start = page.text.len();
        // Fields of a record are no parts of the whole.
        if write(&mut page, line, 1).is_err() && page.text.len() <= MAX_TEXT_BYTES {
            page.text.truncate(start);
            page.verbatim(line);
        }
        if page.text.len() > MAX_TEXT_BYTES {
            return Err(TooLong);
        }
    }
    Ok(page)
}

fn write(page: &mut Page, text: &str, depth: usize) -> Result<(), serde_json::Error> {
    let mut reader = Deserializer::from_str(text);
    let value = Value {
        page,
        name: Name::None,
        depth,
    };
    value.deserialize(&mut reader)?;
    reader.end()
}

/// What a value is called.
enum Name {
    /// The whole, or a record of it.
    None,
    Key(String),
    /// One of a list.
    Item,
}

/// A value that is written while it is read, so that nothing is held twice and names keep their order.
struct Value<'a> {
    page: &'a mut Page,
    name: Name,
    /// Values around it.
    depth: usize,
}

impl Value<'_> {
    fn indent(&mut self) {
        self.page.line();
        let depth = self.depth.saturating_sub(2);
        self.page.verbatim(&"  ".repeat(depth));
    }

    fn scalar<E: Error>(mut self, words: &str) -> Result<(), E> {
        self.indent();
        match &self.name {
            Name::Key(key) => {
                if self.depth == 1 && key == "title" {
                    self.page.title = Some(words.to_owned());
                }
                self.page.verbatim(&format!("{key}: {words}"));
            }
            Name::Item => self.page.verbatim(&format!("- {words}")),
            Name::None => self.page.verbatim(words),
        }
        if self.page.text.len() > MAX_TEXT_BYTES {
            return Err(E::custom("too long"));
        }
        Ok(())
    }

    /// Writes the name of a value that holds others.
    fn open(&mut self) {
        match std::mem::replace(&mut self.name, Name::None) {
            Name::Key(key) if self.depth == 1 => self.page.heading(1, &key),
            Name::Key(key) => {
                self.indent();
                self.page.verbatim(&format!("{key}:"));
            }
            Name::Item if self.depth <= 2 => self.page.block(),
            Name::Item => {
                self.indent();
                self.page.verbatim("-");
            }
            Name::None => {}
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.open();
        loop {
            let item = Value {
                page: &mut *self.page,
                name: Name::Item,
                depth: self.depth + 1,
            };
            if list.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.open();
        while let Some(key) = fields.next_key()? {
            fields.next_value_seed(Value {
                page: &mut *self.page,
                name: Name::Key(key),
                depth: self.depth + 1,
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap().text.trim_end(), expected, "{text}");
    }

    #[test]
    fn values_stand_under_their_names_in_their_order() {
        check("{}", "");
        check(
            r#"{"b": 1, "a": [1.5, "x\ny"], "c": null}"#,
            "b: 1\n\na\n\n- 1.5\n- x\ny",
        );
        check(
            r#"{"one": {"two": {"three": true}, "four": [{"five": "5"}]}}"#,
            "one\n\ntwo:\n  three: true\nfour:\n  -\n    five: 5",
        );
        let page = parse(r#"{"title": "T", "part": {"a": 1}}"#).unwrap();
        assert_eq!(
            (page.title.as_deref(), page.headings[0].title.as_str()),
            (Some("T"), "part")
        );
    }

    #[test]
    fn a_record_is_a_paragraph() {
        check(r#"[{"a": 1, "b": 2}, {"a": 3}]"#, "a: 1\nb: 2\n\na: 3");
        let text = "{\"a\": 1, \"b\": [2]}\n\n{\"a\": 3}\nno JSON\n";
        assert_eq!(
            lines(text).unwrap().text.trim_end(),
            "a: 1\nb:\n  - 2\n\na: 3\n\nno JSON"
        );
    }

    #[test]
    fn what_is_no_json_is_text() {
        check("{\"a\": 1,}", "{\"a\": 1,}");
        check("", "");
        let deep = "[".repeat(100_000);
        check(&deep, &deep);
        let wide = format!("[{}1]", "[1],".repeat(4_000_000));
        assert_eq!(parse(&wide).map(drop), Err(TooLong));
    }
}
