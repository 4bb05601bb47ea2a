//! Handlers that take a `Tx`: what they write and the end of their job are one.

use std::time::Duration;

use pgqueuer::{
    BoxError, Context, ErrorKind, Job, JobId, PgQueuer, Report, Retry, Snooze, State, Tx,
    WorkerConfig, job,
    store::{JobRecord, JobState},
};
use sqlx::{Executor as _, PgPool, Row as _, postgres::PgPoolOptions};

use super::super::postgres_only;
use crate::backend::Database;

postgres_only! {
    in_own_database:
    commit_with_their_job,
    commit_what_they_enqueue,
    are_rolled_back_when_the_handler_fails,
    are_rolled_back_when_the_handler_panics,
    are_rolled_back_when_the_handler_snoozes,
    are_rolled_back_when_the_handler_takes_too_long,
    are_rolled_back_when_others_have_the_job,
    fail_the_attempt_when_they_cannot_commit,
    fail_the_attempt_when_they_are_kept,
    leave_the_connection_to_the_next,
    cost_no_attempt_when_they_cannot_begin,
    keep_no_record_if_none_is_asked_for,
    are_refused_in_memory,
}

/// Writes a line, and says how it went on.
async fn write(tx: &mut Tx, line: &str) -> sqlx::Result<()> {
    // Nothing stays prepared behind a pooler.
    let insert = sqlx::query("INSERT INTO public.lines VALUES ($1)").persistent(false);
    insert.bind(line).execute(&mut **tx).await?;
    Ok(())
}

async fn lines(database: &Database) -> Vec<String> {
    let lines = sqlx::query("SELECT line FROM public.lines ORDER BY line");
    lines
        .try_map(|row: sqlx::postgres::PgRow| row.try_get(0))
        .fetch_all(database.pool())
        .await
        .unwrap()
}

/// Runs one job once; what is known of it then, and the report.
async fn run<J: Job>(database: &Database, job: J) -> (JobRecord, Report) {
    let table =
        "CREATE TABLE IF NOT EXISTS public.lines (line text UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    database.pool().execute(table).await.unwrap();
    let id = job.enqueue(&database.pgq).await.unwrap().id();
    let worker = database.pgq.worker().only_registered().register::<J>();
    let config = WorkerConfig {
        lease: Duration::from_secs(3),
        ..WorkerConfig::default()
    };
    let report = worker
        .config(config)
        .build()
        .unwrap()
        .drain()
        .await
        .unwrap();
    (database.pgq.get_job(id).await.unwrap().unwrap(), report)
}

fn message(record: &JobRecord) -> &str {
    &record.failures.last().expect("it has failed").message
}

#[job]
async fn pay(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "paid").await
}

async fn commit_with_their_job(database: &Database) {
    let (record, report) = run(database, Pay {}).await;

    assert_eq!(record.state, JobState::Completed);
    assert!(record.finished_at >= record.claimed_at);
    assert_eq!(report.completed, 1);
    assert_eq!(lines(database).await, ["paid"]);
    let minutes = database.pgq.list_minutes(Duration::from_secs(60)).await;
    assert_eq!(minutes.unwrap()[0].tally.completed, 1);
}

#[job]
async fn follow(n: i64) {
    let _ = n;
}

#[job]
async fn lead(mut tx: Tx) -> pgqueuer::Result<()> {
    Follow { n: 1 }.enqueue(&mut *tx).await?;
    Ok(())
}

async fn commit_what_they_enqueue(database: &Database) {
    run(database, Lead {}).await;

    assert_eq!(database.pgq.count_jobs().await.unwrap().available, 1);
}

#[job]
async fn fail(mut tx: Tx) -> Result<(), BoxError> {
    write(&mut tx, "failed").await?;
    Err(Retry::after(Duration::from_secs(60)).because("on second thoughts"))?
}

