//! What goes through the seam: requests, replies and records.

use std::{borrow::Cow, fmt, time::Duration};

use super::records::JobState;
use crate::{context::Headers, job::JobId, outcome::Failure, payload::Payload};
use chrono::{DateTime, Utc};

/// One life of a worker. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job on its way into the store.
#[derive(Clone, Debug, PartialEq)]
pub struct JobToEnqueue {
    /// What sort of job. 1 to 128 characters.
    pub kind: Cow<'static, str>,
    /// Higher runs first.
    pub priority: i16,
    /// The encoded arguments.
    pub payload: Payload,
    /// Free text for the handler.
    pub headers: Headers,
    /// When it may run.
    pub run_at: RunAt,
    /// By which value the limits of its kind count, if they count for each.
    pub limit_key: Option<String>,
}

/// When a job may run, by the clock of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunAt {
    /// At once.
    Now,
    /// This long after it was enqueued.
    After(Duration),
    /// At this time, or at once if that has passed.
    At(DateTime<Utc>),
}

/// Asks for jobs.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRequest<'a> {
    /// Who asks, and will own the jobs.
    pub session: SessionId,
    /// The kinds that it can run.
    pub kinds: &'a [&'a str],
    /// At most this many jobs.
    pub limit: u32,
    /// Of some of the kinds, at most so many. No kind is in two bounds.
    pub bounds: &'a [Bound<'a>],
    /// How hard to look.
    pub look: Look,
    /// Slots may have become free under a limit: to look for what was held back just now, too.
    pub has_freed: bool,
}

/// What a claim brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claimed {
    /// The jobs.
    pub jobs: Vec<ClaimedJob>,
    /// In how long to look again, if limits have held back jobs that wait.
    pub held_back: Option<Duration>,
}

/// At most so many jobs of these kinds together.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The kinds; all of them are in [`ClaimRequest::kinds`], too.
    pub kinds: &'a [&'a str],
    /// How many of their jobs at most.
    pub limit: u32,
}

/// How hard a claim looks for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At everything there is. Learns which lanes (kind and priority) are in use.
    Everywhere,
    /// At the lanes that are known, whole. Cheaper; misses jobs of a lane that was not in
    /// use at the last look everywhere.
    Known,
    /// From where the last claim of this process left off. Cheapest; misses besides jobs whose
    /// transaction was slow to commit, until the next look at the whole lanes.
    Onward,
}

/// What the bell was rung for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Jobs became available in lanes that are in use.
    Available,
    /// Jobs were scheduled.
    Scheduled,
    /// Jobs that run are to be cancelled.
    Cancelled,
    /// Any of it, and lanes that were not in use before.
    Anything,
}

/// What those who wait for jobs are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These have ended, or are held.
    Ended(Vec<JobId>),
    /// Any may have.
    Anything,
}

/// A process that waits for jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatcherId(pub i64);

/// How far a job is that a session runs, to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressToNote {
    /// The claim.
    pub key: ClaimKey,
    /// The share that is done, from 0 to 1.
    pub fraction: f32,
    /// What is being done.
    pub note: String,
}

/// A point in time, as transactions have it. What had begun to be written by then can be seen
/// once the horizon [has passed](super::Store::has_passed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon(pub i64);

/// Which jobs a session that ends has claimed and not settled.
#[derive(Clone, Copy, Debug)]
pub enum Holds<'a> {
    /// These.
    Only(&'a [ClaimKey]),
    /// Perhaps others, too: the reply to a claim was lost. To find them, all unfinished jobs
    /// are read.
    Unsure,
}

/// A claim of a job: what a worker must show to settle it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    /// The job.
    pub id: JobId,
    /// How many times the job has been claimed by anyone. Unlike the attempt it never
    /// goes back, so an old claim cannot pass for a new one.
    pub claim_number: i32,
}

/// Where the store has put a claimed job: a hint, which spares it a search. What it says is the
/// store's own affair. A wrong one, or the default, costs time and does no harm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(pub(crate) [u8; 6]);

/// A job that was handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedJob {
    /// What settles it.
    pub key: ClaimKey,
    /// Where the store will find it.
    pub place: Place,
    /// What sort of job.
    pub kind: String,
    /// Which attempt this is. Counts from 1.
    pub attempt: u16,
    /// Its priority.
    pub priority: i16,
    /// The encoded arguments.
    pub payload: Payload,
    /// What the producer gave.
    pub headers: Headers,
    /// When it was enqueued.
    pub enqueued_at: DateTime<Utc>,
    /// How long it has waited since it was due.
    pub waited: Duration,
    /// Whether it has a slot under a limit, which becomes free when the job is settled.
    pub is_limited: bool,
    /// Why it is not to be run, but to be ended as cancelled: somebody said so while it ran before.
    pub cancel_reason: Option<String>,
}

/// How one attempt ended, to be written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The claim that the attempt belongs to.
    pub key: ClaimKey,
    /// Where the job was when it was claimed.
    pub place: Place,
    /// What becomes of the job.
    pub disposition: Disposition,
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// What the handler returned, as JSON; none is `null`.
    pub result: Option<String>,
}

/// What becomes of a job after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It leaves the queue; its record is kept for `retain` (zero: not at all).
    End {
        /// In what way.
        ending: Ending,
        /// How long to keep its record.
        retain: Duration,
    },
    /// It runs again after this wait (zero: now).
    Again {
        /// How long to wait.
        after: Duration,
        /// Whether the attempt is spent.
        attempted: Attempted,
    },
    /// It stays for a person.
    Hold,
}

/// Whether an attempt that did not end the job is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// It counts: the handler failed.
    Counts,
    /// It does not: the handler snoozed, or the worker stopped.
    GivenBack,
}

/// The ways in which a job leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The handler succeeded.
    Completed,
    /// Somebody decided that it should not run.
    Cancelled,
    /// Its attempts failed, and its kind does not hold failures.
    Discarded,
}

impl Ending {
    /// Its name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }
}

/// A job that a dead session left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The job.
    pub id: JobId,
    /// What sort of job.
    pub kind: String,
    /// The session that had it.
    pub session: SessionId,
    /// Where it is now.
    pub state: JobState,
}

/// What [`Store::promote`](super::Store::promote) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promotion {
    /// How many jobs became available.
    pub promoted: u32,
    /// How long until the next one is due, if any waits.
    pub next_due_in: Option<Duration>,
}
