//! One job, run by itself.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    context::{Headers, Inner},
    error::{Error, Result},
    handle::PgQueuer,
    job::{Job, JobId},
    outcome::Outcome,
    registry::JobDescriptor,
    resources::Resources,
    runtime,
    schedule::{SCHEDULE_HEADER, SLOT_HEADER},
    tx::Home,
};

/// Runs one job by itself, without a queue, and returns how its attempt ended.
///
/// It goes the way that it goes in a worker: its arguments are encoded and decoded, its handler gets what
/// it takes, a panic is caught, and a timeout holds. But nothing is written down, and a retry is not run.
///
/// ```
/// use pgqueuer::{Outcome, prelude::*, testing};
///
/// #[job]
/// async fn divide(dividend: u32, divisor: u32) -> Result<u32, String> {
///     dividend.checked_div(divisor).ok_or_else(|| "nobody divides by zero".to_owned())
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let outcome = testing::run(Divide { dividend: 42, divisor: 6 }).await?;
/// assert_eq!(outcome.result::<u32>(), Ok(7));
///
/// let outcome = testing::run(Divide { dividend: 42, divisor: 0 }).attempt(3).await?;
/// assert_eq!(outcome.cause().unwrap().message(), "nobody divides by zero");
/// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
/// ```
///
/// With the state of a queue, and with a queue to enqueue to, there is
/// [`TestQueue::run`](super::TestQueue::run).
pub fn run<J: Job>(job: J) -> Run<J> {
    Run::new(job, Resources::default())
}

/// One job that is to be run. Made by [`run`] and [`TestQueue::run`](super::TestQueue::run); `.await`
/// runs it.
///
/// # Errors
///
/// `.await` returns an error if the job cannot be run at all:
/// [`ErrorKind::Config`](crate::ErrorKind::Config) if its handler takes a `State<T>` that it was not
/// given, or a `Tx`, or an option of its kind is out of range;
/// [`ErrorKind::Payload`](crate::ErrorKind::Payload) if its arguments cannot be encoded. Arguments that do
/// not decode are an outcome: the job is held.
#[must_use = "it runs when it is awaited"]
pub struct Run<J> {
    job: J,
    resources: Resources,
    headers: Headers,
    attempt: u16,
    time: Option<DateTime<Utc>>,
}

impl<J: Job> Run<J> {
    pub(super) fn new(job: J, resources: Resources) -> Self {
        Self {
            job,
            resources,
            headers: Headers::new(),
            attempt: 1,
            time: None,
        }
    }

    /// Gives a value to the handler, which takes it as `State<T>`. One value for each type; the last one
    /// counts.
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.insert(value);
        self
    }

    /// Says which attempt this is. Counts from 1. Default: 1.
    pub fn attempt(mut self, attempt: u16) -> Self {
        self.attempt = attempt;
        self
    }

    /// Adds a header, which the handler finds in its [`Context`](crate::Context).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Lets it be the job of this slot of its schedule, punctually: what the handler finds in its
    /// [`Tick`](crate::Tick), and in [`Context::enqueued_at`](crate::Context::enqueued_at).
    pub fn scheduled_for(mut self, slot: DateTime<Utc>) -> Self {
        self.time = Some(slot);
        self.header(SCHEDULE_HEADER, J::KIND)
            .header(SLOT_HEADER, slot.to_rfc3339())
    }

    async fn outcome(self) -> Result<Outcome> {
        let descriptor = JobDescriptor::of::<J>();
        descriptor.options.validate(J::KIND)?;
        self.refuse_unable(&descriptor)?;
        let time = match self.time {
            Some(time) => time,
            None => PgQueuer::in_memory().now().await?,
        };
        let payload = self.job.encode()?.checked(J::KIND)?;
        let about = Inner {
            job_id: JobId::from(0),
            kind: J::KIND.to_owned(),
            attempt: self.attempt,
            max_attempts: descriptor.options.max_attempts,
            priority: descriptor.options.priority,
            enqueued_at: time,
            headers: self.headers,
            deadline: None,
            cancellation: CancellationToken::new(),
            resources: Arc::new(self.resources),
            transaction: Home::default(),
            // Nobody listens to how far it is.
            voice: None,
        };
        Ok(runtime::run_alone(&descriptor, &payload, about).await)
    }

    fn refuse_unable(&self, descriptor: &JobDescriptor) -> Result<()> {
        let kind = J::KIND;
        if self.attempt == 0 {
            return Err(Error::config("attempts count from 1"));
        }
        if descriptor.takes_transaction() {
            return Err(Error::config(format!(
                "job `{kind}` takes a `Tx`; enqueue it in a `#[pgqueuer::test(postgres)]`, and run it \
                 with `queue.drain()`"
            )));
        }
        let missing: Vec<String> = descriptor
            .missing_in_all(&self.resources)
            .into_iter()
            .map(|it| format!("`State<{}>`", it.type_name()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::config(format!(
            "job `{kind}` takes {}; give that with `.state(…)`, or run it with `queue.run(…)`, which has what \
             was given to the queue, and the queue",
            missing.join(" and ")
        )))
    }
}

impl<J: Job> IntoFuture for Run<J> {
    type Output = Result<Outcome>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.outcome())
    }
}

impl<J: Job> fmt::Debug for Run<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("kind", &J::KIND)
            .field("attempt", &self.attempt)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
