//! Handlers that take a `Tx`, and have executors around them.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use pgqueuer::{
    Call, Job, Outcome, PgQueuer, Report, State, Tx, job,
    store::{JobRecord, JobState},
};
use sqlx::{Executor as _, PgPool, Row as _, postgres::PgPoolOptions};

use super::super::postgres_only;
use crate::backend::Database;

postgres_only! {
    in_own_database:
    commit_what_the_last_call_wrote,
    commit_nothing_if_the_last_call_failed,
    commit_nothing_if_the_executor_refuses,
    complete_without_a_call,
    complete_when_a_call_is_dropped,
    commit_nothing_of_an_earlier_call_that_was_kept,
    need_no_connection_before_the_call,
    cost_no_attempt_when_they_cannot_begin,
}

/// Runs one job once; what is known of it then, the report, and the lines that were committed.
async fn run<J: Job>(database: &Database, job: J) -> (JobRecord, Report, Vec<String>) {
    let table = "CREATE TABLE public.lines (line text UNIQUE)";
    database.pool().execute(table).await.unwrap();
    let id = job.enqueue(&database.pgq).await.unwrap();
    let worker = database.pgq.worker().only_registered().register::<J>();
    let worker = worker.state(Kept::default()).build().unwrap();
    let report = worker.drain().await.unwrap();
    let record = database.pgq.get_job(id).await.unwrap().unwrap();
    let lines = sqlx::query("SELECT line FROM public.lines ORDER BY line");
    let lines = lines.try_map(|row: sqlx::postgres::PgRow| row.try_get(0));
    (
        record,
        report,
        lines.fetch_all(database.pool()).await.unwrap(),
    )
}

#[derive(Default)]
struct Kept(Mutex<Vec<Tx>>);

async fn write(tx: &mut Tx, line: &str) -> sqlx::Result<()> {
    // Nothing stays prepared behind a pooler.
    let insert = sqlx::query("INSERT INTO public.lines VALUES ($1)").persistent(false);
    insert.bind(line).execute(&mut **tx).await?;
    Ok(())
}

async fn call_twice(mut call: Call) -> Outcome {
    call.run().await;
    call.run().await
}

/// The line is unique, so the first call must have been rolled back when the second one writes.
#[job(executor = call_twice)]
async fn twice(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "written").await
}

async fn commit_what_the_last_call_wrote(database: &Database) {
    let (record, report, lines) = run(database, Twice {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Completed, 1));
    assert_eq!((report.completed, lines), (1, vec!["written".to_owned()]));
}

async fn call_until_it_fails(mut call: Call) -> Outcome {
    while call.run().await.is_completed() {}
    Outcome::done()
}

#[job(executor = call_until_it_fails)]
async fn fails_later(mut tx: Tx) -> sqlx::Result<()> {
    static WAS_CALLED: AtomicBool = AtomicBool::new(false);
    write(&mut tx, "written").await?;
    match WAS_CALLED.swap(true, SeqCst) {
        false => Ok(()),
        true => Err(sqlx::Error::RowNotFound),
    }
}

async fn commit_nothing_if_the_last_call_failed(database: &Database) {
    let (record, _, lines) = run(database, FailsLater {}).await;

    assert_eq!((record.state, lines), (JobState::Completed, Vec::new()));
}

async fn refuse_after(mut call: Call) -> Outcome {
    call.run().await;
    Outcome::Failed("no".into())
}

#[job(executor = refuse_after)]
async fn refused_after(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "written").await
}

async fn commit_nothing_if_the_executor_refuses(database: &Database) {
    let (record, _, lines) = run(database, RefusedAfter {}).await;

    assert_eq!((record.state, lines), (JobState::Scheduled, Vec::new()));
}

#[job(executor = |_: Call| async { Outcome::done() })]
async fn uncalled(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "written").await
}

async fn complete_without_a_call(database: &Database) {
    let (record, report, lines) = run(database, Uncalled {}).await;

    assert_eq!((record.state, report.completed), (JobState::Completed, 1));
    assert_eq!(lines, Vec::<String>::new());
}

async fn give_up_soon(mut call: Call) -> Outcome {
    let called = tokio::time::timeout(Duration::from_millis(200), call.run());
    assert!(called.await.is_err());
    Outcome::done()
}

#[job(executor = give_up_soon)]
async fn too_slow(mut tx: Tx) -> sqlx::Result<()> {
    write(&mut tx, "written").await?;
    std::future::pending().await
}

async fn complete_when_a_call_is_dropped(database: &Database) {
    let (record, _, lines) = run(database, TooSlow {}).await;

    assert_eq!((record.state, lines), (JobState::Completed, Vec::new()));
}

async fn call_twice_and_let_go(mut call: Call) -> Outcome {
    call.run().await;
    let outcome = call.run().await;
    call.state::<Kept>().unwrap().0.lock().unwrap().clear();
    outcome
}

/// The first call leaves its transaction where the executor finds it.
#[job(executor = call_twice_and_let_go)]
async fn keeps(mut tx: Tx, kept: State<Kept>) -> sqlx::Result<()> {
    let is_first = kept.0.lock().unwrap().is_empty();
    if is_first {
        write(&mut tx, "kept").await?;
        kept.0.lock().unwrap().push(tx);
        return Ok(());
    }
    write(&mut tx, "written").await
}

async fn commit_nothing_of_an_earlier_call_that_was_kept(database: &Database) {
    let (record, _, lines) = run(database, Keeps {}).await;

    assert_eq!(record.state, JobState::Completed);
    assert_eq!(lines, ["written"]);
}

/// Runs one job once, with a pool of one connection; what is known of it then, and the report.
async fn run_on_one_connection<J: Job>(database: &Database, job: J) -> (JobRecord, Report) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_millis(200))
        .connect_with(database.options.clone());
    let pgq = PgQueuer::new(pool.await.unwrap());
    let id = job.enqueue(&database.pgq).await.unwrap();
    let worker = pgq.worker().only_registered().register::<J>();
    let report = worker.build().unwrap().drain().await.unwrap();
    pgq.close().await;
    let record = database.pgq.get_job(id).await.unwrap();
    (record.unwrap(), report)
}

async fn take_the_connection(call: Call) -> Outcome {
    match call.state::<PgPool>().unwrap().acquire().await {
        Ok(_) => Outcome::done(),
        Err(error) => Outcome::Held(error.to_string().into()),
    }
}

#[job(executor = take_the_connection)]
async fn not_called(tx: Tx) {
    drop(tx);
}

async fn need_no_connection_before_the_call(database: &Database) {
    let (record, _) = run_on_one_connection(database, NotCalled {}).await;

    assert_eq!(
        (record.state, record.failures),
        (JobState::Completed, vec![])
    );
}

async fn call_without_a_connection(mut call: Call) -> Outcome {
    let pool = call.state::<PgPool>().unwrap();
    let _taken = pool.acquire().await.unwrap();
    call.run().await
}

#[job(executor = call_without_a_connection)]
async fn called_in_vain(tx: Tx) {
    drop(tx);
}

async fn cost_no_attempt_when_they_cannot_begin(database: &Database) {
    let (record, report) = run_on_one_connection(database, CalledInVain {}).await;

    assert_eq!((record.state, record.attempt), (JobState::Scheduled, 0));
    assert_eq!((report.snoozed, record.failures), (1, vec![]));
}
