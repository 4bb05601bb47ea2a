//! What a handler may ask for instead of failing: errors that are found anywhere in a chain.

use std::{error::Error as StdError, fmt, time::Duration};

use super::{Cause, Outcome};

/// What an error of a handler means: what it asks for, or that the attempt failed.
pub(super) fn outcome_of(error: &(dyn StdError + 'static)) -> Outcome {
    let cause = Cause::of(error);
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(request) = current.downcast_ref::<Request>() {
            return match request.0 {
                Ask::Retry(after) => Outcome::Retry(after, cause),
                Ask::Snooze(after) => Outcome::Snoozed(after),
                Ask::Hold => Outcome::Held(cause),
                Ask::Cancel => Outcome::Cancelled(cause),
            };
        }
        next = current.source();
    }
    Outcome::Failed(cause)
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
