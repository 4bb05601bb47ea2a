//! The jobs, and the worker of the crowd.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pgqueuer::prelude::*;
use pgqueuer_tests::program::{Result, end_with_parent};

/// When handlers ended, by their numbers.
#[derive(Clone, Default)]
pub(crate) struct Ends(Arc<Mutex<HashMap<i64, Instant>>>);

impl Ends {
    pub(crate) fn take(&self, number: i64) -> Option<Instant> {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.remove(&number)
    }

    fn note(&self, number: i64) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.insert(number, Instant::now());
    }
}

/// Says when it ended.
#[job]
pub(crate) async fn note_the_end(number: i64, ends: State<Ends>) -> Result<i64, String> {
    ends.note(number);
    Ok(number)
}

/// Takes its time.
#[job]
pub(crate) async fn double(number: i64, millis: u64) -> Result<i64, String> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(2 * number)
}

/// One worker, until it is told to stop.
pub(crate) async fn work() -> Result {
    end_with_parent();
    let worker = pgqueuer_cli::App::new().state(Ends::default());
    worker.run().await?;
    Ok(())
}
