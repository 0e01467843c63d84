//! Front matter: `key: value` lines between two `---` lines at the top of a Markdown file.

use serde_json::Value;

use crate::types::Metadata;

/// Splits a text into the facts on top of it and the rest; without front matter the rest is the whole text.
///
/// Knows strings, numbers, booleans, `[a, b]` and indented `- a` lists; other YAML stays unread.
pub fn split(text: &str) -> (Metadata, &str) {
    let whole = (Metadata::new(), text);
    let Some(inner) = text.strip_prefix("---\n") else {
        return whole;
    };
    let mut metadata = Metadata::new();
    let mut open_list: Option<String> = None;
    let mut offset = 0;
    for line in inner.split_inclusive('\n') {
        offset += line.len();
        let line = line.trim_end();
        if line == "---" || line == "..." {
            return (metadata, &inner[offset..]);
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let (Some(key), Some(entry)) = (&open_list, line.trim_start().strip_prefix("- ")) {
            if let Some(Value::Array(list)) = metadata.get_mut(key) {
                list.push(scalar(entry));
            }
            continue;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        // A line that is no pair means that this was a rule across the page, and the text starts here.
        let Some((key, value)) = pair(line) else { return whole };
        open_list = value.is_empty().then(|| key.to_owned());
        let value = if value.is_empty() {
            Value::Array(Vec::new())
        } else {
            list_or_scalar(value)
        };
        metadata.insert(key.to_owned(), value);
    }
    whole
}

fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let is_key = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
    let is_apart = value.is_empty() || value.starts_with([' ', '\t']);
    (is_key && is_apart).then(|| (key.trim(), value.trim()))
}

fn list_or_scalar(value: &str) -> Value {
    let Some(inner) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return scalar(value);
    };
    inner
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(scalar)
        .collect()
}

fn scalar(value: &str) -> Value {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.replace(char::is_control, "").into();
        }
    }
    match value {
        "true" => return true.into(),
        "false" => return false.into(),
        _ => {}
    }
    if let Ok(number) = value.parse::<i64>() {
        return number.into();
    }
    // Only digits make a number: `nan` and `infinity` are words here.
    match value.parse::<f64>() {
        Ok(number) if value.ends_with(|last: char| last.is_ascii_digit()) => number.into(),
        _ => value.replace(char::is_control, "").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str, rest: &str) {
        let (metadata, left) = split(text);
        assert_eq!(serde_json::to_string(&metadata).unwrap(), expected, "{text:?}");
        assert_eq!(left, rest);
    }

    #[test]
    fn facts_are_read_and_rules_are_left_alone() {
        check(
            "---\ntitle: A: b\nn: 3\nf: 1.5\nok: true\n---\nx",
            r#"{"f":1.5,"n":3,"ok":true,"title":"A: b"}"#,
            "x",
        );
        check(
            "---\ntags: [a, \"b\", 2]\nq: '7'\n---\n",
            r#"{"q":"7","tags":["a","b",2]}"#,
            "",
        );
        check(
            "---\ntags:\n  - a\n  - b\nz: 1\n...\nx",
            r#"{"tags":["a","b"],"z":1}"#,
            "x",
        );
        check("---\nJust words\n---\nx", "{}", "---\nJust words\n---\nx");
        check("---\na: 1\n", "{}", "---\na: 1\n");
        check("x\n---\na: 1\n---\n", "{}", "x\n---\na: 1\n---\n");
    }
}
