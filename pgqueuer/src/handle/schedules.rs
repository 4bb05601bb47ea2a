//! Schedules that are made, changed and run while workers run.

use serde_json::{Map, Value};

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    enqueue::{NewJob, Prepared},
    error::{Error, ErrorKind as Kind, Result},
    handle::PgQueuer,
    job::{Job, JobId},
    options::validate_name,
    schedule::{Missed, Overlap, Schedule},
    store::{RunAt, ScheduleRecord, ScheduleToChange, ScheduleToMake, ScheduledJob},
    unique::{OnConflict, Unique, UniqueFor},
};

impl PgQueuer {
    /// Makes a schedule: from now on, each of its slots enqueues this job, as long as a worker is
    /// there that has its kind. Workers hear of it within a second.
    ///
    /// For one in a transaction of yours there is the SQL function `pgqueuer.schedule`.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_report(customer: i64) { let _ = customer; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pgqueuer::{Schedule, ScheduleChange};
    ///
    /// let pgq = PgQueuer::in_memory();
    /// let mondays = Schedule::new("0 9 * * MON").zone("Europe/Oslo");
    /// pgq.create_schedule("report-7", &mondays, SendReport { customer: 7 }).await?;
    ///
    /// let later = ScheduleChange::new().rule("0 10 * * MON");
    /// pgq.change_schedule("report-7", later).await?;
    /// let id = pgq.run_schedule("report-7").await?;
    /// # assert!(pgq.get_job(id).await?.is_some());
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name (1 to 128 characters, no white space), a rule or a zone that
    /// is none; [`ErrorKind::Conflict`] if there is a schedule of this name;
    /// [`ErrorKind::Payload`], [`ErrorKind::Database`] or [`ErrorKind::Schema`] as
    /// [`Job::enqueue`].
    pub async fn create_schedule<J: Job>(
        &self,
        name: &str,
        schedule: &Schedule,
        job: J,
    ) -> Result<()> {
        self.create_schedule_with(name, schedule, job.options())
            .await
    }

    /// As [`create_schedule`](Self::create_schedule), with a priority, headers or a unique key of
    /// the jobs.
    ///
    /// # Errors
    ///
    /// As [`create_schedule`](Self::create_schedule); [`ErrorKind::Config`] for a delay, a window, or
    /// what to do about conflicts: a slot whose key another job has enqueues none.
    pub async fn create_schedule_with<J: Job>(
        &self,
        name: &str,
        schedule: &Schedule,
        job: NewJob<J>,
    ) -> Result<()> {
        let priority = job.own_priority();
        let (job, unique) = job.prepare()?;
        let usual = J::OPTIONS.unique.unwrap_or(UniqueFor::Unfinished);
        let is_usual = |it: &Unique| it.lasts == usual && it.on_conflict == OnConflict::Skip;
        if job.run_at != RunAt::Now || !unique.as_ref().is_none_or(is_usual) {
            return Err(refused(name).because(
                "its jobs can have a priority, headers and a unique key of their own; not a delay, \
                 a time, a window, or another answer to a conflict",
            ));
        }
        self.create_encoded_schedule(&ScheduleToMake {
            name: name.to_owned(),
            schedule: schedule.clone(),
            priority,
            headers: job.headers.clone(),
            job: ScheduledJob::of((job, unique)),
        })
        .await
    }

    /// As [`create_schedule`](Self::create_schedule), for who has the arguments encoded, and not their
    /// types.
    ///
    /// # Errors
    ///
    /// As [`create_schedule`](Self::create_schedule).
    pub async fn create_encoded_schedule(&self, new: &ScheduleToMake) -> Result<()> {
        let name = &new.name;
        validate_name("schedule", name)?;
        new.schedule
            .parse()
            .map_err(|it| refused(name).because(it))?;
        if self.store().create_schedule(new).await? {
            return Ok(());
        }
        Err(Error::new(
            Kind::Conflict,
            format!("there is a schedule `{name}` already; change that, or take another name"),
        ))
    }

    /// Changes a schedule by hand, whether the code has it or not. If it ticks at other times now,
    /// its slots count from now on.
    ///
    /// A change of a schedule in the code holds whatever is deployed, until it is
    /// [reset](Self::reset_schedule); or, if the code says [`Changes::Yield`](crate::Changes::Yield),
    /// until a worker starts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Config`] for a rule, a zone or a
    /// combination that is none, and for a job of another kind; [`ErrorKind::Payload`],
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn change_schedule(&self, name: &str, change: ScheduleChange) -> Result<()> {
        let known = self.find_schedule(name).await?;
        let job = change.job.transpose()?;
        if let Some(job) = job.as_ref().filter(|it| it.kind != known.kind) {
            return Err(refused(name).because(format!(
                "its jobs are of kind `{}`, not `{}`",
                known.kind, job.kind
            )));
        }
        let mut settings = match serde_json::to_value(&known.schedule) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        settings.extend(change.settings.clone());
        let will_be: Schedule = serde_json::from_value(Value::Object(settings))
            .map_err(|problem| refused(name).because(problem))?;
        will_be.parse().map_err(|it| refused(name).because(it))?;
        let change = ScheduleToChange {
            settings: Some(change.settings),
            job,
        };
        let is_changed = self.store().change_schedule(name, &change).await?;
        found(name, is_changed.then_some(()))
    }

