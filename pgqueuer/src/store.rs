//! The seam: what a queue needs from where it keeps its jobs.
//!
//! [`PostgresStore`](crate::PostgresStore) and [`MemoryStore`](crate::MemoryStore)
//! implement it, and the conformance suite in `tests/` says what each method must
//! do, by running every case on both. The rest of the crate never asks which store
//! it has.
//!
//! # The life of a job
//!
//! ```text
//!  enqueue ──► scheduled ──promote──► available ──claim──► running ──settle──► history
//!                  ▲                      ▲                   │                (completed,
//!                  │                      └── rescue, give ───┤                 cancelled,
//!                  └──────── retry, snooze ───── back ────────┤                 discarded)
//!                                                             └────► held
//! ```
//!
//! # Invariants
//!
//! - The clock of the store decides when something is due or has run out.
//! - A claim is fenced: only who holds `(session, id, claim number)` can settle it.
//! - A job that becomes available goes to the end of its line.

mod filter;
mod histogram;
mod history;
mod minutes;
mod operations;
mod overview;
mod records;
mod schedules;
mod tables;
mod troubles;
mod types;

pub use crate::outcome::{Failure, FailureReason};
pub use filter::{Cancelled, Edit, JobFilter, Meant, Requeue, Requeued, Step};
pub use histogram::Histogram;
pub use history::{HistoryFilter, HistoryPage, HistoryPlace};
pub use minutes::{Measures, MinuteRecord, MinuteToAdd, Tally, Tended};
pub use operations::Operations;
pub use overview::{
    Activity, Front, KindOverview, KindTotal, Overview, WorkerRecord, WorkerReport,
};
pub(crate) use overview::{Backlog, CHARTED, Parts, RECENT};
pub use records::{Became, Counts, JobEnd, JobRecord, JobState, KindRecord, Progress};
pub use schedules::{
    DueSchedule, DueSchedules, ScheduleRecord, ScheduleToChange, ScheduleToMake, ScheduledJob,
    TickToMake, Ticked,
};
pub use tables::{Autovacuum, Durability, TableRecord};
pub use troubles::{HeldJob, Stale, StaleRecord};
pub use types::{
    Attempted, Bound, ClaimKey, ClaimRequest, Claimed, ClaimedJob, Crash, Disposition, Ending,
    Holds, Horizon, JobToEnqueue, Look, News, Place, ProgressToNote, Promotion, Ring, RunAt,
    SessionId, Settlement, WatcherId,
};

use std::{any::Any, fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    error::Result,
    job::JobId,
    limits::{Limits, Scope},
    schedule::Schedule,
    unique::{Enqueued, Unique},
};

/// Where jobs are kept. Object-safe, so that [`PgQueuer`](crate::PgQueuer) and
/// [`Worker`](crate::Worker) need no type parameter.
///
/// Public so that it can be read and tested; not a stable API, and not meant to be
/// implemented outside this crate.
#[async_trait]
pub trait Store: Operations + fmt::Debug + Send + Sync {
    /// Creates the schema, or brings an older one up to date. Safe to call at once from
    /// many processes. Returns the versions that were applied.
    async fn install(&self) -> Result<Vec<i32>>;

    /// The version of the schema that is installed, if any is.
    async fn installed_version(&self) -> Result<Option<i32>>;

    /// Deletes the schema with everything in it.
    async fn uninstall(&self) -> Result<()>;

    /// Refuses a schema that is missing, damaged, older or newer than this crate.
    async fn verify(&self) -> Result<()>;

    /// Makes the connections that a worker needs, which takes a while. What cannot be made is
    /// tried again when it is needed.
    async fn warm_up(&self);

    /// Adds jobs, all or none, and wakes the workers. Ids in the order of `jobs`.
    async fn enqueue(&self, jobs: &[JobToEnqueue]) -> Result<Vec<JobId>>;

    /// Adds jobs of which some are unique, all or none, and wakes the workers. What became of each,
    /// in the order of `jobs`. A key that another one of them has is taken, too.
    async fn enqueue_unique(
        &self,
        jobs: &[(JobToEnqueue, Option<Unique>)],
    ) -> Result<Vec<Enqueued>>;

