//! Running what is due, and moving the clock on.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::{TestQueue, kinds::Kinds};
use crate::{
    enqueue::IntoDelay,
    error::{BoxError, Error, ErrorKind, Result},
    handle::PgQueuer,
    hook::Event,
    job::JobId,
    runtime::Report,
    store::{JobFilter, JobRecord, JobState},
};

/// How long a test waits, by the clock on the wall. A hundred times what is to be expected of a test;
/// it turns one that hangs into one that fails.
const LONGEST: Duration = Duration::from_secs(60);

/// The furthest that the clock is moved at once: 100 years, of which each has a leap day.
const FURTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// How many jobs are read at a time.
const PAGE: u32 = 10_000;

impl TestQueue {
    /// Runs what is due now, and what becomes available meanwhile, until nothing is: jobs, retries whose
    /// time has come, and slots of schedules that tick in this test. What is for later stays in the queue. Returns how the
    /// attempts ended.
    ///
    /// An attempt that fails is no error here: the [`Report`] counts it, and
    /// [`get_job`](PgQueuer::get_job) has the failures of a job.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a job is due that cannot run in this test, saying what it needs;
    /// [`ErrorKind::Database`] if jobs do not come to an end within a minute on the wall.
    pub async fn drain(&self) -> Result<Report> {
        let deadline = Instant::now() + LONGEST;
        self.drain_until(&self.kinds(), deadline).await
    }

    /// Moves the clock on by this long, `"5m"`, `"3days"` or a [`Duration`], and runs everything that
    /// becomes due on the way, each at its time and in that order: jobs, retries, slots of schedules.
    /// First it runs what is due now. Nobody waits: the clock goes from one event to the next. In
    /// memory only.
    ///
    /// ```standalone_crate
    /// # use pgqueuer::{prelude::*, testing::TestQueue};
    /// #[schedule("0 9 * * MON-FRI", tz = "Europe/Oslo")]
    /// async fn morning_report() {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> pgqueuer::Result<()> {
    /// # tokio::time::pause();
    /// let queue = TestQueue::in_memory_at("2026-03-27T12:00:00Z".parse().unwrap());
    /// queue.schedule::<MorningReport>();
    /// let report = queue.advance("7days").await?;
    /// assert_eq!(report.completed, 5);
    /// # Ok(()) }
    /// ```
    ///
    /// Jobs that sleep move the clock as well, and so does a limit on how many begin in a time: it can
    /// show a later time in the end.
    ///
    /// # Errors
    ///
    /// As [`drain`](Self::drain); [`ErrorKind::Config`] on PostgreSQL, whose clock nobody sets, for a text
    /// that is no duration, and for more than 100 years.
    ///
    /// # Panics
    ///
    /// If Tokio's clock is not paused.
    pub async fn advance(&self, by: impl IntoDelay) -> Result<Report> {
        let by = by.into_delay().map_err(Error::config)?;
        if self.postgres().is_some() {
            return Err(Error::config(
                "the clock of PostgreSQL cannot be set; test what takes time in memory, with \
                 `#[pgqueuer::test]`",
            ));
        }
        if by > FURTHEST {
            return Err(Error::config("the clock is moved by at most 100 years"));
        }
        let deadline = Instant::now() + LONGEST;
        let end = self.now().await? + TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        let kinds = self.kinds();
        let mut total = self.drain_until(&kinds, deadline).await?;
        while let Some(next) = next_event(self, &kinds).await?.filter(|it| *it <= end) {
            if Instant::now() > deadline {
                return Err(Error::new(
                    ErrorKind::Database,
                    format!(
                        "the clock has not come further than {next} within {LONGEST:?}, so often is \
                         something due; advance less, or leave it out with `queue.leave::<…>()`"
                    ),
                ));
            }
            move_to(self, next).await?;
            add(&mut total, self.drain_until(&kinds, deadline).await?);
        }
        move_to(self, end).await?;
        Ok(total)
    }

    fn kinds(&self) -> Kinds {
        Kinds::of(&self.setup(), self.postgres().is_some())
    }

    async fn drain_until(&self, kinds: &Kinds, deadline: Instant) -> Result<Report> {
        kinds.check()?;
        refuse_unable(self, kinds).await?;
        if kinds.jobs.is_empty() {
            return Ok(Report::default());
        }
        let setup = self.setup();
        let worker = self
            .worker()
            .exactly(kinds.jobs.clone(), &setup.resources)
            .concurrency(setup.concurrency)
            // Else the clock would move on while results wait for each other.
            .configure(|it| it.settle_delay = Duration::ZERO)
            .hook(tell_what_failed)
            .build()?;
        let report = tokio::select! {
            drained = worker.drain() => drained?,
            () = wait_until(deadline) => return Err(never_ends(self).await),
        };
        // Handlers enqueue, too.
        refuse_unable(self, kinds).await?;
        Ok(report)
    }
}