async fn are_rolled_back_when_the_handler_fails(database: &Database) {
    let (record, report) = run(database, Fail {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(message(&record), "on second thoughts: retry in 60s");
    assert_eq!((report.completed, report.retried), (0, 1));
    assert!(lines(database).await.is_empty());
}

#[job]
async fn panic(mut tx: Tx) {
    write(&mut tx, "panicked").await.unwrap();
    panic!("half-way");
}

async fn are_rolled_back_when_the_handler_panics(database: &Database) {
    let (record, _) = run(database, Panic {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert!(lines(database).await.is_empty());
}

#[job]
async fn put_off(mut tx: Tx) -> Result<(), BoxError> {
    write(&mut tx, "snoozed").await?;
    Err(Snooze::after(Duration::from_secs(60)))?
}

async fn are_rolled_back_when_the_handler_snoozes(database: &Database) {
    let (record, report) = run(database, PutOff {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert_eq!(report.snoozed, 1);
    assert!(lines(database).await.is_empty());
}

#[job(timeout = "200ms")]
async fn dawdle(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "dawdled").await?;
    tx.execute("SELECT pg_sleep(2)").await?;
    Ok(())
}

async fn are_rolled_back_when_the_handler_takes_too_long(database: &Database) {
    let (record, _) = run(database, Dawdle {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert!(message(&record).contains("timeout"), "{record:?}");
    assert!(lines(database).await.is_empty());
}

/// Its first lease runs out while it works, and others rescue its job.
#[job]
async fn stall(
    mut tx: Tx,
    context: Context,
    queue: State<PgQueuer>,
    pool: State<PgPool>,
) -> Result<(), BoxError> {
    write(&mut tx, &format!("attempt {}", context.attempt())).await?;
    if context.attempt() == 1 {
        pool.execute("UPDATE pgqueuer.sessions SET expires_at = now() - interval '1 s'")
            .await?;
        queue.store().rescue().await?;
    }
    Ok(())
}

async fn are_rolled_back_when_others_have_the_job(database: &Database) {
    let (record, report) = run(database, Stall {}).await;

    assert_eq!(
        (report.completed, report.lost),
        (1, 1),
        "{report:?} {record:?}"
    );
    assert_eq!((record.state, record.attempt), (JobState::Completed, 2));
    assert_eq!(lines(database).await, ["attempt 2"]);
}

/// What is wrong with it shows at the commit.
#[job]
async fn repeat(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "twice").await?;
    write(&mut tx, "twice").await
}

async fn fail_the_attempt_when_they_cannot_commit(database: &Database) {
    let (record, report) = run(database, Repeat {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert!(message(&record).contains("was not committed"), "{record:?}");
    assert!(message(&record).contains("lines_line_key"), "{record:?}");
    assert_eq!((report.completed, report.retried), (0, 1));
    assert!(lines(database).await.is_empty());
}

#[job]
async fn keep(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "kept").await?;
    tokio::spawn(async move {
        let _tx = tx;
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    Ok(())
}

async fn fail_the_attempt_when_they_are_kept(database: &Database) {
    let (record, _) = run(database, Keep {}).await;

    assert_eq!(record.state, JobState::Scheduled);
    assert!(message(&record).contains("somewhere else"), "{record:?}");
    assert!(lines(database).await.is_empty());
}

#[job]
async fn work(n: i32, mut tx: Tx, context: Context) -> Result<(), BoxError> {
    if context.attempt() == 1 && n % 2 == 0 {
        tx.execute("SELECT 1 / 0").await?;
    }
    write(&mut tx, &format!("{n:02}")).await?;
    Ok(())
}

async fn leave_the_connection_to_the_next(database: &Database) {
    run(database, Work { n: 0 }).await;
    let jobs = (1..20).map(|n| Work { n });
    Work::enqueue_many(&database.pgq, jobs).await.unwrap();
    let (_, report) = run(database, Work { n: 21 }).await;

    assert_eq!((report.completed, report.retried), (11, 9));
    assert_eq!(lines(database).await.len(), 11);
}

/// Takes the only connection of the pool.
#[job]
async fn hog(pool: State<PgPool>) -> Result<(), BoxError> {
    let mut connection = pool.acquire().await?;
    Pay {}.enqueue(&mut *connection).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

async fn cost_no_attempt_when_they_cannot_begin(database: &Database) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(100))
        .connect_with(database.options.clone());
    let pgq = PgQueuer::new(pool.await.unwrap());
    Hog {}.enqueue(&pgq).await.unwrap();

    let worker = pgq.worker().only_registered();
    let worker = worker.register::<Hog>().register::<Pay>();
    // In time, also where no bell rings.
    let often = Duration::from_millis(50);
    let worker = worker
        .configure(|it| it.poll_interval = often)
        .build()
        .unwrap();
    let report = worker.drain().await.unwrap();

    assert!(report.given_back >= 1, "{report:?}");
    assert_eq!(report.retried, 0);
    pgq.close().await;
}

#[job(retain = "0s")]
async fn forget(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "forgotten").await
}

async fn keep_no_record_if_none_is_asked_for(database: &Database) {
    run(database, Pay {}).await;
    let id: JobId = Forget {}.enqueue(&database.pgq).await.unwrap().id();
    let worker = database.pgq.worker().only_registered();
    let worker = worker.register::<Forget>().build().unwrap();
    worker.drain().await.unwrap();

    assert!(database.pgq.get_job(id).await.unwrap().is_none());
    assert_eq!(lines(database).await, ["forgotten", "paid"]);
}

async fn are_refused_in_memory(_: &Database) {
    let pgq = PgQueuer::in_memory();
    let worker = pgq.worker().only_registered().register::<Pay>().build();

    let error = worker.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let message = error.to_string();
    assert!(message.contains("`pay` takes a `Tx`"), "{message}");
}
