//! The application's pool is small, or used up.

use std::time::Duration;

use pgqueuer::{Job as _, PgQueuer, State, Tx, job};
use sqlx::PgPool;

use super::stage::{Running, Runs, Stage, TakeTurns, small_pool, until};

/// Holds a connection of the pool for a while.
#[job]
async fn hold(number: i64, pool: State<PgPool>, runs: State<Runs>) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    runs.note(number);
    let sleep = sqlx::query("SELECT pg_sleep(0.02)");
    sleep.execute(&mut *connection).await?;
    Ok(())
}

/// Writes in its own transaction.
#[job]
async fn write(number: i64, mut tx: Tx, runs: State<Runs>) -> sqlx::Result<()> {
    runs.note(number);
    let insert = sqlx::query("INSERT INTO public.written VALUES ($1)");
    insert.bind(number).execute(&mut *tx).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough_for_handlers_that_hold_it_and_take_tx() {
    let stage = Stage::set().await;
    stage
        .execute("CREATE TABLE public.written (n bigint)")
        .await;
    let pool = small_pool(stage.options(), 1);
    let pgq = PgQueuer::new(pool.clone());
    let worker = stage.worker_on(&pgq).state(pool.clone());
    let worker = worker.register::<Hold>().register::<Write>().build();
    let holds = (0..20).map(|number| Hold { number });
    let writes = (20..60).map(|number| Write { number });
    Hold::enqueue_many(&stage.pool, holds).await.unwrap();
    Write::enqueue_many(&stage.pool, writes).await.unwrap();
    let worker = Running::start(worker.unwrap());

    let left = "SELECT count(*) FROM pgqueuer.jobs";
    until("no job is left", async || stage.number(left).await == 0).await;

    assert_eq!(stage.runs.len(), 60);
    assert_eq!(stage.runs.repeated(), []);
    let written = "SELECT count(DISTINCT n) FROM public.written";
    assert_eq!(stage.number(written).await, 40);
    assert_eq!(worker.stop().await.completed, 60);
}

/// Somebody holds the whole pool for good. Only who needs it waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_used_up_holds_up_nobody_else() {
    let mut stage = Stage::set().await;
    stage
        .execute("CREATE TABLE public.written (n bigint)")
        .await;
    let pool = small_pool(stage.options(), 1);
    let pgq = PgQueuer::new(pool.clone());
    let worker = stage.worker_on(&pgq).register::<Write>();
    let worker = worker.lease(Duration::from_secs(3));
    let worker = Running::start(worker.build().unwrap());
    // It has started: `verify` uses the pool.
    stage.is_idle_and_well().await;
    let held = pool.acquire().await.unwrap();
    let id = Write { number: 1000 }.enqueue(&stage.pool).await.unwrap();
    let claimed = "SELECT count(*) FROM pgqueuer.jobs WHERE claimed_by IS NOT NULL";
    until("it is claimed", async || stage.number(claimed).await == 1).await;

    let before = stage.runs.len();
    let numbers = (1..200).map(|number| TakeTurns { number });
    TakeTurns::enqueue_many(&stage.pool, numbers).await.unwrap();
    stage.begun(before + 199).await;
    // Longer than the lease, which is renewed all the same.
    tokio::time::sleep(Duration::from_secs(4)).await;
    drop(held);

    let left = "SELECT count(*) FROM pgqueuer.jobs";
    until("no job is left", async || stage.number(left).await == 0).await;
    let job = stage.pgq.get_job(id).await.unwrap().unwrap();
    assert_eq!((job.attempt, job.failures.len()), (1, 0));
    assert_eq!(stage.runs.repeated(), []);
    assert_eq!(worker.stop().await.lost, 0);
}
