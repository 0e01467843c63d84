//! A site: asks for its pages as its `robots.txt` wishes, and makes items of them.

use std::time::Duration;

use texting_robots::{Robot, get_robots_url};
use url::Url;

use super::fetch::{AGENT, Fetched, Fetcher, Page, Tag, site};
use super::fields::MAX_URI_BYTES;
use super::{Entry, Reading, SourceError, kind_of};
use crate::parse::links::{self, Links};
use crate::parse::{HEAD_BYTES, is_readable};
use crate::types::{Item, Metadata};

/// More rules are not read; RFC 9309 asks for 500 KiB.
const MAX_RULES: usize = 512 << 10;
/// Where there is no document, in a word or two.
const NOT_FOUND: &str = "not found";
const ELSEWHERE: &str = "redirected elsewhere";
const NOINDEX: &str = "noindex";
pub(super) const ROBOTS: &str = "robots.txt";

/// A site and its rules.
pub(super) struct Site {
    pub fetcher: Fetcher,
    robot: Option<Robot>,
}

/// What a page came to, and where it leads.
pub(super) struct Visited {
    pub reading: Reading,
    /// Where the page was in the end.
    pub url: Url,
    /// The links that may be followed.
    pub links: Vec<Url>,
}

impl Site {
    pub fn new(fetcher: Fetcher) -> Self {
        Self { fetcher, robot: None }
    }

    /// Reads the rules of the site of `url`. A site that cannot tell them is left alone, as RFC 9309 has it.
    pub fn read_rules(&mut self, url: &Url) -> Result<(), String> {
        let address = get_robots_url(url.as_str()).map_err(|error| error.to_string())?;
        let address = Url::parse(&address).map_err(|error| error.to_string())?;
        let mut rules = match self.fetcher.get(&address, None, &|_| true) {
            Ok(Fetched::Page(page)) => page.bytes,
            // Who refuses them has none.
            Ok(_) => Vec::new(),
            Err(error) if error.contains("answered 4") => Vec::new(),
            Err(error) => return Err(format!("cannot read `{address}`: {error}")),
        };
        rules.truncate(MAX_RULES);
        let robot = Robot::new(AGENT, &rules).map_err(|error| format!("`{address}` is broken: {error}"))?;
        if let Some(seconds) = robot.delay {
            self.fetcher
                .slow_down(Duration::from_secs_f32(seconds.clamp(0.0, 3_600.0)));
        }
        self.robot = Some(robot);
        Ok(())
    }

    /// Whether the rules let us read the page.
    pub fn allows(&self, url: &Url) -> bool {
        self.robot.as_ref().is_none_or(|robot| robot.allowed(url.as_str()))
    }

    /// Asks for the page of an entry.
    pub fn visit(
        &mut self,
        entry: &Entry,
        tag: Option<&str>,
        wanted: &dyn Fn(&Url) -> bool,
    ) -> Result<Visited, SourceError> {
        let url = address(&entry.uri)?;
        let tag: Option<Tag> = tag.and_then(|tag| serde_json::from_str(tag).ok());
        let fetched = self.fetcher.get(&url, tag.as_ref(), wanted);
        let fetched = fetched.map_err(|error| SourceError::Other(format!("cannot read `{url}`: {error}")))?;
        let mut visited = visited(fetched, url, wanted);
        // It may have been redirected there.
        if !self.allows(&visited.url) {
            visited.reading = Reading::Absent(ROBOTS.to_owned());
            visited.links.clear();
        }
        Ok(visited)
    }
}

/// What is made of the answer for the page at `url`.
pub(super) fn visited(fetched: Fetched, url: Url, wanted: &dyn Fn(&Url) -> bool) -> Visited {
    let absent = |reading: Reading, url: Url| Visited {
        reading,
        url,
        links: Vec::new(),
    };
    let page = match fetched {
        Fetched::Page(page) => page,
        Fetched::Same => return absent(Reading::Same, url),
        Fetched::Missing => return absent(Reading::Absent(NOT_FOUND.to_owned()), url),
        Fetched::Elsewhere => return absent(Reading::Absent(ELSEWHERE.to_owned()), url),
    };
    let url = page.url.clone().unwrap_or(url);
    let links = if is_html(&page) {
        links::of(&String::from_utf8_lossy(&page.bytes))
    } else {
        Links::default()
    };
    let told = format!("{},{}", page.robots.to_ascii_lowercase(), links.robots);
    let says = |word: &str| {
        told.split([',', ':'])
            .any(|one| one.trim() == word || one.trim() == "none")
    };
    let base = links.base.as_ref().and_then(|base| url.join(base).ok());
    let base = base.unwrap_or_else(|| url.clone());
    let targets = links.targets.iter().filter_map(|target| target_of(&base, target));
    let targets = if says("nofollow") {
        Vec::new()
    } else {
        targets.collect()
    };
    let reading = if says(NOINDEX) {
        Reading::Absent(NOINDEX.to_owned())
    } else {
        let canonical = links.canonical.as_ref().and_then(|target| target_of(&base, target));
        let canonical = canonical.filter(|canonical| site(canonical) == site(&url) && wanted(canonical));
        reading(*page, &url, canonical.as_ref())
    };
    Visited {
        reading,
        url,
        links: targets,
    }
}

/// The address that a link leads to, if that is a page.
fn target_of(base: &Url, target: &str) -> Option<Url> {
    let mut url = base.join(target.trim()).ok()?;
    url.set_fragment(None);
    let plain = url.username().is_empty() && url.password().is_none();
    let good = matches!(url.scheme(), "http" | "https") && plain && url.as_str().len() <= MAX_URI_BYTES;
    good.then_some(url)
}

fn is_html(page: &Page) -> bool {
    let start = page.bytes.trim_ascii_start();
    let told = page.media_type.as_deref().is_some_and(|told| told.contains("html"));
    told || start
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype"))
}

fn reading(page: Page, url: &Url, canonical: Option<&Url>) -> Reading {
    let head = &page.bytes[..page.bytes.len().min(HEAD_BYTES)];
    if !is_readable(url.path(), head) {
        let kind = page.media_type.unwrap_or_else(|| kind_of(url.path()));
        return Reading::Absent(kind);
    }
    // Under another address than its own, the tag would be asked of the wrong page.
    let is_own = canonical.is_none_or(|canonical| canonical == url);
    let tag = is_own.then(|| serde_json::to_string(&page.tag).unwrap_or_default());
    let item = Item {
        uri: canonical.unwrap_or(url).to_string(),
        media_type: page.media_type,
        bytes: page.bytes,
        metadata: Metadata::new(),
        principals: Vec::new(),
        modified: page.modified,
    };
    Reading::Item(item, tag)
}

/// An address that was typed or listed.
pub(super) fn address(text: &str) -> Result<Url, SourceError> {
    Url::parse(text).map_err(|error| {
        let text = without_login(text);
        let detail = format!("`{text}` is no address: {error}; one is such as https://example.org/docs/");
        SourceError::Other(detail)
    })
}

/// The address as typed, but for what may be a password.
fn without_login(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let host = rest.find('/').unwrap_or(rest.len());
    match rest[..host].rfind('@') {
        Some(at) => format!("{scheme}://***{}", &rest[at..]),
        None => text.to_owned(),
    }
}
