//! What is typed for a source: a path, an address or `-`, and the options that belong to each.

use std::path::PathBuf;
use std::time::Duration;

use indexer::sources::{Fields, Filter, Origin};

use crate::error::{Error, Result};

/// Standard input.
const STDIN: &str = "-";

/// The source and what narrows it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Typed {
    /// A folder or a file, an http(s) address of a page or a sitemap, git+https://.., s3://.., or `-`, standard input.
    source: PathBuf,
    /// Of a site, follow the links of pages to others below the same path.
    #[arg(long)]
    crawl: bool,
    /// Of a crawl, the most links from the start to a page; 16 if not told.
    #[arg(long, requires = "crawl", value_name = "N")]
    depth: Option<usize>,
    /// Of a site, the most pages; 1,000 of a crawl and 50,000 of a sitemap if not told.
    #[arg(long, value_name = "N")]
    pages: Option<usize>,
    /// Of a site, wait so long between two pages, such as `2s`; 250 ms if not told, and longer where its robots.txt says so.
    #[arg(long, value_name = "TIME", value_parser = time)]
    delay: Option<Duration>,
    /// Let a site or repository be at an address that is not public, such as of this machine or its network.
    #[arg(long)]
    allow_private: bool,
    /// Of a folder, only the files that a pattern of `.gitignore` matches, such as `*.md`; may be given again.
    #[arg(long, value_name = "PATTERN")]
    include: Vec<String>,
    /// Of a folder, not the files and folders that a pattern matches, such as `drafts/`; may be given again.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Of a JSONL or CSV file, each row is a document; `id`, `title`, `text` and the like are taken for what they say.
    #[arg(long)]
    rows: bool,
    /// The same, with the fields that make a document, such as `id=sku,title=name,text=description,metadata.price=price`.
    #[arg(long, value_name = "PART=FIELD", value_delimiter = ',')]
    fields: Vec<String>,
    /// What standard input is called; its ending tells what it is.
    #[arg(long, value_name = "NAME")]
    uri: Option<String>,
}

impl Typed {
    /// Whether standard input is meant.
    pub fn is_stdin(&self) -> bool {
        self.source.as_os_str() == STDIN
    }

    /// What standard input is called.
    pub fn uri(&self) -> Result<&str> {
        self.narrows_only(&[])?;
        let detail = "standard input has no name; `--uri page.md` gives it one";
        self.uri.as_deref().ok_or_else(|| Error::bad_input("/uri", detail))
    }

    /// The source as the service is told of it.
    pub fn origin(&self) -> Result<Origin> {
        if self.uri.is_some() {
            return Err(Error::bad_input(
                "/uri",
                "only standard input, `-`, is named by `--uri`",
            ));
        }
        match self.source.to_str().filter(|text| text.contains("://")) {
            Some(url) => self.remote(url.to_owned()),
            None => self.local(),
        }
    }

    fn remote(&self, url: String) -> Result<Origin> {
        let allow = self.allow_private;
        if url.starts_with("git+") {
            self.narrows_only(&["--allow-private"])?;
            return Ok(Origin::Git {
                url,
                allow_private: allow,
            });
        }
        if url.starts_with("s3://") {
            self.narrows_only(&[])?;
            return Ok(Origin::Bucket { url });
        }
        self.narrows_only(&["--allow-private", "--crawl", "--pages", "--delay"])?;
        let mut origin = if self.crawl {
            Origin::crawl(url)
        } else {
            Origin::url(url)
        };
        if let Origin::Crawl { depth, .. } = &mut origin {
            *depth = self.depth.unwrap_or(*depth);
        }
        if let Origin::Crawl {
            pages,
            delay_ms,
            allow_private,
            ..
        }
        | Origin::Url {
            pages,
            delay_ms,
            allow_private,
            ..
        } = &mut origin
        {
            *pages = self.pages.unwrap_or(*pages);
            *delay_ms = self.delay.map_or(*delay_ms, |delay| delay.as_millis() as u64);
            *allow_private = allow;
        }
        Ok(origin)
    }

    fn local(&self) -> Result<Origin> {
        let path = std::path::absolute(&self.source)
            .map_err(|error| Error::bad_input("/path", format!("cannot tell the working folder: {error}")))?;
        if path.to_str().is_none() {
            let detail = "the path is not UTF-8; index the folder above it";
            return Err(Error::bad_input("/path", detail));
        }
        if self.rows || !self.fields.is_empty() {
            self.narrows_only(&["--rows", "--fields"])?;
            let fields = self.fields()?;
            return Ok(Origin::Rows { path, fields });
        }
        self.narrows_only(&["--include", "--exclude"])?;
        let filter = Filter {
            include: self.include.clone(),
            exclude: self.exclude.clone(),
        };
        Ok(Origin::Folder { path, filter })
    }

