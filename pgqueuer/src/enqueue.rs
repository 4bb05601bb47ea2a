//! Putting jobs into the queue, from the producer's side.

mod stream;
mod target;

#[cfg(feature = "testing")]
pub(crate) use stream::Chunks;
pub use stream::StreamTarget;
pub(crate) use stream::enqueue_stream;
pub use target::{OnConnection, Target};

use std::{future::Future, time::Duration};

use chrono::{DateTime, Datelike, Utc};
use tracing::Instrument as _;

use crate::{
    context::Headers,
    error::{Error, ErrorKind, Result},
    job::Job,
    key,
    options::validate_name,
    store::{JobToEnqueue, RunAt},
    telemetry,
    unique::{Enqueued, OnConflict, Unique, UniqueFor},
};

/// The most headers that a producer may give to one job, in bytes of names and values: 64 KiB. Those of
/// its trace come on top (features `opentelemetry`, `sentry`).
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The longest delay: 100 years.
const MAX_DELAY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A job with options of its own, made by [`Job::options`].
///
/// Setters only record; what is wrong is reported by [`enqueue`](Self::enqueue).
///
/// ```
/// # use pgqueuer::prelude::*;
/// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let pgq = PgQueuer::in_memory();
/// SendWelcome { user_id: 42 }
///     .options()
///     .delay("5m")
///     .priority(10)
///     .header("tenant", "acme")
///     .enqueue(&pgq)
///     .await?;
/// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "a job is not in the queue before `enqueue` is awaited"]
pub struct NewJob<J> {
    job: J,
    priority: Option<i16>,
    run_at: Result<RunAt, String>,
    headers: Headers,
    unique_key: Option<String>,
    unique_for: Option<Result<Duration, String>>,
    on_conflict: OnConflict,
}

/// A job that was checked and encoded, and how it is unique.
pub(crate) type Prepared = (JobToEnqueue, Option<Unique>);

impl<J: Job> NewJob<J> {
    pub(crate) fn new(job: J) -> Self {
        Self {
            job,
            priority: None,
            run_at: Ok(RunAt::Now),
            headers: Headers::new(),
            unique_key: None,
            unique_for: None,
            on_conflict: OnConflict::Skip,
        }
    }

    /// Runs the job no sooner than this long after it was enqueued, by the clock of
    /// the database: a [`Duration`], or text such as `"5m"` or `"1h 30m"`.
    ///
    /// At most 100 years. The last one of `delay` and [`run_at`](Self::run_at) counts.
    pub fn delay(mut self, delay: impl IntoDelay) -> Self {
        self.run_at = delay.into_delay().map(RunAt::After);
        self
    }

    /// Runs the job no sooner than at this time. A time that has passed means now.
    pub fn run_at(mut self, time: DateTime<Utc>) -> Self {
        self.run_at = Ok(RunAt::At(time));
        self
    }

    /// Replaces the priority of the kind. Higher runs first. Default: that of the kind.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Adds a header, which the handler finds in its [`Context`](crate::Context).
    ///
    /// At most 64 KiB for all headers of a job; no NUL characters. A `traceparent` is the trace that
    /// its attempts go on with, instead of the current one (features `opentelemetry`, `sentry`).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Makes the job unique by this key among the jobs of its kind, instead of what the kind says.
    /// If another one has it, this one is not enqueued; what else is done says
    /// [`on_conflict`](Self::on_conflict).
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let pgq = PgQueuer::in_memory();
    /// let welcome = || SendWelcome { user_id: 42 }.options().unique_key("welcome:42");
    /// let first = welcome().enqueue_unique(&pgq).await?;
    /// let second = welcome().enqueue_unique(&pgq).await?;
    /// assert!(first.is_new && !second.is_new);
    /// assert_eq!(first.id, second.id);
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// At most [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes, at least one.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Keeps others with the same key out for this long since it was enqueued, whatever becomes of
    /// it: a [`Duration`], or text such as `"1h"`. Default: that of the kind; without one, as long
    /// as it is unfinished. From 1 ms to 100 years. Needs a key.
    pub fn unique_for(mut self, window: impl IntoDelay) -> Self {
        self.unique_for = Some(window.into_delay());
        self
    }

