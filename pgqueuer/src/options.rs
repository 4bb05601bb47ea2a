//! What is fixed for every job of a kind: its options.

use std::time::Duration;

use crate::{
    backoff::Backoff,
    error::{Error, Result},
    limits::Limits,
    payload::Codec,
    unique::UniqueFor,
};

/// The longest name of a kind or of a queue, in characters.
pub const MAX_NAME_LENGTH: usize = 128;

/// What every job of one kind has in common.
///
/// Written as options of [`#[job]`](macro@crate::job). They belong to the code,
/// not to the queued rows: a deploy that changes them changes them for the jobs
/// that already wait, too. Only the priority is copied to each job.
///
/// ```
/// use std::time::Duration;
/// use pgqueuer::JobOptions;
///
/// const OPTIONS: JobOptions = JobOptions {
///     queue: "mail",
///     timeout: Some(Duration::from_secs(30)),
///     ..JobOptions::DEFAULT
/// };
/// assert_eq!(OPTIONS.max_attempts, 25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JobOptions {
    /// The named group of kinds that this kind belongs to.
    ///
    /// Default: `"default"`. 1 to 128 characters, no white space.
    pub queue: &'static str,

    /// Where a job stands in line: higher first.
    ///
    /// Default: 0. From -32,768 to 32,767.
    pub priority: i16,

    /// How many times a job is tried before it is given up. A crash of the
    /// worker counts; a stop of the worker does not.
    ///
    /// Default: 25, which is about 15 hours with the default backoff. At least 1,
    /// at most 32,767.
    pub max_attempts: u16,

    /// How long one attempt may take before it is cancelled and counted as failed.
    ///
    /// Default: none. At least 1 ms.
    pub timeout: Option<Duration>,

    /// How long to wait before the next attempt.
    ///
    /// Default: 5 s, doubled each time, at most 1 h, give or take 10 %.
    pub backoff: Backoff,

    /// What becomes of a job whose last attempt failed.
    ///
    /// Default: [`OnFailure::Hold`].
    pub on_failure: OnFailure,

    /// How the producer writes the payload. Workers read both codecs always.
    ///
    /// Default: [`Codec::Framed`].
    pub codec: Codec,

    /// How long the record of a finished job is kept. Zero keeps none.
    ///
    /// Default: 7 days. At most 100 years.
    pub retain: Duration,

    /// How many run at once, and how many begin in a time, on all workers together.
    ///
    /// Default: [`Limits::NONE`]. Can be changed at run time: see
    /// [`PgQueuer::set_limits`](crate::PgQueuer::set_limits).
    pub limits: Limits,

    /// Whether of jobs with the same [key](crate::Job::unique_key) one is enqueued, and for how long.
    ///
    /// Default: none is unique.
    pub unique: Option<UniqueFor>,
}

/// What becomes of a job whose last attempt failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It stays, with payload and failures, until a person decides. Other queues
    /// call this the dead-letter queue.
    #[default]
    Hold,
    /// It goes to the history as discarded; its payload is deleted.
    Discard,
}

impl OnFailure {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Discard => "discard",
        }
    }
}

impl JobOptions {
    /// What applies to a kind that sets nothing.
    pub const DEFAULT: Self = Self {
        queue: "default",
        priority: 0,
        max_attempts: 25,
        timeout: None,
        backoff: Backoff::DEFAULT,
        on_failure: OnFailure::Hold,
        codec: Codec::Framed,
        retain: Duration::from_secs(7 * 24 * 60 * 60),
        limits: Limits::NONE,
        unique: None,
    };

    const MAX_RETAIN: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

    /// Checks the ranges. The macro has done so already; options written by hand
    /// are checked when the worker is built.
    pub(crate) fn validate(&self, kind: &str) -> Result<()> {
        validate_name("queue", self.queue)?;
        let problem = if self.max_attempts == 0 {
            "max_attempts is 0, at least 1 is needed".to_owned()
        } else if self.max_attempts > i16::MAX.unsigned_abs() {
            format!("max_attempts is {}, at most 32767", self.max_attempts)
        } else if self.timeout.is_some_and(|it| it < Duration::from_millis(1)) {
            "timeout is under 1 ms; leave it out for none".to_owned()
        } else if self.retain > Self::MAX_RETAIN {
            "retain is over 100 years".to_owned()
        } else if let Err(problem) = self.backoff.validate() {
            problem
        } else if let Err(problem) = self.limits.validate() {
            problem
        } else if let Some(Err(problem)) = self.unique.map(UniqueFor::validate) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::config(format!("job kind `{kind}`: {problem}")))
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Checks the name of a kind or a queue; `what` is "kind" or "queue".
pub(crate) fn validate_name(what: &str, name: &str) -> Result<()> {
    let length = name.chars().count();
    if length == 0 {
        return Err(Error::config(format!("the {what} is empty")));
    }
    if length > MAX_NAME_LENGTH {
        let start: String = name.chars().take(20).collect();
        return Err(Error::config(format!(
            "{what} `{start}…` is {length} characters long, at most {MAX_NAME_LENGTH}"
        )));
    }
    if name.chars().any(|it| it.is_whitespace() || it.is_control()) {
        return Err(Error::config(format!(
            "{what} {name:?} contains white space or control characters"
        )));
    }
    Ok(())
}
