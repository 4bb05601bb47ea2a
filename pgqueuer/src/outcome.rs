//! How an attempt ends: what a handler may return, and what it may ask for.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::error::{BoxError, Chain};

/// What a handler may return: `()`, or a `Result` whose error is an error or a
/// message.
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
    /// Turns the returned value into an outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Completed
    }
}

impl<T, E: Into<BoxError>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(_) => Outcome::Completed,
            Err(error) => Outcome::of_error(&*error.into()),
        }
    }
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The job is done.
    Completed,
    /// The attempt failed: try again after the backoff, until the attempts are used up.
    Failed(String),
    /// The attempt failed: try again after this wait, until the attempts are used up.
    Retry(Duration, String),
    /// Not yet: again after this wait. Costs no attempt.
    Snoozed(Duration),
    /// Stop trying; keep the job for a person.
    Held(String),
    /// Stop trying; the job goes to the history as cancelled.
    Cancelled(String),
}

impl Outcome {
    fn of_error(error: &(dyn StdError + 'static)) -> Self {
        let message = || Chain(error).to_string();
        let mut next = Some(error);
        while let Some(current) = next {
            if let Some(request) = current.downcast_ref::<Request>() {
                return match request.0 {
                    Ask::Retry(after) => Self::Retry(after, message()),
                    Ask::Snooze(after) => Self::Snoozed(after),
                    Ask::Hold => Self::Held(message()),
                    Ask::Cancel => Self::Cancelled(message()),
                };
            }
            next = current.source();
        }
        Self::Failed(message())
    }

    /// One word for logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) | Self::Retry(..) => "failed",
            Self::Snoozed(_) => "snoozed",
            Self::Held(_) => "held",
            Self::Cancelled(_) => "cancelled",
        }
    }
}

/// The request proper. It is the *source* of the public types below, because an
/// error that went through `anyhow` can no longer be downcast to its own type,
/// while its sources still can.
#[derive(Debug)]
struct Request(Ask);

#[derive(Clone, Copy, Debug)]
enum Ask {
    Retry(Duration),
    Snooze(Duration),
    Hold,
    Cancel,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ask::Retry(after) => write!(f, "retry in {after:?}"),
            Ask::Snooze(after) => write!(f, "snooze for {after:?}"),
            Ask::Hold => f.write_str("hold"),
            Ask::Cancel => f.write_str("cancel"),
        }
    }
}

impl StdError for Request {}

macro_rules! request {
    ($(#[$doc:meta])* $name:ident: $default:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            request: Request,
            message: String,
        }

        impl $name {
            fn ask(ask: Ask) -> Self {
                Self { request: Request(ask), message: $default.to_owned() }
            }

            /// Replaces the message that is recorded.
            #[must_use]
            pub fn because(mut self, message: impl Into<String>) -> Self {
                self.message = message.into();
                self
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.message)
            }
        }

        impl StdError for $name {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.request)
            }
        }
    };
}

request! {
    /// Asks for another attempt after a wait of its own. The attempt counts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pgqueuer::Retry;
    ///
    /// async fn call(status: u16) -> Result<(), Retry> {
    ///     if status == 429 {
    ///         return Err(Retry::after(Duration::from_secs(30)).because("told to slow down"));
    ///     }
    ///     Ok(())
    /// }
    /// ```
    Retry: "the handler asked for a retry"
}
request! {
    /// Asks to be run later: not yet, and no failure. Costs no attempt.
    Snooze: "the handler asked to be run later"
}
request! {
    /// Asks that the job be parked for a person, whatever attempts are left.
    Hold: "the handler asked to hold the job"
}
request! {
    /// Asks that the job end as cancelled: there is nothing left to do.
    Cancel: "the handler cancelled the job"
}

impl Retry {
    /// Another attempt after this wait, or at once after `Duration::ZERO`.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self::ask(Ask::Retry(wait))
    }
}

impl Snooze {
    /// Again after this wait.
    #[must_use]
    pub fn after(wait: Duration) -> Self {
        Self::ask(Ask::Snooze(wait))
    }
}

impl Hold {
    /// Park the job, and say why.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::ask(Ask::Hold).because(message)
    }
}

impl Cancel {
    /// End the job, and say why.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::ask(Ask::Cancel).because(message)
    }
}
