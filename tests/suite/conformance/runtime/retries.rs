//! Whether a job is tried again, and when, as its kind has it.

use std::{sync::Arc, time::Duration};

use pgqueuer::{
    Backoff, Cause, Context, ErrorKind, FailureReason, HandlerFuture, Job, JobId, PgQueuer, Retry,
    RetryStrategy, job,
    store::{JobRecord, JobState},
};

use super::{super::runtime_cases, Journal, drain, worker};

runtime_cases! {
    wait_as_the_list_says,
    wait_as_a_function_says,
    wait_as_a_backoff_says,
    end_when_the_strategy_says_so,
    end_in_the_history_if_the_kind_says_so,
    are_decided_after_panics_too,
    are_decided_after_timeouts_too,
    go_by_what_the_handler_asks_for,
    end_with_the_attempts,
    go_by_the_backoff_when_the_strategy_panics,
    are_refused_without_a_wait,
}

async fn attempt<J: Job>(pgq: &PgQueuer) {
    drain(worker(pgq, &Journal::default()).register::<J>()).await;
}

async fn record(pgq: &PgQueuer, id: JobId) -> JobRecord {
    pgq.get_job(id).await.unwrap().unwrap()
}

/// Runs one job once; what is known of it then.
async fn fail<J: Job>(pgq: &PgQueuer, job: J) -> JobRecord {
    let id = job.enqueue(pgq).await.unwrap().id();
    attempt::<J>(pgq).await;
    record(pgq, id).await
}

/// In how many seconds it runs again, about.
async fn wait_of(pgq: &PgQueuer, record: &JobRecord) -> f64 {
    assert_eq!(record.state, JobState::Scheduled, "{:?}", record.failures);
    let run_at = record.run_at.expect("it is scheduled");
    let wait = run_at - pgq.now().await.unwrap();
    wait.as_seconds_f64()
}

/// A machine may be slow, but not by so much.
fn assert_about(wait: f64, seconds: f64) {
    assert!(
        (seconds - 60.0..=seconds).contains(&wait),
        "{wait} s, not {seconds}"
    );
}

#[job(backoff = ["0s", "10m", "2h"])]
async fn by_list() -> Result<(), &'static str> {
    Err("no")
}

async fn wait_as_the_list_says(pgq: &PgQueuer) {
    let mut record = fail(pgq, ByList {}).await;
    // The first wait is none, so the drain went on.
    if record.attempt == 1 {
        attempt::<ByList>(pgq).await;
        record = self::record(pgq, record.id).await;
    }

    assert_eq!(record.attempt, 2);
    assert_about(wait_of(pgq, &record).await, 600.0);
}

/// By the error, and by the attempt.
fn by_cause(cause: &Cause, attempt: u16) -> Option<Duration> {
    let minutes = match (cause.reason(), cause.message()) {
        (FailureReason::Panic, _) => 10,
        (FailureReason::Timeout, _) => 20,
        (_, "hopeless") => return None,
        (_, "broken strategy") => panic!("the strategy itself"),
        _ => 30 * u64::from(attempt),
    };
    Some(Duration::from_secs(60 * minutes))
}

#[job(retry = by_cause, timeout = "20ms")]
async fn by_function(what: String) -> Result<(), String> {
    match what.as_str() {
        "panic" => panic!("oh no"),
        "sleep" => std::future::pending().await,
        _ => Err(what),
    }
}

fn that(what: &str) -> ByFunction {
    let what = what.to_owned();
    ByFunction { what }
}

async fn wait_as_a_function_says(pgq: &PgQueuer) {
    let record = fail(pgq, that("anything")).await;

    assert_about(wait_of(pgq, &record).await, 30.0 * 60.0);
}

#[job(retry = Backoff::fixed(Duration::from_secs(3600)))]
async fn by_backoff() -> Result<(), &'static str> {
    Err("no")
}

