//! pgqueuer in the side-by-side harness: implements its little protocol.
//!
//! Settings, from the environment: `CONCURRENCY` (100), `CLAIM_BATCH` (8000), `SETTLE_BATCH` (4000),
//! `SETTLE_MS` (5), `HISTORY` (1; 0: finished jobs leave no record). The batches are larger than the
//! defaults of the library (2000), as the settings of the others were tuned, too.

use std::time::Duration;

use bench_common::{Peer, Result, handle, opt, padding};
use pgqueuer::{WorkerConfig, prelude::*};
use sqlx::postgres::PgPoolOptions;

#[job]
async fn noop(n: u64, p: String) {
    let _ = p;
    handle(n).await;
}

/// The same, without a record in the history.
#[job(retain = "0s")]
async fn noop_unrecorded(n: u64, p: String) {
    let _ = p;
    handle(n).await;
}

struct Producer(PgQueuer);

impl Peer for Producer {
    const LEFT_SQL: &'static str = "select count(*) from pgqueuer.jobs";

    async fn setup(url: &str) -> Result<()> {
        PgQueuer::connect(url).await?.install().await?;
        Ok(())
    }

    async fn connect(url: &str, connections: u32) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .test_before_acquire(false)
            .connect(url)
            .await?;
        Ok(Self(PgQueuer::new(pool)))
    }

    async fn enqueue(&self, first: u64, count: usize) -> Result<()> {
        let numbers = first..first + count as u64;
        if opt("HISTORY", 1) == 0 {
            let jobs = numbers.map(|n| NoopUnrecorded { n, p: padding(n) });
            NoopUnrecorded::enqueue_many(&self.0, jobs).await?;
        } else if count == 1 {
            let p = padding(first);
            Noop { n: first, p }.enqueue(&self.0).await?;
        } else {
            let jobs = numbers.map(|n| Noop { n, p: padding(n) });
            Noop::enqueue_many(&self.0, jobs).await?;
        }
        Ok(())
    }

    async fn start_worker(url: &str, defaults: bool) -> Result<()> {
        let config = if defaults {
            WorkerConfig::default()
        } else {
            WorkerConfig {
                concurrency: opt("CONCURRENCY", 100),
                claim_batch: opt("CLAIM_BATCH", 8000),
                settle_batch: opt("SETTLE_BATCH", 4000),
                settle_delay: Duration::from_millis(opt("SETTLE_MS", 5)),
                ..WorkerConfig::default()
            }
        };
        let worker = PgQueuer::connect(url)
            .await?
            .worker()
            .config(config)
            .build()?;
        tokio::spawn(async move { worker.run().await.expect("worker") });
        Ok(())
    }
}

fn main() {
    bench_common::main::<Producer>();
}
