//! What a source says about a document besides its text: it is kept with every chunk, so it has a bound.

use serde_json::Value;

use crate::types::Metadata;

/// Metadata and principals together, as JSON.
pub const MAX_BYTES: usize = 64 * 1024;
/// Values within values.
pub const DEEPEST: usize = 16;

/// What is wrong with the facts, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer, such as `/metadata/team`.
    pub pointer: String,
    /// What is wrong, and the mend.
    pub detail: String,
}

/// An error that names the value which is too deep, or the largest one where all of them are too large together.
pub fn check(metadata: &Metadata, principals: &[String]) -> Result<(), Fault> {
    let mut whole = principals.iter().map(|principal| principal.len() + 3).sum();
    let (mut largest, mut pointer) = (whole, "/principals".to_owned());
    for (key, value) in metadata {
        if is_deeper(value, DEEPEST) {
            let detail = format!("the metadata `{}` nests over {DEEPEST} values; flatten it", shown(key));
            let pointer = place(key);
            return Err(Fault { pointer, detail });
        }
        let size = key.len() + 4 + serde_json::to_vec(value).map_or(0, |bytes| bytes.len());
        whole += size;
        if size > largest {
            (largest, pointer) = (size, place(key));
        }
    }
    if whole <= MAX_BYTES {
        return Ok(());
    }
    let name = pointer.trim_start_matches("/metadata/").trim_start_matches('/');
    let detail = format!(
        "metadata and principals have {whole} bytes together, {largest} of them in `{name}`; at most {MAX_BYTES} are \
         accepted, so move long texts into the document"
    );
    Err(Fault { pointer, detail })
}

fn is_deeper(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(list) => left == 0 || list.iter().any(|one| is_deeper(one, left - 1)),
        Value::Object(fields) => left == 0 || fields.values().any(|one| is_deeper(one, left - 1)),
        _ => false,
    }
}

fn place(key: &str) -> String {
    format!("/metadata/{}", shown(key).replace('~', "~0").replace('/', "~1"))
}

fn shown(key: &str) -> &str {
    &key[..key.floor_char_boundary(200)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(metadata: Value, principals: &[String], expected: Option<&str>) {
        let metadata: Metadata = serde_json::from_value(metadata).unwrap();
        let found = super::check(&metadata, principals);
        assert_eq!(found.err().map(|fault| fault.pointer).as_deref(), expected);
    }

    #[test]
    fn facts_have_a_size_and_a_depth() {
        let half = "x".repeat(MAX_BYTES / 2);
        let names: Vec<String> = (0..10_000).map(|name| format!("reader {name}")).collect();
        check(json!({}), &[], None);
        check(json!({ "a": half, "b": [1, {"c": [2]}] }), &names[..100], None);
        check(
            json!({ "a": half, "b/c": format!("{half}x"), "d": 1 }),
            &[],
            Some("/metadata/b~1c"),
        );
        check(json!({ "a": 1 }), &names, Some("/principals"));
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        check(json!({ "a": nested(DEEPEST) }), &[], None);
        check(json!({ "a": nested(DEEPEST + 1) }), &[], Some("/metadata/a"));
    }
}
