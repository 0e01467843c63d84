//! One page over HTTP: from public addresses only, at most so many redirects, bytes and seconds, and not too often.

use std::error::Error;
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use encoding_rs::Encoding;
use flate2::read::MultiGzDecoder;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::MAX_FILE_BYTES;
use super::address::is_public;

/// What sites are told that we are; the rules of `robots.txt` for this name are kept.
pub(super) const AGENT: &str = "Portolan";
/// From one page to where it is now.
const MAX_REDIRECTS: usize = 5;
/// How long a site may take to answer at all, and between two pieces of a page.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one page may take with everything.
const PAGE: Duration = Duration::from_mins(2);
/// How long a site may ask us to wait between two pages.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// What one asks for pages with.
pub(super) struct Fetcher {
    client: Client,
    /// The host that may be at an address which is not public.
    private: Option<String>,
    delay: Duration,
    /// When the last page was asked for.
    last: Option<Instant>,
    /// The name and password that stood in the address, and for which site.
    login: Option<(String, String, String)>,
}

/// What asking for a page came to.
pub(super) enum Fetched {
    Page(Box<Page>),
    /// As it was when the tag was told.
    Same,
    /// There is none, for certain.
    Missing,
    /// It is at an address that is not wanted.
    Elsewhere,
}

/// A page as it was sent.
#[derive(Default)]
pub(super) struct Page {
    /// Where it was in the end.
    pub url: Option<Url>,
    /// Without parameters.
    pub media_type: Option<String>,
    pub bytes: Vec<u8>,
    pub modified: Option<i64>,
    pub tag: Tag,
    /// What the site says of robots outside the page.
    pub robots: String,
}

/// What tells whether a page is as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Tag {
    etag: Option<String>,
    modified: Option<String>,
    /// How many links from the start.
    pub depth: usize,
}

impl Fetcher {
    /// For the site of `url`; takes name and password out of it. Only this one host may be private: where it redirects
    /// to is not for the site to decide.
    pub fn new(url: &mut Url, allow_private: bool, delay: Duration) -> Result<Self, String> {
        let private = url.host_str().filter(|_| allow_private).map(str::to_owned);
        check(url, private.as_deref())?;
        drop(rustls::crypto::ring::default_provider().install_default());
        let login = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let password = url.password().unwrap_or_default().to_owned();
            (site(url), url.username().to_owned(), password)
        });
        // Neither fails for an address that has a host.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_fragment(None);
        let client = Client::builder()
            .user_agent(format!(
                "{AGENT}/{} (+documents that somebody indexes)",
                env!("CARGO_PKG_VERSION")
            ))
            // A proxy would look names up where nobody checks the addresses.
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(Arc::new(Resolver {
                private: private.clone(),
            }))
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()
            .map_err(|error| format!("cannot ask for pages: {}", cause(&error)))?;
        Ok(Self {
            client,
            private,
            delay,
            last: None,
            login,
        })
    }

    /// Waits at least so long between two pages.
    pub fn slow_down(&mut self, delay: Duration) {
        self.delay = self.delay.max(delay.min(LONGEST_DELAY));
    }

    /// Asks for a page and goes where it is redirected to, as far as that is wanted.
    pub fn get(&mut self, url: &Url, tag: Option<&Tag>, wanted: &dyn Fn(&Url) -> bool) -> Result<Fetched, String> {
        let (mut at, began) = (url.clone(), Instant::now());
        for _ in 0..=MAX_REDIRECTS {
            check(&at, self.private.as_deref())?;
            self.wait();
            // What is told of one address says nothing of another.
            let tag = tag.filter(|_| at == *url);
            let answer = self.ask(&at, tag)?;
            let status = answer.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                at = redirected(&at, answer.headers())?;
                if !wanted(&at) {
                    return Ok(Fetched::Elsewhere);
                }
                continue;
            }
            return match status {
                StatusCode::NOT_MODIFIED if tag.is_some() => Ok(Fetched::Same),
                StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Fetched::Missing),
                StatusCode::OK => page(answer, at, began).map(|page| Fetched::Page(Box::new(page))),
                _ => Err(format!("the site answered {status}")),
            };
        }
        Err(format!("it is redirected over {MAX_REDIRECTS} times"))
    }

    fn ask(&self, url: &Url, tag: Option<&Tag>) -> Result<Response, String> {
        let mut request = self.client.get(url.clone()).header(header::ACCEPT_ENCODING, "gzip");
        if let Some((of, name, password)) = &self.login
            && *of == site(url)
        {
            request = request.basic_auth(name, Some(password));
        }
        if let Some(etag) = tag.and_then(|tag| tag.etag.as_ref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        } else if let Some(modified) = tag.and_then(|tag| tag.modified.as_ref()) {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
        request.send().map_err(|error| cause(&error))
    }

    fn wait(&mut self) {
        if let Some(last) = self.last {
            std::thread::sleep(self.delay.saturating_sub(last.elapsed()));
        }
        self.last = Some(Instant::now());
    }
}

