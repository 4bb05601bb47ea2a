//! How many jobs per second does this machine do?
//!
//! Run with:
//!
//! ```text
//! cargo run --release --example throughput -- [JOBS] [ROUNDS]
//! ```
//!
//! Enqueues JOBS (50,000) jobs that do nothing, 1,000 at a time, then starts a worker and
//! waits until all of them are in the history; ROUNDS (3) times. Uses `DATABASE_URL`, or a
//! throw-away PostgreSQL with its own defaults: `fsync` and `synchronous_commit` are on.

use std::{error::Error, io::Write, time::Instant};

use pgqueuer::{PgQueuer, prelude::*};
use throwaway_postgres::Postgres;

/// Does nothing.
#[job]
async fn noop(number: i64, padding: String) {
    let _ = (number, padding);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let jobs: i64 = arguments.next().map_or(Ok(50_000), |it| it.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(3), |it| it.parse())?;

    let server;
    let url = match std::env::var("DATABASE_URL") {
        Ok(url) => url,
        Err(_) => {
            server = Postgres::builder()
                .durable(true)
                .setting("shared_buffers", "512MB")
                .setting("max_wal_size", "4GB")
                .start()?;
            server.url("postgres")
        }
    };
    let pgq = PgQueuer::connect(&url).await?;
    pgq.install().await?;

    for round in 1..=rounds {
        let enqueued = enqueue(&pgq, jobs).await?;
        let drained = Instant::now();
        let report = pgq.worker().build()?.drain().await?;
        let drained = drained.elapsed().as_secs_f64();
        let count = jobs as f64;
        writeln!(
            std::io::stdout(),
            "round {round}: enqueue {:>7.0} jobs/s, drain {:>7.0} jobs/s ({} completed in {drained:.2} s)",
            count / enqueued,
            count / drained,
            report.completed,
        )?;
    }
    pgq.close().await;
    Ok(())
}

async fn enqueue(pgq: &PgQueuer, jobs: i64) -> pgqueuer::Result<f64> {
    let began = Instant::now();
    let numbers: Vec<i64> = (0..jobs).collect();
    for batch in numbers.chunks(1000) {
        let batch = batch.iter().map(|number| Noop {
            number: *number,
            padding: "x".repeat(16),
        });
        Noop::enqueue_many(pgq, batch).await?;
    }
    Ok(began.elapsed().as_secs_f64())
}
