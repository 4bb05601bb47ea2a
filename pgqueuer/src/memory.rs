//! The store in memory: the same contract, for tests, prototypes and examples.
//!
//! Everything is behind one mutex and nothing is indexed: it is meant to be read beside
//! the statements of the store on PostgreSQL, and to be obviously right. It scans all
//! live jobs at each step, which is fine for thousands of them.

mod bell;
mod claim;
mod clock;
mod limits;
mod minutes;
mod operate;
mod operations;
mod overview;
mod schedules;
mod settle;
mod state;
mod store;
mod troubles;
mod unique;
mod upkeep;
mod waits;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use clock::Clock;
use state::Memory;

/// Keeps jobs in the memory of this process, until it ends.
#[derive(Clone)]
pub struct MemoryStore {
    memory: Arc<Mutex<Memory>>,
    /// Counts rings.
    rings: Arc<watch::Sender<u64>>,
    clock: Arc<Clock>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::starting_at(Utc::now())
    }

    /// An empty store whose clock shows this now.
    #[must_use]
    pub fn starting_at(time: DateTime<Utc>) -> Self {
        Self {
            memory: Arc::default(),
            rings: Arc::new(watch::Sender::new(0)),
            clock: Arc::new(Clock::starting_at(time)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // No method panics half-way through a change, so a poisoned state is a good one.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.rings
            .send_modify(|rings| *rings = rings.wrapping_add(1));
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}
