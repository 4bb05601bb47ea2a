//! The jobs, and the worker that runs them.

use std::{env, time::Duration};

use pgqueuer::{BoxError, prelude::*};
use sqlx::PgPool;

use pgqueuer_tests::program::end_with_parent;

use crate::Result;

/// Where each job notes down its slot.
pub(crate) const TABLE: &str = "
    CREATE TABLE slots (
        job_id   bigint PRIMARY KEY,
        schedule text NOT NULL,
        slot     timestamptz NOT NULL,
        previous timestamptz
    )";

/// Of a schedule that was made at run time.
#[job]
pub(crate) async fn note(
    millis: u64,
    pool: State<PgPool>,
    tick: Tick,
    context: &Context,
) -> Result<(), BoxError> {
    write(&pool, &tick, context).await?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(())
}

/// Of the code.
#[schedule("* * * * * *", missed = "all up to 1000")]
pub(crate) async fn in_the_code(
    pool: State<PgPool>,
    tick: Tick,
    context: &Context,
) -> Result<(), BoxError> {
    write(&pool, &tick, context).await
}

/// Once, whatever is run twice.
async fn write(pool: &PgPool, tick: &Tick, context: &Context) -> Result<(), BoxError> {
    sqlx::query("INSERT INTO slots VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(context.job_id().as_i64())
        .bind(tick.schedule.as_deref())
        .bind(tick.slot)
        .bind(tick.previous)
        .execute(pool)
        .await?;
    Ok(())
}

/// One worker, until it is told to stop.
pub(crate) async fn work() -> Result {
    end_with_parent();
    let url = env::var("DATABASE_URL")?;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4);
    pgqueuer_cli::App::new()
        .state(pool.connect_lazy(&url)?)
        .configure(|worker| worker.lease(Duration::from_secs(3)))
        .run()
        .await?;
    Ok(())
}
