//! Recurring jobs: when a schedule ticks, and what becomes of ticks that were missed.

mod policy;
#[cfg(test)]
mod tests;
mod tick;
mod ticks;

pub use policy::{Changes, Missed, Overlap};
pub use tick::Tick;
pub(crate) use tick::{PREVIOUS_HEADER, SCHEDULE_HEADER, SLOT_HEADER};
pub(crate) use ticks::Ticks;

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// When a job is enqueued by itself. Written as [`#[schedule]`](macro@crate::schedule), or made
/// while workers run: see [`PgQueuer::create_schedule`](crate::PgQueuer::create_schedule).
///
/// The times at which it ticks are its slots. However many workers there are, a slot has one job.
/// What comes next is a row in the database, so it survives restarts.
///
/// ```
/// use pgqueuer::{Missed, Overlap, Schedule};
///
/// let report = Schedule::new("0 9 * * MON-FRI").zone("Europe/Oslo").missed(Missed::Skip);
/// let poll = Schedule::new("every 90s").overlap(Overlap::Skip);
///
/// assert_eq!(report.describe()?, "at 09:00, Monday to Friday");
/// let start = "2026-01-02T12:00:00Z".parse().unwrap();
/// assert_eq!(poll.next_after(start)?.unwrap().to_rfc3339(), "2026-01-02T12:01:30+00:00");
/// # Ok::<(), pgqueuer::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a schedule does nothing by itself"]
pub struct Schedule {
    /// A cron expression of five fields, or of six with the seconds first; or an interval, as
    /// `every 90s`, which is counted from the Unix epoch: from 1 s to 10 years.
    pub rule: Cow<'static, str>,
    /// The IANA time zone that a cron expression is meant in. Default: `UTC`.
    #[serde(default = "utc")]
    pub zone: Cow<'static, str>,
    /// What becomes of slots that no worker was there for. Default: [`Missed::Once`].
    #[serde(default)]
    pub missed: Missed,
    /// Whether it ticks while the job of its last tick is unfinished. Default: [`Overlap::Allow`].
    #[serde(default)]
    pub overlap: Overlap,
    /// What becomes of changes by hand, of a schedule in the code. Default: [`Changes::Keep`].
    #[serde(default)]
    pub changes: Changes,
}

const fn utc() -> Cow<'static, str> {
    Cow::Borrowed("UTC")
}

impl Schedule {
    /// By this rule, in UTC.
    pub fn new(rule: impl Into<Cow<'static, str>>) -> Self {
        Self {
            rule: rule.into(),
            zone: utc(),
            missed: Missed::default(),
            overlap: Overlap::default(),
            changes: Changes::default(),
        }
    }

    /// All that there is to it, for a constant: [`Job::SCHEDULE`](crate::Job::SCHEDULE).
    pub const fn declared(
        rule: &'static str,
        zone: &'static str,
        missed: Missed,
        overlap: Overlap,
        changes: Changes,
    ) -> Self {
        Self {
            rule: Cow::Borrowed(rule),
            zone: Cow::Borrowed(zone),
            missed,
            overlap,
            changes,
        }
    }

    /// In this time zone.
    pub fn zone(mut self, zone: impl Into<Cow<'static, str>>) -> Self {
        self.zone = zone.into();
        self
    }

    /// With this said about what was missed.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// With this said about overlaps.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// The first slot after a time; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a rule or a zone that is none.
    pub fn next_after(&self, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        Ok(self.parse()?.next_after(after))
    }

    /// In words: `at 09:00, on Monday`, or the interval.
    ///
    /// # Errors
    ///
    /// As [`next_after`](Self::next_after).
    pub fn describe(&self) -> Result<String> {
        Ok(self.parse()?.describe())
    }

    /// Parses the rule and the zone, and checks that all goes together.
    pub(crate) fn parse(&self) -> Result<Ticks> {
        if self.overlap == Overlap::Skip && matches!(self.missed, Missed::All { .. }) {
            return Err(Error::config(policy::ALL_OVERLAP));
        }
        Ticks::parse(&self.rule, &self.zone).map_err(Error::config)
    }
}

/// As people read it: the rule, and the zone of a cron expression.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rule)?;
        if self.rule.starts_with("every ") {
            return Ok(());
        }
        write!(f, " ({})", self.zone)
    }
}
