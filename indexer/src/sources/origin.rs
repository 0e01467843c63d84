//! How a source is named by whoever wants it indexed, and what it stands on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::crawl::{Crawl, Reach};
use super::git::Git;
use super::rows::Rows;
use super::web::Web;
use super::{Fields, Filter, Folder, Source, SourceError};

/// How a source is named by whoever wants it indexed; as JSON, with its kind as `kind`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Origin {
    /// A folder or a single file.
    Folder {
        /// Where it is.
        path: PathBuf,
        /// Which of its files.
        #[serde(default)]
        filter: Filter,
    },
    /// A file of JSON lines, or of a table with a line of names: each row is a document.
    Rows {
        /// Where it is.
        path: PathBuf,
        /// Which field is what of a document.
        #[serde(default)]
        fields: Fields,
    },
    /// A page, or all pages that a sitemap lists.
    Url {
        /// Where it is.
        url: String,
        /// The most pages.
        #[serde(default = "listed_pages")]
        pages: usize,
        /// How long to wait between two pages, at least.
        #[serde(default = "delay_ms")]
        delay_ms: u64,
        /// Whether it may be at an address that is not public.
        #[serde(default)]
        allow_private: bool,
    },
    /// The pages of a site below a path, by their links.
    Crawl {
        /// Where it begins.
        url: String,
        /// The most links from there to a page.
        #[serde(default = "depth")]
        depth: usize,
        /// The most pages.
        #[serde(default = "crawled_pages")]
        pages: usize,
        /// How long to wait between two pages, at least.
        #[serde(default = "delay_ms")]
        delay_ms: u64,
        /// Whether it may be at an address that is not public.
        #[serde(default)]
        allow_private: bool,
    },
    /// A branch of a git repository.
    Git {
        /// Such as `git+https://example.org/docs.git#main`.
        url: String,
        /// Whether it may be at an address that is not public.
        #[serde(default)]
        allow_private: bool,
    },
    /// The objects of a bucket that speaks S3.
    Bucket {
        /// Such as `s3://bucket/prefix`.
        url: String,
    },
}

/// The most pages that a sitemap lists.
fn listed_pages() -> usize {
    50_000
}

fn crawled_pages() -> usize {
    1_000
}

fn depth() -> usize {
    16
}

fn delay_ms() -> u64 {
    250
}

/// What sources stand on.
pub struct Surroundings<'a> {
    /// The nearest folder above a path that documents came from already: they have their names from there.
    pub home: &'a dyn Fn(&Path) -> PathBuf,
    /// Where sources keep what they have fetched.
    pub cache: &'a Path,
    /// The settings of buckets, by the names of their variables, such as `AWS_REGION`.
    pub buckets: &'a BTreeMap<String, String>,
}

impl Origin {
    /// The folder or file at `path`, all of it.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self::Folder {
            path: path.into(),
            filter: Filter::default(),
        }
    }

    /// The page or sitemap at `url`, within the usual bounds.
    pub fn url(url: impl Into<String>) -> Self {
        Self::Url {
            url: url.into(),
            pages: listed_pages(),
            delay_ms: delay_ms(),
            allow_private: false,
        }
    }

    /// The site at `url`, within the usual bounds.
    pub fn crawl(url: impl Into<String>) -> Self {
        Self::Crawl {
            url: url.into(),
            depth: depth(),
            pages: crawled_pages(),
            delay_ms: delay_ms(),
            allow_private: false,
        }
    }

    /// Where on this machine it is, if it is a file or a folder.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder { path, .. } | Self::Rows { path, .. } => Some(path),
            _ => None,
        }
    }

    /// The source of that name; what is wrong with the name is told here, nothing is listed yet.
    pub fn open(&self, surroundings: &Surroundings) -> Result<Box<dyn Source>, SourceError> {
        Ok(match self {
            Self::Folder { path, filter } => Box::new(Folder::open(path, filter, surroundings.home)?),
            Self::Rows { path, fields } => Box::new(Rows::open(path, fields)?),
            Self::Url {
                url,
                pages,
                delay_ms,
                allow_private,
            } => Box::new(Web::open(
                url,
                *pages,
                *allow_private,
                Duration::from_millis(*delay_ms),
            )?),
            Self::Crawl {
                url,
                depth,
                pages,
                delay_ms,
                allow_private,
            } => {
                let reach = Reach {
                    depth: *depth,
                    pages: *pages,
                };
                Box::new(Crawl::open(
                    url,
                    reach,
                    *allow_private,
                    Duration::from_millis(*delay_ms),
                )?)
            }
            Self::Git { url, allow_private } => Box::new(Git::open(url, *allow_private, surroundings.cache)?),
            Self::Bucket { url } => Box::new(Bucket::open(url, surroundings.buckets)?),
        })
    }
}
