//! Why an attempt failed, as it is told to others.

use std::{any::type_name, error::Error as StdError, fmt, marker::PhantomData, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Failure, FailureReason};
use crate::error::{BoxError, links, texts};

/// The longest message and the longest backtrace that are kept, in bytes; also what is kept of a chain,
/// and of an error that is [`Typed`].
const MAX_MESSAGE_BYTES: usize = 8 * 1024;
const MAX_BACKTRACE_BYTES: usize = 16 * 1024;

/// Why an attempt failed, or a job was held or cancelled.
///
/// ```
/// use pgqueuer::{Cause, FailureReason};
///
/// let cause = Cause::new("the mail server is away");
/// assert_eq!(cause.reason(), FailureReason::Error);
/// assert_eq!(cause.message(), "the mail server is away");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Cause(Box<Failure>);

impl Cause {
    /// An error that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_reason(FailureReason::Error, message)
    }

    /// An error with its sources.
    #[must_use]
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        // An error that is carried has been told by what carries it.
        let told = links(error).filter(|it| !it.is::<Carried>());
        let chain = texts(told);
        let mut cause = Self::new(chain.join(": "));
        if chain.len() > 1 {
            cause.0.chain = chain;
        }
        cause.0.error = carried(error);
        cause
    }

    pub(crate) fn of_reason(reason: FailureReason, message: impl Into<String>) -> Self {
        // The attempt is known to who writes it down.
        Self(Box::new(Failure::new(0, reason, message)))
    }

    pub(crate) fn panic(message: String, backtrace: Option<String>) -> Self {
        let mut cause = Self::of_reason(FailureReason::Panic, message);
        cause.0.backtrace = backtrace;
        cause
    }

    /// The attempt has taken longer than it may.
    pub(crate) fn timeout(timeout: Duration) -> Self {
        let message = format!("took longer than its timeout of {timeout:?}");
        Self::of_reason(FailureReason::Timeout, message)
    }

    /// What sort of failure it was.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        self.0.reason
    }

    /// What it said, with the chain of its sources: `outer: middle: inner`.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The error, if the handler returned it as [`Typed`] and this is its type.
    #[must_use]
    pub fn error<E: DeserializeOwned>(&self) -> Option<E> {
        self.0.error()
    }

    /// As it is kept with the job, of this attempt.
    pub(crate) fn into_failure(self, attempt: u16) -> Failure {
        let mut failure = *self.0;
        failure.attempt = attempt;
        failure.message = storable(&failure.message, MAX_MESSAGE_BYTES);
        failure.backtrace = failure
            .backtrace
            .map(|it| storable(&it, MAX_BACKTRACE_BYTES));
        let mut left = MAX_MESSAGE_BYTES;
        let chain = failure.chain.iter().map_while(|text| {
            let kept = (left > 0).then(|| storable(text, left));
            left = left.saturating_sub(text.len());
            kept
        });
        failure.chain = chain.collect();
        failure
    }
}

impl<T: Into<String>> From<T> for Cause {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

// Without the backtrace, which is long, and the attempt, which is not known yet.
impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cause")
            .field("reason", &self.0.reason)
            .field("message", &self.0.message)
            .finish_non_exhaustive()
    }
}

/// An error that travels as what it is: a handler returns it, and whoever waits for the job reads it
/// with its fields, in whatever process, by [`Failure::error`](crate::Failure::error).
///
/// `?` makes one of an error that serde can write and read. It is found anywhere in the chain of
/// sources. Larger than 8 KiB of JSON, only its message travels.
///
/// ```
/// use pgqueuer::{Typed, prelude::*};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// struct Declined { code: u16 }
/// # impl std::fmt::Display for Declined {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "declined") }
/// # }
/// # impl std::error::Error for Declined {}
/// # async fn charge_card(_: i64) -> Result<(), Declined> { Ok(()) }
///
/// #[job(max_attempts = 1)]
/// async fn charge(account: i64) -> Result<(), Typed<Declined>> {
///     charge_card(account).await?;
///     Ok(())
/// }
/// ```
pub struct Typed<E> {
    carried: Carried,
    of: PhantomData<fn() -> E>,
}

