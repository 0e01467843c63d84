//! Which version a write replaces: `If-Match` and `If-None-Match` of the headers, `if_version` of a body.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::engine::stale;
use crate::error::{Error, Result};
use crate::http::problem::{Answer, Problem};
use crate::types::{Checked, Expected};

/// Says in `if_version` that there must be no document yet; no version looks like it.
const NONE: &str = "none";

/// What headers and body expect; one of them speaks, not both.
pub fn of(headers: &HeaderMap, if_version: Option<&str>) -> Result<Expected> {
    let said = [
        told(headers, &header::IF_MATCH)?,
        told(headers, &header::IF_NONE_MATCH)?,
    ];
    match (said, if_version) {
        ([None, None], None) => Ok(Expected::Anything),
        ([None, None], Some(version)) => Ok(in_body(version)),
        ([Some("*"), None], None) => Ok(Expected::Present),
        ([Some(tags), None], None) => versions(tags),
        ([None, Some("*")], None) => Ok(Expected::Absent),
        ([None, Some(_)], None) => Err(Error::bad_input(
            "/if-none-match",
            "only `If-None-Match: *` is understood here: write where there is no document yet",
        )),
        _ => Err(Error::bad_input(
            "/if_version",
            "the expected version is told twice; send one of `If-Match`, `If-None-Match` and `if_version`",
        )),
    }
}

/// Refuses headers that speak of one document where there are several.
pub fn must_be_untold(headers: &HeaderMap) -> Result<()> {
    for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
        if headers.contains_key(&name) {
            let detail = format!("`{name}` speaks of one document, and several are sent; give each its `if_version`");
            return Err(Error::bad_input(&format!("/{name}"), detail));
        }
    }
    Ok(())
}

/// What `if_version` of a body expects.
pub fn in_body(version: &str) -> Expected {
    match version {
        NONE => Expected::Absent,
        version => Expected::Versions(vec![version.to_owned()]),
    }
}

/// What was made, or 412 with the version that is there.
pub fn made<T>(checked: Checked<T>) -> Answer<T> {
    match checked {
        Checked::Made(made) => Ok(made),
        Checked::Stale(version) => Err(Problem {
            version: version.clone(),
            ..Problem::new(StatusCode::PRECONDITION_FAILED, "stale", stale(version.as_deref()))
        }),
    }
}

fn told<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| unreadable(name))?;
    Ok(Some(value.trim()))
}

/// The versions of a list of entity tags: `"a", W/"b"`.
fn versions(tags: &str) -> Result<Expected> {
    let mut versions = Vec::new();
    for tag in tags.split(',').map(str::trim) {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        let version = version.filter(|version| !version.is_empty() && !version.contains('"'));
        versions.push(version.ok_or_else(|| unreadable(&header::IF_MATCH))?.to_owned());
    }
    Ok(Expected::Versions(versions))
}

fn unreadable(name: &HeaderName) -> Error {
    Error::bad_input(
        &format!("/{name}"),
        format!("`{name}` is not understood; send `*` or the document's version in quotes, as `ETag` has it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], if_version: Option<&str>, expected: Option<&Expected>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::try_from(*name).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        let found = of(&map, if_version).ok();
        assert_eq!(found.as_ref(), expected, "{headers:?} {if_version:?}");
    }

    #[test]
    fn headers_and_body_say_which_version_is_replaced() {
        let versions = |all: &[&str]| Expected::Versions(all.iter().map(|one| (*one).to_owned()).collect());
        check(&[], None, Some(&Expected::Anything));
        check(&[], Some("a"), Some(&versions(&["a"])));
        check(&[], Some("none"), Some(&Expected::Absent));
        check(&[("if-match", "\"a\", W/\"b\"")], None, Some(&versions(&["a", "b"])));
        check(&[("if-match", "*")], None, Some(&Expected::Present));
        check(&[("if-none-match", "*")], None, Some(&Expected::Absent));
        check(&[("if-none-match", "\"a\"")], None, None);
        check(&[("if-match", "a")], None, None);
        check(&[("if-match", "\"\"")], None, None);
        check(&[("if-match", "*")], Some("a"), None);
        check(&[("if-match", "*"), ("if-none-match", "*")], None, None);
    }
}
