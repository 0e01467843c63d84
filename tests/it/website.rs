//! A web site on a free port that says what a test wants, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use futures::stream;

/// A running site.
#[derive(Clone)]
pub struct Website {
    /// Its address, with `/` at the end.
    pub url: String,
    pages: Pages,
}

type Pages = Arc<Mutex<(BTreeMap<String, Page>, Vec<String>)>>;

/// What it answers under one path.
#[derive(Clone)]
enum Page {
    Said {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    Endless,
}

impl Website {
    /// Listens until the test ends.
    pub async fn start() -> Self {
        let pages = Pages::default();
        let router = Router::new().fallback(answer).with_state(pages.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, pages }
    }

    /// Its address with that path, which begins without `/`.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A page of HTML with a title, some words and links.
    pub fn page(&self, path: &str, title: &str, links: &[&str]) {
        let links: Vec<String> = links
            .iter()
            .map(|link| format!("<a href=\"{link}\">more</a> "))
            .collect();
        let links = links.concat();
        let body =
            format!("<!doctype html><title>{title}</title><main><h1>{title}</h1><p>Of {title}.</p>{links}</main>");
        self.says(path, 200, &[("content-type", "text/html; charset=utf-8")], body);
    }

    /// Whatever is wanted.
    pub fn says(&self, path: &str, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let page = Page::Said {
            status,
            headers: headers.collect(),
            body: body.into(),
        };
        self.pages.lock().unwrap().0.insert(format!("/{path}"), page);
    }

    /// A page without end.
    pub fn says_without_end(&self, path: &str) {
        self.pages.lock().unwrap().0.insert(format!("/{path}"), Page::Endless);
    }

    /// Leads elsewhere.
    pub fn redirects(&self, path: &str, to: &str) {
        self.says(path, 302, &[("location", to)], "");
    }

    /// There is nothing there any more.
    pub fn forgets(&self, path: &str) {
        self.pages.lock().unwrap().0.remove(&format!("/{path}"));
    }

    /// What it was asked for since the last time, each with the status that it answered.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.pages.lock().unwrap().1)
    }
}

async fn answer(State(pages): State<Pages>, request: Request) -> Response<Body> {
    let path = request.uri().path_and_query().unwrap().to_string();
    let mut pages = pages.lock().unwrap();
    let page = pages.0.get(&path).cloned();
    let (status, headers, body) = match page {
        Some(Page::Said { status, headers, body }) => (status, headers, body),
        Some(Page::Endless) => {
            let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b'a'; 1 << 20]));
            return Response::new(Body::from_stream(pieces));
        }
        None => (404, Vec::new(), b"nothing here".to_vec()),
    };
    let tag = format!("\"{:x}\"", crc(&body));
    let told = request.headers().get(header::IF_NONE_MATCH);
    let same = status == 200 && told.is_some_and(|told| told.as_bytes() == tag.as_bytes());
    let status = if same { 304 } else { status };
    pages.1.push(format!("{status} {path}"));
    let mut response = Response::builder().status(status).header(header::ETAG, tag);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(if same { Body::empty() } else { Body::from(body) })
        .unwrap()
}

/// A number that another body does not have.
fn crc(body: &[u8]) -> u64 {
    body.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
