//! The one error type of this crate.

use std::{error::Error as StdError, fmt};

/// A boxed error of any type, as handlers return it.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any failure reported by this crate.
///
/// Opaque, so that drivers and codecs can change without a breaking release.
/// Branch on [`kind`](Error::kind); print the error and its
/// [`source`](StdError::source) chain for people. `{:?}` prints the whole chain,
/// so `fn main() -> pgqueuer::Result<()>` ends with something readable.
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<BoxError>,
}

/// What a caller can usefully do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database is unreachable or refused a statement. Often worth retrying.
    Database,
    /// The schema is missing, or older or newer than this crate expects.
    Schema,
    /// A payload is too large, or cannot be encoded or decoded.
    Payload,
    /// A name, an option or a setting is out of range or contradicts another.
    Config,
    /// Something that was asked for by name or id does not exist.
    NotFound,
    /// The key of a unique job is taken.
    Conflict,
    /// A job that was waited for was held, discarded or cancelled. See
    /// [`WaitError`](crate::WaitError).
    JobFailed,
    /// A job that was waited for has not ended in time.
    TimedOut,
}

impl ErrorKind {
    /// One word for spans.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Payload => "payload",
            Self::Config => "config",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::JobFailed => "job_failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Error {
    /// The category of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    pub(crate) fn payload(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Payload, message)
    }

    pub(crate) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

// The source is left out on purpose: reporters walk the chain themselves, and
// printing it here would show it twice.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// `main` prints a returned error with `{:?}`: that is where people read it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Chain(self))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// Shows an error with all its sources, as `outer: middle: inner`.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&texts(links(self.0)).join(": "))
    }
}

/// An error and its sources.
pub(crate) fn links<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&it| it.source())
}

/// What each of them says, but for what the one before has said already: some errors (those of sqlx)
/// end with what their source says.
pub(crate) fn texts<'a>(errors: impl Iterator<Item = &'a (dyn StdError + 'static)>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut last = String::new();
    for error in errors {
        let text = error.to_string();
        let is_told = last.len() > text.len() && last.ends_with(&text);
        if !is_told {
            texts.push(text.clone());
        }
        last = text;
    }
    texts
}
