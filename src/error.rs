//! The one error of the crate. It says what is wrong and what mends it; it knows nothing of HTTP.

use std::time::Duration;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Of the words for what failed so many bytes are stored.
const MOST_STORED: usize = 500;

/// What can go wrong, by what the caller can do about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong; each fault points at its place.
    #[error("{detail}")]
    BadInput {
        /// What is wrong, and the mend.
        detail: String,
        /// Single faults, with JSON pointers.
        faults: Vec<Fault>,
    },
    /// The named thing does not exist, or the caller may not see it.
    #[error("{0}")]
    NotFound(String),
    /// The state does not allow it: a lock is held, a version differs, data was made by other settings.
    #[error("{0}")]
    Conflict(String),
    /// No key, or a key without the right.
    #[error("{0}")]
    Forbidden(String),
    /// Too much at once; try again later.
    #[error("{detail}")]
    Overloaded {
        /// What is full.
        detail: String,
        /// When to come back.
        retry_after: Duration,
    },
    /// A part of our own data cannot be used until somebody mends it.
    #[error("{0}")]
    Unavailable(String),
    /// A model, the gateway or another service failed.
    #[error("{0}")]
    Upstream(#[from] Box<UpstreamFailure>),
    /// Reading or writing our own data failed.
    #[error("{0}")]
    Storage(String),
    /// A mistake of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

/// One fault of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer to the place, such as `/limit`.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// How a call to a model ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamFailure {
    /// What happened, by kind.
    pub kind: UpstreamKind,
    /// HTTP status of the answer, where there was one.
    pub status: Option<u16>,
    /// The upstream's own words, without secrets, at most 500 bytes.
    pub detail: String,
    /// What the upstream asked us to wait.
    pub retry_after: Option<Duration>,
}

/// The ways in which an upstream fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamKind {
    /// Could not connect.
    Unreachable,
    /// No first token, no progress or no end in time.
    TimedOut,
    /// 429.
    RateLimited,
    /// The key is missing, wrong or has no right.
    Refused,
    /// The request was not accepted.
    Rejected,
    /// It answered with an error of its own.
    Failed,
    /// The stream ended without a finish reason.
    Cut,
}

impl UpstreamKind {
    /// One word for counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Cut => "cut",
        }
    }

    /// Whether asking again may help.
    pub fn is_transient(self) -> bool {
        !matches!(self, Self::Refused | Self::Rejected)
    }
}

impl UpstreamFailure {
    /// What happened, in our words alone.
    fn what(&self) -> String {
        let what = match self.kind {
            UpstreamKind::Unreachable => "the model gateway cannot be reached",
            UpstreamKind::TimedOut => "the model did not answer in time",
            UpstreamKind::RateLimited => "the model's provider limits requests",
            UpstreamKind::Refused => "the model's provider refused the key",
            UpstreamKind::Rejected => "the model's provider rejected the request",
            UpstreamKind::Failed => "the model's provider failed",
            UpstreamKind::Cut => "the answer was cut off before its end",
        };
        match self.status {
            Some(status) => format!("{what} (status {status})"),
            None => what.to_owned(),
        }
    }
}

impl std::fmt::Display for UpstreamFailure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.what(), self.detail)
    }
}

impl std::error::Error for UpstreamFailure {}

impl Error {
    /// Bad input with one fault at `pointer`.
    pub fn bad_input(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::BadInput {
            faults: vec![Fault {
                pointer: pointer.into(),
                detail: detail.clone(),
            }],
            detail,
        }
    }

    /// A failure of our own storage, with its cause.
    pub fn storage(what: &str, cause: impl std::fmt::Display) -> Self {
        let cause = cause.to_string();
        Self::Storage(match mend_of_the_disk(&cause) {
            Some(mend) => format!("{what}: {cause}; {mend}"),
            None => format!("{what}: {cause}"),
        })
    }

    /// One word for counters.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BadInput { .. } => "bad_input",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::Forbidden(_) => "forbidden",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable(_) => "unavailable",
            Self::Upstream(failure) => failure.kind.as_str(),
            Self::Storage(_) => "storage",
            Self::Internal(_) => "internal",
        }
    }

    /// What is stored of it, at most 500 bytes: what an upstream said stays out, for it may repeat a prompt or a key.
    pub fn to_store(&self) -> String {
        let words = match self {
            Self::Upstream(failure) => failure.what(),
            own => own.to_string(),
        };
        words[..words.floor_char_boundary(MOST_STORED)].to_owned()
    }

    /// A failed call to a model.
    pub fn upstream(kind: UpstreamKind, status: Option<u16>, detail: impl Into<String>) -> Self {
        Self::Upstream(Box::new(UpstreamFailure {
            kind,
            status,
            detail: detail.into(),
            retry_after: None,
        }))
    }
}

/// What helps where it is the disk's fault; the libraries between say so in their own words.
pub fn mend_of_the_disk(cause: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|words| cause.contains(words));
    if says(&["No space left", "disk is full", "Disk quota exceeded"]) {
        Some("free some space and do it again; what was there before is there still")
    } else if says(&["Read-only file system", "readonly database"]) {
        Some("make it writable, or name another folder with --data DIR")
    } else if says(&["disk I/O error", "Input/output error"]) {
        Some("see whether the disk is full or broken, and do it again once it is not")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_of_a_failure_is_short_and_holds_no_words_of_others() {
        let check = |error: Error, expected: &str| assert_eq!(error.to_store(), expected, "{error}");
        let told = "You said: the password is swordfish";
        let rejected = |status| Error::upstream(UpstreamKind::Rejected, status, told);
        let what = "the model's provider rejected the request";
        check(rejected(Some(400)), &format!("{what} (status 400)"));
        check(rejected(None), what);
        check(
            Error::Storage("cannot keep the answer".into()),
            "cannot keep the answer",
        );
        check(Error::Storage("é".repeat(400)), &"é".repeat(250));
    }

    #[test]
    fn a_fault_of_the_disk_names_its_mend() {
        let check = |cause: &str, expected: &str| {
            assert_eq!(
                Error::storage("cannot write", cause).to_string(),
                format!("cannot write: {cause}{expected}")
            );
        };
        let space = "; free some space and do it again; what was there before is there still";
        check("No space left on device (os error 28)", space);
        check(
            "error returned from database: (code: 13) database or disk is full",
            space,
        );
        check(
            "Read-only file system (os error 30)",
            "; make it writable, or name another folder with --data DIR",
        );
        check("the checksum is wrong", "");
    }
}
