//! `Idempotency-Key`: a request that is sent again with its key is answered as before, and done once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::http::HttpState;
use crate::http::auth::Caller;
use crate::http::problem::{Answer, Problem};
use crate::http::puts::{Said, respond};
use crate::store::Replay;
use crate::types::Item;

/// The longest key.
const MAX_KEY_BYTES: usize = 255;
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Whose key it is, and the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    owner: String,
    key: String,
}

impl Key {
    /// The key of a request, if it has one.
    pub fn of(headers: &HeaderMap, caller: &Caller) -> Result<Option<Self>> {
        let Some(value) = headers.get(KEY) else { return Ok(None) };
        let key = value.to_str().ok().map(str::trim);
        let key = key.filter(|key| !key.is_empty() && key.len() <= MAX_KEY_BYTES);
        let Some(key) = key else {
            let detail = format!("the key has 1 to {MAX_KEY_BYTES} printable ASCII characters; a UUID is a good one");
            return Err(Error::bad_input("/idempotency-key", detail));
        };
        Ok(Some(Self {
            owner: caller.owner.clone(),
            key: key.to_owned(),
        }))
    }
}

/// What tells two requests apart: where they go, and their bodies.
pub struct Print(Sha256);

impl Print {
    /// Of a request without its body.
    pub fn of(request: &Request) -> Self {
        let mut print = Self(Sha256::new());
        print.add_part(request.method().as_str().as_bytes());
        let target = request.uri().path_and_query().map_or("", |target| target.as_str());
        print.add_part(target.as_bytes());
        for name in ["if-match", "if-none-match"] {
            print.add_part(request.headers().get(name).map_or(&[], HeaderValue::as_bytes));
        }
        print
    }

    /// The next bytes of the body.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// A document of the body.
    pub fn add_item(&mut self, item: &Item) {
        // Metadata always serialises: its keys are strings.
        let facts = serde_json::to_vec(&(&item.metadata, &item.principals, &item.media_type)).unwrap_or_default();
        for part in [item.uri.as_bytes(), &facts, &item.bytes] {
            self.add_part(part);
        }
    }

    /// Length-prefixed, so that no two different requests share their bytes.
    fn add_part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn finish(&self) -> String {
        use std::fmt::Write;
        let mut hex = String::new();
        for byte in self.0.clone().finalize() {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

/// The keys of the requests under way.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<HashSet<Key>>>);

impl Keys {
    fn keys(&self) -> std::sync::MutexGuard<'_, HashSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that no other request has until this is dropped, and how it was answered before.
pub struct Claimed {
    state: HttpState,
    key: Option<Key>,
    before: Option<Replay>,
}

impl Claimed {
    /// Takes the key for this request; 409 while another one has it.
    pub async fn of(state: &HttpState, key: Option<Key>) -> Answer<Self> {
        let mut claimed = Self {
            state: state.clone(),
            key: None,
            before: None,
        };
        let Some(key) = key else { return Ok(claimed) };
        if !state.keys().keys().insert(key.clone()) {
            let detail = "a request with this `Idempotency-Key` is under way; ask again in a moment";
            return Err(Problem {
                retry_after: Some(Duration::from_secs(1)),
                ..Problem::new(StatusCode::CONFLICT, "key-in-use", detail)
            });
        }
        claimed.key = Some(key.clone());
        claimed.before = state.engine().replay(&key.owner, &key.key).await?;
        Ok(claimed)
    }

    /// Whether a request with this key was answered before.
    pub fn is_known(&self) -> bool {
        self.before.is_some()
    }

    /// The answer of before, if it was the same request.
    pub fn again(&self, print: &Print) -> Answer<Response> {
        let Some(before) = self.before.as_ref().filter(|before| before.print == print.finish()) else {
            let detail = "this `Idempotency-Key` was sent with another request; give each request a key of its own";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail));
        };
        let status = StatusCode::from_u16(before.status).unwrap_or(StatusCode::OK);
        let mut response = respond(&(status, before.body.clone()));
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }

    /// Keeps the answer for the next time.
    pub async fn keep(&self, print: &Print, (status, body): &Said) -> Result<()> {
        let Some(Key { owner, key }) = &self.key else {
            return Ok(());
        };
        let replay = Replay {
            print: print.finish(),
            status: status.as_u16(),
            body: body.clone(),
        };
        self.state.engine().keep_replay(owner, key, &replay).await
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.state.keys().keys().remove(key);
        }
    }
}

/// Does `work` once for each key, also when the caller leaves; failures are not kept, so that they can be mended.
pub async fn once(
    state: &HttpState,
    key: Option<Key>,
    print: Print,
    work: impl Future<Output = Answer<Said>> + Send + 'static,
) -> Answer<Response> {
    let claimed = Claimed::of(state, key).await?;
    if claimed.is_known() {
        return claimed.again(&print);
    }
    let done = state.engine().to_its_end(async move {
        let said = work.await?;
        claimed.keep(&print, &said).await?;
        Ok(respond(&said))
    });
    done.await?
}
