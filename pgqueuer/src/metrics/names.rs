//! The names: a fixed set, listed with their meaning in `docs/metrics.md`.

/// A name, and what is under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// As Prometheus has it.
    pub name: &'static str,
    /// What sort of numbers.
    pub kind: FamilyKind,
    /// The names of the labels. A histogram has `le` besides.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// What sort of numbers a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FamilyKind {
    /// Only ever grows, until the process starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were at most so large, for several bounds; with their number and sum.
    Histogram,
}

impl FamilyKind {
    /// The word in the exposition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Family {
    const fn new(
        name: &'static str,
        kind: FamilyKind,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            kind,
            labels,
            help,
        }
    }

    /// Whether it is of this process alone, rather than of the whole queue.
    #[must_use]
    pub fn is_of_process(&self) -> bool {
        let prefixes = ["pgqueuer_worker_", "pgqueuer_pool_"];
        prefixes.iter().any(|it| self.name.starts_with(it))
    }
}

use FamilyKind::{Counter, Gauge, Histogram};

/// Declares families, and the list of all.
macro_rules! families {
    ($($constant:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(pub(super) const $constant: Family = Family::new($name, $kind, &[$($label),*], $help);)+

        /// All that an exposition can have.
        pub const FAMILIES: &[Family] = &[$($constant),+];
    };
}

families! {
    UP: Gauge "pgqueuer_up" []
        "Whether the database answered this scrape (1) or not (0).";
    JOBS: Gauge "pgqueuer_jobs" ["kind", "queue", "state"]
        "Unfinished jobs; available ones wait for a worker.";
    OLDEST_JOB_AGE: Gauge "pgqueuer_oldest_job_age_seconds" ["kind", "queue"]
        "How long the job that has waited longest for its turn has been due; 0 if none waits.";
    PAUSED: Gauge "pgqueuer_paused" ["kind", "queue"]
        "Whether the kind, its queue or everything is paused (1), so that its jobs do not begin.";
    WORKERS: Gauge "pgqueuer_workers" ["state"]
        "Workers; the lease of a lost one has run out, and nobody has taken over its jobs yet.";
    CONCURRENCY: Gauge "pgqueuer_concurrency" []
        "How many jobs all workers together may run at a time.";
    ATTEMPTS: Counter "pgqueuer_attempts_total" ["kind", "outcome"]
        "Attempts that ended, on all workers since the schema was installed.";
    JOB_WAIT: Histogram "pgqueuer_job_wait_seconds" ["kind"]
        "From when a job was due until it was claimed, on all workers.";
    JOB_RUN: Histogram "pgqueuer_job_run_seconds" ["kind"]
        "How long handlers took, on all workers.";
    WORKER_ACTIVE: Gauge "pgqueuer_worker_active" []
        "Workers that run in this process.";
    WORKER_UPTIME: Gauge "pgqueuer_worker_uptime_seconds" []
        "How long the first of the workers that run in this process has been running.";
    WORKER_CONCURRENCY: Gauge "pgqueuer_worker_concurrency" []
        "How many jobs the workers of this process may run at a time.";
    WORKER_RUNNING: Gauge "pgqueuer_worker_running" []
        "Jobs that the workers of this process are running.";
    WORKER_ATTEMPTS: Counter "pgqueuer_worker_attempts_total" ["kind", "outcome"]
        "Attempts that ended in this process.";
    WORKER_JOB_WAIT: Histogram "pgqueuer_worker_job_wait_seconds" ["kind"]
        "From when a job was due until this process claimed it.";
    WORKER_JOB_RUN: Histogram "pgqueuer_worker_job_run_seconds" ["kind"]
        "How long handlers took in this process.";
    WORKER_CLAIM_SECONDS: Histogram "pgqueuer_worker_claim_seconds" []
        "How long claims took, with the way to the database.";
    WORKER_CLAIM_JOBS: Histogram "pgqueuer_worker_claim_jobs" []
        "How many jobs claims brought; those up to 0 brought none.";
    WORKER_CLAIM_FAILURES: Counter "pgqueuer_worker_claim_failures_total" []
        "Claims that failed or were given up.";
    WORKER_NOTIFY_LAG: Histogram "pgqueuer_worker_notify_lag_seconds" []
        "From when a job was due until an idle worker that the bell woke for it had claimed it: the shortest wait in the first claim after the ring.";
    WORKER_SETTLE_SECONDS: Histogram "pgqueuer_worker_settle_seconds" []
        "How long writing a batch of results took, with the way to the database.";
    WORKER_SETTLE_JOBS: Histogram "pgqueuer_worker_settle_jobs" []
        "How many results were written at a time.";
    WORKER_SETTLE_FAILURES: Counter "pgqueuer_worker_settle_failures_total" []
        "Batches of results that could not be written, and were tried again.";
    WORKER_REFUSED_RESULTS: Counter "pgqueuer_worker_refused_results_total" []
        "Results that the database did not take, since the job was no longer held by this worker.";
    WORKER_LOST_RESULTS: Counter "pgqueuer_worker_lost_results_total" []
        "Results that were not sent, since the lease was lost before, or the worker could not wait for the database.";
    WORKER_GIVEN_BACK: Counter "pgqueuer_worker_given_back_total" []
        "Jobs that were given back, since the worker stopped.";
    WORKER_LEASE_RENEWALS: Counter "pgqueuer_worker_lease_renewals_total" ["result"]
        "Renewals of leases; after a lost one other workers have the jobs.";
    WORKER_RESCUED: Counter "pgqueuer_worker_rescued_total" ["state"]
        "Jobs of dead workers that this process has put into a state.";
    WORKER_PROMOTED: Counter "pgqueuer_worker_promoted_total" []
        "Scheduled jobs that were due, and that this process has made available.";
    WORKER_CONNECTIONS: Gauge "pgqueuer_worker_connections" ["purpose", "state"]
        "Connections that workers have for themselves, but for those that listen.";
    WORKER_CONNECTIONS_MADE: Counter "pgqueuer_worker_connections_made_total" []
        "How often such a connection was made; more often when they are lost.";
    POOL_CONNECTIONS: Gauge "pgqueuer_pool_connections" ["state"]
        "Connections of the application's pool.";
    POOL_CONNECTIONS_MAX: Gauge "pgqueuer_pool_connections_max" []
        "How many connections the pool of the application may have.";
}
