//! Which field of a row is what of a document: the id, the title, the text, its metadata and who may read it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::types::{Item, Metadata};

/// The longest name of a document, in bytes.
pub(super) const MAX_URI_BYTES: usize = 2_048;
/// Before the name of a fact.
const METADATA: &str = "metadata.";
/// Between the fields whose texts follow each other.
const AND: char = '+';

/// From what of a document to the field of a row: `id`, `uri`, `title`, `text`, `principals` and `metadata.NAME`. Empty
/// means the usual names. A field within another is `outer.inner`.
pub type Fields = BTreeMap<String, String>;

/// A row under the names of its fields.
pub(super) type Row = Map<String, Value>;

/// Fields that hold what they are called, where nobody says which do.
const USUAL: [(&str, &[&str]); 4] = [
    ("id", &["id", "_id", "key"]),
    ("uri", &["uri", "url"]),
    ("title", &["title", "name"]),
    ("text", &["text", "content", "body", "description"]),
];

/// Tells what is wrong with a map of fields.
pub(super) fn check(fields: &Fields) -> Result<(), String> {
    for (part, field) in fields {
        let is_known = ["id", "uri", "title", "text", "principals"].contains(&part.as_str())
            || part.strip_prefix(METADATA).is_some_and(|name| !name.is_empty());
        if !is_known || field.is_empty() {
            return Err(format!(
                "a document has no part `{part}` that could be the field `{field}`; \
                 such are id=sku, uri=link, title=name, text=description, principals=readers, metadata.price=price"
            ));
        }
    }
    Ok(())
}

/// The document that a row makes; `name` is what it is called when it has no name of its own.
pub(super) fn item(row: &Row, fields: &Fields, name: impl Fn(Option<&str>) -> String) -> Result<Item, String> {
    let usual;
    let fields = if fields.is_empty() {
        usual = usual_fields(row);
        &usual
    } else {
        fields
    };
    let part = |part: &str| fields.get(part).and_then(|field| at(row, field)).and_then(word);
    let uri = part("uri").unwrap_or_else(|| name(part("id").as_deref()));
    if uri.trim().is_empty() || uri.len() > MAX_URI_BYTES || uri.contains(char::is_control) {
        return Err(format!(
            "its name has 1 to {MAX_URI_BYTES} bytes and no control characters"
        ));
    }
    let text = match fields.get("text") {
        Some(field) => {
            let texts: Vec<String> = field
                .split(AND)
                .filter_map(|field| at(row, field))
                .filter_map(word)
                .collect();
            texts.join("\n\n")
        }
        None => lines(row),
    };
    if text.trim().is_empty() {
        return Err("it has no text; `--fields text=NAME` says which field holds it".to_owned());
    }
    Ok(Item {
        uri,
        media_type: Some("text/plain".to_owned()),
        bytes: text.into_bytes(),
        metadata: metadata(row, fields, part("title")),
        principals: principals(row, fields)?,
        modified: None,
    })
}

/// The usual names of those parts that the row has; what is left are facts.
fn usual_fields(row: &Row) -> Fields {
    let mut fields = Fields::new();
    for (part, names) in USUAL {
        if let Some(name) = names.iter().find(|name| row.get(**name).and_then(word).is_some()) {
            fields.insert(part.to_owned(), (*name).to_owned());
        }
    }
    let rest = row
        .iter()
        .filter(|(name, value)| is_fact(value) && !fields.values().any(|field| field == *name));
    let rest: Fields = rest
        .map(|(name, _)| (format!("{METADATA}{name}"), name.clone()))
        .collect();
    fields.extend(rest);
    fields
}

/// Whether filters can ask for it.
fn is_fact(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().all(|one| !one.is_object() && !one.is_array()),
        Value::Object(_) | Value::Null => false,
        _ => true,
    }
}

fn metadata(row: &Row, fields: &Fields, title: Option<String>) -> Metadata {
    let facts = fields.iter().filter_map(|(part, field)| {
        let name = part.strip_prefix(METADATA)?;
        let value = at(row, field).filter(|value| !value.is_null())?;
        Some((name.to_owned(), value.clone()))
    });
    let mut metadata: Metadata = facts.collect();
    metadata.extend(title.map(|title| ("title".to_owned(), title.into())));
    metadata
}

