//! The clock of the store in memory.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

/// Wall time that moves with Tokio's clock, so that a test which pauses and advances that
/// clock moves the store along.
pub(super) struct Clock {
    started_at: DateTime<Utc>,
    started: Instant,
}

impl Clock {
    pub(super) fn starting_at(started_at: DateTime<Utc>) -> Self {
        Self {
            started_at,
            started: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        let passed = TimeDelta::from_std(self.started.elapsed()).unwrap_or(TimeDelta::MAX);
        self.started_at + passed
    }
}
