//! Sitemaps: the addresses that a site lists itself, and the lists of such lists.

use quick_xml::Reader;
use quick_xml::events::Event;

/// As many as the protocol allows: <https://www.sitemaps.org/protocol.html>.
const MAX_ADDRESSES: usize = 50_000;
/// Nothing in a sitemap lies so deep.
const MAX_DEPTH: usize = 16;

/// What a sitemap lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sitemap {
    /// Pages.
    Pages(Vec<String>),
    /// Other sitemaps.
    Maps(Vec<String>),
}

/// Reads a sitemap; none when it is something else. One that breaks off is an error: what it lacks is not gone.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Sitemap>, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(&text);
    let (mut names, mut found, mut open) = (Vec::<String>::new(), Vec::new(), String::new());
    let mut root: Option<String> = None;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(_) if root.is_none() => return Ok(None),
            Err(error) => return Err(format!("the sitemap is broken: {error}")),
        };
        match event {
            Event::Start(element) => {
                let name = element.local_name().as_ref().to_owned();
                if root.is_none() {
                    if !matches!(name.as_str(), "urlset" | "sitemapindex") {
                        return Ok(None);
                    }
                    root = Some(name.clone());
                }
                if names.len() >= MAX_DEPTH {
                    return Err("the sitemap nests too deep".to_owned());
                }
                names.push(name);
                open.clear();
            }
            Event::Text(text) => open.push_str(&text),
            Event::CData(text) => open.push_str(&text),
            Event::GeneralRef(name) => open.push_str(sign(&name)),
            Event::End(_) => {
                // Not the addresses of pictures, which lie deeper.
                let is_address = names.len() == 3 && names.last().is_some_and(|name| name == "loc");
                if is_address && !open.trim().is_empty() {
                    if found.len() >= MAX_ADDRESSES {
                        return Err(format!("the sitemap lists over {MAX_ADDRESSES} addresses"));
                    }
                    found.push(open.trim().to_owned());
                }
                names.pop();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match root.as_deref() {
        Some(_) if !names.is_empty() => Err("the sitemap breaks off".to_owned()),
        Some("urlset") => Ok(Some(Sitemap::Pages(found))),
        Some(_) => Ok(Some(Sitemap::Maps(found))),
        None => Ok(None),
    }
}

/// The signs that XML itself has names for; an address holds no others.
fn sign(name: &str) -> &'static str {
    match name {
        "amp" | "#38" | "#x26" => "&",
        "apos" | "#39" | "#x27" => "'",
        "quot" | "#34" | "#x22" => "\"",
        "lt" => "<",
        "gt" => ">",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sitemap_lists_pages_or_sitemaps() {
        let check = |text: &str, expected: Result<Option<Sitemap>, &str>| {
            let found = read(text.as_bytes());
            match expected {
                Ok(expected) => assert_eq!(found, Ok(expected), "{text}"),
                Err(words) => assert!(found.unwrap_err().contains(words), "{text}"),
            }
        };
        let listed = |pages: &[&str]| pages.iter().map(|page| (*page).to_owned()).collect();
        check(
            "<?xml version='1.0'?><!-- x --><urlset xmlns='s' xmlns:i='i'><url><loc>\n http://a/?b=1&amp;c=2 </loc>\
             <i:image><i:loc>http://a/picture</i:loc></i:image></url><url><loc><![CDATA[http://a/d]]></loc></url></urlset>",
            Ok(Some(Sitemap::Pages(listed(&["http://a/?b=1&c=2", "http://a/d"])))),
        );
        check(
            "<sitemapindex><sitemap><loc>http://a/1.xml</loc><lastmod>2024</lastmod></sitemap></sitemapindex>",
            Ok(Some(Sitemap::Maps(listed(&["http://a/1.xml"])))),
        );
        check("<urlset></urlset>", Ok(Some(Sitemap::Pages(Vec::new()))));
        check("<urlset><url><loc>http://a/1</loc></url>", Err("breaks off"));
        check("<urlset><url></loc></urlset>", Err("broken"));
        check("<!doctype html><html><p>words", Ok(None));
        check("<rss><channel/></rss>", Ok(None));
        check("words", Ok(None));
        check("", Ok(None));
    }
}