    /// Refuses an option that would do nothing here.
    fn narrows_only(&self, known: &[&str]) -> Result<()> {
        let given = [
            ("--include", !self.include.is_empty(), "a folder"),
            ("--exclude", !self.exclude.is_empty(), "a folder"),
            ("--rows", self.rows, "a file"),
            ("--fields", !self.fields.is_empty(), "a file"),
            ("--crawl", self.crawl, "a site"),
            ("--pages", self.pages.is_some(), "a site"),
            ("--delay", self.delay.is_some(), "a site"),
            ("--allow-private", self.allow_private, "a site or a repository"),
        ];
        for (option, given, of) in given {
            if given && !known.contains(&option) {
                let detail = format!("`{option}` belongs to {of}; leave it out here");
                return Err(Error::bad_input("/source", detail));
            }
        }
        Ok(())
    }

    fn fields(&self) -> Result<Fields> {
        let mut fields = Fields::new();
        for pair in &self.fields {
            let Some((part, field)) = pair.split_once('=') else {
                let detail = format!("`{pair}` is no field; write PART=FIELD, such as `title=name`");
                return Err(Error::bad_input("/source/fields", detail));
            };
            if fields.insert(part.to_owned(), field.to_owned()).is_some() {
                let detail = format!("`{part}` is given twice; `text=summary+body` joins two fields");
                return Err(Error::bad_input("/source/fields", detail));
            }
        }
        Ok(fields)
    }
}

/// A time as people write it: `15m`, `1h 30m`, `250ms`.
pub(super) fn time(text: &str) -> std::result::Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>().ok();
    let time = time.and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| format!("`{text}` is no time; write such as 15m or 90s"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        typed: Typed,
    }

    fn origin(words: &[&str]) -> Result<Origin> {
        let line = Line::parse_from([&["index"], words].concat());
        line.typed.origin()
    }

    fn refused(words: &[&str], expected: &str) {
        let error = origin(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_typed_is_a_source() {
        let check = |words: &[&str], expected: Origin| assert_eq!(origin(words).unwrap(), expected);
        check(&["/docs"], Origin::folder("/docs"));
        let filter = Filter {
            include: vec!["*.md".into()],
            exclude: vec!["drafts/".into()],
        };
        check(
            &["/docs", "--include", "*.md", "--exclude", "drafts/"],
            Origin::Folder {
                path: "/docs".into(),
                filter,
            },
        );
        let rows = |fields: &[(&str, &str)]| Origin::Rows {
            path: "/a.csv".into(),
            fields: fields
                .iter()
                .map(|(part, field)| ((*part).into(), (*field).into()))
                .collect(),
        };
        check(&["/a.csv", "--rows"], rows(&[]));
        let fields = [("id", "sku"), ("metadata.price", "cost")];
        check(&["/a.csv", "--fields", "id=sku,metadata.price=cost"], rows(&fields));
        check(&["https://a.example/b"], Origin::url("https://a.example/b"));
        check(
            &["--crawl", "https://a.example/b"],
            Origin::crawl("https://a.example/b"),
        );
        let words = "http://a.example/ --crawl --depth 2 --pages 3 --delay 1s --allow-private";
        check(
            &words.split(' ').collect::<Vec<_>>(),
            Origin::Crawl {
                url: "http://a.example/".into(),
                depth: 2,
                pages: 3,
                delay_ms: 1_000,
                allow_private: true,
            },
        );
        let (url, allow_private) = ("git+file:///a.git#b".to_owned(), false);
        check(&["git+file:///a.git#b"], Origin::Git { url, allow_private });
        let url = "s3://bucket/a".to_owned();
        check(&["s3://bucket/a"], Origin::Bucket { url });
    }

    #[test]
    fn a_time_is_written_as_people_do() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(time(text).ok().map(|time| time.as_secs()), expected, "{text}");
        };
        check("15m", Some(900));
        check("1h 30m", Some(5_400));
        check("-1s", None);
        check("often", None);
    }

    #[test]
    fn an_option_that_would_do_nothing_is_refused() {
        refused(
            &["/a.csv", "--rows", "--include", "*"],
            "`--include` belongs to a folder",
        );
        refused(&["/a.csv", "--uri", "x"], "--uri");
        refused(&["/docs", "--crawl"], "`--crawl` belongs to a site");
        refused(&["s3://bucket/a", "--allow-private"], "`--allow-private` belongs to");
        refused(&["https://a.example/", "--rows"], "`--rows` belongs to a file");
        refused(&["/a.csv", "--fields", "sku"], "PART=FIELD");
        refused(&["/a.csv", "--fields", "text=a,text=b"], "twice");
        let stdin = Line::parse_from(["index", "-"]).typed;
        assert!(stdin.is_stdin() && stdin.uri().unwrap_err().to_string().contains("--uri"));
    }
}
