//! What the side-by-side harness does not ask: many kinds, large tables, several workers, large
//! payloads, and a worker with nothing to do.
//!
//!     DATABASE_URL=postgres://…/a_database extremes kinds|size|workers|payloads|idle
//!
//! Installs the schema `pgqueuer` anew each time: use a database that has nothing else in it.
//! Prints a JSON object for each run. `size` needs some 20 GB and a quarter of an hour; with
//! `SIZE=0.1` a tenth of both. `idle` needs the extension `pg_stat_statements`.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pgqueuer::{
    Context, HandlerFuture, Job, NewJob, Outcome, PgQueuer, WorkerBuilder, WorkerConfig,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const KINDS: usize = 200;
const PRIORITIES: i16 = 5;

/// One of many kinds: the kind `kind_007` is `Numbered<7>`.
#[derive(Serialize, Deserialize)]
struct Numbered<const K: usize> {
    n: u64,
}

impl<const K: usize> Numbered<K> {
    const NAME: [u8; 8] = {
        let mut name = *b"kind_000";
        name[5] += (K / 100) as u8;
        name[6] += (K / 10 % 10) as u8;
        name[7] += (K % 10) as u8;
        name
    };
}

impl<const K: usize> Job for Numbered<K> {
    type Output = ();

    const KIND: &'static str = match std::str::from_utf8(&Self::NAME) {
        Ok(name) => name,
        Err(_) => panic!("digits are text"),
    };

    fn run(self, _: Context) -> pgqueuer::Result<HandlerFuture> {
        Ok(Box::pin(async { Outcome::done() }))
    }
}

/// Runs `$do!(K)` for each of the 200 kinds.
macro_rules! for_each_kind {
    ($do:ident) => {
        for_each_kind!(@tens $do 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19)
    };
    (@tens $do:ident $($ten:literal)*) => {
        $(
            $do!({ $ten * 10 }); $do!({ $ten * 10 + 1 }); $do!({ $ten * 10 + 2 });
            $do!({ $ten * 10 + 3 }); $do!({ $ten * 10 + 4 }); $do!({ $ten * 10 + 5 });
            $do!({ $ten * 10 + 6 }); $do!({ $ten * 10 + 7 }); $do!({ $ten * 10 + 8 });
            $do!({ $ten * 10 + 9 });
        )*
    };
}

/// Carries a payload, and takes as long as it is told to.
#[derive(Serialize, Deserialize)]
struct Load {
    bytes: String,
    sleep_ms: u64,
}

impl Job for Load {
    type Output = ();

    const KIND: &'static str = "load";

