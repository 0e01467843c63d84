//! The pages of a site below a path, found by following links.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::fetch::{Fetcher, Tag, site};
use super::site::{ROBOTS, Site, address};
use super::{Before, Entry, Part, Reading, Reason, Skipped, Source, SourceError};

/// How far a crawl goes.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The most links from the start to a page.
    pub depth: usize,
    /// The most pages.
    pub pages: usize,
}

/// A crawl of one site, the pages that are as many links from the start at a time.
pub struct Crawl {
    key: String,
    start: Url,
    scope: Scope,
    reach: Reach,
    site: Site,
    /// Pages that were found and are to be listed.
    found: Vec<(Url, usize)>,
    /// How many links each listed page is from the start.
    depths: Vec<usize>,
    seen: BTreeSet<Url>,
    begun: bool,
    /// Whether the pages that came from here before were listed again.
    revisited: bool,
    /// Whether there were more links than are kept.
    lost: bool,
}

/// So many addresses are kept for each page that may be read.
const LINKS: usize = 20;

/// Where pages are wanted: on one site, below one path.
#[derive(Clone, Debug)]
struct Scope {
    site: String,
    path: String,
}

impl Scope {
    fn of(url: &Url) -> Self {
        let path = url.path();
        let last = path.rsplit('/').next().unwrap_or_default();
        // `/docs` is a folder as much as `/docs/`; `/docs/index.html` lies in it.
        let path = match last {
            "" => path.to_owned(),
            _ if last.contains('.') => path[..path.len() - last.len()].to_owned(),
            _ => format!("{path}/"),
        };
        Self { site: site(url), path }
    }

    fn holds(&self, url: &Url) -> bool {
        let path = url.path();
        site(url) == self.site && (path.starts_with(&self.path) || path == self.path.trim_end_matches('/'))
    }
}

impl Crawl {
    /// Opens the site at `url`.
    pub fn open(url: &str, reach: Reach, allow_private: bool, delay: Duration) -> Result<Self, SourceError> {
        let mut start = address(url)?;
        let fetcher = Fetcher::new(&mut start, allow_private, delay).map_err(SourceError::Other)?;
        Ok(Self {
            key: format!("crawl:{start}"),
            scope: Scope::of(&start),
            site: Site::new(fetcher),
            found: vec![(start.clone(), 0)],
            depths: Vec::new(),
            seen: BTreeSet::from([start.clone()]),
            begun: false,
            revisited: false,
            lost: false,
            start,
            reach,
        })
    }

    /// What came from here before is asked for again, whether a page still leads there or not: only its own site can
    /// tell that it is gone, and a page that is as it was is sent without its links.
    fn revisit(&mut self, before: &Before) {
        for (uri, tag) in before {
            let tag: Option<Tag> = tag.as_ref().and_then(|tag| serde_json::from_str(tag).ok());
            if let Ok(url) = Url::parse(uri) {
                self.find(url, tag.map_or(1, |tag| tag.depth));
            }
        }
    }

    fn find(&mut self, url: Url, depth: usize) {
        if !self.scope.holds(&url) || self.seen.contains(&url) {
            return;
        }
        if self.seen.len() > self.reach.pages.saturating_mul(LINKS) {
            self.lost = true;
            return;
        }
        self.seen.insert(url.clone());
        self.found.push((url, depth));
    }

    fn part(&mut self) -> Part {
        let mut part = Part::default();
        let mut found = std::mem::take(&mut self.found);
        found.sort_by(|left, right| (left.1, &left.0).cmp(&(right.1, &right.0)));
        for (url, depth) in found {
            let mut skip = |reason: Reason| {
                let name = url.to_string();
                part.skipped.push(Skipped { name, reason });
            };
            if depth > self.reach.depth {
                skip(Reason::Kind(format!("over {} links away", self.reach.depth)));
            } else if !self.site.allows(&url) {
                skip(Reason::Kind(ROBOTS.to_owned()));
            } else if self.depths.len() == self.reach.pages {
                part.skipped.push(self.over());
                part.last = true;
                return part;
            } else {
                part.entries.push(Entry {
                    uri: url.into(),
                    at: self.depths.len(),
                    ..Entry::default()
                });
                self.depths.push(depth);
            }
        }
        part
    }

    fn over(&self) -> Skipped {
        let most = self.reach.pages;
        let fault = format!("there are over {most} pages; the rest was left, and `--pages` lets more in");
        Skipped {
            name: self.start.to_string(),
            reason: Reason::Fault(fault),
        }
    }
}

impl Source for Crawl {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, before: &Before) -> Result<Part, SourceError> {
        if !std::mem::replace(&mut self.begun, true) {
            self.site.read_rules(&self.start).map_err(SourceError::Other)?;
        } else if !std::mem::replace(&mut self.revisited, true) {
            // Only now is it known where the start has led.
            self.revisit(before);
        }
        let last = self.found.is_empty();
        let mut part = self.part();
        part.last |= last;
        if last && self.lost {
            part.skipped.push(self.over());
        }
        Ok(part)
    }

    fn read(&mut self, entry: &Entry, tag: Option<&str>) -> Result<Reading, SourceError> {
        let depth = self.depths[entry.at];
        let is_start = entry.at == 0;
        let scope = self.scope.clone();
        let visited = self.site.visit(entry, tag, &|url| is_start || scope.holds(url))?;
        if is_start && visited.url != self.start {
            // The rules that were read are those of another site.
            if site(&visited.url) != scope.site {
                self.site.read_rules(&visited.url).map_err(SourceError::Other)?;
            }
            self.scope = Scope::of(&visited.url);
        }
        self.seen.insert(visited.url);
        for url in visited.links {
            self.find(url, depth + 1);
        }
        Ok(match visited.reading {
            Reading::Item(item, tag) => {
                self.seen.extend(Url::parse(&item.uri).ok());
                Reading::Item(item, tag.map(|tag| deepened(&tag, depth)))
            }
            other => other,
        })
    }
}

/// The tag with the number of links from the start.
fn deepened(tag: &str, depth: usize) -> String {
    let mut tag = serde_json::from_str::<Tag>(tag).unwrap_or_default();
    tag.depth = depth;
    serde_json::to_string(&tag).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crawl_stays_below_its_path() {
        let check = |start: &str, url: &str, expected: bool| {
            let scope = Scope::of(&Url::parse(start).unwrap());
            assert_eq!(scope.holds(&Url::parse(url).unwrap()), expected, "{start} {url}");
        };
        check("https://a.example/docs/", "https://a.example/docs/b?c", true);
        check("https://a.example/docs/", "https://a.example/docs", true);
        check("https://a.example/docs", "https://a.example/docs/b", true);
        check("https://a.example/docs", "https://a.example/docsome", false);
        check("https://a.example/docs/index.html", "https://a.example/docs/b", true);
        check("https://a.example/docs/", "https://a.example/b", false);
        check("https://a.example/docs/", "https://a.example/docs/../b", false);
        check("https://a.example/", "https://a.example.evil.example/", false);
        check("https://a.example/", "https://a.example:444/b", false);
        check("https://a.example/", "http://a.example/b", false);
    }
}