/// Scheme, host and port.
pub(super) fn site(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Refuses what is no page, and what stands at an address that is not public, but for the host `private`.
pub(super) fn check(url: &Url, private: Option<&str>) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("`{}:` is not read; http and https are", url.scheme()));
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        // Names are looked up, and what they stand for is checked, when the connection is made.
        Some(Host::Domain(_)) => None,
        None => return Err("the address has no host".to_owned()),
    };
    match literal.filter(|address| private != url.host_str() && !is_public(*address)) {
        Some(address) => Err(Private(address.to_string()).to_string()),
        None => Ok(()),
    }
}

/// An address that is not of the public internet.
#[derive(Debug)]
struct Private(String);

impl fmt::Display for Private {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(
            formatter,
            "`{name}` is no public address; if it is meant, index it by this name with `--allow-private`"
        )
    }
}

impl Error for Private {}

/// Looks names up and hands on public addresses alone: the connection is made to one that was checked.
struct Resolver {
    private: Option<String>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.private.as_deref() == Some(name.as_str());
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || addresses(&name, 0, allow_private)).await??;
            Ok(Box::new(found.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}

/// The addresses of a host, those that may be asked.
pub(super) fn addresses(
    host: &str,
    port: u16,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let mut found: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    found.retain(|address| allow_private || is_public(address.ip()));
    if found.is_empty() {
        return Err(Box::new(Private(host.to_owned())));
    }
    Ok(found)
}

fn redirected(from: &Url, headers: &HeaderMap) -> Result<Url, String> {
    let target = word(headers, &header::LOCATION);
    let mut to = from
        .join(target.as_deref().unwrap_or_default())
        .map_err(|_| "it is redirected to no address".to_owned())?;
    to.set_fragment(None);
    if to == *from {
        return Err("it is redirected to itself".to_owned());
    }
    // Nobody typed these.
    let _ = (to.set_username(""), to.set_password(None));
    Ok(to)
}

fn page(mut answer: Response, url: Url, began: Instant) -> Result<Page, String> {
    let headers = answer.headers().clone();
    let bytes = body(&mut answer, began)?;
    let bytes = match word(&headers, &header::CONTENT_ENCODING).as_deref() {
        None | Some("identity") => bytes,
        Some("gzip" | "x-gzip") => unpacked(&bytes)?,
        Some(other) => return Err(format!("it is packed as `{other}`, which nobody asked for")),
    };
    let content = word(&headers, &header::CONTENT_TYPE).unwrap_or_default();
    let (media_type, parameters) = content.split_once(';').unwrap_or((&content, ""));
    let media_type = media_type.trim().to_ascii_lowercase();
    let modified = word(&headers, &header::LAST_MODIFIED);
    let date = modified
        .as_deref()
        .and_then(|date| httpdate::parse_http_date(date).ok());
    let since = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(Page {
        bytes: decoded(bytes, &media_type, parameters),
        media_type: (!media_type.is_empty() && media_type != "application/octet-stream").then_some(media_type),
        modified: since.map(|since| since.as_secs() as i64),
        robots: word(&headers, &HeaderName::from_static("x-robots-tag")).unwrap_or_default(),
        tag: Tag {
            etag: word(&headers, &header::ETAG),
            modified,
            depth: 0,
        },
        url: Some(url),
    })
}

fn word(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The body, as far as there is time and room for it.
fn body(answer: &mut Response, began: Instant) -> Result<Vec<u8>, String> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let count = answer.read(&mut piece).map_err(|error| cause(&error))?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&piece[..count]);
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(too_large());
        }
        if began.elapsed() > PAGE {
            return Err(format!("it took over {} s", PAGE.as_secs()));
        }
    }
}

/// What is packed by gzip.
pub(super) fn unpacked(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(packed)
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it is packed wrongly: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> String {
    "it is over 64 MB".to_owned()
}

/// A text in UTF-8 where the site says what else it is in.
fn decoded(bytes: Vec<u8>, media_type: &str, parameters: &str) -> Vec<u8> {
    let label = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches('"'))
    });
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    match encoding.filter(|_| media_type.starts_with("text/") || media_type.ends_with("xml")) {
        Some(encoding) if str::from_utf8(&bytes).is_err() => encoding.decode(&bytes).0.into_owned().into_bytes(),
        _ => bytes,
    }
}

/// The innermost cause: the outer ones repeat the address.
fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    innermost.to_string()
}
