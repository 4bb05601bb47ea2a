//! How long until a worker is as quick as before when the server was restarted under it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pgqueuer::Job as _;
use sqlx::postgres::PgPoolOptions;
use throwaway_postgres::Shutdown;
use tokio_util::sync::CancellationToken;

use crate::{
    Result,
    load::{self, Noop},
    server::Server,
};

/// How often throughput is looked at.
const SAMPLE: Duration = Duration::from_millis(100);

/// How many samples make the median before a restart.
const BEFORE: usize = 50;

/// Over how many samples throughput must be back: one alone may be a burst.
const BACK: usize = 5;

/// How many jobs wait, at the least.
const WAITING: u64 = 5_000;
const BATCH: usize = 1_000;

/// What counts as back, and by when.
const SHARE: f64 = 0.9;
const LIMIT: Duration = Duration::from_secs(10);

/// Returns what missed the bar.
pub(crate) async fn measure(restarts: u32) -> Result<Vec<String>> {
    let server = Server::start().await?;
    let (mut worker, done) = load::counted_worker(&server, "load")?;
    let enough = CancellationToken::new();
    let producing = tokio::spawn(produce(
        server.url.clone(),
        Arc::clone(&done),
        enough.clone(),
    ));
    let mut meter = Meter::new(done);
    meter.samples(BEFORE).await;

    let mut wrong = Vec::new();
    println!("restart              jobs/s before   server away   back after");
    for number in 1..=restarts {
        let mut before = meter.samples(BEFORE).await;
        before.sort_by(f64::total_cmp);
        let median = before[before.len() / 2];
        let (how, name) = match number % 2 {
            0 => (Shutdown::Immediate, "immediate"),
            _ => (Shutdown::Fast, "fast"),
        };
        let began = Instant::now();
        server.restart(how).await?;
        let away = began.elapsed();
        meter.skip();
        let back = meter.until_back(median * SHARE, began).await;
        let (away, after) = (away.as_secs_f64(), back.as_secs_f64());
        println!("{number:>3} {name:<16} {median:>13.0} {away:>11.1} s {after:>10.1} s");
        if back > LIMIT {
            wrong.push(format!(
                "throughput was not back {LIMIT:?} after restart {number}"
            ));
        }
    }
    if let Some(status) = worker.try_wait()? {
        wrong.push(format!("the worker has ended: {status}"));
    }
    enough.cancel();
    producing.await??;
    Ok(wrong)
}

/// Keeps some thousand jobs waiting.
async fn produce(url: String, done: Arc<AtomicU64>, enough: CancellationToken) -> Result {
    let pool = PgPoolOptions::new().connect_lazy(&url)?;
    let mut enqueued = 0;
    while !enough.is_cancelled() {
        let has_room = enqueued < done.load(Relaxed) + 2 * WAITING;
        let jobs = (0..BATCH).map(|_| Noop {});
        if has_room && Noop::enqueue_many(&pool, jobs).await.is_ok() {
            enqueued += BATCH as u64;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    pool.close().await;
    Ok(())
}

/// Samples how quick the worker is.
struct Meter {
    done: Arc<AtomicU64>,
    last: (Instant, u64),
}

impl Meter {
    fn new(done: Arc<AtomicU64>) -> Self {
        let last = (Instant::now(), done.load(Relaxed));
        Self { done, last }
    }

    /// Leaves out what was done since the last sample.
    fn skip(&mut self) {
        self.last = (Instant::now(), self.done.load(Relaxed));
    }

    /// Jobs per second, since the last sample.
    async fn sample(&mut self) -> f64 {
        tokio::time::sleep(SAMPLE).await;
        let (at, before) = self.last;
        self.skip();
        (self.last.1 - before) as f64 / (self.last.0 - at).as_secs_f64()
    }

    async fn samples(&mut self, count: usize) -> Vec<f64> {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            samples.push(self.sample().await);
        }
        samples
    }

    /// Waits until the worker is that quick, and returns how long that took. Gives up after a
    /// minute.
    async fn until_back(&mut self, rate: f64, began: Instant) -> Duration {
        let mut last = [0.0; BACK];
        let mut rates = Vec::new();
        while began.elapsed() < 6 * LIMIT {
            last.rotate_left(1);
            last[BACK - 1] = self.sample().await;
            rates.push(format!("{:.0}", last[BACK - 1]));
            if last.iter().sum::<f64>() >= rate * BACK as f64 {
                break;
            }
        }
        let after = began.elapsed();
        if after > LIMIT {
            // Nothing at all, or a machine that has other things to do?
            eprintln!("jobs/s every {SAMPLE:?}: {}", rates.join(" "));
        }
        after
    }
}
