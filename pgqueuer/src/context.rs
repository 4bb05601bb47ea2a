//! What a handler can know about its attempt.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{job::JobId, resources::Resources, tx::Home};

/// Free text that travels with a job: trace ids, a tenant, who asked for it.
pub type Headers = BTreeMap<String, String>;

/// The attempt that a handler is running: job, attempt, deadline, cancellation.
///
/// Take it as a parameter (`context: Context` or `context: &Context`). Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Clone, Debug)]
pub(crate) struct Inner {
    pub(crate) job_id: JobId,
    pub(crate) kind: String,
    pub(crate) attempt: u16,
    pub(crate) max_attempts: u16,
    pub(crate) priority: i16,
    pub(crate) enqueued_at: DateTime<Utc>,
    pub(crate) headers: Headers,
    pub(crate) deadline: Option<Instant>,
    pub(crate) cancellation: CancellationToken,
    pub(crate) resources: Arc<Resources>,
    /// Has the transaction of the attempt, if its handler takes one.
    pub(crate) transaction: Home,
    /// Who hears how far the job is; of no attempt, nobody.
    pub(crate) voice: Option<Arc<dyn Voice>>,
}

/// Passes on how far a job is.
pub(crate) trait Voice: fmt::Debug + Send + Sync {
    /// A share from 0 to 1, and what is being done.
    fn say(&self, fraction: f32, note: &str);
}

impl Context {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// A context that belongs to no job, for calling a handler in a unit test:
    /// job 0, first attempt, no headers, no deadline, never cancelled, and no
    /// resources.
    #[must_use]
    pub fn detached() -> Self {
        Self::new(Inner {
            job_id: JobId::from(0),
            kind: String::new(),
            attempt: 1,
            max_attempts: 1,
            priority: 0,
            enqueued_at: DateTime::UNIX_EPOCH,
            headers: Headers::new(),
            deadline: None,
            cancellation: CancellationToken::new(),
            resources: Arc::default(),
            transaction: Home::default(),
            voice: None,
        })
    }

    /// The job. The same in every attempt, so a good idempotency key.
    #[must_use]
    pub fn job_id(&self) -> JobId {
        self.0.job_id
    }

    /// The kind of the job, as it was enqueued (which may be an alias).
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Which attempt this is. Counts from 1.
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.0.attempt
    }

    /// How many attempts the job has in all.
    #[must_use]
    pub fn max_attempts(&self) -> u16 {
        self.0.max_attempts
    }

    /// Whether a failure now would be final.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.0.attempt >= self.0.max_attempts
    }

    /// The priority of the job. Higher runs first.
    #[must_use]
    pub fn priority(&self) -> i16 {
        self.0.priority
    }

    /// When the job was enqueued, by the clock of the database.
    #[must_use]
    pub fn enqueued_at(&self) -> DateTime<Utc> {
        self.0.enqueued_at
    }

    /// The headers that the producer gave.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// One header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.headers.get(name).map(String::as_str)
    }

    /// When the attempt will be cancelled; `None` if its kind has no `timeout`.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// How much of the `timeout` is left.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Says how far the job is: a share from 0 to 1, and what is being done. Whoever looks at the job
    /// ([`JobHandle::progress`](crate::JobHandle::progress), `pgq jobs show`) sees it as long as this attempt runs.
    ///
    /// Costs next to nothing: the last word of each second is written down, for all jobs of the worker
    /// together. Out of range, the share is 0 or 1; at most 1 KiB of the note is kept.
    ///
    /// ```
    /// use pgqueuer::prelude::*;
    ///
    /// #[job]
    /// async fn import(files: Vec<String>, context: Context) {
    ///     for (number, file) in files.iter().enumerate() {
    ///         context.progress(number as f32 / files.len() as f32, file);
    ///         // … import the file …
    ///     }
    /// }
    /// ```
    pub fn progress(&self, fraction: f32, note: impl AsRef<str>) {
        if let Some(voice) = &self.0.voice {
            voice.say(fraction, note.as_ref());
        }
    }

    /// Fires when the handler should come to an end: its timeout has passed, its
    /// worker is stopping and the grace period is over, or its worker has lost
    /// the job. A second later the handler is dropped at its next `.await`.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.0.cancellation
    }

    /// Waits until [`cancellation`](Self::cancellation) fires.
    pub async fn cancelled(&self) {
        self.0.cancellation.cancelled().await;
    }

    /// Whether [`cancellation`](Self::cancellation) has fired.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancellation.is_cancelled()
    }

    /// The same attempt, with another transaction.
    pub(crate) fn with_transaction(&self, transaction: Home) -> Self {
        Self::new(Inner {
            transaction,
            ..(*self.0).clone()
        })
    }

    pub(crate) fn transaction(&self) -> &Home {
        &self.0.transaction
    }

    pub(crate) fn resources(&self) -> &Resources {
        &self.0.resources
    }
}
