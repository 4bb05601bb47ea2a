//! What those who look all the time cost the workers: the same drain with and without them, by turns.

use std::{
    process::{Child, Command, Stdio},
    time::Instant,
};

use pgqueuer::{PgQueuer, prelude::*};
use pgqueuer_tests::program::Result;
use throwaway_postgres::Postgres;

/// The bar: the share of its speed that a worker keeps.
const KEPT: f64 = 0.95;

/// Does nothing.
#[job]
async fn looked_at(number: i64) {
    let _ = number;
}

/// One who looks, until it is dropped.
struct Viewer(Child);

impl Viewer {
    fn start(url: &str) -> Result<Self> {
        let viewer = Command::new(std::env::current_exe()?)
            .args(["view", "dashboard", "--interval", "1", "--format", "json"])
            .args(["--database-url", url])
            // It ends when this is closed.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self(viewer))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn compare(jobs: u32, rounds: u32, viewers: u32) -> Result<Vec<String>> {
    let postgres = Postgres::builder()
        .durable(true)
        .setting("shared_buffers", "512MB")
        .setting("max_wal_size", "4GB")
        .start()?;
    let url = postgres.url("postgres");
    let pgq = PgQueuer::connect(&url).await?;
    pgq.install().await?;
    drain(&pgq, jobs).await?;

    let mut kept = Vec::new();
    for round in 1..=rounds {
        // By turns, so that a machine that gets slower or faster favours neither.
        let (alone, looked_at) = if round % 2 == 1 {
            let alone = drain(&pgq, jobs).await?;
            (alone, drain_looked_at(&pgq, &url, jobs, viewers).await?)
        } else {
            let looked_at = drain_looked_at(&pgq, &url, jobs, viewers).await?;
            (drain(&pgq, jobs).await?, looked_at)
        };
        println!(
            "beside: round {round}: {alone:.0} jobs/s alone, {looked_at:.0} with {viewers} who look"
        );
        kept.push(looked_at / alone);
    }
    pgq.close().await;

    kept.sort_by(f64::total_cmp);
    let kept = (kept[(kept.len() - 1) / 2] + kept[kept.len() / 2]) / 2.0;
    println!(
        "beside: {:.1} % of the speed is left, by the median of the rounds",
        kept * 100.0
    );
    let problem = || {
        format!(
            "{viewers} who look leave {:.1} %, not {:.0} %",
            kept * 100.0,
            KEPT * 100.0
        )
    };
    Ok((kept < KEPT).then(problem).into_iter().collect())
}

async fn drain_looked_at(pgq: &PgQueuer, url: &str, jobs: u32, viewers: u32) -> Result<f64> {
    let looking: Vec<Viewer> = (0..viewers)
        .map(|_| Viewer::start(url))
        .collect::<Result<_>>()?;
    let rate = drain(pgq, jobs).await?;
    drop(looking);
    Ok(rate)
}

/// Jobs per second, from the first claim to the last result.
async fn drain(pgq: &PgQueuer, jobs: u32) -> Result<f64> {
    let numbers: Vec<i64> = (0..i64::from(jobs)).collect();
    for batch in numbers.chunks(1000) {
        LookedAt::enqueue_many(pgq, batch.iter().map(|it| LookedAt { number: *it })).await?;
    }
    let worker = pgq
        .worker()
        .only_registered()
        .register::<LookedAt>()
        .build()?;
    let began = Instant::now();
    worker.drain().await?;
    Ok(f64::from(jobs) / began.elapsed().as_secs_f64())
}
