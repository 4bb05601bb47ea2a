//! How far a worker is in the lines from which it takes jobs.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use foldhash::HashMap;

use crate::store::{ClaimedJob, Front};

/// A line from which nothing was taken for so long is not busy: its head is easily found.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// Of each kind and priority, when the last job was claimed, and how long it had been due.
#[derive(Debug, Default)]
pub(super) struct Fronts(Mutex<HashMap<(String, i16), (Instant, Duration)>>);

impl Fronts {
    /// Of limited jobs nothing: those whose key has reached its limit stay behind.
    pub(super) fn note(&self, jobs: &[ClaimedJob]) {
        let now = Instant::now();
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in jobs.chunk_by(|a, b| a.priority == b.priority && a.kind == b.kind) {
            if let Some(last) = line.last().filter(|it| !it.is_limited) {
                fronts.insert((last.kind.clone(), last.priority), (now, last.waited));
            }
        }
    }

    /// Those of lines that are busy.
    pub(super) fn list(&self) -> Vec<Front> {
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.retain(|_, (claimed, _)| claimed.elapsed() < BUSY_FOR);
        let front =
            |((kind, priority), (claimed, waited)): (&(String, i16), &(Instant, Duration))| Front {
                kind: kind.clone(),
                priority: *priority,
                due_ago: *waited + claimed.elapsed(),
            };
        fronts.iter().map(front).collect()
    }
}