    /// What is done if another job has the key. Default: [`OnConflict::Skip`].
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Enqueues the job, and says whether it is new or another one has its key.
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue).
    pub fn enqueue_unique<T: Target>(
        self,
        target: T,
    ) -> impl Future<Output = Result<Enqueued>> + Send {
        let enqueued = enqueue_many_unique(target, [self]);
        async move {
            let enqueued = enqueued.await?;
            enqueued
                .first()
                .copied()
                .ok_or_else(|| Error::new(ErrorKind::Database, "the store returned no job id"))
        }
    }

    /// Enqueues the job. See [`Job::enqueue`].
    ///
    /// # Errors
    ///
    /// As [`Job::enqueue`]; and [`ErrorKind::Config`] for a delay, a time, a
    /// header or a key that is out of range.
    pub fn enqueue<T: Target>(
        self,
        target: T,
    ) -> impl Future<Output = Result<T::Handle<J>>> + Send {
        let maker = target.maker();
        let enqueued = self.enqueue_unique(target);
        async move {
            let id = enqueued.await?.id;
            Ok(T::handle(&maker, id))
        }
    }

    /// The priority, if it is not that of the kind.
    pub(crate) fn own_priority(&self) -> Option<i16> {
        self.priority
    }

    /// Checks and encodes the job.
    pub(crate) fn prepare(self) -> Result<Prepared> {
        validate_name("kind", J::KIND)?;
        let refused = |problem: String| {
            Error::config(format!("job `{}` was not enqueued: {problem}", J::KIND))
        };
        let run_at = self.run_at.and_then(check_run_at).map_err(refused)?;
        check_headers(J::KIND, &self.headers)?;
        let key = match self.unique_key {
            Some(key) if key.is_empty() => return Err(refused("its unique key is empty".into())),
            Some(key) => key::check(J::KIND, &key).map(|()| Some(key))?,
            None => self.job.unique_key()?,
        };
        let lasts = match self.unique_for {
            Some(window) => UniqueFor::Window(window.map_err(refused)?),
            None => J::OPTIONS.unique.unwrap_or(UniqueFor::Unfinished),
        };
        lasts.validate().map_err(refused)?;
        if key.is_none() && self.on_conflict != OnConflict::Skip {
            return Err(refused(
                "there is no conflict without a key; add `unique_key`, or `unique` to its kind"
                    .to_owned(),
            ));
        }
        let on_conflict = self.on_conflict;
        let unique = key.map(|key| Unique {
            key,
            lasts,
            on_conflict,
        });
        let job = JobToEnqueue {
            kind: J::KIND.into(),
            priority: self.priority.unwrap_or(J::OPTIONS.priority),
            limit_key: self.job.limit_key()?,
            payload: self.job.encode()?.checked(J::KIND)?,
            headers: self.headers,
            run_at,
        };
        Ok((job, unique))
    }
}

/// Enqueues jobs of one kind, with options of their own, in one round trip. All of
/// them or none; the handles (or ids, see [`Target::Handle`]) come in the order of the jobs.
///
/// # Errors
///
/// As [`NewJob::enqueue`].
pub fn enqueue_many<J, T, I>(
    target: T,
    jobs: I,
) -> impl Future<Output = Result<Vec<T::Handle<J>>>> + Send
where
    J: Job,
    T: Target,
    I: IntoIterator<Item = NewJob<J>>,
{
    let maker = target.maker();
    let enqueued = enqueue_many_unique(target, jobs);
    async move {
        let enqueued = enqueued.await?.into_iter();
        Ok(enqueued.map(|it| T::handle(&maker, it.id)).collect())
    }
}

