//! Names and attributes of XML elements, without the names of their schemas: writers call those as they like.

use quick_xml::events::BytesStart;

/// The name of an element after its prefix.
pub fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

/// The value of the attribute `name`, whatever its prefix.
pub fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    for attribute in tag.attributes().with_checks(false).flatten() {
        if attribute.key.local_name().as_ref() == name {
            let value = quick_xml::escape::unescape(&attribute.value).map(std::borrow::Cow::into_owned);
            return Some(value.unwrap_or_else(|_| attribute.value.clone().into_owned()));
        }
    }
    None
}
