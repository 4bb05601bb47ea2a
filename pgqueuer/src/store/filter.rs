//! Which jobs are meant: for listing, cancelling, requeueing and discarding many.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::records::JobState;
use crate::{job::JobId, payload::Payload};

/// Which unfinished jobs are meant. All that is given must hold.
///
/// ```
/// use pgqueuer::{JobFilter, JobState};
///
/// let filter = JobFilter::kind("send_mail").state(JobState::Held);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a filter does nothing by itself"]
pub struct JobFilter {
    pub(crate) ids: Option<Vec<JobId>>,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) queue: Option<String>,
    pub(crate) states: Option<Vec<JobState>>,
    pub(crate) limit_key: Option<String>,
    pub(crate) unique_key: Option<String>,
    pub(crate) before: Option<DateTime<Utc>>,
    pub(crate) after: Option<DateTime<Utc>>,
}

impl JobFilter {
    /// Every unfinished job. Others cannot be had by leaving something out.
    pub fn all() -> Self {
        Self::default()
    }

    /// These jobs.
    pub fn ids(ids: impl IntoIterator<Item: Into<JobId>>) -> Self {
        Self {
            ids: Some(ids.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// The jobs of this kind; not of its aliases.
    pub fn kind(kind: impl Into<String>) -> Self {
        Self {
            kinds: Some(vec![kind.into()]),
            ..Self::default()
        }
    }

    /// The jobs of the kinds that workers have published for this queue.
    pub fn queue(queue: impl Into<String>) -> Self {
        Self {
            queue: Some(queue.into()),
            ..Self::default()
        }
    }

    /// Only of this kind, too.
    pub fn of_kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds = Some(vec![kind.into()]);
        self
    }

    /// Only of this queue, too.
    pub fn of_queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Only those in this state. Of several, those in any of them.
    pub fn state(mut self, state: JobState) -> Self {
        self.states.get_or_insert_default().push(state);
        self
    }

    /// Only those with this key for limits, as [`KeyValue`](crate::KeyValue) writes it.
    pub fn limit_key(mut self, key: impl Into<String>) -> Self {
        self.limit_key = Some(key.into());
        self
    }

    /// Only the one with this unique key, as [`KeyValue`](crate::KeyValue) writes it, or as the
    /// producer gave it. Not of those that are unique for a while.
    pub fn unique_key(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Only those that were enqueued before this time.
    pub fn enqueued_before(mut self, time: DateTime<Utc>) -> Self {
        self.before = Some(time);
        self
    }

    /// Only those that were enqueued at this time or later.
    pub fn enqueued_since(mut self, time: DateTime<Utc>) -> Self {
        self.after = Some(time);
        self
    }
}

/// How jobs are made to run again. The default: now, as they are, with all their attempts.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "it does nothing by itself"]
pub struct Requeue {
    pub(crate) payload: Option<Payload>,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) priority: Option<i16>,
    pub(crate) keeps_attempts: bool,
}

impl Requeue {
    /// Now, as they are, with all their attempts.
    pub fn now() -> Self {
        Self::default()
    }

    /// At this time instead.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.run_at = Some(time);
        self
    }

    /// After this long instead, by the clock of the database.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// With these arguments instead. For one job of a type there is
    /// [`PgQueuer::requeue_as`](crate::PgQueuer::requeue_as), which checks them.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// With this priority instead.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = Some(priority);
        self
    }

    /// With the attempts that they have left, instead of all.
    pub fn keep_attempts(mut self) -> Self {
        self.keeps_attempts = true;
        self
    }
}

/// What is changed of jobs that are held or scheduled. The default: nothing.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use = "it does nothing by itself"]
pub struct Edit {
    pub(crate) payload: Option<Payload>,
    pub(crate) run_at: Option<DateTime<Utc>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) priority: Option<i16>,
}

impl Edit {
    /// Nothing, so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Other arguments. In JSON, the key by which limits count goes with them. The unique key stays
    /// what it was.
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Due at this time. Of scheduled jobs only: those that are held are passed by.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.run_at = Some(time);
        self
    }

    /// Due after this long, by the clock of the database. Of scheduled jobs only.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Another priority.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Whether it makes jobs due at another time.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.run_at.is_some() || self.delay.is_some()
    }
}

/// How many of the jobs that are meant are of one kind, in one state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Meant {
    /// The kind.
    pub kind: String,
    /// Where they are in their lives.
    pub state: JobState,
    /// How many there are.
    pub jobs: u64,
}

/// How many jobs were cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Cancelled {
    /// They waited, and are gone.
    pub waiting: u64,
    /// They run, and their workers were told.
    pub running: u64,
}

/// How many jobs were requeued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Requeued {
    /// They run again.
    pub requeued: u64,
    /// They stay as they are: another job has their unique key by now.
    pub refused: u64,
}

/// What was done to some of the jobs that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<T> {
    /// What was done.
    pub done: T,
    /// From which id to go on; `None` if there are no more.
    pub last: Option<JobId>,
}
