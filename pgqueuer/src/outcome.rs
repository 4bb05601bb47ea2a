//! How an attempt ends: what a handler may return, and what it may ask for.

mod cause;
mod failure;
mod request;
mod returned;

pub use cause::{Cause, Typed, TypedError};
pub use failure::{Failure, FailureReason};
pub use request::{Cancel, Hold, Retry, Snooze};
pub(crate) use returned::read;
pub use returned::{JobOutput, MAX_RESULT_BYTES, Returned};

use std::time::Duration;

use crate::error::BoxError;

/// What a handler may return: `()`, or a `Result` whose error is an error or a
/// message.
///
/// What `Ok` has is the result of the job: whoever [waits](crate::JobHandle::wait) for it gets it.
///
/// An error counts as a failed attempt, and the job is tried again after its
/// backoff. To ask for something else, return [`Retry`], [`Snooze`], [`Hold`] or
/// [`Cancel`] as the error; they are found anywhere in its chain of sources, so
/// `anyhow` and error enums may wrap them.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "must be `()` or `Result<T, E>`",
    note = "`E` may be any error type that is `Send + Sync + 'static`, `anyhow::Error`, `String` or `&'static str`"
)]
pub trait IntoOutcome {
    /// What the job results in.
    type Output: JobOutput;

    /// Turns the returned value into an outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    type Output = ();

    fn into_outcome(self) -> Outcome {
        Outcome::done()
    }
}

impl<T: JobOutput, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    type Output = T;

    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => Outcome::Completed(Returned::of(&value)),
            Err(error) => request::outcome_of(&*error.into()),
        }
    }
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is done, and this is its result.
    Completed(Returned),
    /// The attempt failed: try again after the backoff, until the attempts are used up. A panic, too.
    Failed(Cause),
    /// The attempt failed: try again after this wait, until the attempts are used up.
    Retry(Duration, Cause),
    /// Not yet: again after this wait. Costs no attempt.
    Snoozed(Duration),
    /// Stop trying; keep the job for a person.
    Held(Cause),
    /// Stop trying; the job goes to the history as cancelled.
    Cancelled(Cause),
}

impl Outcome {
    /// The job is done, and results in nothing.
    #[must_use]
    pub fn done() -> Self {
        Self::Completed(Returned::NOTHING)
    }

    /// Whether the job is done.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        matches!(self, Self::Completed(_))
    }

    /// Why the job is not done, if there is a cause.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Failed(cause)
            | Self::Retry(_, cause)
            | Self::Held(cause)
            | Self::Cancelled(cause) => Some(cause),
            Self::Completed(_) | Self::Snoozed(_) => None,
        }
    }

    /// What the job results in, if it is done and this is its type.
    ///
    /// # Errors
    ///
    /// The outcome itself, if the job is not done, or its result is not a `T`.
    pub fn result<T: JobOutput>(self) -> Result<T, Self> {
        match &self {
            Self::Completed(returned) => returned.read().map_err(|_| self),
            _ => Err(self),
        }
    }

    /// The payload does not decode: trying again would not help.
    pub(crate) fn undecodable(message: impl Into<String>) -> Self {
        Self::Held(Cause::of_reason(FailureReason::Undecodable, message))
    }
}
