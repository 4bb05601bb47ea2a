//! What the side-by-side harness does not ask: large tables, many kinds, several workers, large
//! payloads, and a worker with nothing to do. Prints one JSON object for each question.
//!
//!     DATABASE_URL=postgres://…/an_empty_database extremes kinds|size|workers|payloads|idle
//!
//! Rates are the best of nothing: each line is one run, so run it several times.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pgqueuer::{
    Context, HandlerFuture, Job, Outcome, PgQueuer, Worker, WorkerBuilder, WorkerConfig, job,
    prelude::Result as QueueResult,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Executor as _, PgPool};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const KINDS: usize = 200;
const PRIORITIES: i16 = 5;

/// One of many kinds.
#[derive(Serialize, Deserialize)]
struct OfKind<const K: usize> {
    n: u64,
}

impl<const K: usize> OfKind<K> {
    const NAME: [u8; 8] = {
        let digit = |place: usize| place;
        let _ = digit;
        *b"kind_000"
    };
    const NUMBERED: [u8; 8] = {
        let mut name = Self::NAME;
        name[5] += (K / 100 % 10) as u8;
        name[6] += (K / 10 % 10) as u8;
        name[7] += (K % 10) as u8;
        name
    };
}

impl<const K: usize> Job for OfKind<K> {
    const KIND: &'static str = match std::str::from_utf8(&Self::NUMBERED) {
        Ok(name) => name,
        Err(_) => panic!("digits are text"),
    };

    fn run(self, _: Context) -> QueueResult<HandlerFuture> {
        Ok(Box::pin(async { Outcome::Completed }))
    }
}
