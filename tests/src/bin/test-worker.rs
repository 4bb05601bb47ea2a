//! A worker that the tests start as a process of its own, to stop it and to kill it.
//!
//! Its handlers leave their traces in the table `public.ran`.

use std::{error::Error, fmt, time::Duration};

use pgqueuer::{BoxError, Typed, prelude::*};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

async fn leave_trace(pool: &PgPool, context: &Context, what: &str) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO public.ran (job, attempt, what) VALUES ($1, $2, $3)")
        .bind(context.job_id().as_i64())
        .bind(i32::from(context.attempt()))
        .bind(what)
        .execute(pool)
        .await?;
    Ok(())
}

/// Writes one row.
#[job]
async fn count_me(number: i64, pool: State<PgPool>, context: &Context) -> Result<(), sqlx::Error> {
    leave_trace(&pool, context, &number.to_string()).await
}

/// Takes its time, and says when it begins and when it has ended.
#[job]
async fn nap(milliseconds: u64, pool: State<PgPool>, context: &Context) -> Result<(), sqlx::Error> {
    leave_trace(&pool, context, "began").await?;
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    leave_trace(&pool, context, "ended").await
}

/// Waits until it is told that it is cancelled, says so, and comes to no good end.
#[job]
async fn wait_to_be_told(pool: State<PgPool>, context: &Context) -> Result<(), BoxError> {
    leave_trace(&pool, context, "began").await?;
    context.cancelled().await;
    leave_trace(&pool, context, "cancelled").await?;
    Err("cancelled".into())
}

/// Takes the process with it.
#[job(max_attempts = 2)]
async fn kill_the_worker(pool: State<PgPool>, context: &Context) -> Result<(), sqlx::Error> {
    leave_trace(&pool, context, "began").await?;
    std::process::abort();
}

/// Panics each time.
#[job(max_attempts = 3, backoff = "10ms")]
async fn panic_each_time(message: String) {
    panic!("{message}");
}

/// Adds up.
#[job]
async fn sum(a: i64, b: i64) -> Result<i64, String> {
    a.checked_add(b).ok_or_else(|| "too large".to_owned())
}

/// As it is to arrive in the process that waits.
#[derive(Debug, Serialize, Deserialize)]
struct Declined {
    code: u16,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined with {}", self.code)
    }
}

impl Error for Declined {}

/// Comes to no good end, in the way that it is told.
#[job(max_attempts = 1, timeout = "50ms")]
async fn come_to_no_good(how: String) -> Result<u8, Typed<Declined>> {
    match how.as_str() {
        "error" => Err(Declined { code: 51 })?,
        "panic" => panic!("oh no"),
        _ => std::future::pending().await,
    }
}

#[tokio::main]
async fn main() -> pgqueuer::Result<()> {
    let lease = Duration::from_secs(3);
    pgqueuer_cli::App::new()
        .configure(move |worker| worker.lease(lease))
        .run()
        .await
}
