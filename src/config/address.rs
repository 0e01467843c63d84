//! Addresses and names of hosts in the settings: what is one, and how it is shown.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

pub(super) fn is_web_address(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

pub(super) fn web_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_web_address(&text) {
        return Ok(Some(text));
    }
    Err(D::Error::custom("not a URL"))
}

/// An address as it may be shown: without the name and password of who uses it.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => url.to_owned(),
    }
}

/// Host names in lower case; none when one of them is more than a name.
pub(super) fn parse_hosts<'a>(names: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let plain = |name: &&str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    names
        .map(|name| Some(name.trim()).filter(plain).map(str::to_lowercase))
        .collect()
}

pub(super) fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let hosts = parse_hosts(names.iter().map(String::as_str)).map(Some);
    hosts.ok_or_else(|| D::Error::custom("not a list of host names"))
}
