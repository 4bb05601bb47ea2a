//! Which jobs are meant, and whether that is meant.

use chrono::{DateTime, Utc};
use clap::Args;
use pgqueuer::{JobFilter, JobId, JobState};

use crate::{commands::enqueue::parse_time, exit::Failure};

/// Which jobs are meant: all that is given must hold.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Jobs by their ids.
    #[arg(value_name = "ID")]
    ids: Vec<JobId>,
    /// Jobs of this kind.
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    /// Jobs of this queue.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Jobs in this state; may be repeated.
    #[arg(long = "state", value_name = "STATE", value_parser = ["scheduled", "available", "running", "held"])]
    states: Vec<String>,
    /// Jobs with this key for limits, as it is listed: 42, or "\"acme\"".
    #[arg(long, value_name = "KEY")]
    limit_key: Option<String>,
    /// The job with this unique key.
    #[arg(long, value_name = "KEY")]
    unique_key: Option<String>,
    /// Jobs that were enqueued before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    before: Option<DateTime<Utc>>,
    /// Jobs that were enqueued at this time or later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<DateTime<Utc>>,
    /// All jobs.
    #[arg(long)]
    all: bool,
}

/// What is done to many jobs has to be meant.
#[derive(Debug, Args)]
pub(super) struct Sure {
    /// Really do it, without naming each job.
    #[arg(long)]
    pub(super) yes: bool,
    /// Only say how many jobs of which kinds are meant.
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Which {
    pub(super) fn filter(&self) -> Result<JobFilter, Failure> {
        let is_empty = self.ids.is_empty()
            && self.kind.is_none()
            && self.queue.is_none()
            && self.states.is_empty()
            && self.limit_key.is_none()
            && self.unique_key.is_none()
            && self.before.is_none()
            && self.since.is_none();
        if is_empty && !self.all {
            return Err(Failure::usage(
                "no job is named; give ids, `--kind NAME` or another option, or `--all`",
            ));
        }
        let mut filter = match self.ids.is_empty() {
            true => JobFilter::all(),
            false => JobFilter::ids(self.ids.iter().copied()),
        };
        filter = self.kind.iter().fold(filter, JobFilter::of_kind);
        filter = self.queue.iter().fold(filter, JobFilter::of_queue);
        filter = self.limit_key.iter().fold(filter, JobFilter::limit_key);
        filter = self.unique_key.iter().fold(filter, JobFilter::unique_key);
        filter = self
            .before
            .into_iter()
            .fold(filter, JobFilter::enqueued_before);
        filter = self
            .since
            .into_iter()
            .fold(filter, JobFilter::enqueued_since);
        for state in &self.states {
            filter = filter.state(match state.as_str() {
                "scheduled" => JobState::Scheduled,
                "available" => JobState::Available,
                "running" => JobState::Running,
                _ => JobState::Held,
            });
        }
        Ok(filter)
    }

    /// Whether each job is named.
    pub(super) fn names_each(&self) -> bool {
        !self.ids.is_empty()
    }

    /// The same, for requeueing: all held jobs does not mean those that are for next week.
    pub(super) fn held_unless_named(&self) -> Result<JobFilter, Failure> {
        let filter = self.filter()?;
        Ok(match self.ids.is_empty() && self.states.is_empty() {
            true => filter.state(JobState::Held),
            false => filter,
        })
    }
}
