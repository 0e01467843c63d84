//! Names and attributes of XML elements, without the names of their schemas: writers call those as they like.

use quick_xml::events::BytesStart;

/// The name of an element after its prefix.
pub fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

/// The value of the attribute `name`, whatever its prefix.
pub fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut found = tag.attributes().with_checks(false).flatten();
    let found = found.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    let value = String::from_utf8_lossy(&found.value).into_owned();
    match quick_xml::escape::unescape(&value) {
        Ok(value) => Some(value.into_owned()),
        Err(_) => Some(value),
    }
}
