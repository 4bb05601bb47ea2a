//! Recurring jobs: when the next tick of a schedule is.

use std::{fmt, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    cron::{CronExpression, parse_zone},
    error::{Error, Result},
};

#[cfg(test)]
mod tests;

/// When a job is enqueued by itself. Written as [`#[schedule]`](macro@crate::schedule).
///
/// However many workers know the schedule, each tick enqueues one job. The time of
/// the next tick is a row in the database, so it survives restarts. Ticks that
/// were missed while no worker ran become one late job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// By a cron expression.
    Cron {
        /// Five fields, or six with the seconds first.
        expression: &'static str,
        /// The IANA time zone that the expression is meant in. Default: `UTC`.
        zone: &'static str,
    },
    /// At a fixed interval, at least one second, counted from the Unix epoch: every
    /// `1h` is on the hour, whenever the worker started.
    Every(Duration),
}

impl Schedule {
    /// Parses the expression and the zone.
    pub(crate) fn parse(&self) -> Result<Ticks> {
        match self {
            Self::Cron { expression, zone } => {
                let cron = CronExpression::parse(expression).map_err(Error::config)?;
                let zone = parse_zone(zone).map_err(Error::config)?;
                Ok(Ticks::Cron(Box::new(cron), zone))
            }
            Self::Every(interval) => {
                let seconds = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX);
                if !(1..=Self::MAX_INTERVAL_SECONDS).contains(&seconds) {
                    return Err(Error::config(format!(
                        "a schedule every {interval:?} is out of range, from 1 s to 10 years"
                    )));
                }
                Ok(Ticks::Every(seconds))
            }
        }
    }

    const MAX_INTERVAL_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;
}

/// As people read it, and as the database compares it with what it has.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expression, zone } => write!(f, "{expression} ({zone})"),
            Self::Every(interval) => {
                write!(f, "every {}", humantime::format_duration(*interval))
            }
        }
    }
}

/// A parsed schedule.
#[derive(Clone, Debug)]
pub(crate) enum Ticks {
    Cron(Box<CronExpression>, Tz),
    Every(i64),
}

impl Ticks {
    /// The first tick after `after`; `None` when there will be none.
    pub(crate) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Cron(cron, zone) => cron.next_after(after, *zone),
            Self::Every(seconds) => {
                let past = after.timestamp().rem_euclid(*seconds);
                let whole = DateTime::from_timestamp(after.timestamp(), 0)?;
                whole.checked_add_signed(TimeDelta::seconds(seconds - past))
            }
        }
    }
}
