//! Failures, as they are kept with jobs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::TypedError;

/// One failed attempt, as it is kept with the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The attempt. Counts from 1.
    pub attempt: u16,
    /// When it was written down. The store sets this.
    #[serde(default)]
    pub failed_at: Option<DateTime<Utc>>,
    /// What sort of failure.
    pub reason: FailureReason,
    /// What it said, with the chain of its sources: `outer: middle: inner`.
    pub message: String,
    /// The same one by one, of an error with sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// The error itself, if the handler returned it as [`Typed`](crate::Typed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TypedError>,
    /// The backtrace of a panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backtrace: Option<String>,
}

impl Failure {
    /// A failure that says this, not yet written down.
    pub fn new(attempt: u16, reason: FailureReason, message: impl Into<String>) -> Self {
        Self {
            attempt,
            failed_at: None,
            reason,
            message: message.into(),
            chain: Vec::new(),
            error: None,
            backtrace: None,
        }
    }

    /// The error, if the handler returned it as [`Typed`](crate::Typed) and this is its type.
    #[must_use]
    pub fn error<E: DeserializeOwned>(&self) -> Option<E> {
        self.error.as_ref()?.read()
    }
}

/// What sort of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The handler returned an error.
    Error,
    /// The handler panicked.
    Panic,
    /// The handler took longer than its timeout.
    Timeout,
    /// The worker died, or lost its lease.
    Crash,
    /// The payload could not be decoded.
    Undecodable,
    /// Somebody decided that it should not run.
    Cancelled,
    /// The job is done, but its result could not be written.
    Unwritable,
}

impl FailureReason {
    /// One word for spans and log lines: as serde has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Undecodable => "undecodable",
            Self::Cancelled => "cancelled",
            Self::Unwritable => "unwritable",
        }
    }
}
