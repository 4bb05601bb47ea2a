//! Limits: how many jobs may run at once, and how many may begin in a time, across the fleet.

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What holds for the jobs of a kind, or of a queue, on all workers together.
///
/// Written as options of [`#[job]`](macro@crate::job): `concurrency = 2`,
/// `concurrency(limit = 1, by = customer)`, `rate = "100/s"`, `rate(limit = "10/min burst 5", by = customer)`.
/// It can be changed while workers run: see [`PgQueuer::set_limits`](crate::PgQueuer::set_limits).
///
/// Limits are exact, also while workers claim at the same moment, and when one dies: what runs
/// under a limit are the jobs that a live session holds, which are counted at each claim, and no
/// counter is kept of them. See `docs/decisions/0015-limits.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// At most so many run at once. Default: no limit. At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// At most so many of each key run at once. With 1, the jobs of a key run in the order in
    /// which they were enqueued, and one that is tried again keeps its place. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_per_key: Option<u32>,
    /// So many may begin in a time. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// So many of each key may begin in a time. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_key: Option<Rate>,
}

impl Limits {
    /// Nothing is limited.
    pub const NONE: Self = Self {
        concurrency: None,
        concurrency_per_key: None,
        rate: None,
        rate_per_key: None,
    };

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether a limit holds for each key by itself.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.concurrency_per_key.is_some() || self.rate_per_key.is_some()
    }

    /// Whether these can be the limits of this.
    pub(crate) fn validate_for(&self, scope: &Scope) -> Result<(), String> {
        match scope {
            Scope::Everything if !self.is_none() => {
                Err("everything together has no limits; limit kinds or queues".to_owned())
            }
            Scope::Queue(_) if self.is_keyed() => Err(format!(
                "{scope} has no keys: its kinds differ in their arguments; limit each of them by key"
            )),
            _ => self
                .validate()
                .map_err(|problem| format!("{scope}: {problem}")),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        for (name, limit) in [
            ("concurrency", self.concurrency),
            ("concurrency_per_key", self.concurrency_per_key),
        ] {
            match limit {
                Some(0) => {
                    return Err(format!(
                        "{name} is 0, at least 1 is needed; to keep jobs from running, pause them"
                    ));
                }
                Some(limit) if i32::try_from(limit).is_err() => {
                    return Err(format!("{name} is {limit}, at most {}", i32::MAX));
                }
                _ => {}
            }
        }
        let mut rates = [self.rate, self.rate_per_key].into_iter().flatten();
        rates.try_for_each(|it| it.validate())
    }
}

/// So many in a time: `100/s`, `10/min burst 5`, `1/90s`.
///
/// They are spread over the time: `60/min` is one each second. In any window of `t` seconds, at
/// most `t` × rate + burst begin, and over a while, as many as the rate says if there are so many.
///
/// The burst is how many of those that were due and were not used may begin at once. Default: what
/// is due in 50 ms, and one more: so that a worker which is a little late makes up for it. (Of slow
/// rates, under 5 a second, it is 1.)
///
/// ```
/// use pgqueuer::Rate;
///
/// let rate: Rate = "10/min burst 5".parse()?;
/// assert_eq!((rate.count, rate.per.as_secs(), rate.burst), (10, 60, 5));
/// # Ok::<(), pgqueuer::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub struct Rate {
    /// How many. From 1 to 1,000,000.
    pub count: u32,
    /// In what time. From 1 ms to 366 days.
    pub per: Duration,
    /// How many at once. From 1 to 1,000,000.
    pub burst: u32,
}

impl Rate {
    const MOST: u32 = 1_000_000;
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    /// With the default burst.
    #[must_use]
    pub const fn new(count: u32, per: Duration) -> Self {
        let burst = match per.as_millis() {
            0 => Self::MOST,
            // Rounded, and from a quarter on upwards; in whole numbers, since this is for constants.
            millis => {
                let due = (count as u128 * 200 / millis).div_ceil(4);
                if due < Self::MOST as u128 {
                    #[expect(clippy::cast_possible_truncation, reason = "it was compared just now")]
                    let due = due as u32;
                    1 + due
                } else {
                    Self::MOST
                }
            }
        };
        Self { count, per, burst }
    }

    /// The same, with so many at once.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// How long until the next one is due.
    pub(crate) fn interval(&self) -> f64 {
        self.per.as_secs_f64() / f64::from(self.count)
    }

