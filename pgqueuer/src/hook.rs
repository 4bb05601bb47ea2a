//! Hooks: who is told what happens.

mod ear;

pub(crate) use ear::Hooks;

use std::{future::Future, time::Duration};

use async_trait::async_trait;

use crate::{
    error::BoxError,
    job::JobId,
    runtime::Report,
    store::{Failure, JobState, SessionId},
};

/// Is told what happens: for metrics, alarms, an audit.
///
/// Given to a [`PgQueuer`](crate::PgQueuer::with_hook), whose workers have it, too. An async function or closure
/// that takes an [`Event`] is one:
///
/// ```
/// use pgqueuer::{BoxError, Event, PgQueuer};
///
/// async fn alarm(event: Event) -> Result<(), BoxError> {
///     if let Event::Held { id, kind, failure, .. } = event {
///         println!("{kind} {id} is held: {}", failure.message);
///     }
///     Ok(())
/// }
///
/// let pgq = PgQueuer::in_memory().with_hook(alarm);
/// ```
///
/// A hook is told of one event after another, in the order in which they happened, in a task of its own: no job
/// waits for it. Nothing that it does harms anyone: an error or a panic is logged, a call that takes longer
/// than 30 seconds is dropped, and if more than 10,000 events wait, later ones are not told, and how many is
/// logged. A worker that stops waits up to 5 seconds for its hooks to have heard all.
///
/// Events are of this process: what other workers do, their own hooks are told. They are told after
/// the fact was written down, and not again after a crash: what must not be missed belongs into a job.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a hook",
    label = "neither a `Hook`, nor a function from `Event` to a `Result<(), BoxError>`",
    note = "write an `async fn name(event: Event) -> Result<(), BoxError>`, or implement `pgqueuer::Hook`"
)]
pub trait Hook: Send + Sync + 'static {
    /// Takes note of an event.
    ///
    /// # Errors
    ///
    /// Are logged.
    async fn on(&self, event: &Event) -> Result<(), BoxError>;
}

#[async_trait]
#[diagnostic::do_not_recommend]
impl<F, Running> Hook for F
where
    F: Fn(Event) -> Running + Send + Sync + 'static,
    Running: Future<Output = Result<(), BoxError>> + Send,
{
    async fn on(&self, event: &Event) -> Result<(), BoxError> {
        self(event.clone()).await
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A job was enqueued by the handle that has the hook: to `&pgq` or to
    /// [`pgq.on(…)`](crate::PgQueuer::on). In the latter case the transaction may still roll back, and the job
    /// never be.
    ///
    /// Not told: jobs that are enqueued to a pool or a connection, in SQL, by a schedule, or
    /// in a [stream](crate::Job::enqueue_stream); and unique jobs that are not new.
    Enqueued {
        /// The job.
        id: JobId,
        /// Its kind.
        kind: String,
    },
    /// A worker begins an attempt.
    Started {
        /// The job.
        id: JobId,
        /// Its kind, as it was enqueued.
        kind: String,
        /// Which attempt. Counts from 1.
        attempt: u16,
    },
    /// An attempt has ended, in another way than in [`Held`](Self::Held), and that was written down.
    Ended {
        /// The job.
        id: JobId,
        /// Its kind, as it was enqueued.
        kind: String,
        /// Which attempt. Counts from 1.
        attempt: u16,
        /// How.
        how: Ended,
        /// What went wrong, if anything did.
        failure: Option<Failure>,
        /// How long the attempt took.
        ran: Duration,
    },
    /// An attempt has ended, and the job waits for a person.
    Held {
        /// The job.
        id: JobId,
        /// Its kind, as it was enqueued.
        kind: String,
        /// Which attempt. Counts from 1.
        attempt: u16,
        /// Why.
        failure: Failure,
        /// How long the attempt took.
        ran: Duration,
    },
    /// A worker has found a job whose worker is dead. It may be told after the job has
    /// [started](Self::Started) again.
    Rescued {
        /// The job.
        id: JobId,
        /// Its kind, as it was enqueued.
        kind: String,
        /// Where it is now: available again, or held or discarded, if that was its last attempt.
        state: JobState,
    },
    /// A worker has started.
    WorkerStarted {
        /// Its [name](crate::WorkerConfig::name).
        name: String,
        /// Its session.
        session: SessionId,
    },
    /// A worker has stopped. Its last event.
    WorkerStopped {
        /// Its [name](crate::WorkerConfig::name).
        name: String,
        /// What it did.
        report: Report,
    },
}

impl Event {
    /// One word for log lines: what is in an event may be long, and nobody's business.
    fn name(&self) -> &'static str {
        match self {
            Self::Enqueued { .. } => "enqueued",
            Self::Started { .. } => "started",
            Self::Ended { .. } => "ended",
            Self::Held { .. } => "held",
            Self::Rescued { .. } => "rescued",
            Self::WorkerStarted { .. } => "worker_started",
            Self::WorkerStopped { .. } => "worker_stopped",
        }
    }
}

/// How an attempt ended whose job is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ended {
    /// The job is done.
    Completed,
    /// The attempt failed, and the job is tried again.
    Retried,
    /// The attempt failed, and the job was given up, as its kind asks for.
    Discarded,
    /// The job was cancelled. It may not even have [started](Event::Started).
    Cancelled,
    /// The job asked to be run later.
    Snoozed,
    /// The attempt was cut off, and did not happen: the worker stops, say.
    GivenBack,
}
