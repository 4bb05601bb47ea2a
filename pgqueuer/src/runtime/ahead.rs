//! Jobs claimed ahead: a claim costs the same for one job as for many, so of jobs that are
//! over soon, more are claimed than there are free slots.
//!
//! How many more, the worker's own pace says: as many as it finished within [`HORIZON`] of late,
//! and no more than [`MOST_BYTES`] of payloads, as the last ones were.
//! Jobs of a second each are not claimed ahead at all. Those that wait longer than
//! [`LONGEST_WAIT`] all the same, because a handler suddenly takes its time, are given back.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use super::session::Session;
use crate::store::ClaimedJob;

/// How far ahead. Long beside the few milliseconds that a claim takes, short beside all that
/// a person notices.
const HORIZON: Duration = Duration::from_millis(20);

/// How much memory they may take. A guess: little beside that of a server, and 16,000 payloads of
/// 4 KiB.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// How long a job may wait that was claimed ahead. Fifty times what is expected.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The shortest stretch that a pace is taken from.
const SHORTEST_STRETCH: Duration = Duration::from_millis(2);

/// Jobs that this worker has claimed and not begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
    /// How many attempts were finished in all.
    finished: Arc<AtomicUsize>,
    /// Fires when there is room for another claim.
    low: Arc<Notify>,
    /// At or below this many, there is.
    low_mark: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Waiting {
    job: ClaimedJob,
    session: Session,
    since: Instant,
}

/// How fast a worker finishes jobs, and how large they are.
#[derive(Debug)]
pub(super) struct Pace {
    /// The mean payload of the last claim.
    bytes: usize,
    finished: usize,
    at: Instant,
    per_second: f64,
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note_finished(&self) {
        self.finished.fetch_add(1, Relaxed);
    }

    pub(super) fn extend(&self, jobs: Vec<ClaimedJob>, session: &Session) {
        let since = Instant::now();
        self.lock().extend(jobs.into_iter().map(|job| Waiting {
            job,
            session: session.clone(),
            since,
        }));
    }

    /// The next job to begin.
    pub(super) fn pop(&self) -> Option<(ClaimedJob, Session)> {
        let mut waiting = self.lock();
        let next = waiting.pop_front()?;
        if waiting.len() == self.low_mark.load(Relaxed) {
            self.low.notify_one();
        }
        Some((next.job, next.session))
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Waits until no more than this many are left.
    pub(super) async fn falls_to(&self, mark: usize) {
        self.low_mark.store(mark, Relaxed);
        while self.len() > mark {
            self.low.notified().await;
        }
    }

    /// When the first of them has waited too long.
    pub(super) async fn is_overdue(&self) {
        let since = self.lock().front().map(|it| it.since);
        match since {
            Some(since) => tokio::time::sleep_until((since + LONGEST_WAIT).into()).await,
            None => std::future::pending().await,
        }
    }

    /// Those that have waited too long.
    pub(super) fn take_overdue(&self) -> Vec<(ClaimedJob, Session)> {
        let mut waiting = self.lock();
        let is_overdue = |it: &Waiting| it.since.elapsed() >= LONGEST_WAIT;
        if !waiting.front().is_some_and(is_overdue) {
            return Vec::new();
        }
        waiting.drain(..).map(|it| (it.job, it.session)).collect()
    }

    pub(super) fn take_all(&self) -> Vec<(ClaimedJob, Session)> {
        let mut waiting = self.lock();
        waiting.drain(..).map(|it| (it.job, it.session)).collect()
    }
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            bytes: 0,
            finished: 0,
            at: Instant::now(),
            per_second: 0.0,
        }
    }

    pub(super) fn note_claimed(&mut self, jobs: &[ClaimedJob]) {
        let bytes: usize = jobs.iter().map(|it| it.payload.bytes.len()).sum();
        self.bytes = bytes.checked_div(jobs.len()).unwrap_or(self.bytes);
    }

    /// How many jobs the worker will finish within the horizon, by its pace of late.
    pub(super) fn ahead(&mut self, ahead: &Ahead) -> usize {
        let passed = self.at.elapsed();
        if passed >= SHORTEST_STRETCH {
            let finished = ahead.finished.load(Relaxed);
            let of_late = (finished - self.finished) as f64 / passed.as_secs_f64();
            self.per_second = f64::midpoint(self.per_second, of_late);
            self.finished = finished;
            self.at = Instant::now();
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "neither negative nor beyond what a machine can do"
        )]
        let ahead = (self.per_second * HORIZON.as_secs_f64()) as usize;
        ahead.min(MOST_BYTES / self.bytes.max(1))
    }
}