async fn wait_as_a_backoff_says(pgq: &PgQueuer) {
    let record = fail(pgq, ByBackoff {}).await;

    assert_about(wait_of(pgq, &record).await, 3600.0);
}

async fn end_when_the_strategy_says_so(pgq: &PgQueuer) {
    let record = fail(pgq, that("hopeless")).await;

    assert_eq!((record.state, record.attempt), (JobState::Held, 1));
    assert_eq!(record.failures[0].reason, FailureReason::Error);
}

#[job(retry = |_: &Cause, _: u16| None, on_failure = "discard")]
async fn discarded() -> Result<(), &'static str> {
    Err("no")
}

async fn end_in_the_history_if_the_kind_says_so(pgq: &PgQueuer) {
    let record = fail(pgq, Discarded {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Discarded, 1));
}

async fn are_decided_after_panics_too(pgq: &PgQueuer) {
    let record = fail(pgq, that("panic")).await;

    assert_about(wait_of(pgq, &record).await, 10.0 * 60.0);
}

async fn are_decided_after_timeouts_too(pgq: &PgQueuer) {
    let record = fail(pgq, that("sleep")).await;

    assert_about(wait_of(pgq, &record).await, 20.0 * 60.0);
}

#[job(retry = vec![Duration::ZERO])]
async fn knows_better() -> Result<(), Retry> {
    Err(Retry::after(Duration::from_secs(600)))
}

async fn go_by_what_the_handler_asks_for(pgq: &PgQueuer) {
    let record = fail(pgq, KnowsBetter {}).await;

    assert_about(wait_of(pgq, &record).await, 600.0);
}

#[job(retry = [Duration::ZERO], max_attempts = 3)]
async fn always_again() -> Result<(), &'static str> {
    Err("no")
}

async fn end_with_the_attempts(pgq: &PgQueuer) {
    let id = AlwaysAgain {}.enqueue(pgq).await.unwrap().id();
    for _ in 0..3 {
        attempt::<AlwaysAgain>(pgq).await;
    }

    let record = record(pgq, id).await;
    assert_eq!((record.state, record.attempt), (JobState::Held, 3));
}

async fn go_by_the_backoff_when_the_strategy_panics(pgq: &PgQueuer) {
    let record = fail(pgq, that("broken strategy")).await;

    // Of 5 s, by default.
    assert!(wait_of(pgq, &record).await < 6.0);
    assert_eq!(record.failures[0].message, "broken strategy");
}

/// By hand, so that it is not linked: other tests run all jobs that are.
macro_rules! refused {
    ($name:ident, $kind:literal, $strategy:expr) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct $name {}

        impl Job for $name {
            type Output = ();

            const KIND: &'static str = $kind;

            fn retry_strategy() -> Option<Arc<dyn RetryStrategy>> {
                Some(Arc::new($strategy))
            }

            fn run(self, _: Context) -> pgqueuer::Result<HandlerFuture> {
                unreachable!("it is refused")
            }
        }
    };
}

refused!(NoWaits, "no_waits", Vec::new());
refused!(
    Shrinking,
    "shrinking",
    Backoff {
        factor: 0.0,
        ..Backoff::DEFAULT
    }
);

async fn are_refused_without_a_wait(pgq: &PgQueuer) {
    let refused = |worker: pgqueuer::WorkerBuilder| worker.build().unwrap_err();
    let of_list = refused(worker(pgq, &Journal::default()).register::<NoWaits>());
    assert_eq!(of_list.kind(), ErrorKind::Config);
    let expected = "job kind `no_waits`: the list of waits is empty; at least one is needed";
    assert_eq!(of_list.to_string(), expected);

    let of_backoff = refused(worker(pgq, &Journal::default()).register::<Shrinking>());
    let expected = "job kind `shrinking`: backoff factor is 0, from 1 to 100";
    assert_eq!(of_backoff.to_string(), expected);
}