    fn validate(&self) -> Result<(), String> {
        if !(1..=Self::MOST).contains(&self.count) {
            Err(format!(
                "a rate of {} is out of range, from 1 to {}; to keep jobs from running, pause them",
                self.count,
                Self::MOST
            ))
        } else if !(Duration::from_millis(1)..=Self::LONGEST).contains(&self.per) {
            Err("the time of a rate is from 1 ms to 366 days".to_owned())
        } else if !(1..=Self::MOST).contains(&self.burst) {
            Err(format!(
                "a burst of {} is out of range, from 1 to {}",
                self.burst,
                Self::MOST
            ))
        } else {
            Ok(())
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (rate, burst) = match text.split_once(" burst ") {
            Some((rate, burst)) => (rate, Some(burst.trim().parse().ok()?)),
            None => (text, None),
        };
        let (count, unit) = rate.split_once('/')?;
        let unit = unit.trim();
        let per = match unit.starts_with(|it: char| it.is_ascii_digit()) {
            true => humantime::parse_duration(unit),
            false => humantime::parse_duration(&format!("1{unit}")),
        };
        let rate = Self::new(count.trim().parse().ok()?, per.ok()?);
        Some(burst.map_or(rate, |it| rate.burst(it)))
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rate = Self::read(text).ok_or_else(|| {
            Error::config(format!(
                "`{text}` is not a rate; write `100/s`, `10/min burst 5` or `1/90s`"
            ))
        })?;
        rate.validate().map_err(Error::config)?;
        Ok(rate)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = humantime::format_duration(self.per).to_string();
        // `1s` is what is meant by `s`, and `1m 30s` has no short form.
        let per = match per.strip_prefix('1') {
            Some("m") => "min",
            Some(unit) if unit.chars().all(char::is_alphabetic) => unit,
            _ => &per,
        };
        write!(f, "{}/{}", self.count, per.replace(' ', ""))?;
        match Self::new(self.count, self.per).burst == self.burst {
            true => Ok(()),
            false => write!(f, " burst {}", self.burst),
        }
    }
}

/// A rate as SQL reckons with it.
#[derive(Serialize, Deserialize)]
struct Columns {
    count: u32,
    seconds: f64,
    burst: u32,
}

impl From<Rate> for Columns {
    fn from(rate: Rate) -> Self {
        Self {
            count: rate.count,
            seconds: rate.per.as_secs_f64(),
            burst: rate.burst,
        }
    }
}

impl TryFrom<Columns> for Rate {
    type Error = String;

    fn try_from(columns: Columns) -> Result<Self, String> {
        let rate = Self {
            count: columns.count,
            per: Duration::try_from_secs_f64(columns.seconds).map_err(|it| it.to_string())?,
            burst: columns.burst,
        };
        rate.validate().map(|()| rate)
    }
}

/// One limit to be set at run time, instead of what the code says; `None` for no limit at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SetLimit {
    /// See [`Limits::concurrency`].
    Concurrency(Option<u32>),
    /// See [`Limits::concurrency_per_key`].
    ConcurrencyPerKey(Option<u32>),
    /// See [`Limits::rate`].
    Rate(Option<Rate>),
    /// See [`Limits::rate_per_key`].
    RatePerKey(Option<Rate>),
}

impl SetLimit {
    /// Its name, as `Limits` has it, and its value.
    pub(crate) fn as_parts(self) -> (&'static str, serde_json::Value) {
        use serde_json::json;
        match self {
            Self::Concurrency(limit) => ("concurrency", json!(limit)),
            Self::ConcurrencyPerKey(limit) => ("concurrency_per_key", json!(limit)),
            Self::Rate(rate) => ("rate", json!(rate)),
            Self::RatePerKey(rate) => ("rate_per_key", json!(rate)),
        }
    }

    pub(crate) fn apply(self, limits: &mut Limits) {
        match self {
            Self::Concurrency(limit) => limits.concurrency = limit,
            Self::ConcurrencyPerKey(limit) => limits.concurrency_per_key = limit,
            Self::Rate(rate) => limits.rate = rate,
            Self::RatePerKey(rate) => limits.rate_per_key = rate,
        }
    }
}

/// The limits of one scope, and whether it is paused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitRecord {
    /// What they are for.
    pub scope: Scope,
    /// What holds.
    pub limits: Limits,
    /// What the code says, which holds unless something was set.
    pub of_code: Limits,
    /// Since when nothing of it is begun.
    pub paused_at: Option<DateTime<Utc>>,
}

/// What a limit, or a pause, is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every kind there is. It can be paused, and has no limits.
    Everything,
    /// The jobs of a queue.
    Queue(String),
    /// The jobs of a kind, under whatever name: a limit holds for its aliases, too.
    Kind(String),
}

impl Scope {
    /// Its sort and its name, as SQL has them.
    pub(crate) fn as_parts(&self) -> (&'static str, &str) {
        match self {
            Self::Everything => ("everything", ""),
            Self::Queue(name) => ("queue", name),
            Self::Kind(name) => ("kind", name),
        }
    }

    pub(crate) fn from_parts(sort: &str, name: String) -> Self {
        match sort {
            "queue" => Self::Queue(name),
            "kind" => Self::Kind(name),
            _ => Self::Everything,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Queue(name) => write!(f, "queue `{name}`"),
            Self::Kind(name) => write!(f, "kind `{name}`"),
        }
    }
}
