//! The kit for testing: what it runs and when, what it leaves, and what it says.
//!
//! Jobs are registered by hand, as everywhere in this program: all jobs of it are linked, and some are
//! meant to clash. How the kit looks to a program of its own is in `examples/tests/testing.rs`.

mod attribute;
mod clock;
mod enqueued;
mod run;
mod which;

use std::sync::{Mutex, PoisonError};

use pgqueuer::testing::TestQueue;

/// What handlers noted down. They take it as `State<Notes>`.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn note(&self, line: impl Into<String>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The queue of a case, which runs only what is registered, and its notes.
fn noting(queue: &TestQueue) -> pgqueuer::State<Notes> {
    queue.only_registered().state(Notes::default())
}
