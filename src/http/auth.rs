//! Who calls: the key, and for a keyless service on loopback the checks that keep foreign web pages out.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::problem::{Answer, Problem};
use crate::types::Reader;

/// Whose conversations those of the command line are.
pub const OPERATOR: &str = "operator";

/// Who sent the request; in the extensions of every request that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose conversations are meant.
    pub owner: String,
    /// Whether the operator's token was shown.
    pub operator: bool,
}

impl Caller {
    /// Keys have no principals yet, so they read what is for everyone; the operator reads everything.
    pub fn reader(&self) -> Reader {
        if self.operator {
            Reader::Everything
        } else {
            Reader::Principals(Vec::new())
        }
    }

    /// Refuses everybody else what only the operator may do.
    pub fn must_be_operator(&self, to: &str) -> Result<()> {
        if self.operator {
            return Ok(());
        }
        let detail = format!("only the operator may {to}; the token is in serve.json of the data folder");
        Err(Error::Forbidden(detail))
    }
}

/// Lets a request pass with its `Caller`, or answers 401, 403 or 421.
pub async fn check(State(state): State<HttpState>, mut request: Request, next: Next) -> Answer<Response> {
    let settings = state.settings();
    let host = host(request.uri(), request.headers());
    if settings.api_key.is_none()
        && let Some(host) = &host
        && !is_known(host, &settings.allowed_hosts)
    {
        // A page of a name that its owner has pointed at this machine (DNS rebinding).
        let detail = format!(
            "this service does not answer to the name `{}`; use localhost, or add it to `allowed_hosts` in portolan.toml or to \
             PORTOLAN_ALLOWED_HOSTS",
            shown(host)
        );
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail));
    }
    if is_foreign(
        request.method(),
        request.headers(),
        host.as_deref(),
        &settings.allowed_hosts,
    ) {
        let detail = "this request comes from another site's page; only the service's own pages may change anything";
        return Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", detail));
    }
    let caller = caller(
        bearer(request.headers()),
        settings.api_key.as_deref(),
        &settings.operator_token,
    );
    match caller {
        Some(caller) => drop(request.extensions_mut().insert(caller)),
        None if is_open(request.uri().path()) => {}
        None => {
            let detail = "this service wants a key; send `authorization: Bearer KEY`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "no-key", detail));
        }
    }
    Ok(next.run(request).await)
}

fn caller(shown: Option<&str>, api_key: Option<&str>, operator_token: &str) -> Option<Caller> {
    // An empty token is no token: it must never match an empty header.
    let operator = !operator_token.is_empty() && shown.is_some_and(|shown| equal(shown, operator_token));
    let owner = match (api_key, shown) {
        // What the operator was told may come from documents that nobody else may read.
        _ if operator => OPERATOR.to_owned(),
        (None, _) => "local".to_owned(),
        (Some(key), Some(shown)) if !key.is_empty() && equal(shown, key) => fingerprint(key),
        _ => return None,
    };
    Some(Caller { owner, operator })
}

/// Compares hashes over their whole length, so time tells nothing of the key.
fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    let difference = left
        .iter()
        .zip(right.iter())
        .fold(0, |difference, (left, right)| difference | (left ^ right));
    std::hint::black_box(difference) == 0
}

fn fingerprint(key: &str) -> String {
    use std::fmt::Write;
    let mut text = "key-".to_owned();
    for byte in &Sha256::digest(key)[..12] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// The pages and the probes need no key; what they show of the documents comes from /v1.
fn is_open(path: &str) -> bool {
    !matches!(path, "/metrics" | "/mcp" | "/v1") && !path.starts_with("/v1/")
}

/// `Host` with its port, or the authority of HTTP/2; none for clients that are no browsers.
fn host(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let named = headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    named
        .or_else(|| uri.authority().map(ToString::to_string))
        .map(|host| host.to_ascii_lowercase())
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').map_or(host, |end| &host[..=end]);
    }
    host.split(':').next().unwrap_or(host)
}

fn is_known(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host);
    let is_loopback = name
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || name == "localhost" || name == "[::1]" || allowed.iter().any(|one| one.eq_ignore_ascii_case(name))
}

fn is_foreign(method: &Method, headers: &HeaderMap, host: Option<&str>, allowed: &[String]) -> bool {
    if method.is_safe() {
        return false;
    }
    // Browsers say it themselves; older ones and other pages' forms send only the origin.
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    let Some(origin) = headers.get(header::ORIGIN) else {
        return site.is_some_and(|site| site == "cross-site");
    };
    let origin = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
    let Some((_, authority)) = origin.split_once("://") else {
        return true;
    };
    let is_own = host == Some(authority);
    !is_own
        && !allowed
            .iter()
            .any(|one| one.eq_ignore_ascii_case(without_port(authority)))
}

fn shown(host: &str) -> String {
    host.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(host: &str, expected: bool) {
        assert_eq!(is_known(host, &["docs.example".into()]), expected, "{host}");
    }

    #[test]
    fn only_loopback_and_allowed_names_are_known() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:1",
            "127.8.8.8",
            "[::1]:80",
            "[::1]",
            "docs.example:443",
        ] {
            known(host, true);
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "",
            "[",
            ":80",
        ] {
            known(host, false);
        }
    }

    fn foreign(method: &Method, headers: &[(&str, &str)], expected: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(
                HeaderName::try_from(*name).expect("a name"),
                value.parse().expect("a value"),
            );
        }
        let found = is_foreign(method, &map, Some("localhost:8080"), &["docs.example".into()]);
        assert_eq!(found, expected, "{method} {headers:?}");
    }

    #[test]
    fn other_sites_may_change_nothing() {
        foreign(&Method::POST, &[], false);
        foreign(&Method::POST, &[("origin", "http://localhost:8080")], false);
        foreign(&Method::POST, &[("origin", "https://docs.example")], false);
        foreign(&Method::GET, &[("origin", "http://evil.example")], false);
        foreign(&Method::POST, &[("origin", "http://evil.example")], true);
        foreign(&Method::DELETE, &[("origin", "http://localhost:9999")], true);
        foreign(&Method::POST, &[("origin", "null")], true);
        foreign(&Method::POST, &[("sec-fetch-site", "cross-site")], true);
    }

    #[test]
    fn a_key_opens_and_the_operators_token_opens_more() {
        let owner = |shown, key| caller(shown, key, "token").map(|caller| (caller.owner, caller.operator));
        assert_eq!(owner(None, None), Some(("local".into(), false)));
        assert_eq!(owner(Some("anything"), None), Some(("local".into(), false)));
        assert_eq!(owner(Some("token"), None), Some(("operator".into(), true)));
        assert_eq!(owner(Some("token"), Some("key")), Some(("operator".into(), true)));
        assert_eq!(owner(None, Some("key")), None);
        assert_eq!(owner(Some("kez"), Some("key")), None);
        assert_eq!(owner(Some(""), Some("")), None);
        let (mine, operator) = owner(Some("key"), Some("key")).expect("the key opens");
        assert!(mine.starts_with("key-") && !operator);
        assert_eq!(caller(Some(""), Some("key"), ""), None);
    }
}
