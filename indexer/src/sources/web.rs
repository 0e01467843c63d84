//! One page, or the pages that a sitemap lists.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use url::Url;

use super::fetch::{Fetched, Fetcher, site, unpacked};
use super::site::{ROBOTS, Site, address, visited};
use super::sitemap::{Sitemap, read};
use super::{Before, Entry, Part, Reading, Reason, Skipped, Source, SourceError};

/// The most sitemaps of one site.
const MAX_MAPS: usize = 1_000;
/// So many of the addresses that are left out are told of.
const MAX_SKIPPED: usize = 10_000;
/// How packed files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A page or a sitemap.
pub struct Web {
    key: String,
    url: Url,
    /// The most pages.
    pages: usize,
    site: Site,
    /// The page itself, which was asked for to see whether it is a sitemap.
    first: Option<Fetched>,
    part: Part,
}

impl Web {
    /// Opens the page or sitemap at `url`.
    pub fn open(url: &str, pages: usize, allow_private: bool, delay: Duration) -> Result<Self, SourceError> {
        let mut url = address(url)?;
        let fetcher = Fetcher::new(&mut url, allow_private, delay).map_err(SourceError::Other)?;
        Ok(Self {
            key: url.to_string(),
            site: Site::new(fetcher),
            first: None,
            part: Part::default(),
            url,
            pages,
        })
    }

    /// Goes through sitemaps, from the first, which was read.
    fn map(&mut self, first: Sitemap) -> Result<(), SourceError> {
        self.site.read_rules(&self.url).map_err(SourceError::Other)?;
        let (mut waiting, mut seen) = (VecDeque::new(), BTreeSet::from([self.url.clone()]));
        let mut pages = BTreeSet::new();
        let mut next = Some(first);
        loop {
            match next.take() {
                Some(Sitemap::Pages(listed)) => pages.extend(self.own(&listed)),
                Some(Sitemap::Maps(listed)) => {
                    let maps = self.own(&listed).into_iter().filter(|map| seen.insert(map.clone()));
                    waiting.extend(maps.collect::<Vec<_>>());
                }
                None => {}
            }
            if pages.len() > self.pages {
                let most = self.pages;
                let fault = format!("it lists over {most} pages; the rest was left, and `--pages` lets more in");
                self.fault(&self.url.clone(), fault);
                break;
            }
            let Some(map) = waiting.pop_front() else { break };
            if seen.len() > MAX_MAPS {
                self.fault(
                    &map,
                    format!("there are over {MAX_MAPS} sitemaps; index some of them by their own addresses"),
                );
                break;
            }
            match self.sitemap(&map) {
                Ok(found) => next = Some(found),
                Err(fault) => self.fault(&map, fault),
            }
        }
        self.list_pages(pages);
        Ok(())
    }

    fn sitemap(&mut self, url: &Url) -> Result<Sitemap, String> {
        let own = site(&self.url);
        let fetched = self.site.fetcher.get(url, None, &|url| site(url) == own)?;
        let Fetched::Page(page) = fetched else {
            return Err("there is no sitemap here".to_owned());
        };
        let packed = page.bytes.starts_with(&GZIP);
        let bytes = if packed { unpacked(&page.bytes)? } else { page.bytes };
        read(&bytes)?.ok_or_else(|| "this is no sitemap".to_owned())
    }

    /// The addresses of the same site; a sitemap speaks for no other.
    fn own(&mut self, listed: &[String]) -> Vec<Url> {
        let mut urls = Vec::new();
        for text in listed {
            match Url::parse(text) {
                Ok(mut url) if site(&url) == site(&self.url) => {
                    url.set_fragment(None);
                    urls.push(url);
                }
                _ => self.skip(text, "of another site"),
            }
        }
        urls
    }

    fn list_pages(&mut self, pages: BTreeSet<Url>) {
        for url in pages.into_iter().take(self.pages) {
            if !self.site.allows(&url) {
                self.skip(url.as_str(), ROBOTS);
                continue;
            }
            self.part.entries.push(Entry {
                uri: url.to_string(),
                ..Entry::default()
            });
        }
    }

    fn skip(&mut self, name: &str, kind: &str) {
        if self.part.skipped.len() >= MAX_SKIPPED {
            return;
        }
        self.part.skipped.push(Skipped {
            name: name.to_owned(),
            reason: Reason::Kind(kind.to_owned()),
        });
    }

    fn fault(&mut self, url: &Url, fault: String) {
        self.part.skipped.push(Skipped {
            name: url.to_string(),
            reason: Reason::Fault(fault),
        });
    }
}

impl Source for Web {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, before: &Before) -> Result<Part, SourceError> {
        let tag = before.get(self.url.as_str()).cloned().flatten();
        let tag = tag.and_then(|tag| serde_json::from_str(&tag).ok());
        let fetched = self.site.fetcher.get(&self.url, tag.as_ref(), &|_| true);
        let fetched = fetched.map_err(|error| SourceError::Other(format!("cannot read `{}`: {error}", self.url)))?;
        let map = match &fetched {
            Fetched::Page(page) if page.bytes.starts_with(&GZIP) => {
                let bytes = unpacked(&page.bytes).unwrap_or_default();
                read(&bytes).map_err(SourceError::Other)?
            }
            Fetched::Page(page) => read(&page.bytes).map_err(SourceError::Other)?,
            _ => None,
        };
        if let Some(map) = map {
            self.map(map)?;
        } else {
            self.first = Some(fetched);
            self.part.entries.push(Entry {
                uri: self.url.to_string(),
                ..Entry::default()
            });
        }
        self.part.last = true;
        Ok(std::mem::take(&mut self.part))
    }

    fn read(&mut self, entry: &Entry, tag: Option<&str>) -> Result<Reading, SourceError> {
        let own = site(&self.url);
        if let Some(first) = self.first.take() {
            return Ok(visited(first, self.url.clone(), &|_| true).reading);
        }
        Ok(self.site.visit(entry, tag, &|url| site(url) == own)?.reading)
    }
}
