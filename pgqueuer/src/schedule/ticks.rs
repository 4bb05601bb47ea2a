//! A parsed schedule: which slots there are.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Missed;
use crate::cron::{CronExpression, parse_zone};

/// How late the last slot may be, where those that are missed are skipped: a deploy that begins at
/// nine must not cost the report of nine o'clock.
const GRACE: TimeDelta = TimeDelta::minutes(1);

const MAX_INTERVAL_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

#[derive(Clone, Debug)]
pub(crate) enum Ticks {
    Cron(Box<CronExpression>, Tz),
    /// In seconds.
    Every(i64),
}

impl Ticks {
    /// Parses a rule.
    pub(crate) fn parse(rule: &str, zone: &str) -> Result<Self, String> {
        let zone = parse_zone(zone)?;
        let Some(interval) = rule.trim().strip_prefix("every ") else {
            return Ok(Self::Cron(Box::new(CronExpression::parse(rule)?), zone));
        };
        if zone != Tz::UTC {
            return Err("an interval has no time zone; it goes with a cron expression".to_owned());
        }
        let interval = humantime::parse_duration(interval.trim()).map_err(|problem| {
            format!("`{rule}` is not an interval: {problem}; write `every 90s` or `every 1h 30m`")
        })?;
        let seconds = i64::try_from(interval.as_secs()).unwrap_or(i64::MAX);
        if !(1..=MAX_INTERVAL_SECONDS).contains(&seconds) || interval.subsec_nanos() != 0 {
            return Err(format!(
                "`{rule}` is out of range: whole seconds, from 1 s to 10 years (`3650d`)"
            ));
        }
        Ok(Self::Every(seconds))
    }

    /// The first slot after `after`; `None` when there will be none.
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

    /// The slots that are to have jobs now, of those from `first` on that have come; oldest first.
    pub(crate) fn due(
        &self,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
        missed: Missed,
    ) -> Vec<DateTime<Utc>> {
        if first > now {
            return Vec::new();
        }
        let last = self.last_before(first, now);
        match missed {
            Missed::Once => vec![last],
            Missed::Skip if now - last <= GRACE => vec![last],
            Missed::Skip => Vec::new(),
            Missed::All { up_to } => self.last_slots(first, last, up_to.into()),
        }
    }

    /// The last slots from `first` to `last`, so many of them. Looks back twice as far each time, so
    /// that it need not go through all that there are.
    fn last_slots(
        &self,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
        up_to: usize,
    ) -> Vec<DateTime<Utc>> {
        let second = TimeDelta::seconds(1);
        let mut back = second;
        loop {
            let from = (last - back).max(first - second);
            let next = |it: &DateTime<Utc>| self.next_after(*it).filter(|it| *it <= last);
            let mut slots: Vec<_> = std::iter::successors(next(&from), next).collect();
            if slots.len() >= up_to || from < first {
                return slots.split_off(slots.len().saturating_sub(up_to));
            }
            back = back * 2;
        }
    }

    /// The last slot that is not after `end`, which is not before the slot `first`. Searched for by
    /// halves, for there may be a great many.
    fn last_before(&self, first: DateTime<Utc>, end: DateTime<Utc>) -> DateTime<Utc> {
        let mut last = first;
        let mut end = end;
        loop {
            match self.next_after(last) {
                Some(next) if next <= end => last = next,
                _ => return last,
            }
            // What is there in the second half?
            let middle = last + (end - last) / 2;
            match self.next_after(middle) {
                Some(next) if next <= end => last = next,
                _ => end = middle,
            }
        }
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Cron(cron, _) => {
                let mut words = shorten_weekdays(cron.cron.describe());
                // It goes on a sentence.
                words[..1].make_ascii_lowercase();
                words.trim_end_matches('.').replacen("at every", "every", 1)
            }
            Self::Every(seconds) => {
                let interval = Duration::from_secs(seconds.unsigned_abs());
                format!("every {}", humantime::format_duration(interval))
            }
        }
    }
}

/// `Monday to Friday`, where croner lists the days.
fn shorten_weekdays(words: String) -> String {
    const DAYS: [&str; 7] = [
        "Sunday",
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
    ];
    for length in (3..=6).rev() {
        for run in DAYS.windows(length) {
            let (last, rest) = (run[length - 1], run[..length - 1].join(", "));
            let listed = format!("on {rest}, and {last}");
            if words.contains(&listed) {
                return words.replace(&listed, &format!("{} to {last}", run[0]));
            }
        }
    }
    words
}
