//! `failed`: what has failed for good, and with what.

use std::{collections::HashMap, fmt};

use chrono::{DateTime, Utc};
use clap::Args;
use pgqueuer::{Ending, FailureReason, HeldJob, HistoryFilter, JobId, JobRecord, PgQueuer};
use serde::Serialize;

use super::jobs::view::first_line;
use crate::{
    exit::Failure,
    output::{Output, note},
    progress::watch,
    table,
};

/// So many of the newest are looked at.
const LOOKED_AT: u32 = 10_000;

/// So many pages of the history are looked through for them: some gigabytes, if there are none.
const PAGES: u32 = 100;

/// Shows what has failed for good: the held jobs, by kind and what they failed with.
///
/// Messages that differ in their digits only are one group. `jobs show ID` has all of a message, and `jobs
/// requeue`, `edit` and `discard` decide what becomes of a job.
#[derive(Debug, Args)]
pub(crate) struct FailedArgs {
    /// Jobs of this kind; may be repeated.
    #[arg(long = "kind", value_name = "NAME")]
    kinds: Vec<String>,
    /// Also the jobs that were discarded lately, as their kinds or people have it.
    #[arg(long)]
    discarded: bool,
    /// Each job by itself, the newest first.
    #[arg(long)]
    list: bool,
    /// So many lines at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(LOOKED_AT)))]
    limit: u32,
}

pub(super) async fn run(
    pgq: &PgQueuer,
    args: FailedArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let limit = args.limit as usize;
    let kinds = Some(args.kinds.as_slice()).filter(|it| !it.is_empty());
    let held = pgq.list_held(kinds, if args.list { args.limit } else { LOOKED_AT });
    let held = watch("read held jobs", held).await?;
    if held.len() == LOOKED_AT as usize {
        note(format!(
            "the newest {LOOKED_AT} held jobs are shown; there may be more"
        ));
    }
    let mut jobs: Vec<Failed> = held.into_iter().map(Failed::from).collect();
    if args.discarded {
        let filter = HistoryFilter::all().ending(Ending::Discarded);
        let filter = args.kinds.into_iter().fold(filter, HistoryFilter::kind);
        let discarded = watch("read the history", newest(pgq, &filter)).await?;
        jobs.extend(discarded.into_iter().map(Failed::from));
        jobs.sort_by_key(|it| std::cmp::Reverse((it.failed_at, it.id)));
    }
    if args.list {
        jobs.truncate(limit);
        return output.result(&List(jobs));
    }
    let mut groups = group(jobs);
    groups.truncate(limit);
    output.result(&Groups(groups))
}

/// The newest of the history, page by page: one without any may be followed by one with some.
async fn newest(pgq: &PgQueuer, filter: &HistoryFilter) -> pgqueuer::Result<Vec<JobRecord>> {
    let mut jobs = Vec::new();
    let mut place = None;
    for _ in 0..PAGES {
        let left = LOOKED_AT - u32::try_from(jobs.len()).unwrap_or(LOOKED_AT);
        let page = pgq.list_history(filter, place, left).await?;
        jobs.extend(page.jobs);
        place = page.next;
        if place.is_none() || jobs.len() >= LOOKED_AT as usize {
            break;
        }
    }
    if let Some(place) = place {
        note(format!(
            "there may be more that were discarded: see `history --ending discarded --before {place}`, of the same kinds"
        ));
    }
    Ok(jobs)
}

/// A job that has failed for good.
#[derive(Serialize)]
struct Failed {
    id: JobId,
    kind: String,
    state: &'static str,
    attempt: u16,
    failed_at: Option<DateTime<Utc>>,
    reason: Option<FailureReason>,
    message: String,
}

impl From<HeldJob> for Failed {
    fn from(job: HeldJob) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            state: "held",
            attempt: job.attempt,
            failed_at: job.failed_at,
            reason: job.reason,
            message: job.message,
        }
    }
}

impl From<JobRecord> for Failed {
    fn from(job: JobRecord) -> Self {
        let last = job.failures.into_iter().next_back();
        Self {
            id: job.id,
            kind: job.kind,
            state: "discarded",
            attempt: job.attempt,
            failed_at: last
                .as_ref()
                .and_then(|it| it.failed_at)
                .or(job.finished_at),
            reason: last.as_ref().map(|it| it.reason),
            message: last.map(|it| it.message).unwrap_or_default(),
        }
    }
}

/// Jobs that have failed with the same.
#[derive(Serialize)]
struct Group {
    jobs: u64,
    kind: String,
    state: &'static str,
    reason: Option<FailureReason>,
    message: String,
    newest: JobId,
    failed_at: Option<DateTime<Utc>>,
}

/// The most frequent first; of as many, the newest.
fn group(jobs: Vec<Failed>) -> Vec<Group> {
    let mut groups: HashMap<_, Group> = HashMap::new();
    for job in jobs {
        let message = without_digits(&first_line(&job.message));
        let key = (job.kind.clone(), job.state, job.reason, message.clone());
        let group = groups.entry(key).or_insert_with(|| Group {
            jobs: 0,
            kind: job.kind,
            state: job.state,
            reason: job.reason,
            message,
            newest: job.id,
            failed_at: job.failed_at,
        });
        group.jobs += 1;
        if job.failed_at > group.failed_at {
            (group.newest, group.failed_at) = (job.id, job.failed_at);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|it| std::cmp::Reverse((it.jobs, it.failed_at, it.newest)));
    groups
}

/// Each number as `#`.
fn without_digits(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for it in message.chars() {
        match it.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(it),
        }
    }
    text
}

fn reason_of(reason: Option<FailureReason>) -> String {
    reason.map_or_else(String::new, |it| format!("{it:?}").to_lowercase())
}

fn time_of(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(String::new, |it| it.format("%Y-%m-%d %H:%M:%S").to_string())
}

const NOTHING: &str = "nothing has failed for good";

#[derive(Serialize)]
#[serde(transparent)]
struct List(Vec<Failed>);

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(NOTHING);
        }
        let row = |it: &Failed| {
            vec![
                it.id.to_string(),
                it.kind.clone(),
                it.state.to_owned(),
                time_of(it.failed_at),
                it.attempt.to_string(),
                reason_of(it.reason),
                first_line(&it.message),
            ]
        };
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        let titles = [
            "id",
            "kind",
            "state",
            "failed (UTC)",
            "attempts",
            "reason",
            "message",
        ];
        f.write_str(&table::render(&titles, &rows))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Groups(Vec<Group>);

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(NOTHING);
        }
        let row = |it: &Group| {
            vec![
                it.jobs.to_string(),
                it.kind.clone(),
                it.state.to_owned(),
                reason_of(it.reason),
                it.message.clone(),
                it.newest.to_string(),
                time_of(it.failed_at),
            ]
        };
        let rows: Vec<Vec<String>> = self.0.iter().map(row).collect();
        let titles = [
            "jobs",
            "kind",
            "state",
            "reason",
            "message",
            "newest",
            "failed (UTC)",
        ];
        f.write_str(&table::render(&titles, &rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_make_no_difference() {
        assert_eq!(without_digits("user 42 of 7x1"), "user # of #x#");
        assert_eq!(without_digits("größer # 1"), "größer # #");
    }
}
