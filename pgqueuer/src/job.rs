//! The trait that makes a struct a job.

use std::{fmt, future::Future, num::ParseIntError, pin::Pin, str::FromStr, sync::Arc};

use futures_util::Stream;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    context::Context,
    enqueue::{NewJob, StreamTarget, Target, enqueue_many, enqueue_stream},
    error::Result,
    executor::Executor,
    options::JobOptions,
    outcome::{JobOutput, Outcome},
    payload::Payload,
    resources::Requirement,
    retry::RetryStrategy,
    schedule::Schedule,
    unique::Enqueued,
};

/// Identifies a job for ever. Given by the store; later jobs have larger ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(i64);

impl JobId {
    /// The id as SQL has it.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        self.0
    }
}

impl From<i64> for JobId {
    fn from(id: i64) -> Self {
        Self(id)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// A handler that is running. Must be `Send`: workers move it between threads.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A unit of background work: its arguments are the fields.
///
/// [`#[job]`](macro@crate::job) implements this. Write it by hand only where the
/// attribute does not fit (a generic job, say), and register the job explicitly
/// with [`WorkerBuilder::register`](crate::WorkerBuilder::register).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "no handler is declared for this type",
    note = "declare one with `#[pgqueuer::job] async fn …`, and use the struct that it makes"
)]
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What the job results in: the `T` of the handler's `Result<T, E>`, or `()`.
    type Output: JobOutput;

    /// Stored with every job, and how its handler is found.
    ///
    /// 1 to 128 characters. Changing it strands the jobs that are queued; put the
    /// old name into [`ALIASES`](Self::ALIASES).
    const KIND: &'static str;

    /// Former kinds that this job still answers to.
    const ALIASES: &'static [&'static str] = &[];

    /// What every job of this kind has in common.
    const OPTIONS: JobOptions = JobOptions::DEFAULT;

    /// Where the job is declared, for tables and error messages.
    const SOURCE: Source = Source::UNKNOWN;

    /// The arguments, for tables and for checking what others enqueue.
    const ARGUMENTS: &'static [Argument] = &[];

    /// When the job is enqueued by itself.
    const SCHEDULE: Option<Schedule> = None;

    /// The arguments that make the [`limit_key`](Self::limit_key), for those who enqueue in SQL.
    const LIMIT_BY: &'static [&'static str] = &[];

    /// The arguments that make the [`unique_key`](Self::unique_key), for those who enqueue in SQL.
    const UNIQUE_BY: &'static [&'static str] = &[];

    /// The shared resources that the handler needs.
    fn requirements() -> Vec<Requirement> {
        Vec::new()
    }

    /// What is around the handler, within the executors of the worker. Made once for each worker.
    fn executor() -> Option<Arc<dyn Executor>> {
        None
    }

    /// What decides on retries, instead of the [backoff](JobOptions::backoff). Made once for each
    /// worker.
    fn retry_strategy() -> Option<Arc<dyn RetryStrategy>> {
        None
    }

    /// Encodes the arguments. The default writes the whole job as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if they cannot be encoded.
    fn encode(&self) -> Result<Payload> {
        Payload::json(Self::KIND, self)
    }

    /// The value by which limits for each key count: the text of the arguments in
    /// [`LIMIT_BY`](Self::LIMIT_BY), as [`KeyValue`](crate::KeyValue) writes them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is longer than
    /// [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    fn limit_key(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// The key that the job has for itself among its kind, if that is
    /// [unique](JobOptions::unique): the text of the arguments in [`UNIQUE_BY`](Self::UNIQUE_BY), as
    /// [`KeyValue`](crate::KeyValue) writes them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is longer than
    /// [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    fn unique_key(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// Starts the handler.
    ///
    /// # Errors
    ///
    /// If a shared resource is missing; the attempt then fails.
    fn run(self, context: Context) -> Result<HandlerFuture>;

    /// Sets options of one job before it is enqueued: delay, priority, headers.
    fn options(self) -> NewJob<Self> {
        NewJob::new(self)
    }

    /// Enqueues the job: to a `&PgPool`, a `&mut PgConnection`, a
    /// `&mut Transaction`, or a [`&PgQueuer`](crate::PgQueuer).
    ///
    /// In a transaction the job exists when that commits, and never if it does not.
    ///
    /// Returns a [`JobHandle`](crate::JobHandle), by which to wait for its result, if the target knows its queue
    /// (a `&PgQueuer`, or `pgq.on(…)`), and else a [`JobId`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if the arguments cannot be
    /// encoded or are too large; [`ErrorKind::Database`](crate::ErrorKind::Database)
    /// or [`ErrorKind::Schema`](crate::ErrorKind::Schema) if the database refuses.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the job may or may not have been enqueued.
    fn enqueue<T: Target>(self, target: T) -> impl Future<Output = Result<T::Handle<Self>>> + Send {
        self.options().enqueue(target)
    }

    /// Enqueues the job, and says whether it is new, or another one has its key.
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue).
    fn enqueue_unique<T: Target>(self, target: T) -> impl Future<Output = Result<Enqueued>> + Send {
        self.options().enqueue_unique(target)
    }

    /// Enqueues many jobs, all of them or none, in one round trip. The handles (or ids) come in the
    /// order of the jobs.
    ///
    /// For more jobs than fit into memory there is [`enqueue_stream`](Self::enqueue_stream).
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue).
    fn enqueue_many<T, I>(
        target: T,
        jobs: I,
    ) -> impl Future<Output = Result<Vec<T::Handle<Self>>>> + Send
    where
        T: Target,
        I: IntoIterator<Item = Self>,
    {
        enqueue_many(target, jobs.into_iter().map(NewJob::new))
    }

    /// Enqueues a stream of jobs of any length, all of them or none, and returns how many were
    /// new. At most 1,000 jobs or 4 MiB of payloads (and one payload more) are in memory at a time.
    ///
    /// To a `&PgPool`, a `&mut Transaction`, or a [`&PgQueuer`](crate::PgQueuer) (in memory, all
    /// are gathered first). The jobs exist when the transaction commits, and never if it does not:
    /// if the source of the stream can fail half-way, enqueue to a transaction of your own, and
    /// roll it back. The transaction is open while the stream is read, and like any that is
    /// open for long it holds up vacuum: do not wait in the stream for something slow.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let pgq = PgQueuer::in_memory();
    /// let users = futures_util::stream::iter(1..=5000);
    /// let jobs = futures_util::StreamExt::map(users, |user_id| SendWelcome { user_id });
    /// assert_eq!(SendWelcome::enqueue_stream(&pgq, jobs).await?, 5000);
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue). The first job that cannot be encoded ends the stream.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of the jobs may have been enqueued, or none.
    fn enqueue_stream<T, S>(target: T, jobs: S) -> impl Future<Output = Result<u64>> + Send
    where
        T: StreamTarget,
        S: Stream<Item = Self> + Send,
    {
        enqueue_stream(target, jobs)
    }
}

/// Where a job is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line. Counts from 1.
    pub line: u32,
}

impl Source {
    /// Of a job that was written by hand and does not say.
    pub const UNKNOWN: Self = Self { file: "", line: 0 };
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            &Self::UNKNOWN => f.write_str("unknown place"),
            Self { file, line } => write!(f, "{file}:{line}"),
        }
    }
}

/// One argument of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Argument {
    /// Its name in the payload.
    pub name: &'static str,
    /// Its type, as the source has it.
    #[serde(rename = "type")]
    pub type_name: &'static str,
}