    /// Lets hold again what the code says of a schedule.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none in the code; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn reset_schedule(&self, name: &str) -> Result<()> {
        let change = ScheduleToChange {
            settings: None,
            job: None,
        };
        if self.store().change_schedule(name, &change).await? {
            return Ok(());
        }
        self.find_schedule(name).await?;
        Err(Error::new(
            Kind::NotFound,
            format!("schedule `{name}` is not in the code, so there is nothing to reset it to"),
        ))
    }

    /// Lets a schedule tick no more, on any worker, until it is [resumed](Self::resume_schedule),
    /// whatever is deployed. The slots of that time are not missed. Returns whether that changed
    /// anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is none; [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn pause_schedule(&self, name: &str) -> Result<bool> {
        found(name, self.store().pause_schedule(name, true).await?)
    }

    /// Ends a [pause](Self::pause_schedule). Returns whether that changed anything.
    ///
    /// # Errors
    ///
    /// As [`pause_schedule`](Self::pause_schedule).
    pub async fn resume_schedule(&self, name: &str) -> Result<bool> {
        found(name, self.store().pause_schedule(name, false).await?)
    }

    /// Enqueues the job of a schedule now, besides its slots, also if it is paused.
    ///
    /// # Errors
    ///
    /// As [`pause_schedule`](Self::pause_schedule).
    pub async fn run_schedule(&self, name: &str) -> Result<JobId> {
        found(name, self.store().run_schedule(name).await?)
    }

    /// Deletes a schedule. The jobs that it has enqueued stay. One that is in the code is there
    /// again when a worker starts; to be rid of it, pause it.
    ///
    /// # Errors
    ///
    /// As [`pause_schedule`](Self::pause_schedule).
    pub async fn delete_schedule(&self, name: &str) -> Result<()> {
        let is_deleted = self.store().delete_schedule(name).await?;
        found(name, is_deleted.then_some(()))
    }

    /// The schedules, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn list_schedules(&self) -> Result<Vec<ScheduleRecord>> {
        self.store().list_schedules().await
    }

    async fn find_schedule(&self, name: &str) -> Result<ScheduleRecord> {
        let known = self.list_schedules().await?;
        found(name, known.into_iter().find(|it| it.name == name))
    }
}

/// What to change of a schedule. See [`PgQueuer::change_schedule`].
#[derive(Debug, Default)]
#[must_use = "a change does nothing by itself"]
pub struct ScheduleChange {
    settings: Map<String, Value>,
    job: Option<Result<ScheduledJob>>,
}

impl ScheduleChange {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another [rule](Schedule::rule).
    pub fn rule(self, rule: impl Into<String>) -> Self {
        self.set("rule", rule.into())
    }

    /// Another [time zone](Schedule::zone).
    pub fn zone(self, zone: impl Into<String>) -> Self {
        self.set("zone", zone.into())
    }

    /// Something else to do about slots that were [missed](Schedule::missed).
    pub fn missed(self, missed: Missed) -> Self {
        self.set("missed", missed.to_string())
    }

    /// Something else to do about [overlaps](Schedule::overlap).
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.set("overlap", overlap.to_string())
    }

    /// Other arguments.
    pub fn job<J: Job>(mut self, job: J) -> Self {
        self.job = Some(job.options().prepare().map(ScheduledJob::of));
        self
    }

    /// Other arguments, for who has encoded them and not their types.
    pub fn scheduled_job(mut self, job: ScheduledJob) -> Self {
        self.job = Some(Ok(job));
        self
    }

    fn set(mut self, name: &str, value: String) -> Self {
        self.settings.insert(name.to_owned(), Value::String(value));
        self
    }
}

impl ScheduledJob {
    fn of((job, unique): Prepared) -> Self {
        Self {
            kind: job.kind.into_owned(),
            payload: job.payload,
            limit_key: job.limit_key,
            unique_key: unique.map(|it| it.key),
        }
    }
}

fn refused(name: &str) -> Error {
    Error::config(format!("schedule `{name}` is refused"))
}

/// What was found, or that there is none of this name.
fn found<T>(name: &str, found: Option<T>) -> Result<T> {
    found.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no schedule `{name}`")))
}
