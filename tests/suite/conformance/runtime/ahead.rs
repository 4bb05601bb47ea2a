//! Jobs that a worker claims before it has a slot for them.

use std::time::Duration;

use pgqueuer::{Context, Job as _, PgQueuer, State, WorkerConfig, job};

use super::{super::runtime_cases, Journal, Running, worker};
use crate::support::eventually;

runtime_cases! {
    are_given_back_when_they_are_not_begun_in_time,
    are_given_back_at_no_attempt_when_the_worker_stops,
    are_not_claimed_while_jobs_take_long,
}

#[job]
async fn work(takes_long: bool, context: Context, journal: State<Journal>) {
    if takes_long {
        journal.note("slow");
        context.cancellation().cancelled().await;
    } else {
        journal.note(format!("attempt {}", context.attempt()));
    }
}

/// One job at a time, and in their order.
fn one_at_a_time() -> WorkerConfig {
    WorkerConfig {
        concurrency: 1,
        shutdown_grace: Duration::from_millis(10),
        ..WorkerConfig::default()
    }
}

async fn enqueue_quick(pgq: &PgQueuer, count: usize) {
    let quick = || Work { takes_long: false };
    let jobs = std::iter::repeat_with(quick).take(count);
    Work::enqueue_many(pgq, jobs).await.unwrap();
}

/// Starts a worker that is used to quick jobs and has just begun a slow one.
async fn start_and_block(pgq: &PgQueuer, journal: &Journal) -> Running {
    enqueue_quick(pgq, 2000).await;
    Work { takes_long: true }.enqueue(pgq).await.unwrap();
    enqueue_quick(pgq, 100).await;
    let worker = worker(pgq, journal).config(one_at_a_time());
    let running = Running::start(worker.register::<Work>());
    let lines = journal.wait_for(2001).await;
    assert_eq!(lines[2000], "slow");
    running
}

async fn running_jobs(pgq: &PgQueuer) -> u64 {
    pgq.count_jobs().await.unwrap().running
}

async fn are_given_back_when_they_are_not_begun_in_time(pgq: &PgQueuer) {
    let journal = Journal::default();
    let blocked = start_and_block(pgq, &journal).await;

    eventually("nothing but the slow job is held", async || {
        (running_jobs(pgq).await == 1).then_some(())
    })
    .await;

    let worker = worker(pgq, &journal).config(one_at_a_time());
    let other = Running::start(worker.register::<Work>());
    let lines = journal.wait_for(2101).await;
    assert!(lines[2001..].iter().all(|it| it == "attempt 1"));
    other.stop().await;
    blocked.stop().await;
}

async fn are_given_back_at_no_attempt_when_the_worker_stops(pgq: &PgQueuer) {
    let journal = Journal::default();
    let blocked = start_and_block(pgq, &journal).await;
    assert!(running_jobs(pgq).await > 1, "nothing was claimed ahead");

    blocked.stop().await;

    assert_eq!(running_jobs(pgq).await, 0);
    let worker = worker(pgq, &journal).config(one_at_a_time());
    let other = Running::start(worker.register::<Work>());
    let lines = journal.wait_for(2101).await;
    assert!(lines[2001..].iter().all(|it| it == "attempt 1"));
    other.stop().await;
}

async fn are_not_claimed_while_jobs_take_long(pgq: &PgQueuer) {
    let journal = Journal::default();
    for _ in 0..10 {
        Work { takes_long: true }.enqueue(pgq).await.unwrap();
    }

    let worker = worker(pgq, &journal).config(one_at_a_time());
    let running = Running::start(worker.register::<Work>());

    journal.wait_for(1).await;
    assert_eq!(running_jobs(pgq).await, 1);
    running.stop().await;
}