/// As [`enqueue_many`], and says of each whether it is new, or another one has its key: in the order
/// of the jobs. Of several with the same key, the first is new.
///
/// # Errors
///
/// As [`NewJob::enqueue`].
pub fn enqueue_many_unique<J, T, I>(
    target: T,
    jobs: I,
) -> impl Future<Output = Result<Vec<Enqueued>>> + Send
where
    J: Job,
    T: Target,
    I: IntoIterator<Item = NewJob<J>>,
{
    // Encoded before the future starts, so that it holds no iterator and is `Send`
    // whatever the iterator is.
    let prepared = prepare_all(jobs);
    async move {
        let batch = prepared?;
        let count = batch.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        let span = telemetry::enqueue_span(J::KIND, Some(count));
        let enqueued = batch.insert(target).instrument(span.clone()).await;
        telemetry::record_enqueued(&span, &enqueued, |all| match all.as_slice() {
            [single] => (Some(single.id), None),
            _ => (None, None),
        });
        enqueued
    }
}

/// Jobs that were checked and encoded.
pub(crate) enum Batch {
    /// None of them is unique, as of most.
    Plain(Vec<JobToEnqueue>),
    /// Some are.
    Unique(Vec<Prepared>),
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Plain(jobs) => jobs.len(),
            Self::Unique(jobs) => jobs.len(),
        }
    }

    /// Inserts the jobs, and gives them the trace of the current span.
    async fn insert<T: Target>(self, target: T) -> Result<Vec<Enqueued>> {
        match self {
            Self::Plain(mut jobs) => {
                telemetry::inject(jobs.iter_mut().map(|it| &mut it.headers));
                let new = |id| Enqueued { id, is_new: true };
                let ids = target.insert(jobs).await;
                ids.map(|ids| ids.into_iter().map(new).collect())
            }
            Self::Unique(mut jobs) => {
                telemetry::inject(jobs.iter_mut().map(|(it, _)| &mut it.headers));
                target.insert_unique(jobs).await
            }
        }
    }
}

fn prepare_all<J: Job>(jobs: impl IntoIterator<Item = NewJob<J>>) -> Result<Batch> {
    let mut jobs = jobs.into_iter();
    let mut plain = Vec::with_capacity(jobs.size_hint().0);
    while let Some(job) = jobs.next() {
        match job.prepare()? {
            (job, None) => plain.push(job),
            first => {
                let before = plain.into_iter().map(|job| Ok((job, None)));
                let rest = jobs.map(NewJob::prepare);
                let all = before.chain([Ok(first)]).chain(rest);
                return all.collect::<Result<_>>().map(Batch::Unique);
            }
        }
    }
    Ok(Batch::Plain(plain))
}

fn check_run_at(run_at: RunAt) -> Result<RunAt, String> {
    match run_at {
        RunAt::After(delay) if delay > MAX_DELAY => {
            Err(format!("a delay of {delay:?} is over 100 years"))
        }
        RunAt::At(time) if !(1..=9999).contains(&time.year()) => Err(format!(
            "run_at is in the year {}, from 1 to 9999",
            time.year()
        )),
        fine => Ok(fine),
    }
}

/// Refuses headers that the database would refuse or choke on.
pub(crate) fn check_headers(kind: &str, headers: &Headers) -> Result<()> {
    let size: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > MAX_HEADER_BYTES {
        return Err(Error::config(format!(
            "the headers of job `{kind}` are {size} bytes, at most {MAX_HEADER_BYTES}; \
             put large values into the payload"
        )));
    }
    let with_nul = |(name, value): &(&String, &String)| name.contains('\0') || value.contains('\0');
    match headers.iter().find(with_nul) {
        None => Ok(()),
        Some((name, _)) => Err(Error::config(format!(
            "header {name:?} of job `{kind}` contains a NUL character, which PostgreSQL cannot store"
        ))),
    }
}

/// A delay: a [`Duration`], or text such as `"5m"`.
pub trait IntoDelay {
    /// The delay, or what is wrong with the text.
    ///
    /// # Errors
    ///
    /// A message, if the text is not a duration.
    fn into_delay(self) -> Result<Duration, String>;
}

impl IntoDelay for Duration {
    fn into_delay(self) -> Result<Duration, String> {
        Ok(self)
    }
}

impl IntoDelay for &str {
    fn into_delay(self) -> Result<Duration, String> {
        humantime::parse_duration(self).map_err(|error| {
            format!("`{self}` is not a duration ({error}); write `30s`, `5m` or `1h 30m`")
        })
    }
}
