//! Which collection a request is about: named by its path or by its query string.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::Deserialize;

use crate::error::Error;
use crate::http::problem::{Answer, Params, Problem, no_route};
use crate::types::collection_name;

/// The collection of those who name none.
pub fn default() -> String {
    "default".to_owned()
}

/// The collection that the path names, if it names one.
#[derive(Debug)]
pub struct Named(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| no_route(parts.uri.path()))?;
        let name = params.iter().find(|(key, _)| *key == "name");
        Ok(Self(name.map(|(_, name)| name.to_owned())))
    }
}

/// The collection, and the rest of the query string.
#[derive(Debug)]
pub struct Place {
    /// The collection's name, checked.
    pub collection: String,
    /// The version of the document that is meant.
    pub version: Option<String>,
    /// Whether the answer waits until what was sent is found.
    pub wait: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    collection: Option<String>,
    version: Option<String>,
    #[serde(default)]
    wait: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Named(named) = Named::from_request_parts(parts, state).await?;
        let Params(asked) = Params::<Asked>::from_request_parts(parts, state).await?;
        if named.is_some() && asked.collection.is_some() {
            return Err(
                Error::bad_input("/collection", "the path names the collection already; leave this out").into(),
            );
        }
        let collection = named.or(asked.collection).unwrap_or_else(default);
        collection_name(&collection)?;
        Ok(Self {
            collection,
            version: asked.version,
            wait: asked.wait,
        })
    }
}
