//! What is kept about finished work: minutes for charts, and the tending of the history.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{histogram::Histogram, types::SessionId};

/// What attempts came to. Those that were given back because a worker stopped, and those
/// whose worker died, are not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// Jobs that are done.
    pub completed: u64,
    /// Attempts that failed and will be repeated.
    pub retried: u64,
    /// Jobs that were parked for a person.
    pub held: u64,
    /// Jobs that were given up, as their kind asks for.
    pub discarded: u64,
    /// Jobs that ended as cancelled.
    pub cancelled: u64,
    /// Attempts that asked to be repeated later, at no cost.
    pub snoozed: u64,
    /// How long these attempts waited for a worker, together: from when the job was due.
    pub wait_seconds: f64,
    /// How long their handlers took, together.
    pub run_seconds: f64,
    /// How long the slowest handler took.
    pub max_run_seconds: f64,
}

impl Tally {
    /// How many attempts it is about.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.completed + self.retried + self.held + self.discarded + self.cancelled + self.snoozed
    }

    /// Adds another one to this one.
    pub fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.retried += other.retried;
        self.held += other.held;
        self.discarded += other.discarded;
        self.cancelled += other.cancelled;
        self.snoozed += other.snoozed;
        self.wait_seconds += other.wait_seconds;
        self.run_seconds += other.run_seconds;
        self.max_run_seconds = self.max_run_seconds.max(other.max_run_seconds);
    }
}

/// What attempts came to, and how long they took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Measures {
    /// What they came to.
    #[serde(flatten)]
    pub tally: Tally,
    /// How long they waited for a worker, from when they were due.
    pub waits: Histogram,
    /// How long their handlers took.
    pub runs: Histogram,
}

impl Measures {
    /// Adds others to these.
    pub fn add(&mut self, other: &Self) {
        self.tally.add(&other.tally);
        self.waits.add(&other.waits);
        self.runs.add(&other.runs);
    }

    /// Adds what came of one attempt, which waited and ran so long.
    pub fn add_attempt(&mut self, tally: &Tally, waited: Duration, ran: Duration) {
        self.tally.add(tally);
        self.waits.record(waited);
        self.runs.record(ran);
    }
}

impl From<Tally> for Measures {
    fn from(tally: Tally) -> Self {
        Self {
            tally,
            ..Self::default()
        }
    }
}

/// What a worker has done of one kind, to be added to the minute.
#[derive(Clone, Debug, PartialEq)]
pub struct MinuteToAdd {
    /// How long ago that was; the clock of the store makes a minute of it.
    pub ago: Duration,
    /// Which life of the worker.
    pub session: SessionId,
    /// What sort of job.
    pub kind: String,
    /// What the attempts came to.
    pub measures: Measures,
}

/// What all workers have done in one minute of one kind of job.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MinuteRecord {
    /// When the minute began.
    pub minute: DateTime<Utc>,
    /// What sort of job.
    pub kind: String,
    /// What the attempts came to whose results were written in this minute.
    #[serde(flatten)]
    pub tally: Tally,
}

impl MinuteRecord {
    pub(crate) fn new(minute: DateTime<Utc>, kind: String, tally: Tally) -> Self {
        Self {
            minute,
            kind,
            tally,
        }
    }
}

/// What [`Store::tend_history`](super::Store::tend_history) did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// How many days were prepared.
    pub created: u32,
    /// How many days were forgotten.
    pub dropped: u32,
}

impl Tended {
    /// Whether there was nothing to do, or somebody else is doing it.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self == Self::default()
    }
}