    /// Deletes up to `limit` keys of unique jobs whose time is over.
    async fn forget_keys(&self, limit: u32) -> Result<u64>;

    /// Begins one life of a worker, which ends unless it is renewed within `lease`.
    async fn open_session(&self, worker: &str, lease: Duration) -> Result<SessionId>;

    /// Makes the lease last `lease` from now. `false` if the session is gone: its jobs
    /// belong to others.
    async fn renew_session(&self, session: SessionId, lease: Duration) -> Result<bool>;

    /// Ends a session. Jobs that it still holds become available, at no attempt.
    async fn close_session(&self, session: SessionId, holds: Holds<'_>) -> Result<()>;

    /// Ends the sessions whose lease has run out, and makes their jobs available; those
    /// without attempts left are held (or discarded, as their kind has it).
    async fn rescue(&self) -> Result<Vec<Crash>>;

    /// Hands out available jobs of the wanted kinds: higher priority first, and of each kind
    /// in the order of becoming available. Counts the attempt. Never hands out a job twice, nor
    /// more than [limits](Operations::set_limits) allow, nor any that is paused.
    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed>;

    /// Gives back what a session holds besides `known`, at no attempt: the jobs of a claim
    /// whose reply was lost. Returns how many. No claim of the session may be under way.
    async fn reconcile(&self, session: SessionId, known: &[ClaimKey]) -> Result<u64>;

    /// Writes down how attempts ended. Returns the claims that were *not* settled,
    /// because the session no longer holds them. Of two results for one claim the first counts.
    async fn settle(&self, session: SessionId, settlements: &[Settlement])
    -> Result<Vec<ClaimKey>>;

    /// Begins a transaction for a handler to write in.
    async fn begin(&self) -> Result<Box<dyn Work>>;

    /// Makes up to `limit` scheduled jobs that are due available.
    async fn promote(&self, limit: u32) -> Result<Promotion>;

    /// Whether there is a [`bell`](Self::bell). No pooler lets it be heard.
    async fn has_bell(&self) -> Result<bool>;

    /// A bell that rings when a job became available, or was scheduled. May ring too often.
    /// It rings for sure only while some session is armed.
    async fn bell(&self) -> Result<Box<dyn Bell>>;

    /// Asks for the bell, from now on or no longer: a worker that is busy looks by itself, and
    /// ringing for it would cost every producer. What was being written before this returned
    /// may not ring; it can be seen once the horizon has passed.
    async fn arm_bell(&self, session: SessionId, armed: bool) -> Result<Horizon>;

    /// Whether what was being written at a horizon has been written by now.
    async fn has_passed(&self, horizon: Horizon) -> Result<bool>;

    /// Says that somebody waits for jobs of these kinds, for so long: only of those does
    /// the [herald](Self::herald) tell for sure. To be renewed with the id that was given before.
    async fn await_kinds(
        &self,
        watcher: Option<WatcherId>,
        kinds: &[String],
        lasts: Duration,
    ) -> Result<WatcherId>;

    /// Tells which jobs have ended or are held. No pooler lets it be heard.
    async fn herald(&self) -> Result<Box<dyn Herald>>;

    /// Of jobs that are waited for, those that need be waited for no longer: they have ended, or are held,
    /// or nothing is known of them.
    async fn ends(&self, ids: &[JobId]) -> Result<Vec<JobEnd>>;

    /// Deletes up to `limit` of those who wait no more.
    async fn forget_watchers(&self, limit: u32) -> Result<u64>;

    /// Notes how far jobs are that a session runs. What is not its job is passed by.
    async fn note_progress(&self, session: SessionId, progress: &[ProgressToNote]) -> Result<()>;

    /// Deletes up to `limit` notes of jobs that do not run any more.
    async fn forget_progress(&self, limit: u32) -> Result<u64>;

    /// Makes available jobs claimable that claims have passed by for good, which is possible
    /// when a claim was rolled back. Returns how many there were.
    async fn requeue_stranded(&self) -> Result<u64>;

    /// Publishes what a worker knows of its kinds, for tools without the types.
    async fn publish_kinds(&self, kinds: &[KindRecord]) -> Result<()>;

    /// Publishes the limits that the code has. What was set stays. Returns whether that changed
    /// anything.
    async fn publish_limits(&self, limits: &[(Scope, Limits)]) -> Result<bool>;

    /// Brings jobs under limits that are older than these: those that run already are counted
    /// in, and those that wait get the key that they lack. Returns how many there were.
    async fn adopt(&self) -> Result<u64>;

    /// Deletes up to `limit` records of rates that say nothing any more.
    async fn forget_rates(&self, limit: u32) -> Result<u64>;

    /// Publishes the schedules that the code has, by their kinds, which are their names. One that is
    /// there goes on where it was, unless it ticks at other times now; what was changed by hand
    /// stays, unless the code says that it [yields](crate::Changes::Yield). Returns those whose names
    /// other schedules have, with the kinds of these.
    async fn publish_schedules(
        &self,
        schedules: &[(String, Schedule)],
    ) -> Result<Vec<(String, String)>>;

    /// The schedules of these kinds that are due; of those in the code only the `declared`.
    async fn due_schedules(&self, kinds: &[&str], declared: &[&str]) -> Result<DueSchedules>;

    /// Carries out ticks: enqueues the job of a slot and moves the schedule on, both or neither.
    /// Passes by those that another worker was faster with. Returns the slots that were dealt with.
    async fn tick(&self, ticks: &[TickToMake]) -> Result<Vec<Ticked>>;

    /// Prepares the history for the days to come, or forgets a day whose records have all
    /// expired: one at a time. To be called until there is nothing to do. A store that does
    /// not keep its records by day has nothing to do.
    async fn tend_history(&self) -> Result<Tended>;

    /// Deletes up to `limit` expired records of finished jobs that are not forgotten with
    /// their day. Whether they are deleted or not, expired records are not shown.
    async fn prune(&self, limit: u32) -> Result<u64>;

    /// Says what a session is doing, for those who look. Does nothing if it is over.
    async fn report(&self, session: SessionId, report: &WorkerReport) -> Result<()>;

    /// Makes counting cheap again: folds up to `limit` of what was written to count unfinished jobs, and
    /// returns how many there were. A store that has nothing like that has nothing to do.
    async fn fold_counts(&self, limit: u32) -> Result<u64>;

    /// Adds what a worker has done to the minutes in which it did so, and to the totals.
    async fn add_minutes(&self, minutes: &[MinuteToAdd]) -> Result<()>;

    /// Deletes up to `limit` records of minutes that ended longer ago than `keep`.
    async fn forget_minutes(&self, keep: Duration, limit: u32) -> Result<u64>;

    /// The time, by the clock of the store.
    async fn now(&self) -> Result<DateTime<Utc>>;

    /// Which of the jobs that a session runs are to be cancelled, and why.
    async fn cancelled(&self, session: SessionId) -> Result<Vec<(ClaimKey, String)>>;
}

/// A transaction of a handler. Dropped, it is rolled back. See [`Store::begin`].
#[async_trait]
pub trait Work: Any + fmt::Debug + Send {
    /// Completes the job and commits, both or neither. `false` if the session no longer holds
    /// it: then everything was rolled back.
    async fn complete(
        self: Box<Self>,
        session: SessionId,
        key: ClaimKey,
        retain: Duration,
        result: Option<String>,
    ) -> Result<bool>;

    /// Rolls back. Who drops it does so, too, but does not know when that is done.
    async fn roll_back(self: Box<Self>) -> Result<()>;
}

/// Tells those who wait which jobs have ended. See [`Store::herald`].
#[async_trait]
pub trait Herald: Send {
    /// Waits until there is news.
    ///
    /// # Cancel safety
    ///
    /// No news is lost if the future is dropped.
    async fn heard(&mut self) -> News;
}

/// Tells an idle worker that there may be work. See [`Store::bell`].
#[async_trait]
pub trait Bell: Send {
    /// Waits until the bell was rung since the last call, and returns for what.
    ///
    /// # Cancel safety
    ///
    /// A ring is not lost if the future is dropped.
    async fn rung(&mut self) -> Ring;
}