    fn run(self, _: Context) -> pgqueuer::Result<HandlerFuture> {
        Ok(Box::pin(async move {
            if self.sleep_ms > 0 {
                tokio::time::sleep(Duration::from_millis(self.sleep_ms)).await;
            }
            Outcome::done()
        }))
    }
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    let set = std::env::var(name).ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn config(concurrency: usize) -> WorkerConfig {
    WorkerConfig {
        concurrency,
        claim_batch: setting("CLAIM_BATCH", 8000),
        settle_batch: setting("SETTLE_BATCH", 4000),
        ..WorkerConfig::default()
    }
}

fn worker(pgq: &PgQueuer, concurrency: usize) -> WorkerBuilder {
    let worker = pgq.worker().only_registered().config(config(concurrency));
    worker.register::<Numbered<0>>().register::<Load>()
}

fn worker_of_all_kinds(pgq: &PgQueuer) -> WorkerBuilder {
    let mut worker = pgq.worker().only_registered().config(config(100));
    macro_rules! register {
        ($kind:expr) => {
            worker = worker.register::<Numbered<$kind>>()
        };
    }
    for_each_kind!(register);
    worker
}

async fn fresh() -> Result<PgQueuer> {
    let pgq = PgQueuer::connect(&url()?).await?;
    if pgq.installed_version().await?.is_some() {
        pgq.uninstall().await?;
    }
    pgq.install().await?;
    Ok(pgq)
}

fn url() -> Result<String> {
    Ok(std::env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set")?)
}

async fn run_sql(pool: &PgPool, sql: &'static str) -> Result<()> {
    pool.execute(sqlx::raw_sql(sql)).await?;
    Ok(())
}

/// Jobs a second of a worker that drains `jobs`.
async fn drain(pgq: &PgQueuer, worker: WorkerBuilder, jobs: u64) -> Result<f64> {
    run_sql(pool(pgq)?, "ANALYZE pgqueuer.jobs").await?;
    run_sql(pool(pgq)?, "CHECKPOINT").await?;
    let began = Instant::now();
    let report = worker.build()?.drain().await?;
    assert_eq!(report.completed, jobs, "{report:?}");
    Ok(jobs as f64 / began.elapsed().as_secs_f64())
}

fn pool(pgq: &PgQueuer) -> Result<&PgPool> {
    Ok(pgq.pool().ok_or("it is on PostgreSQL")?)
}

async fn enqueue_one_kind(pgq: &PgQueuer, jobs: u64) -> Result<()> {
    let jobs = futures_util::stream::iter((0..jobs).map(|n| Numbered::<0> { n }));
    Numbered::<0>::enqueue_stream(pgq, jobs).await?;
    Ok(())
}

/// 200 kinds, 5 priorities each, evenly, against one.
async fn kinds() -> Result<Value> {
    let per_lane = 50;
    let jobs = (KINDS * PRIORITIES as usize) as u64 * per_lane;
    let pgq = fresh().await?;
    enqueue_one_kind(&pgq, jobs).await?;
    let one = drain(&pgq, worker(&pgq, 100), jobs).await?;

    let pgq = fresh().await?;
    macro_rules! enqueue {
        ($kind:expr) => {
            for priority in 0..PRIORITIES {
                let job = |n| NewJob::priority(Numbered::<$kind> { n }.options(), priority);
                pgqueuer::enqueue_many(&pgq, (0..per_lane).map(job)).await?;
            }
        };
    }
    for_each_kind!(enqueue);
    let many = drain(&pgq, worker_of_all_kinds(&pgq), jobs).await?;
    Ok(json!({"jobs": jobs, "one_kind": one, "many_kinds": many, "ratio": many / one}))
}

/// 10 million scheduled, 10 million in the history and 1 million available, against nothing else.
async fn size() -> Result<Value> {
    let scale: f64 = setting("SIZE", 1.0);
    let jobs = (1e6 * scale) as u64;
    let pgq = fresh().await?;
    enqueue_one_kind(&pgq, jobs).await?;
    let empty = drain(&pgq, worker(&pgq, 100), jobs).await?;
    let pgq = fresh().await?;
    let empty_pickup = pickups(&pgq).await?;

    let pgq = fresh().await?;
    let fill = [
        "INSERT INTO pgqueuer.jobs (id, position, kind, priority, run_at, state, codec, payload)
         SELECT id, id, 'kind_000', 0, now() + interval '1 day' + id * interval '1 s', 'scheduled', 'json', '{\"n\":1}'
         FROM (SELECT nextval('pgqueuer.positions') AS id FROM generate_series(1, $1)) AS it",
        "INSERT INTO pgqueuer.history (job_id, enqueued_at, finished_at, expires_at, ending, attempt, priority, kind)
         SELECT id, now(), now(), now() + interval '7 days', 'completed', 1, 0, 'kind_000'
         FROM (SELECT nextval('pgqueuer.positions') AS id FROM generate_series(1, $1)) AS it",
        // Of a kind that this worker does not know.
        "INSERT INTO pgqueuer.jobs (id, position, kind, priority, state, codec, payload)
         SELECT id, id, 'other', 0, 'available', 'json', '{}'
         FROM (SELECT nextval('pgqueuer.positions') AS id FROM generate_series(1, $1 / 10)) AS it",
    ];
    for statement in fill {
        let rows = (1e7 * scale) as i64;
        sqlx::query(statement)
            .bind(rows)
            .execute(pool(&pgq)?)
            .await?;
    }
    run_sql(pool(&pgq)?, "VACUUM ANALYZE").await?;
    run_sql(pool(&pgq)?, "CHECKPOINT").await?;
    let full_pickup = pickups(&pgq).await?;
    enqueue_one_kind(&pgq, jobs).await?;
    let full = drain(&pgq, worker(&pgq, 100), jobs).await?;
    Ok(json!({
        "scale": scale, "drain_empty": empty, "drain_full": full, "ratio": full / empty,
        "pickup_p99_empty_ms": empty_pickup.1, "pickup_p99_full_ms": full_pickup.1,
        "pickup_p50_empty_ms": empty_pickup.0, "pickup_p50_full_ms": full_pickup.0,
        "pickup_p99_ratio": full_pickup.1 / empty_pickup.1,
    }))
}

/// Pickups of an idle worker: p50 and p99, in milliseconds. Read from the history: from the
/// commit's clock to the claim's, so a little less than what a handler sees.
async fn pickups(pgq: &PgQueuer) -> Result<(f64, f64)> {
    let stop = tokio_util::sync::CancellationToken::new();
    let running = worker(pgq, 100)
        .build()?
        .run_until(stop.clone().cancelled_owned());
    let running = tokio::spawn(running);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut first = 0;
    for n in 0..500 {
        let id = Numbered::<0> { n }.enqueue(pgq).await?;
        if n == 0 {
            first = id.id().as_i64();
        }
        tokio::time::sleep(Duration::from_millis(5 + n * 7919 % 16)).await;
    }
    stop.cancel();
    running.await??;
    let percentiles = sqlx::query_as(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.99) WITHIN GROUP (ORDER BY ms)
         FROM (SELECT date_part('epoch', claimed_at - enqueued_at) * 1000 AS ms
               FROM pgqueuer.history WHERE job_id >= $1) AS it",
    );
    Ok(percentiles.bind(first).fetch_one(pool(pgq)?).await?)
}

/// This program again, as a worker that drains and ends.
fn spawn(concurrency: usize) -> Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args(["worker", &concurrency.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// Four processes against one, with the same concurrency in all. Who comes later finds a server
/// with more to clean up, so each comes first once.
async fn workers() -> Result<Value> {
    let (one, four) = (drain_with(1).await?, drain_with(4).await?);
    let (four_first, one_last) = (drain_with(4).await?, drain_with(1).await?);
    let ratio = (four + four_first) / (one + one_last);
    Ok(
        json!({"jobs": setting("JOBS", 1_000_000), "one": [one, one_last], "four": [four, four_first], "ratio": ratio}),
    )
}

/// How many jobs a second so many processes drain.
async fn drain_with(processes: usize) -> Result<f64> {
    let jobs = setting("JOBS", 1_000_000);
    let pgq = fresh().await?;
    enqueue_one_kind(&pgq, jobs).await?;
    run_sql(pool(&pgq)?, "ANALYZE pgqueuer.jobs").await?;
    run_sql(pool(&pgq)?, "CHECKPOINT").await?;
    let began = Instant::now();
    let children: Vec<Child> = (0..processes)
        .map(|_| spawn(100 / processes))
        .collect::<Result<_>>()?;
    for child in children {
        let output = child.wait_with_output()?;
        assert!(output.status.success());
    }
    let rate = jobs as f64 / began.elapsed().as_secs_f64();
    let left = pgq.count_jobs().await?;
    assert_eq!(left.available + left.running, 0);
    Ok(rate)
}

/// Large arguments: the rate, and the memory of the worker at its largest.
async fn payloads() -> Result<Value> {
    let mut results = Vec::new();
    for (kib, jobs, concurrency, sleep_ms) in [
        (4, 20_000, 100, 0),
        (4, 20_000, 1000, 100),
        (256, 1000, 100, 0),
    ] {
        let pgq = fresh().await?;
        let load = (0..jobs).map(|_| Load {
            bytes: "x".repeat(kib * 1024),
            sleep_ms,
        });
        let began = Instant::now();
        Load::enqueue_stream(&pgq, futures_util::stream::iter(load)).await?;
        let enqueued = jobs as f64 / began.elapsed().as_secs_f64();
        let began = Instant::now();
        let output = spawn(concurrency)?.wait_with_output()?;
        let rate = jobs as f64 / began.elapsed().as_secs_f64();
        let worker: Value = serde_json::from_slice(&output.stdout)?;
        results.push(json!({
            "kib": kib, "jobs": jobs, "concurrency": concurrency, "sleep_ms": sleep_ms,
            "enqueue_rate": enqueued, "rate": rate, "worker_peak_mb": worker["peak_mb"],
        }));
    }
    Ok(json!(results))
}

/// What a worker sends that has nothing to do.
async fn idle() -> Result<Value> {
    let pgq = fresh().await?;
    run_sql(
        pool(&pgq)?,
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements",
    )
    .await?;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = worker(&pgq, 100)
        .build()?
        .run_until(stop.clone().cancelled_owned());
    let running = tokio::spawn(running);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let calls = "SELECT sum(calls)::bigint FROM pg_stat_statements
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let before: i64 = sqlx::query_scalar(calls).fetch_one(pool(&pgq)?).await?;
    let (cpu, began) = (cpu_seconds()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(setting("SECONDS", 60))).await;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let after: i64 = sqlx::query_scalar(calls).fetch_one(pool(&pgq)?).await?;
    stop.cancel();
    running.await??;
    Ok(json!({
        "seconds": seconds, "statements_a_second": (after - before - 1) as f64 / seconds,
        "share_of_a_core": cpu / seconds,
    }))
}

/// What this process has used. Linux only.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    Ok(ticks.flat_map(str::parse::<f64>).sum::<f64>() / 100.0)
}

/// The most memory that this process has had. Linux only.
fn peak_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|it| it.starts_with("VmHWM"))
        .ok_or("no VmHWM")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib / 1024.0)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let result = match args.next().as_deref() {
        Some("kinds") => kinds().await?,
        Some("size") => size().await?,
        Some("workers") => workers().await?,
        Some("payloads") => payloads().await?,
        Some("idle") => idle().await?,
        Some("worker") => {
            let concurrency = args.next().ok_or("how many at a time?")?.parse()?;
            let pgq = PgQueuer::connect(&url()?).await?;
            let report = worker(&pgq, concurrency).build()?.drain().await?;
            json!({"completed": report.completed, "peak_mb": peak_mb()?})
        }
        _ => return Err("usage: extremes kinds|size|workers|payloads|idle".into()),
    };
    println!("{result}");
    Ok(())
}
