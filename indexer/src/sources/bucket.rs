//! The objects of a bucket that speaks S3.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

use super::folder::media_type;
use super::site::address;
use super::{Before, Entry, MAX_FILE_BYTES, Part, Reading, Reason, Skipped, Source, SourceError, kind_of};
use crate::parse::{HEAD_BYTES, is_readable};
use crate::types::{Item, Metadata};

/// Another place than Amazon's.
const ENDPOINT: &str = "AWS_ENDPOINT";

/// Who asks, one of these tells.
const CREDENTIALS: [&str; 4] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// The objects of a bucket whose names begin with a prefix.
pub struct Bucket {
    key: String,
    /// `s3://bucket/`.
    root: String,
    prefix: String,
    store: AmazonS3,
    names: Vec<Key>,
}

impl Bucket {
    /// Opens `s3://bucket/prefix` with the `AWS_` settings of `environment`.
    pub fn open(text: &str, environment: &BTreeMap<String, String>) -> Result<Self, SourceError> {
        let url = address(text)?;
        let bucket = url.host_str().filter(|_| url.scheme() == "s3");
        let bucket = bucket.ok_or_else(|| {
            let detail = format!("`{text}` is no bucket; one is such as s3://bucket/prefix");
            SourceError::Other(detail)
        })?;
        drop(rustls::crypto::ring::default_provider().install_default());
        let is_plain = environment
            .get(ENDPOINT)
            .is_some_and(|endpoint| endpoint.starts_with("http:"));
        let options = ClientOptions::new().with_allow_http(is_plain);
        let mut builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_bucket_name(bucket);
        for (name, value) in environment {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        // Without any, it would ask the machine's provider for some at an address that is not public.
        if !CREDENTIALS.iter().any(|name| environment.contains_key(*name)) {
            builder = builder.with_skip_signature(true);
        }
        let prefix = url.path().trim_start_matches('/').to_owned();
        let root = format!("s3://{bucket}/");
        Ok(Self {
            store: builder.build().map_err(|error| SourceError::Other(error.to_string()))?,
            key: format!("{root}{prefix}"),
            root,
            prefix,
            names: Vec::new(),
        })
    }

    fn failed(&self, error: &object_store::Error) -> SourceError {
        let mend = "check the AWS_ settings of whoever indexes it: the running service, or else this command";
        SourceError::Other(format!("cannot read `{}`: {error}; {mend}", self.key))
    }
}

impl Source for Bucket {
    fn key(&self) -> &str {
        &self.key
    }

    fn list(&mut self, _: &Before) -> Result<Part, SourceError> {
        let prefix = Key::from(self.prefix.trim_end_matches('/'));
        let listed = self.store.list(Some(&prefix)).try_collect::<Vec<_>>();
        let listed = Handle::current().block_on(listed);
        let mut objects = listed.map_err(|error| self.failed(&error))?;
        objects.sort_by(|left, right| left.location.cmp(&right.location));
        let mut part = Part {
            last: true,
            ..Part::default()
        };
        for object in objects {
            let name = object.location.to_string();
            let is_hidden = name.split('/').any(|part| part.starts_with('.'));
            if is_hidden || name.ends_with('/') {
                continue;
            }
            if object.size > MAX_FILE_BYTES {
                let reason = Reason::Kind("over 64 MB".to_owned());
                part.skipped.push(Skipped { name, reason });
                continue;
            }
            part.entries.push(Entry {
                uri: format!("{}{name}", self.root),
                at: self.names.len(),
                size: object.size,
                modified: Some(object.last_modified.timestamp()),
                tag: object.e_tag,
            });
            self.names.push(object.location);
        }
        Ok(part)
    }

    fn read(&mut self, entry: &Entry, _: Option<&str>) -> Result<Reading, SourceError> {
        let name = &self.names[entry.at];
        let got = Handle::current().block_on(async {
            let answer = self.store.get(name).await?;
            // It may have grown since it was listed.
            if answer.meta.size > MAX_FILE_BYTES {
                return Ok(None);
            }
            let tag = answer.meta.e_tag.clone();
            Ok(Some((answer.bytes().await?.to_vec(), tag)))
        });
        let (bytes, tag) = match got {
            Ok(Some(got)) => got,
            Ok(None) => return Ok(Reading::Absent("over 64 MB".to_owned())),
            Err(object_store::Error::NotFound { .. }) => return Ok(Reading::Absent("not found".to_owned())),
            Err(error) => return Err(self.failed(&error)),
        };
        let path = std::path::Path::new(name.as_ref());
        let told = media_type(path).map(str::to_owned);
        if told.is_none() && !is_readable(name.as_ref(), &bytes[..bytes.len().min(HEAD_BYTES)]) {
            return Ok(Reading::Absent(kind_of(name.as_ref())));
        }
        let item = Item {
            uri: entry.uri.clone(),
            media_type: told,
            bytes,
            metadata: Metadata::new(),
            principals: Vec::new(),
            modified: entry.modified,
        };
        Ok(Reading::Item(item, tag))
    }
}
