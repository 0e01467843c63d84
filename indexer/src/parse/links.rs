//! What a page says to those who follow links: where they lead, and what not to index or follow.

use scraper::Html;

use super::html;

/// More links of one page are left out.
const MOST_LINKS: usize = 10_000;

/// What a page says to those who follow links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// What links are relative to, where it is not the page itself.
    pub base: Option<String>,
    /// Where links lead that may be followed, as they are written.
    pub targets: Vec<String>,
    /// The address that the page would rather be known by.
    pub canonical: Option<String>,
    /// What it says of robots.
    pub robots: String,
}

/// The links of an HTML page; none of one that nests beyond reason.
pub fn of(text: &str) -> Links {
    html::whole(text).map(|tree| read(&tree)).unwrap_or_default()
}

fn read(tree: &Html) -> Links {
    let mut links = Links::default();
    for element in html::elements(tree) {
        let value = element.value();
        let told = |name: &str| value.attr(name).unwrap_or_default().to_ascii_lowercase();
        let is_told = |name: &str, word: &str| told(name).split_ascii_whitespace().any(|one| one == word);
        match (value.name(), value.attr("href")) {
            ("base", Some(base)) if links.base.is_none() => links.base = Some(base.to_owned()),
            ("a" | "area", Some(target)) if links.targets.len() < MOST_LINKS && !is_told("rel", "nofollow") => {
                links.targets.push(target.to_owned());
            }
            ("link", Some(target)) if links.canonical.is_none() && is_told("rel", "canonical") => {
                links.canonical = Some(target.to_owned());
            }
            ("meta", _) if matches!(told("name").as_str(), "robots" | "portolan") => {
                links.robots.push_str(&told("content"));
                links.robots.push(',');
            }
            _ => {}
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_tells_where_one_may_go_from_it() {
        let links = of(
            "<head><base href=/b/><link rel='x CANONICAL' href=c><meta name=Robots content='NoIndex'></head>\
                        <a href=1>1</a><a rel='nofollow noopener' href=2>2</a><a>3</a><map><area href='/4#x'></map>",
        );
        let expected = Links {
            base: Some("/b/".into()),
            targets: vec!["1".into(), "/4#x".into()],
            canonical: Some("c".into()),
            robots: "noindex,".into(),
        };
        assert_eq!(links, expected);
        assert_eq!(of(&"<b>".repeat(5_000)), Links::default());
    }
}
