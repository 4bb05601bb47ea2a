//! What the workers of a process measure of themselves, for who asks.
//!
//! Counted for each claim, each batch of results and each step of the upkeep, behind one lock that is
//! held for a few additions. Nothing is counted for each job: what jobs came to is counted for the
//! minutes (see [`super::minutes`]) anyway, and comes from there when it is asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{minutes::Minutes, slots::Slots};
use crate::{
    error::Result,
    store::{Claimed, Histogram, JobState, Measures},
};

/// The meters of all workers that were built on one handle and its clones. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: Mutex<Counts>,
    at_work: Mutex<Vec<Weak<AtWork>>>,
}

/// What was counted since the handle was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) kinds: BTreeMap<String, Measures>,
    /// Those that the database answered, with how many jobs they brought.
    pub(crate) claims: Batches,
    pub(crate) failed_claims: u64,
    /// Of the first claim after the bell woke an idle worker: how long its newest job had been due.
    pub(crate) notify_lag: Timings,
    /// Those that were written, with how many results.
    pub(crate) settles: Batches,
    pub(crate) failed_settles: u64,
    /// Results that the store did not take, since others have the job.
    pub(crate) refused: u64,
    /// Results that nobody wrote: the worker had to end, or its lease was lost before.
    pub(crate) lost: u64,
    pub(crate) given_back: u64,
    pub(crate) renewals: u64,
    pub(crate) failed_renewals: u64,
    pub(crate) lost_leases: u64,
    pub(crate) rescued: Rescued,
    pub(crate) promoted: u64,
    /// How many workers have begun.
    pub(crate) begun: u64,
}

/// How many jobs of dead workers came to what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rescued {
    pub(crate) available: u64,
    pub(crate) held: u64,
    pub(crate) discarded: u64,
    pub(crate) cancelled: u64,
}

/// Statements for many jobs: how many, and how long they took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batches {
    pub(crate) took: Timings,
    pub(crate) sizes: Sizes,
}

impl Batches {
    pub(super) fn add(&mut self, took: Duration, jobs: usize) {
        self.took.add(took);
        self.sizes.add(jobs);
    }
}

/// Durations, and their sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timings {
    pub(crate) histogram: Histogram,
    pub(crate) seconds: f64,
}

impl Timings {
    fn add(&mut self, took: Duration) {
        self.histogram.record(took);
        self.seconds += took.as_secs_f64();
    }
}

/// Numbers of jobs, and their sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// By the first bound that they do not exceed; what exceeds all is in the sums only.
    pub(crate) counts: [u64; Self::BOUNDS.len()],
    pub(crate) batches: u64,
    pub(crate) jobs: u64,
}

impl Sizes {
    /// The first has the claims that brought nothing.
    pub(crate) const BOUNDS: [usize; 8] = [0, 1, 4, 16, 64, 256, 1024, 4096];

    fn add(&mut self, jobs: usize) {
        if let Some(bucket) = Self::BOUNDS.iter().position(|bound| jobs <= *bound) {
            self.counts[bucket] += 1;
        }
        self.batches += 1;
        self.jobs += jobs as u64;
    }
}

/// A worker that runs. It is one of those at work until this is dropped.
#[derive(Debug)]
pub(super) struct AtWork {
    pub(super) since: Instant,
    pub(super) slots: Slots,
    pub(super) minutes: Minutes,
}

/// What the workers that run are doing now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Present {
    pub(crate) workers: usize,
    pub(crate) concurrency: usize,
    /// How many slots are taken.
    pub(crate) running: usize,
    /// How long the first of them has been running.
    pub(crate) uptime: Duration,
}

impl Meters {
    pub(super) fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut lock(&self.0.counts));
    }

    /// Takes note of a claim that began then. `is_rung`: an idle worker was woken for it.
    pub(super) fn claimed(&self, began: Instant, claimed: &Result<Claimed>, is_rung: bool) {
        self.count(|counts| match claimed {
            Ok(claimed) => {
                counts.claims.add(began.elapsed(), claimed.jobs.len());
                let newest = claimed.jobs.iter().map(|job| job.waited).min();
                if let Some(lag) = newest.filter(|_| is_rung) {
                    counts.notify_lag.add(lag);
                }
            }
            Err(_) => counts.failed_claims += 1,
        });
    }

    /// Takes note of a job of a dead worker.
    pub(super) fn rescued(&self, became: JobState) {
        self.count(|counts| {
            let rescued = &mut counts.rescued;
            match became {
                JobState::Held => rescued.held += 1,
                JobState::Discarded => rescued.discarded += 1,
                JobState::Cancelled => rescued.cancelled += 1,
                _ => rescued.available += 1,
            }
        });
    }

    /// Takes note of a worker that begins.
    pub(super) fn begins(&self, worker: AtWork) -> Arc<AtWork> {
        let worker = Arc::new(worker);
        let mut at_work = lock(&self.0.at_work);
        at_work.retain(|it| it.strong_count() > 0);
        at_work.push(Arc::downgrade(&worker));
        self.count(|counts| counts.begun += 1);
        worker
    }

    /// What was counted, and what is being done.
    pub(crate) fn read(&self) -> (Counts, Present) {
        let at_work: Vec<_> = lock(&self.0.at_work)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let mut present = Present::default();
        for worker in at_work {
            worker.minutes.meter();
            present.workers += 1;
            present.concurrency += worker.slots.concurrency();
            present.running += worker.slots.taken();
            present.uptime = present.uptime.max(worker.since.elapsed());
        }
        (lock(&self.0.counts).clone(), present)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Sums are whole at any time, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
