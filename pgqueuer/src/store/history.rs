//! Finished jobs, newest first: which are meant, and from where to go on.

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{records::JobRecord, types::Ending};
use crate::{
    error::{Error, Result},
    job::JobId,
};

/// Which finished jobs are meant. All that is given must hold.
///
/// ```
/// use pgqueuer::{Ending, HistoryFilter};
///
/// let filter = HistoryFilter::all().kind("send_mail").ending(Ending::Discarded);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a filter does nothing by itself"]
pub struct HistoryFilter {
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) ending: Option<Ending>,
    pub(crate) since: Option<DateTime<Utc>>,
}

impl HistoryFilter {
    /// Every finished job that is still remembered.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only the jobs of this kind. Of several, those of any of them.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.get_or_insert_default().push(kind.into());
        self
    }

    /// Only those that ended so.
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = Some(ending);
        self
    }

    /// Only those that were finished at this time or later.
    pub fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }
}

/// A place in the history: all records that are older, or of the same time and of lower ids.
///
/// Written as `2030-01-31T08:00:00.123456Z/42`; read also without the id, for all that was finished
/// before that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPlace {
    pub(crate) finished_at: DateTime<Utc>,
    pub(crate) id: JobId,
}

impl HistoryPlace {
    /// Before this time.
    #[must_use]
    pub fn before(time: DateTime<Utc>) -> Self {
        Self {
            finished_at: time,
            id: JobId::from(i64::MIN),
        }
    }

    /// The time that it is at.
    #[must_use]
    pub fn time(&self) -> DateTime<Utc> {
        self.finished_at
    }

    /// Where a finished job is.
    pub(crate) fn of(job: &JobRecord) -> Option<Self> {
        let id = job.id;
        job.finished_at.map(|finished_at| Self { finished_at, id })
    }
}

impl fmt::Display for HistoryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self
            .finished_at
            .to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match self.id.as_i64() {
            i64::MIN => f.write_str(&time),
            id => write!(f, "{time}/{id}"),
        }
    }
}

impl FromStr for HistoryPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (time, id) = text.split_once('/').unwrap_or((text, ""));
        let refused = || {
            Error::config(format!(
                "`{text}` is no place in the history; write 2030-01-31T08:00:00Z, or what was printed"
            ))
        };
        let place = Self::before(time.parse().map_err(|_| refused())?);
        if id.is_empty() {
            return Ok(place);
        }
        let id: i64 = id.parse().map_err(|_| refused())?;
        Ok(Self {
            id: JobId::from(id),
            ..place
        })
    }
}

/// Some finished jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryPage {
    /// The newest first.
    pub jobs: Vec<JobRecord>,
    /// Where to go on; `None` if nothing is left. A page may end before it is full, or even be empty:
    /// so much was looked at for it.
    pub next: Option<HistoryPlace>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for text in ["2030-01-31T08:00:00Z", "2030-01-31T08:00:00.123456Z/42"] {
            let place: HistoryPlace = text.parse().unwrap();
            assert_eq!(place.to_string(), text);
        }
        for wrong in ["", "/", "yesterday", "2030-01-31T08:00:00Z/x"] {
            assert!(wrong.parse::<HistoryPlace>().is_err(), "{wrong}");
        }
    }
}
