//! The jobs, and the worker that runs them.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use pgqueuer::{BoxError, prelude::*};

use pgqueuer_tests::program::end_with_parent;

use crate::{Result, log::Log};

/// Two at a time, and 50 ms long.
#[job(concurrency = 2, queue = "pace")]
pub(crate) async fn paced(log: State<Log>, context: &Context) -> Result<(), BoxError> {
    run(&log, context, "", Duration::from_millis(50)).await
}

/// Three at a time.
#[job(concurrency = 3, queue = "concurrency")]
pub(crate) async fn narrow(log: State<Log>, context: &Context) -> Result<(), BoxError> {
    run(&log, context, "", Duration::from_millis(2)).await
}

/// Three of each at a time.
#[job(concurrency(limit = 3, by = key), queue = "keys")]
pub(crate) async fn keyed(key: i64, log: State<Log>, context: &Context) -> Result<(), BoxError> {
    run(&log, context, &key.to_string(), Duration::from_millis(20)).await
}

/// 200 a second.
#[job(rate = "200/s", queue = "rate")]
pub(crate) async fn rated(log: State<Log>, context: &Context) -> Result<(), BoxError> {
    run(&log, context, "", Duration::ZERO).await
}

/// How many of `Free` this process has run.
pub(crate) static RUN: AtomicUsize = AtomicUsize::new(0);

/// No limits.
#[job(queue = "free")]
pub(crate) async fn free() {
    RUN.fetch_add(1, Relaxed);
}

/// Ten at a time.
#[job(concurrency = 10, queue = "cost")]
pub(crate) async fn limited(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Nothing, two of each customer at a time.
#[job(concurrency(limit = 2, by = customer), queue = "customers")]
pub(crate) async fn of_customer(customer: i64, sent: i64, log: State<Log>) -> Result<(), BoxError> {
    log.write("waited", &customer.to_string(), sent)?;
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(())
}

async fn run(log: &Log, context: &Context, key: &str, how_long: Duration) -> Result<(), BoxError> {
    let job = context.job_id().as_i64();
    log.write("began", key, job)?;
    if !how_long.is_zero() {
        tokio::time::sleep(how_long).await;
    }
    log.write("ended", key, job)?;
    Ok(())
}

/// One worker, until it is told to stop.
pub(crate) async fn work() -> Result {
    let path = env::var("LIMITS_LOG")?;
    end_with_parent();
    pgqueuer_cli::App::new()
        .state(Log::open(path.as_ref())?)
        .configure(|worker| worker.lease(Duration::from_secs(3)))
        .run()
        .await?;
    Ok(())
}