impl<E: StdError + Serialize + DeserializeOwned + Send + Sync + 'static> From<E> for Typed<E> {
    fn from(error: E) -> Self {
        let typed = TypedError::of(&error);
        let error = Box::new(error);
        Self {
            carried: Carried { error, typed },
            of: PhantomData,
        }
    }
}

// The message is that of the error, which is the *source*: what went through `anyhow` can no longer be
// downcast to its own type, while its sources still can.
impl<E> fmt::Display for Typed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.carried.fmt(f)
    }
}

impl<E> fmt::Debug for Typed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.carried.error, f)
    }
}

impl<E> StdError for Typed<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.carried)
    }
}

/// The error in a [`Typed`], and what is kept of it.
struct Carried {
    error: BoxError,
    typed: Option<TypedError>,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl StdError for Carried {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

fn carried(error: &(dyn StdError + 'static)) -> Option<TypedError> {
    let carried = links(error).find_map(|it| it.downcast_ref::<Carried>());
    carried?.typed.clone()
}

/// An error as it is kept: its type, and itself as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedError {
    /// The name of the type, without the modules that it is in.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The error. A text of JSON: not all JSON can be stored as such.
    pub json: String,
}

impl TypedError {
    fn of<E: Serialize>(error: &E) -> Option<Self> {
        let json = serde_json::to_string(error).ok()?;
        (json.len() <= MAX_MESSAGE_BYTES).then(|| Self {
            type_name: short_name::<E>(),
            json,
        })
    }

    pub(crate) fn read<E: DeserializeOwned>(&self) -> Option<E> {
        let is_same = self.type_name == short_name::<E>();
        is_same.then(|| serde_json::from_str(&self.json).ok())?
    }
}

/// Modules change, and are no part of what an error is.
fn short_name<T>() -> String {
    let name = type_name::<T>();
    let path = name.split_once('<').map_or(name, |(path, _)| path);
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

/// Text that any database can store: not too long, and without NUL, which PostgreSQL has no
/// room for in `text` or `jsonb`.
fn storable(text: &str, max_bytes: usize) -> String {
    let end = text.floor_char_boundary(max_bytes);
    let mut kept = text[..end].replace('\0', "\u{fffd}");
    if end < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Declined {
        code: u16,
    }

    impl fmt::Display for Declined {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "declined with {}", self.code)
        }
    }

    impl StdError for Declined {}

    #[derive(Debug)]
    struct Outer(Typed<Declined>);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the payment failed")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_typed_error_is_found_in_the_chain_and_told_once() {
        let cause = Cause::of(&Outer(Typed::from(Declined { code: 51 })));
        assert_eq!(cause.message(), "the payment failed: declined with 51");
        assert_eq!(cause.error(), Some(Declined { code: 51 }));
        assert_eq!(cause.error::<u16>(), None);
        let failure = cause.into_failure(2);
        assert_eq!(failure.chain, ["the payment failed", "declined with 51"]);
        assert_eq!(failure.error(), Some(Declined { code: 51 }));
    }

    #[test]
    fn a_long_chain_is_kept_as_far_as_there_is_room() {
        let mut cause = Cause::new("");
        cause.0.chain = vec!["a".repeat(8000), "b".repeat(8000), "c".to_owned()];
        let lengths = cause.into_failure(1).chain;
        let lengths: Vec<usize> = lengths.iter().map(|it| it.chars().count()).collect();
        assert_eq!(lengths, [8000, 193]);
    }

    #[test]
    fn what_no_database_can_store_is_replaced() {
        assert_eq!(storable("a\0b", 10), "a\u{fffd}b");
        assert_eq!(storable("aaé", 3), "aa…");
    }
}
