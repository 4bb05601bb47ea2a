//! Workers as real processes: stopped by signals, killed, and several at a time.

#[cfg(unix)]
mod metrics;
#[cfg(unix)]
mod paused;
mod waits;

use std::{
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use pgqueuer::{FailureReason, Job, JobState, PgQueuer, prelude::JobId};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::process::{Child, Command};

use crate::backend;

/// What the producer knows of the jobs of `bin/test-worker.rs`: it enqueues by kind.
mod jobs {
    use pgqueuer::{Context, HandlerFuture, Job, Result};

    macro_rules! produced {
        ($name:ident = $kind:literal { $($field:ident: $type:ty),* }) => {
            produced!($name = $kind { $($field: $type),* } -> ());
        };
        ($name:ident = $kind:literal { $($field:ident: $type:ty),* } -> $output:ty) => {
            #[derive(super::Serialize, super::Deserialize)]
            pub(super) struct $name { $(pub(super) $field: $type),* }

            impl Job for $name {
                type Output = $output;

                const KIND: &'static str = $kind;

                fn run(self, _: Context) -> Result<HandlerFuture> {
                    unreachable!("this process only produces")
                }
            }
        };
    }

    produced!(CountMe = "count_me" { number: i64 });
    produced!(Nap = "nap" { milliseconds: u64 });
    produced!(KillTheWorker = "kill_the_worker" {});
    produced!(WaitToBeTold = "wait_to_be_told" {});
    produced!(PanicEachTime = "panic_each_time" { message: String });
    produced!(Sum = "sum" { a: i64, b: i64 } -> i64);
    produced!(ComeToNoGood = "come_to_no_good" { how: String } -> u8);
}
use jobs::{CountMe, KillTheWorker, Nap, PanicEachTime};

/// A database of its own, with the schema `pgqueuer` and the table that handlers write to.
struct Stage {
    url: String,
    pgq: PgQueuer,
    pool: PgPool,
}

impl Stage {
    async fn set() -> Self {
        let url = backend::fresh_database().await;
        let pgq = PgQueuer::connect(&url).await.unwrap();
        pgq.install().await.unwrap();
        let pool = pgq.pool().unwrap().clone();
        sqlx::query("CREATE TABLE public.ran (job bigint, attempt int, what text)")
            .execute(&pool)
            .await
            .unwrap();
        Self { url, pgq, pool }
    }

    fn worker(&self, arguments: &[&str]) -> Child {
        self.worker_command(arguments).spawn().unwrap()
    }

    fn worker_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-worker"));
        command
            .arg("worker")
            .args(arguments)
            .env("DATABASE_URL", &self.url)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// Asks until the query answers `expected`.
    async fn until(&self, query: &'static str, expected: i64, within: Duration) {
        let began = Instant::now();
        loop {
            let found = self.number(query).await;
            if found == expected {
                return;
            }
            assert!(
                began.elapsed() < within,
                "still {found} instead of {expected} after {within:?}: {query}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn state(&self, id: JobId) -> JobState {
        self.pgq.get_job(id).await.unwrap().unwrap().state
    }
}

#[cfg(unix)]
fn send(signal: &str, worker: &Child) {
    let pid = worker.id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args([signal, &pid])
        .status()
        .unwrap();
    assert!(sent.success());
}

async fn end_of(mut worker: Child, within: Duration) -> ExitStatus {
    let waited = tokio::time::timeout(within, worker.wait()).await;
    waited.expect("the worker did not end in time").unwrap()
}

const SOON: Duration = Duration::from_secs(60);
const BEGAN: &str = "SELECT count(*) FROM public.ran WHERE what = 'began'";
const ENDED: &str = "SELECT count(*) FROM public.ran WHERE what = 'ended'";
const CLAIMED: &str = "SELECT count(*) FROM pgqueuer.jobs WHERE claimed_by IS NOT NULL";
const SESSIONS: &str = "SELECT count(*) FROM pgqueuer.sessions";

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn four_workers_run_100_000_jobs_once_each() {
    let stage = Stage::set().await;
    for batch in 0..100 {
        let jobs = (batch * 1000..(batch + 1) * 1000).map(|number| CountMe { number });
        CountMe::enqueue_many(&stage.pool, jobs).await.unwrap();
    }

    let workers: Vec<Child> = (0..4).map(|_| stage.worker(&["--drain"])).collect();
    for worker in workers {
        assert!(end_of(worker, 4 * SOON).await.success());
    }

    assert_eq!(
        stage.number("SELECT count(*) FROM public.ran").await,
        100_000
    );
    assert_eq!(
        stage
            .number("SELECT count(DISTINCT what) FROM public.ran")
            .await,
        100_000
    );
    assert_eq!(
        stage
            .number("SELECT count(*) FROM pgqueuer.history WHERE attempt = 1")
            .await,
        100_000
    );
    assert_eq!(stage.number("SELECT count(*) FROM pgqueuer.jobs").await, 0);
    let shards = "SELECT count(DISTINCT shard) FROM pgqueuer.minutes";
    assert!(stage.number(shards).await > 1, "one worker did everything");
}

/// What read its log has died: `my-worker 2>&1 | tee log`, say.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_log_nobody_reads_goes_on() {
    let stage = Stage::set().await;
    let mut command = stage.worker_command(&["--drain"]);
    let command = command.env("RUST_LOG", "debug").stderr(Stdio::piped());
    for number in 0..3 {
        CountMe { number }.enqueue(&stage.pool).await.unwrap();
    }
    let mut worker = command.spawn().unwrap();
    drop(worker.stderr.take());

    assert!(end_of(worker, SOON).await.success());

    let once = "SELECT count(*) FROM pgqueuer.history WHERE attempt = 1";
    assert_eq!(stage.number(once).await, 3);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_cuts_off_200_running_jobs_and_loses_none() {
    let stage = Stage::set().await;
    let worker = stage.worker(&["--concurrency", "200", "--grace", "500ms"]);
    let naps = (0..200).map(|_| Nap {
        milliseconds: 60_000,
    });
    Nap::enqueue_many(&stage.pool, naps).await.unwrap();
    stage.until(BEGAN, 200, SOON).await;

    send("-TERM", &worker);

    assert!(end_of(worker, SOON).await.success());
    assert_eq!(stage.number(CLAIMED).await, 0);
    assert_eq!(stage.number(SESSIONS).await, 0);
    let untouched = "SELECT count(*) FROM pgqueuer.jobs WHERE state = 'available' AND attempt = 0";
    assert_eq!(stage.number(untouched).await, 200);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_running_jobs_finish_and_leaves_the_rest() {
    let stage = Stage::set().await;
    let worker = stage.worker(&["--concurrency", "200"]);
    let naps = (0..400).map(|_| Nap {
        milliseconds: 3_000,
    });
    Nap::enqueue_many(&stage.pool, naps).await.unwrap();
    stage.until(BEGAN, 200, SOON).await;

    send("-TERM", &worker);

    assert!(end_of(worker, SOON).await.success());
    assert_eq!(stage.number(ENDED).await, 200);
    assert_eq!(stage.number(CLAIMED).await, 0);
    assert_eq!(
        stage.number("SELECT count(*) FROM pgqueuer.history").await,
        200
    );
    assert_eq!(
        stage.number("SELECT count(*) FROM pgqueuer.jobs").await,
        200
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_does_not_wait() {
    let stage = Stage::set().await;
    let worker = stage.worker(&["--grace", "10m"]);
    let id = Nap {
        milliseconds: 600_000,
    }
    .enqueue(&stage.pool)
    .await
    .unwrap();
    stage.until(BEGAN, 1, SOON).await;

    send("-INT", &worker);
    send("-INT", &worker);

    assert!(end_of(worker, SOON).await.success());
    assert_eq!(stage.state(id).await, JobState::Available);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn another_worker_takes_over_the_jobs_of_a_killed_one() {
    let stage = Stage::set().await;
    let victim = stage.worker(&[]);
    let id = Nap {
        milliseconds: 1_500,
    }
    .enqueue(&stage.pool)
    .await
    .unwrap();
    stage.until(BEGAN, 1, SOON).await;
    send("-KILL", &victim);
    end_of(victim, SOON).await;

    let heir = stage.worker(&[]);
    stage.until(ENDED, 1, SOON).await;
    stage
        .until("SELECT count(*) FROM pgqueuer.history", 1, SOON)
        .await;
    send("-TERM", &heir);
    end_of(heir, SOON).await;

    let job = stage.pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Completed, 2));
    assert_eq!(job.failures[0].reason, FailureReason::Crash);
}

/// All leases have run out when the database was away. Who comes first must not take the jobs
/// of those who are about to renew.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_after_an_outage_leaves_the_living_alone() {
    let stage = Stage::set().await;
    let living = stage.worker(&[]);
    let milliseconds = 3_000;
    let id = Nap { milliseconds }.enqueue(&stage.pool).await.unwrap();
    stage.until(BEGAN, 1, SOON).await;
    send("-STOP", &living);
    sqlx::query("UPDATE pgqueuer.sessions SET expires_at = now() - interval '1 second'")
        .execute(&stage.pool)
        .await
        .unwrap();

    let newcomer = stage.worker(&[]);
    stage.until(SESSIONS, 2, SOON).await;
    send("-CONT", &living);

    stage
        .until("SELECT count(*) FROM pgqueuer.history", 1, SOON)
        .await;
    for worker in [living, newcomer] {
        send("-TERM", &worker);
        assert!(end_of(worker, SOON).await.success());
    }
    let job = stage.pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Completed, 1));
    assert_eq!(job.failures, []);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_its_worker_is_held_after_its_attempts() {
    let stage = Stage::set().await;
    let id = KillTheWorker {}.enqueue(&stage.pool).await.unwrap();

    for _ in 0..2 {
        let victim = stage.worker(&[]);
        assert!(!end_of(victim, SOON).await.success());
    }
    let survivor = stage.worker(&[]);
    let held = "SELECT count(*) FROM pgqueuer.jobs WHERE state = 'held'";
    stage.until(held, 1, SOON).await;
    send("-TERM", &survivor);
    assert!(end_of(survivor, SOON).await.success());

    let job = stage.pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Held, 2));
    assert_eq!(stage.number(BEGAN).await, 2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_panics_is_retried_and_then_held() {
    let stage = Stage::set().await;
    let message = "out of cheese".to_owned();
    let id = PanicEachTime { message }
        .enqueue(&stage.pool)
        .await
        .unwrap();

    let worker = stage.worker(&[]);
    let held = "SELECT count(*) FROM pgqueuer.jobs WHERE state = 'held'";
    stage.until(held, 1, SOON).await;
    send("-TERM", &worker);
    assert!(end_of(worker, SOON).await.success());

    let job = stage.pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((job.attempt, job.failures.len()), (3, 3));
    let failure = &job.failures[2];
    assert_eq!(failure.reason, FailureReason::Panic);
    assert!(failure.message.contains("out of cheese"), "{failure:?}");
    assert!(
        failure
            .backtrace
            .as_ref()
            .is_some_and(|it| it.contains("panic_each_time"))
    );
}
