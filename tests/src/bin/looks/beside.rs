//! What those who look all the time cost the workers: the same drain with and without them, by turns.
//!
//! The speed of a machine that others use as well differs more from drain to drain than those who look cost:
//! what the whole machine had to compute for each job, which differs less, is told beside it.

use std::{
    fmt, fs,
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
    let mut more_cpu = Vec::new();
    for round in 1..=rounds {
        // By turns, so that a machine that gets slower or faster favours neither.
        let (alone, looked_at) = if round % 2 == 1 {
            let alone = drain(&pgq, jobs).await?;
            (alone, drain_looked_at(&pgq, &url, jobs, viewers).await?)
        } else {
            let looked_at = drain_looked_at(&pgq, &url, jobs, viewers).await?;
            (drain(&pgq, jobs).await?, looked_at)
        };
        println!("beside: round {round}: {alone} alone, {looked_at} with {viewers} who look");
        kept.push(looked_at.rate / alone.rate);
        more_cpu.push(looked_at.cpu / alone.cpu);
    }
    pgq.close().await;

    let kept = median(kept);
    println!(
        "beside: {:.1} % of the speed is left, for {:.1} % of the CPU per job, by the medians of the rounds",
        kept * 100.0,
        median(more_cpu) * 100.0
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

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    f64::midpoint(of[(of.len() - 1) / 2], of[of.len() / 2])
}

/// What was seen of one drain, from the first claim to the last result.
struct Drained {
    /// Jobs per second.
    rate: f64,
    /// Microseconds that the whole machine computed per job: worker, server and those who look.
    cpu: f64,
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} jobs/s at {:.2} µs of CPU", self.rate, self.cpu)
    }
}

async fn drain_looked_at(pgq: &PgQueuer, url: &str, jobs: u32, viewers: u32) -> Result<Drained> {
    let looking: Vec<Viewer> = (0..viewers)
        .map(|_| Viewer::start(url))
        .collect::<Result<_>>()?;
    let drained = drain(pgq, jobs).await?;
    drop(looking);
    Ok(drained)
}

async fn drain(pgq: &PgQueuer, jobs: u32) -> Result<Drained> {
    let numbers: Vec<i64> = (0..i64::from(jobs)).collect();
    for batch in numbers.chunks(1000) {
        LookedAt::enqueue_many(pgq, batch.iter().map(|it| LookedAt { number: *it })).await?;
    }
    let worker = pgq
        .worker()
        .only_registered()
        .register::<LookedAt>()
        .build()?;
    let (began, computed) = (Instant::now(), computed()?);
    worker.drain().await?;
    Ok(Drained {
        rate: f64::from(jobs) / began.elapsed().as_secs_f64(),
        cpu: (self::computed()? - computed) * 1e6 / f64::from(jobs),
    })
}

/// For how many seconds the cores of this machine computed since it started, by the first line of `/proc/stat`
/// (`man 5 proc_stat`): user, nice, system, idle, iowait, irq and softirq, in hundredths of a second.
fn computed() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<f64> = stat
        .split_ascii_whitespace()
        .skip(1)
        .take(7)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [user, nice, system, _idle, _iowait, irq, softirq] = ticks[..] else {
        return Err("the first line of /proc/stat is short".into());
    };
    Ok((user + nice + system + irq + softirq) / 100.0)
}
