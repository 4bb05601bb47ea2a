//! What people see of a queue, and do to it: the part of the seam behind screens and commands.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    filter::{Cancelled, Edit, JobFilter, Meant, Requeue, Requeued, Step},
    history::{HistoryFilter, HistoryPage, HistoryPlace},
    minutes::MinuteRecord,
    overview::{KindTotal, Overview},
    records::{Counts, JobRecord, KindRecord},
    schedules::{ScheduleRecord, ScheduleToChange, ScheduleToMake},
    troubles::{HeldJob, StaleRecord},
};
use crate::{
    error::Result,
    job::JobId,
    limits::{LimitRecord, Scope, SetLimit},
};

/// What people see of a queue, and do to it. See [`Store`](super::Store), of which it is a part.
#[async_trait]
pub trait Operations {
    /// What the queue is doing. Counts no jobs, however many there are.
    async fn overview(&self) -> Result<Overview>;

    /// What was done of each kind since the schema was installed, by name.
    async fn list_totals(&self) -> Result<Vec<KindTotal>>;

    /// Counts the unfinished jobs and mends the counts where they are wrong, which they are only after
    /// somebody has changed the jobs by hand. Returns how many kinds that was.
    async fn recount(&self) -> Result<u64>;

    /// The kinds that workers have published, by name.
    async fn list_kinds(&self) -> Result<Vec<KindRecord>>;

    /// Sets limits instead of what the code says, besides those that were set before; `None` lets
    /// the code's hold again. [Adopts](super::Store::adopt).
    async fn set_limits(&self, scope: &Scope, limits: Option<&[SetLimit]>) -> Result<()>;

    /// Pauses, or lets go on. Returns whether that changed anything.
    async fn set_paused(&self, scope: &Scope, is_paused: bool) -> Result<bool>;

    /// What is limited or paused.
    async fn list_limits(&self) -> Result<Vec<LimitRecord>>;

    /// The schedules, by name.
    async fn list_schedules(&self) -> Result<Vec<ScheduleRecord>>;

    /// Makes a schedule. `false` if there is one of this name.
    async fn create_schedule(&self, schedule: &ScheduleToMake) -> Result<bool>;

    /// Changes a schedule by hand. `false` if there is none of this name, of the kind of the new job,
    /// or in the code.
    async fn change_schedule(&self, name: &str, change: &ScheduleToChange) -> Result<bool>;

    /// Pauses a schedule, or lets it go on with the slots that come. Returns whether that changed
    /// anything; `None` if there is none.
    async fn pause_schedule(&self, name: &str, is_paused: bool) -> Result<Option<bool>>;

    /// Enqueues the job of a schedule now, besides its slots. `None` if there is none.
    async fn run_schedule(&self, name: &str) -> Result<Option<JobId>>;

    /// Deletes a schedule. `false` if there is none.
    async fn delete_schedule(&self, name: &str) -> Result<bool>;

    /// What was done in the minutes that reach into the `last` while, by minute and kind. With
    /// zero, in this minute.
    async fn list_minutes(&self, last: Duration) -> Result<Vec<MinuteRecord>>;

    /// What is known of a job, waiting or finished.
    async fn get_job(&self, id: JobId) -> Result<Option<JobRecord>>;

    /// Up to `limit` unfinished jobs above an id, by id.
    async fn list_jobs(
        &self,
        filter: &JobFilter,
        above: JobId,
        limit: u32,
    ) -> Result<Vec<JobRecord>>;

    /// Up to `limit` finished jobs, newest first, from the newest or below a place. Reads no more of the
    /// history than that takes, and ends a page early that would take too much.
    async fn list_history(
        &self,
        filter: &HistoryFilter,
        below: Option<HistoryPlace>,
        limit: u32,
    ) -> Result<HistoryPage>;

    /// Up to `limit` held jobs of these kinds, the newest first.
    async fn list_held(&self, kinds: Option<&[String]>, limit: u32) -> Result<Vec<HeldJob>>;

    /// Up to `limit` of what should have been begun or ended by now, the oldest first: jobs that have been due
    /// for longer than `waits`, that have run for longer than `runs` or that a dead session has, and sessions
    /// that are over for ten seconds. Reads the front of each line.
    async fn list_stale(
        &self,
        waits: Duration,
        runs: Duration,
        limit: u32,
    ) -> Result<Vec<StaleRecord>>;

    /// Counts up to `limit` unfinished jobs, by kind and state.
    async fn count_meant(&self, filter: &JobFilter, limit: u32) -> Result<Vec<Meant>>;

    /// Cancels up to `limit` unfinished jobs above an id: those that wait leave the queue, and
    /// the workers of those that run are told by the bell. However their attempts end, they do
    /// not run again.
    async fn cancel(
        &self,
        filter: &JobFilter,
        reason: &str,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Cancelled>>;

    /// Makes up to `limit` held or scheduled jobs above an id available, or due at another time.
    async fn requeue(
        &self,
        filter: &JobFilter,
        how: &Requeue,
        above: JobId,
        limit: u32,
    ) -> Result<Step<Requeued>>;

    /// Discards up to `limit` held jobs above an id.
    async fn discard(&self, filter: &JobFilter, above: JobId, limit: u32) -> Result<Step<u64>>;

    /// Changes up to `limit` held or scheduled jobs above an id, which stay in their states. With
    /// another due time, only scheduled ones.
    async fn edit(
        &self,
        filter: &JobFilter,
        edit: &Edit,
        above: JobId,
        limit: u32,
    ) -> Result<Step<u64>>;

    /// How many jobs of these kinds are in which state. Reads every live job; not for
    /// dashboards.
    async fn count_jobs(&self, kinds: Option<&[&str]>) -> Result<Counts>;
}
