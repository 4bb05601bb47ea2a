//! Why there is no result.

use std::{error::Error as StdError, fmt, time::Duration};

use serde::de::DeserializeOwned;

use crate::{
    error::{Error, ErrorKind},
    job::JobId,
    store::{Became, Failure, FailureReason},
};

/// Why a job that was waited for has no result.
///
/// Its source is the error of the handler, with the chain of its sources.
#[derive(Debug)]
#[non_exhaustive]
pub enum WaitError {
    /// The job is parked for a person: its attempts are used up, its handler asked for it, or its payload
    /// does not decode.
    Held(JobFailure),
    /// The job was given up, as its kind asks for, or by a person.
    Discarded(JobFailure),
    /// Somebody has cancelled the job, or its handler has.
    Cancelled(JobFailure),
    /// The job has not ended within the time that was given. It goes on.
    TimedOut {
        /// The job.
        id: JobId,
        /// The time that was given.
        limit: Duration,
    },
    /// Nothing is known of the job.
    Gone {
        /// The job.
        id: JobId,
    },
    /// The queue could not be asked, or what it said is not the result of such a job.
    Failed(Error),
}

impl WaitError {
    /// How the job failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&JobFailure> {
        match self {
            Self::Held(failure) | Self::Discarded(failure) | Self::Cancelled(failure) => {
                Some(failure)
            }
            Self::TimedOut { .. } | Self::Gone { .. } | Self::Failed(_) => None,
        }
    }
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(it) => write!(f, "{it} is held after {}", it.attempts()),
            Self::Discarded(it) => write!(f, "{it} was discarded after {}", it.attempts()),
            Self::Cancelled(it) => write!(f, "{it} was cancelled"),
            Self::TimedOut { id, limit } => write!(f, "job {id} has not ended within {limit:?}"),
            Self::Gone { id } => write!(
                f,
                "nothing is known of job {id}: its record has expired (see `retain` of its kind), or the \
                 transaction that enqueued it has not been committed"
            ),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl StdError for WaitError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Held(it) | Self::Discarded(it) | Self::Cancelled(it) => {
                let cause = it.cause.as_ref()?;
                Some(cause)
            }
            Self::Failed(error) => error.source(),
            Self::TimedOut { .. } | Self::Gone { .. } => None,
        }
    }
}

impl From<Error> for WaitError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// So that `?` goes on in a function that returns [`pgqueuer::Result`](crate::Result).
impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        let message = error.to_string();
        match error {
            WaitError::Held(it) | WaitError::Discarded(it) | WaitError::Cancelled(it) => {
                let failed = Self::new(ErrorKind::JobFailed, message);
                match it.cause {
                    Some(cause) => failed.because(cause),
                    None => failed,
                }
            }
            WaitError::TimedOut { .. } => Self::new(ErrorKind::TimedOut, message),
            WaitError::Gone { .. } => Self::new(ErrorKind::NotFound, message),
            WaitError::Failed(error) => error,
        }
    }
}

/// How a job failed that was waited for.
#[derive(Debug)]
pub struct JobFailure {
    id: JobId,
    kind: String,
    attempt: u16,
    failures: Vec<Failure>,
    cause: Option<Link>,
}

impl JobFailure {
    pub(super) fn new(id: JobId, became: Became) -> Self {
        let cause = became.failures.last().map(Link::of);
        Self {
            id,
            kind: became.kind,
            attempt: became.attempt,
            failures: became.failures,
            cause,
        }
    }

    /// The job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// What sort of failure the last one was: an error, a panic, a timeout, … `None` if there was none: a
    /// job that waited was discarded, say.
    #[must_use]
    pub fn reason(&self) -> Option<FailureReason> {
        self.failures.last().map(|it| it.reason)
    }

    /// What the last failure said, with the chain of its sources: `outer: middle: inner`.
    #[must_use]
    pub fn message(&self) -> &str {
        self.failures.last().map_or("", |it| &it.message)
    }

    /// The error itself, if the handler returned it as [`Typed`](crate::Typed) and this is its type.
    #[must_use]
    pub fn error<E: DeserializeOwned>(&self) -> Option<E> {
        self.failures.last()?.error()
    }

    /// The last ten failures, oldest first.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    fn attempts(&self) -> String {
        match self.attempt {
            1 => "one attempt".to_owned(),
            count => format!("{count} attempts"),
        }
    }
}

impl fmt::Display for JobFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} (`{}`)", self.id, self.kind)
    }
}

/// Why the result of a job that is done was lost.
pub(super) fn problem_of(became: &Became) -> Option<String> {
    let last = became.failures.last()?;
    (last.reason == FailureReason::Unwritable).then(|| last.message.clone())
}

/// An error of the handler, and its sources: what is left of them.
#[derive(Debug)]
struct Link {
    text: String,
    source: Option<Box<Self>>,
}

impl Link {
    fn of(failure: &Failure) -> Self {
        let texts = match failure.chain.as_slice() {
            [] => std::slice::from_ref(&failure.message),
            chain => chain,
        };
        let mut link = None;
        for text in texts.iter().rev() {
            let source = link.map(Box::new);
            let text = text.clone();
            link = Some(Self { text, source });
        }
        link.unwrap_or_else(|| Self {
            text: failure.message.clone(),
            source: None,
        })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Link {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
