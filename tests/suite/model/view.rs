//! A reply without what may differ between two stores: ids become numbers in the order in which
//! they were given out, and times become hours from now.

use chrono::{DateTime, Utc};
use pgqueuer::{
    Codec, Headers, Schedule,
    store::{Failure, FailureReason, JobState, KindRecord, Tally},
};

/// Which job or session, counted from the first.
pub(super) type Number = usize;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Done,
    /// How many jobs were enqueued.
    Enqueued(usize),
    IsLive(bool),
    Claimed(Vec<Claimed>),
    /// Job and claim number.
    Refused(Vec<(Number, i32)>),
    Count(u64),
    Crashes(Vec<(Number, String, Number, JobState)>),
    Promoted {
        count: u32,
        hours_to_next: Option<i64>,
    },
    /// Slots, and whether they have jobs.
    Ticked(Vec<(DateTime<Utc>, bool)>),
    Paused(Option<bool>),
    /// By hour and kind.
    Minutes(Vec<(i64, String, Tally)>),
    Failed(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claimed {
    pub(super) job: Number,
    pub(super) claim_number: i32,
    pub(super) kind: String,
    pub(super) attempt: u16,
    pub(super) priority: i16,
    pub(super) payload: (Codec, Vec<u8>),
    pub(super) headers: Headers,
    pub(super) enqueued: i64,
    pub(super) hours_waited: u64,
}

/// All that a store has, at the end.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    pub(super) jobs: Vec<Option<Record>>,
    pub(super) kinds: Vec<KindRecord>,
    pub(super) overview: Vec<Kind>,
    pub(super) totals: Vec<(String, Tally)>,
    pub(super) schedules: Vec<Recurring>,
    pub(super) soonest: Option<DateTime<Utc>>,
    /// Names and revisions.
    pub(super) due: Vec<(String, i64)>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Kind {
    pub(super) name: String,
    pub(super) queue: Option<String>,
    /// Available, scheduled, held.
    pub(super) counts: [u64; 3],
    /// For how many hours the oldest has waited.
    pub(super) oldest: Option<i64>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Recurring {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) schedule: Schedule,
    pub(super) of_code: Option<Schedule>,
    pub(super) is_paused: bool,
    pub(super) next_tick: Option<DateTime<Utc>>,
    /// The last one that had a job, and the last one that had none.
    pub(super) slots: [Option<DateTime<Utc>>; 2],
    pub(super) last_job: Option<Number>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) kind: String,
    pub(super) state: JobState,
    pub(super) priority: i16,
    pub(super) attempt: u16,
    pub(super) enqueued: i64,
    pub(super) run_at: Option<i64>,
    pub(super) claimed: Option<i64>,
    pub(super) finished: Option<i64>,
    pub(super) payload: Option<(Codec, Vec<u8>)>,
    pub(super) headers: Headers,
    pub(super) failures: Vec<Failed>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Failed {
    attempt: u16,
    at: Option<i64>,
    reason: FailureReason,
    message: String,
    backtrace: Option<String>,
}

impl Failed {
    pub(super) fn new(failure: Failure, now: DateTime<Utc>) -> Self {
        // That of a crash names the session, whose id may differ.
        let (message, _) = match failure.message.split_once("(session ") {
            Some(parts) => parts,
            None => (failure.message.as_str(), ""),
        };
        Self {
            attempt: failure.attempt,
            at: failure.failed_at.map(|it| hours(it, now)),
            reason: failure.reason,
            message: message.to_owned(),
            backtrace: failure.backtrace,
        }
    }
}

/// From now, rounded, so that a few minutes make no difference.
pub(super) fn hours(time: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    ((time - now).num_minutes() + 30).div_euclid(60)
}
