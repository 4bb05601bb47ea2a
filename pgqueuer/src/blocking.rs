//! Enqueueing from synchronous programs. Needs the feature `blocking`.
//!
//! ```no_run
//! # use pgqueuer::prelude::*;
//! # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
//! let pgq = pgqueuer::blocking::PgQueuer::connect("postgres://localhost/app")?;
//! let id = pgq.enqueue(SendWelcome { user_id: 42 }.options().delay("5m"))?;
//! # Ok::<(), pgqueuer::Error>(())
//! ```

use std::{fmt, future::Future, sync::mpsc};

use tokio::runtime::{Builder, Runtime};
use tracing::Instrument as _;

use crate::{
    enqueue::{NewJob, enqueue_many},
    error::{Error, ErrorKind, Result},
    job::{Job, JobId},
};

/// A handle that waits. It has a thread of its own for its connections.
///
/// Its calls block the thread they are made on, which is fine in synchronous code. In
/// asynchronous code use [`crate::PgQueuer`].
pub struct PgQueuer {
    pgq: crate::PgQueuer,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl PgQueuer {
    /// As [`crate::PgQueuer::connect`].
    ///
    /// # Errors
    ///
    /// As there; and [`ErrorKind::Config`] if the system gives no thread.
    pub fn connect(url: &str) -> Result<Self> {
        let url = url.to_owned();
        Self::start(async move { crate::PgQueuer::connect(&url).await })
    }

    /// As [`crate::PgQueuer::in_memory`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the system gives no thread.
    pub fn in_memory() -> Result<Self> {
        Self::start(async { Ok(crate::PgQueuer::in_memory()) })
    }

    fn start(
        connect: impl Future<Output = Result<crate::PgQueuer>> + Send + 'static,
    ) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("pgqueuer-blocking")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::config("failed to start a thread for the database").because(error)
            })?;
        let pgq = wait(&runtime, connect)?;
        Ok(Self {
            pgq,
            runtime: Some(runtime),
        })
    }

    /// Enqueues one job, with options of its own, and waits for it to be committed.
    ///
    /// # Errors
    ///
    /// As [`Job::enqueue`].
    pub fn enqueue<J: Job>(&self, job: impl Into<NewJob<J>>) -> Result<JobId> {
        let ids = self.enqueue_many([job.into()])?;
        let first = ids.first().copied();
        first.ok_or_else(|| Error::new(ErrorKind::Database, "the store returned no job id"))
    }

    /// Enqueues many jobs in one round trip, all or none.
    ///
    /// # Errors
    ///
    /// As [`Job::enqueue_many`].
    pub fn enqueue_many<J, I>(&self, jobs: I) -> Result<Vec<JobId>>
    where
        J: Job,
        I: IntoIterator<Item: Into<NewJob<J>>>,
    {
        let jobs: Vec<NewJob<J>> = jobs.into_iter().map(Into::into).collect();
        let pgq = self.pgq.clone();
        let Some(runtime) = &self.runtime else {
            return Err(Error::config("the handle is closed"));
        };
        wait(runtime, async move {
            let handles = enqueue_many(&pgq, jobs).await?;
            Ok(handles.iter().map(JobId::from).collect())
        })
    }

    /// The asynchronous handle to the same queue.
    #[must_use]
    pub fn handle(&self) -> &crate::PgQueuer {
        &self.pgq
    }
}

/// Runs a future on the thread of `runtime`. Unlike `block_on`, this does not panic when it
/// is called from asynchronous code.
fn wait<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // In the span of the caller, whose thread waits.
    let work = async move {
        // Fails only if nobody waits any longer.
        let _ = sender.send(work.await);
    };
    runtime.spawn(work.in_current_span());
    receiver
        .recv()
        .map_err(|_| Error::new(ErrorKind::Database, "the thread for the database has ended"))?
}

impl<J: Job> From<J> for NewJob<J> {
    fn from(job: J) -> Self {
        job.options()
    }
}

impl Drop for PgQueuer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // An ordinary drop waits, and panics in asynchronous code.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for PgQueuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pgq.fmt(f)
    }
}
