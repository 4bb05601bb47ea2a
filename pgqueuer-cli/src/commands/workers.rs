//! `workers`: who is at work, by session.

use std::fmt;

use chrono::{DateTime, Utc};
use pgqueuer::{PgQueuer, WorkerRecord};
use serde::Serialize;

use crate::{exit::Failure, figures, output::Output, table};

pub(super) async fn run(pgq: &PgQueuer, output: &mut Output<'_>) -> Result<(), Failure> {
    let overview = pgq.overview().await?;
    output.result(&Workers {
        workers: overview.workers,
        at: overview.at,
    })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Workers {
    workers: Vec<WorkerRecord>,
    #[serde(skip)]
    at: DateTime<Utc>,
}

/// What a worker is doing, in words.
pub(super) struct Work {
    pub(super) since: String,
    /// How long its jobs are its own, unless it renews.
    pub(super) lease: String,
    pub(super) state: &'static str,
    /// Of how many at most.
    pub(super) running: String,
    pub(super) kinds: String,
}

impl Work {
    pub(super) fn of(worker: &WorkerRecord, now: DateTime<Utc>) -> Self {
        let running: u64 = worker.running.values().sum();
        let at_most = worker.concurrency.map(|it| format!(" of {it}"));
        let kinds = worker.running.iter().filter(|(_, jobs)| **jobs > 0);
        let kinds: Vec<String> = kinds.map(|(kind, jobs)| format!("{kind} {jobs}")).collect();
        Self {
            since: figures::ago(worker.started_at, now),
            lease: match (worker.expires_at - now).to_std() {
                Ok(left) => figures::span(left),
                // Others take over its jobs.
                Err(_) => "over".to_owned(),
            },
            state: match worker.concurrency {
                _ if worker.is_idle && running == 0 => "idle",
                Some(at_most) if running >= at_most.into() => "full",
                _ => "busy",
            },
            running: format!("{running}{}", at_most.unwrap_or_default()),
            kinds: kinds.join(", "),
        }
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workers.is_empty() {
            return f.write_str("no worker is running");
        }
        let row = |it: &WorkerRecord| {
            let work = Work::of(it, self.at);
            vec![
                it.session.to_string(),
                it.name.clone(),
                work.since,
                work.lease,
                work.state.to_owned(),
                work.running,
                work.kinds,
            ]
        };
        let rows: Vec<Vec<String>> = self.workers.iter().map(row).collect();
        let titles = [
            "session", "name", "since", "lease", "state", "running", "kinds",
        ];
        f.write_str(&table::render(&titles, &rows))
    }
}
