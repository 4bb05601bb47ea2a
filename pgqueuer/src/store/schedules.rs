//! Schedules, as a store has them, and as they are read and written.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{context::Headers, job::JobId, payload::Payload, schedule::Schedule};

/// A schedule, as it is shown.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScheduleRecord {
    /// Its name; of one in the code, its kind.
    pub name: String,
    /// The kind of job that it enqueues.
    pub kind: String,
    /// What holds.
    pub schedule: Schedule,
    /// What the code says; `None` of one that was made at run time.
    pub of_code: Option<Schedule>,
    /// Whether something was set by hand instead of what the code says.
    pub is_changed: bool,
    /// The priority of its jobs; `None` for that of their kind.
    pub priority: Option<i16>,
    /// The arguments of its jobs, encoded.
    pub payload: Payload,
    /// The headers of its jobs, besides those of the slot.
    pub headers: Headers,
    /// The slot that comes next, or is overdue; `None` if it is paused or faulty, or no worker has
    /// looked at it since it was changed.
    pub next_tick: Option<DateTime<Utc>>,
    /// Slots count from here on.
    pub after: DateTime<Utc>,
    /// Why it does not tick: there is something wrong with its rule.
    pub fault: Option<String>,
    /// Since when it does not tick.
    pub paused_at: Option<DateTime<Utc>>,
    /// The last slot that had a job.
    pub last_slot: Option<DateTime<Utc>>,
    /// The last slot that had none, since the last job was unfinished.
    pub last_skipped: Option<DateTime<Utc>>,
    /// Its last job: [`PgQueuer::get_job`](crate::PgQueuer::get_job) says what became of it.
    pub last_job: Option<JobId>,
    /// The time at which this was read.
    pub now: DateTime<Utc>,
}

impl ScheduleRecord {
    /// How long the next slot is overdue. More than a moment means that no worker which has the
    /// kind (and, of a schedule in the code, the schedule) is there.
    #[must_use]
    pub fn lag(&self) -> TimeDelta {
        let due = match self.next_tick {
            // Nobody has reckoned it.
            None if self.paused_at.is_none() && self.fault.is_none() => {
                self.schedule.next_after(self.after).ok().flatten()
            }
            next_tick => next_tick,
        };
        due.map_or(TimeDelta::zero(), |it| {
            (self.now - it).max(TimeDelta::zero())
        })
    }

    /// The slots that come next, unless it is paused or faulty: those that are overdue are not
    /// among them.
    pub fn next_slots(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let ticks = match (&self.paused_at, &self.fault) {
            (None, None) => self.schedule.parse().ok(),
            _ => None,
        };
        let mut last = self.now.max(self.after);
        std::iter::from_fn(move || {
            last = ticks.as_ref()?.next_after(last)?;
            Some(last)
        })
    }
}

/// What there is to do for the schedules of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct DueSchedules {
    /// The time now.
    pub now: DateTime<Utc>,
    /// When the next one of the others ticks.
    pub soonest: Option<DateTime<Utc>>,
    /// Those that are due, or whose next slot nobody has reckoned.
    pub due: Vec<DueSchedule>,
}

/// A schedule to look after now.
#[derive(Clone, Debug, PartialEq)]
pub struct DueSchedule {
    /// Which.
    pub name: String,
    /// What holds, or why that cannot be read.
    pub schedule: Result<Schedule, String>,
    /// What a tick of it goes by: it grows with every tick and change.
    pub revision: i64,
    /// The slot that is due; `None` if it is still to be reckoned.
    pub next_tick: Option<DateTime<Utc>>,
    /// From when on, then.
    pub after: DateTime<Utc>,
}

/// One tick to be carried out, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickToMake {
    /// The schedule.
    pub name: String,
    /// Its revision. If it has another by now, nothing is done. The tick after this one has one more.
    pub revision: i64,
    /// The slot to enqueue a job for; `None` to set the next one only.
    pub slot: Option<DateTime<Utc>>,
    /// Where the schedule goes on.
    pub next_tick: Option<DateTime<Utc>>,
    /// Why it does not.
    pub fault: Option<String>,
}

/// A slot that was dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// The schedule.
    pub name: String,
    /// The slot.
    pub slot: DateTime<Utc>,
    /// Its job; `None` if the last one is unfinished, and they must not overlap.
    pub job: Option<JobId>,
}

/// A schedule to be made at run time.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleToMake {
    /// Its name.
    pub name: String,
    /// When it ticks.
    pub schedule: Schedule,
    /// What each tick enqueues.
    pub job: ScheduledJob,
    /// `None` for that of the kind.
    pub priority: Option<i16>,
    /// The headers of its jobs.
    pub headers: Headers,
}

/// The job that each tick of a schedule enqueues.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduledJob {
    /// Its kind.
    pub kind: String,
    /// Its arguments.
    pub payload: Payload,
    /// The key by which limits count.
    pub limit_key: Option<String>,
    /// Its key, if its kind is unique.
    pub unique_key: Option<String>,
}

/// What to change of a schedule by hand.
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleToChange {
    /// These of its settings, by their names in [`Schedule`]; `None` for what the code says.
    pub settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// Another job, of the same kind.
    pub job: Option<ScheduledJob>,
}
