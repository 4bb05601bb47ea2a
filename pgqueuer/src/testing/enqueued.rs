//! What is in the queue: `assert_enqueued!` and its opposite.

use std::fmt::{Debug, Write as _};

use super::drain::all;
use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    job::Job,
    store::{JobFilter, JobRecord, JobState},
};

/// The unfinished jobs of a type, with their records, by id.
pub(super) async fn list<J: Job>(pgq: &PgQueuer) -> Result<Vec<(JobRecord, J)>> {
    let names = [&[J::KIND], J::ALIASES].concat();
    let filter = JobFilter {
        kinds: Some(names.into_iter().map(str::to_owned).collect()),
        ..JobFilter::all()
    };
    let decode = |record: JobRecord| {
        let payload = record.payload.as_ref();
        let decoded = payload.map(|it| it.decode::<J>()).transpose();
        let (id, kind) = (record.id, &record.kind);
        match decoded {
            // Not reached: only finished jobs have none.
            Ok(None) => Ok(None),
            Ok(Some(job)) => Ok(Some((record, job))),
            Err(error) => {
                let refused = format!("job {id} of kind `{kind}` cannot be shown");
                Err(Error::payload(refused).because(error))
            }
        }
    };
    let records = all(pgq, &filter).await?.into_iter();
    records
        .filter_map(|it| decode(it).transpose())
        .collect::<Result<Vec<(JobRecord, J)>>>()
}

/// The unfinished jobs of a type, and which of them match a pattern.
#[derive(Debug)]
pub struct Listing {
    matching: Vec<JobRecord>,
    pattern: &'static str,
    /// All of them, a line each.
    lines: String,
}

/// Looks for jobs that match.
///
/// # Errors
///
/// If the store does not answer, or a job does not decode.
pub async fn find<J: Job + Debug>(
    pgq: &PgQueuer,
    pattern: &'static str,
    matches: impl Fn(&J) -> bool,
) -> Result<Listing> {
    let found = list::<J>(pgq).await?;
    let mut lines = String::new();
    for (record, job) in &found {
        let when = match (record.state, record.run_at) {
            (JobState::Scheduled, Some(time)) => format!(" for {time}"),
            _ => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            lines,
            "\n  job {} ({}{when}): {job:?}",
            record.id, record.state
        );
    }
    let matching = found.into_iter().filter(|(_, job)| matches(job));
    Ok(Listing {
        matching: matching.map(|(record, _)| record).collect(),
        pattern,
        lines,
    })
}

impl Listing {
    /// The first that matches.
    ///
    /// # Errors
    ///
    /// What to panic with, if none does.
    pub fn first(self) -> Result<JobRecord, String> {
        let Self {
            matching,
            pattern,
            lines,
        } = self;
        let first = matching.into_iter().next();
        first.ok_or_else(|| match lines.as_str() {
            "" => format!(
                "no job `{pattern}` is in the queue, and none of its kind at all (one that has \
                 ended is not there any more)"
            ),
            lines => format!("no job `{pattern}` is in the queue; of its kind there are:{lines}"),
        })
    }

    /// That none matches.
    ///
    /// # Errors
    ///
    /// What to panic with, if one does.
    pub fn none(self) -> Result<(), String> {
        let Some(first) = self.matching.first() else {
            return Ok(());
        };
        let others = match self.matching.len() - 1 {
            0 => String::new(),
            others => format!(", and {others} more"),
        };
        Err(format!(
            "job {}{others} in the queue matches `{}`; of its kind there are:{}",
            first.id, self.pattern, self.lines
        ))
    }
}

/// Asserts that a job is in the queue, and returns the [`JobRecord`](crate::JobRecord) of the first
/// that matches: its id, its priority, when it may run. For async tests.
///
/// The queue is a [`TestQueue`](crate::testing::TestQueue) or a [`PgQueuer`](crate::PgQueuer), or a
/// reference. The pattern is that of a `match`, with a guard if need be; the name alone is any job
/// of the type. Jobs that have ended are not in the queue any more.
///
/// ```
/// # use pgqueuer::{prelude::*, testing::{TestQueue, assert_enqueued, assert_not_enqueued}};
/// # #[job] async fn send_welcome(user_id: i64, locale: String) { let _ = (user_id, locale); }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let queue = TestQueue::in_memory();
/// SendWelcome { user_id: 42, locale: "nb".into() }.enqueue(&queue).await?;
///
/// assert_enqueued!(queue, SendWelcome { user_id: 42, .. });
/// assert_enqueued!(queue, SendWelcome { user_id, locale } if *user_id > 1 && locale == "nb");
/// let job = assert_enqueued!(queue, SendWelcome);
/// assert_eq!(job.priority, 0);
/// assert_not_enqueued!(queue, SendWelcome { user_id: 43, .. });
/// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
/// ```
///
/// # Panics
///
/// If there is none. The message has all jobs of the type, which must be `Debug`.
#[macro_export]
macro_rules! assert_enqueued {
    ($queue:expr, $($pattern:tt)+) => {
        match $crate::__find_enqueued!($queue, $($pattern)+)
            .map_err(|error| ::std::format!("{error:?}"))
            .and_then($crate::__private::testing::Listing::first)
        {
            ::std::result::Result::Ok(record) => record,
            ::std::result::Result::Err(message) => ::std::panic!("{message}"),
        }
    };
}

/// Asserts that no job like this is in the queue. The opposite of
/// [`assert_enqueued!`](crate::testing::assert_enqueued), with the same pattern.
///
/// # Panics
///
/// If there is one. The message has all jobs of the type, which must be `Debug`.
#[macro_export]
macro_rules! assert_not_enqueued {
    ($queue:expr, $($pattern:tt)+) => {
        if let ::std::result::Result::Err(message) = $crate::__find_enqueued!($queue, $($pattern)+)
            .map_err(|error| ::std::format!("{error:?}"))
            .and_then($crate::__private::testing::Listing::none)
        {
            ::std::panic!("{message}");
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __find_enqueued {
    ($queue:expr, $($job:ident)::+ $(if $guard:expr)? $(,)?) => {
        $crate::__find_enqueued!($queue, $($job)::+ { .. } $(if $guard)?)
    };
    ($queue:expr, $($job:ident)::+ { $($fields:tt)* } $(if $guard:expr)? $(,)?) => {{
        // A reference of any depth to a queue comes down to this.
        let queue: &$crate::PgQueuer = &$queue;
        $crate::__private::testing::find::<$($job)::+>(
            queue,
            ::std::stringify!($($job)::+ { $($fields)* } $(if $guard)?),
            |job| ::std::matches!(job, $($job)::+ { $($fields)* } $(if $guard)?),
        )
        .await
    }};
}