/// So that a test which fails shows why: its runner shows what it has printed.
async fn tell_what_failed(event: Event) -> Result<(), BoxError> {
    let (id, kind, attempt, failure) = match event {
        Event::Held {
            id,
            kind,
            attempt,
            failure,
            ..
        } => (id, kind, attempt, failure),
        Event::Ended {
            id,
            kind,
            attempt,
            failure: Some(failure),
            ..
        } => (id, kind, attempt, failure),
        _ => return Ok(()),
    };
    eprintln!(
        "job {id} (`{kind}`), attempt {attempt}: {}",
        failure.message
    );
    Ok(())
}

/// When something is due next: a job, or the slot of a schedule. What is due already is not asked for.
async fn next_event(pgq: &PgQueuer, kinds: &Kinds) -> Result<Option<DateTime<Utc>>> {
    let now = pgq.now().await?;
    let waiting = all(pgq, &JobFilter::all().state(JobState::Scheduled)).await?;
    let jobs = waiting
        .into_iter()
        .filter(|it| kinds.concerns(&it.kind))
        .filter_map(|it| it.run_at);
    let schedules = pgq.list_schedules().await?.into_iter();
    let slots = schedules
        .filter(|it| kinds.runs(&it.kind))
        .filter(|it| it.of_code.is_none() || kinds.declares(&it.name))
        .filter(|it| it.paused_at.is_none() && it.fault.is_none())
        .filter_map(|it| it.next_tick);
    Ok(jobs.chain(slots).filter(|it| *it > now).min())
}

/// Sets the clock, unless it shows a later time.
async fn move_to(pgq: &PgQueuer, time: DateTime<Utc>) -> Result<()> {
    let now = pgq.now().await?;
    if let Ok(ahead) = (time - now).to_std() {
        tokio::time::advance(ahead).await;
    }
    Ok(())
}

/// Fails if a job is due that would wait for ever, and the test with it in vain.
async fn refuse_unable(pgq: &PgQueuer, kinds: &Kinds) -> Result<()> {
    let now = pgq.now().await?;
    let waiting = JobFilter::all()
        .state(JobState::Available)
        .state(JobState::Scheduled);
    let waiting = all(pgq, &waiting).await?;
    let due = waiting
        .iter()
        .filter(|it| it.run_at.is_none_or(|it| it <= now));
    match due.filter_map(|it| kinds.problem_of(it)).next() {
        None => Ok(()),
        Some(problem) => Err(Error::config(problem)),
    }
}

/// Every job that a filter means.
pub(super) async fn all(pgq: &PgQueuer, filter: &JobFilter) -> Result<Vec<JobRecord>> {
    let mut found: Vec<JobRecord> = Vec::new();
    loop {
        let above: Option<JobId> = found.last().map(|it| it.id);
        let page = pgq.list_jobs(filter, above, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

/// Ends at this time of the wall, also where Tokio's clock is paused and runs ahead.
async fn wait_until(deadline: Instant) {
    while Instant::now() < deadline {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn never_ends(pgq: &PgQueuer) -> Error {
    let running = all(pgq, &JobFilter::all().state(JobState::Running)).await;
    let running: Vec<String> = running
        .unwrap_or_default()
        .iter()
        .map(|it| format!("job {} of kind `{}`", it.id, it.kind))
        .collect();
    let what = match running.is_empty() {
        true => "jobs".to_owned(),
        false => running.join(", "),
    };
    Error::new(
        ErrorKind::Database,
        format!(
            "{what} did not come to an end within {LONGEST:?}; does a job wait for another one (see \
             `TestQueue::concurrency`), or enqueue itself again and again?"
        ),
    )
}

fn add(total: &mut Report, more: Report) {
    // Each by its name, so that the compiler finds what is forgotten here.
    let Report {
        completed,
        retried,
        held,
        discarded,
        cancelled,
        snoozed,
        given_back,
        lost,
    } = more;
    total.completed += completed;
    total.retried += retried;
    total.held += held;
    total.discarded += discarded;
    total.cancelled += cancelled;
    total.snoozed += snoozed;
    total.given_back += given_back;
    total.lost += lost;
}