/// Who may read it. A row that does not say is not shown to everyone.
fn principals(row: &Row, fields: &Fields) -> Result<Vec<String>, String> {
    let Some(field) = fields.get("principals") else {
        return Ok(Vec::new());
    };
    let names: Vec<String> = match at(row, field) {
        Some(Value::Array(list)) => list.iter().filter_map(word).collect(),
        Some(value) => word(value).into_iter().collect(),
        None => Vec::new(),
    };
    if names.is_empty() {
        return Err(format!("`{field}` does not say who may read it"));
    }
    Ok(names)
}

/// The value of a field; `outer.inner` where no field is called so.
fn at<'a>(row: &'a Row, field: &str) -> Option<&'a Value> {
    if let Some(value) = row.get(field) {
        return Some(value);
    }
    let (outer, inner) = field.split_once('.')?;
    at(row.get(outer)?.as_object()?, inner)
}

/// A value in words; none when it is empty or no single value.
fn word(value: &Value) -> Option<String> {
    let word = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return None,
    };
    (!word.trim().is_empty()).then_some(word)
}

/// All fields, a line each.
fn lines(row: &Row) -> String {
    let words = row
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}: {}", word(value)?)));
    words.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made(row: &Value, fields: &[(&str, &str)]) -> Result<Item, String> {
        let fields = fields.iter().map(|(part, field)| ((*part).into(), (*field).into()));
        let name = |id: Option<&str>| format!("rows#{}", id.unwrap_or("3"));
        item(row.as_object().unwrap(), &fields.collect(), name)
    }

    fn check(row: &Value, fields: &[(&str, &str)], uri: &str, text: &str, metadata: &Value) {
        let item = made(row, fields).unwrap();
        let told = (
            item.uri.as_str(),
            str::from_utf8(&item.bytes).unwrap(),
            json!(item.metadata),
        );
        assert_eq!(told, (uri, text, metadata.clone()));
    }

    #[test]
    fn fields_make_the_parts_of_a_document() {
        let row = json!({ "sku": 7, "name": "Oar", "description": "Ash.", "more": { "care": "Oil." }, "price": 12.5 });
        let fields = [
            ("id", "sku"),
            ("title", "name"),
            ("text", "description+more.care"),
            ("metadata.cost", "price"),
        ];
        check(
            &row,
            &fields,
            "rows#7",
            "Ash.\n\nOil.",
            &json!({ "cost": 12.5, "title": "Oar" }),
        );
        check(
            &row,
            &[],
            "rows#3",
            "Ash.",
            &json!({ "price": 12.5, "sku": 7, "title": "Oar" }),
        );
        check(
            &json!({ "uri": "a/b", "x": 1 }),
            &[],
            "a/b",
            "uri: a/b\nx: 1",
            &json!({ "x": 1 }),
        );
    }

    #[test]
    fn a_row_that_makes_no_document_says_why() {
        let check = |row: &Value, fields: &[(&str, &str)], expected: &str| {
            let error = made(row, fields).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(&json!({ "text": " ", "id": {} }), &[], "no text");
        check(&json!({ "text": "a", "id": "a\u{1b}b" }), &[], "no control characters");
        let named = [("text", "text"), ("principals", "for")];
        check(&json!({ "text": "a" }), &named, "who may read it");
        check(&json!({ "text": "a", "for": [] }), &named, "who may read it");
        let item = made(&json!({ "text": "a", "for": ["x", "y"] }), &named).unwrap();
        assert_eq!(item.principals, ["x", "y"]);
    }

    #[test]
    fn a_part_that_no_document_has_is_told() {
        let check = |part: &str, field: &str, good: bool| {
            let fields = Fields::from([(part.to_owned(), field.to_owned())]);
            assert_eq!(super::check(&fields).is_ok(), good, "{part}={field}");
        };
        check("id", "sku", true);
        check("metadata.a.b", "sku", true);
        check("metadata.", "sku", false);
        check("sku", "id", false);
        check("id", "", false);
    }
}
