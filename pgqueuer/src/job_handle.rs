//! [`JobHandle`]: a job that was enqueued, and what becomes of it.

mod failure;
mod many;

pub use failure::{JobFailure, WaitError};

use std::{fmt, future::Future, marker::PhantomData};

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    enqueue::IntoDelay,
    error::{Error, Result},
    handle::PgQueuer,
    job::{Job, JobId},
    outcome,
    store::{Became, JobRecord, JobState, Progress},
    waiting::Waiting,
};

/// A job in a queue: to wait for its result, and to see how far it is.
///
/// Whoever enqueues to a [`PgQueuer`] gets one, and [`of`](Self::of) makes one from an id, in whatever
/// process. Cheap to clone.
///
/// ```
/// use pgqueuer::prelude::*;
///
/// #[job]
/// async fn sum(a: i64, b: i64) -> Result<i64, String> {
///     a.checked_add(b).ok_or_else(|| "too large".to_owned())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let pgq = PgQueuer::in_memory();
/// let handle = Sum { a: 1, b: 2 }.enqueue(&pgq).await?;
/// # pgq.worker().only_registered().register::<Sum>().build()?.drain().await?;
/// // Some worker runs it, here or elsewhere.
/// assert_eq!(handle.wait().await?, 3);
/// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
/// ```
pub struct JobHandle<J> {
    id: JobId,
    waiting: Waiting,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> JobHandle<J> {
    pub(crate) fn new(id: JobId, waiting: Waiting) -> Self {
        Self {
            id,
            waiting,
            job: PhantomData,
        }
    }

    /// The handle of a job that was enqueued elsewhere. That it is a `J` is found out when its result is
    /// read.
    #[must_use]
    pub fn of(pgq: &PgQueuer, id: impl Into<JobId>) -> Self {
        Self::new(id.into(), pgq.waiting().clone())
    }

    /// The id of the job, for other processes.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Waits until the job has ended, however long that takes, and returns what its handler returned.
    ///
    /// Is told within milliseconds of the end. Where no notification is heard (behind a pooler), within
    /// half a second. Goes on through outages of the database. All who wait in a process share one
    /// connection that listens; the first one makes it.
    ///
    /// A job that is tried again is still to be waited for. One that is held is not: a person has to
    /// decide, and who wants to wait for that waits once more.
    ///
    /// # Errors
    ///
    /// [`WaitError::Held`], [`Discarded`](WaitError::Discarded) and [`Cancelled`](WaitError::Cancelled), with
    /// the failures of the job; [`Gone`](WaitError::Gone) if nothing is known of it: its record is kept for as
    /// long as its kind has it (`retain`), or the transaction that enqueued it has not been committed;
    /// [`Failed`](WaitError::Failed) if the result is not that of a `J`, or the queue is closed.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens to the job.
    pub fn wait(&self) -> impl Future<Output = Result<J::Output, WaitError>> + Send + 'static {
        let (id, waiting) = (self.id, self.waiting.clone());
        async move {
            if J::OPTIONS.retain.is_zero() {
                return Err(Error::config(format!(
                    "jobs of kind `{}` leave no record (`retain = \"0s\"`), so nobody can wait for their \
                     results; let it be kept for as long as somebody may ask",
                    J::KIND
                ))
                .into());
            }
            let kinds = std::iter::once(J::KIND).chain(J::ALIASES.iter().copied());
            match waiting.wait(id, kinds).await? {
                None => Err(WaitError::Gone { id }),
                Some(became) => result_of::<J>(id, became),
            }
        }
    }

    /// As [`wait`](Self::wait), but not longer than this: a [`Duration`](std::time::Duration), or text such
    /// as `"30s"`.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); [`WaitError::TimedOut`] if the job has not ended by then, and goes on.
    pub fn wait_for(
        &self,
        limit: impl IntoDelay,
    ) -> impl Future<Output = Result<J::Output, WaitError>> + Send + 'static {
        let limit = limit.into_delay();
        let (id, waited) = (self.id, self.wait());
        async move {
            let limit =
                limit.map_err(|problem| Error::config(format!("failed to wait: {problem}")))?;
            match tokio::time::timeout(limit, waited).await {
                Ok(result) => result,
                Err(_) => Err(WaitError::TimedOut { id, limit }),
            }
        }
    }

    /// What is known of the job now; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn record(&self) -> Result<Option<JobRecord>> {
        self.waiting.store().get_job(self.id).await
    }

    /// How far the job is, if it runs and its handler [says so](crate::Context::progress). It is written
    /// down once a second.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn progress(&self) -> Result<Option<Progress>> {
        let record = self.record().await?;
        Ok(record.and_then(|it| it.progress))
    }
}

fn result_of<J: Job>(id: JobId, became: Became) -> Result<J::Output, WaitError> {
    let failure = |became| JobFailure::new(id, became);
    match became.state {
        JobState::Completed => {
            let problem = failure::problem_of(&became);
            outcome::read(became.result.as_deref()).map_err(|error| match problem {
                // Why there is none, if that is why.
                Some(problem) => Error::payload(format!("job {id} is done, but {problem}")).into(),
                None => error.into(),
            })
        }
        JobState::Cancelled => Err(WaitError::Cancelled(failure(became))),
        JobState::Discarded => Err(WaitError::Discarded(failure(became))),
        _ => Err(WaitError::Held(failure(became))),
    }
}

impl<J> Clone for JobHandle<J> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            waiting: self.waiting.clone(),
            job: PhantomData,
        }
    }
}

impl<J> fmt::Debug for JobHandle<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<J> From<JobHandle<J>> for JobId {
    fn from(handle: JobHandle<J>) -> Self {
        handle.id
    }
}

impl<J> From<&JobHandle<J>> for JobId {
    fn from(handle: &JobHandle<J>) -> Self {
        handle.id
    }
}
