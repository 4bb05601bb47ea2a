//! `pgqueuer.schedule(…)` and its like: for triggers, psql and other languages.

use std::sync::{Arc, Mutex};

use pgqueuer::{
    Missed, Overlap, Schedule, ScheduleChange, State, Tick, job, schedule, store::ScheduleRecord,
};
use sqlx::{AssertSqlSafe, Connection as _};

use super::super::postgres_only;
use crate::{
    backend::Database,
    support::{eventually, in_time, wait_for_a_lock},
};

postgres_only! {
    on_postgres:
    makes_a_schedule_that_a_worker_ticks,
    changes_the_one_of_its_name,
    makes_none_if_the_transaction_is_rolled_back,
    takes_all_that_there_is_to_say,
    leaves_one_in_the_code_alone,
    gives_its_jobs_the_keys_of_their_kind,
    shows_the_fault_of_a_rule,
    runs_once_if_it_has_to_wait,
    keeps_both_of_two_changes_at_once,
    pauses_runs_and_deletes,
    refuses_what_cannot_be,
}

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

#[job(concurrency(limit = 1, by = customer))]
async fn bill(customer: i64, seen: State<Seen>, tick: Tick) {
    let line = format!("{customer} {:?}", tick.schedule);
    seen.0.lock().unwrap().push(line);
}

#[schedule("0 0 1 1 *")]
async fn in_the_code() {}

async fn call(database: &Database, call: &str) -> sqlx::Result<()> {
    let sql: AssertSqlSafe<String> = database.sql(&format!("SELECT pgqueuer.{call}"));
    sqlx::query(sql).execute(database.pool()).await.map(drop)
}

async fn listed(database: &Database) -> Vec<ScheduleRecord> {
    database.pgq.list_schedules().await.unwrap()
}

/// Runs a worker until that is so.
async fn work_until(database: &Database, seen: &Seen, mut holds: impl AsyncFnMut() -> bool) {
    let worker = database.pgq.worker().only_registered();
    let worker = worker.register::<Bill>().register::<InTheCode>();
    let worker = worker.state(seen.clone()).build().unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let running = worker.run_until(stop.clone().cancelled_owned());
    let watching = async {
        eventually("it is so", async || holds().await.then_some(())).await;
        stop.cancel();
    };
    let (report, ()) = in_time("the worker", async { tokio::join!(running, watching) }).await;
    report.unwrap();
}

async fn makes_a_schedule_that_a_worker_ticks(database: &Database) {
    call(
        database,
        "schedule('bill-7', 'bill', 'every 1s', '{\"customer\": 7}')",
    )
    .await
    .unwrap();

    let seen = Seen::default();
    work_until(database, &seen, async || seen.0.lock().unwrap().len() >= 2).await;

    assert_eq!(seen.0.lock().unwrap()[0], "7 Some(\"bill-7\")");
}

async fn changes_the_one_of_its_name(database: &Database) {
    call(
        database,
        "schedule('x', 'bill', '0 9 * * *', '{\"customer\": 7}')",
    )
    .await
    .unwrap();

    call(
        database,
        "schedule('x', 'bill', 'every 5m', '{\"customer\": 8}')",
    )
    .await
    .unwrap();

    let listed = listed(database).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].schedule, Schedule::new("every 5m"));
    assert_eq!(listed[0].payload.bytes, b"{\"customer\": 8}");
}

async fn makes_none_if_the_transaction_is_rolled_back(database: &Database) {
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let sql = database.sql("SELECT pgqueuer.schedule('x', 'bill', '0 9 * * *')");
    sqlx::query(sql).execute(&mut *transaction).await.unwrap();

    transaction.rollback().await.unwrap();

    assert!(listed(database).await.is_empty());
}

async fn takes_all_that_there_is_to_say(database: &Database) {
    let all = "schedule('x', 'bill', '0 9 * * MON', '{}', zone => 'Europe/Oslo', missed => 'all up to 24', \
               overlap => 'allow', priority => -3, headers => '{\"tenant\": \"acme\"}')";

    call(database, all).await.unwrap();

    let listed = listed(database).await.remove(0);
    let expected = Schedule::new("0 9 * * MON").zone("Europe/Oslo");
    assert_eq!(listed.schedule, expected.missed(Missed::All { up_to: 24 }));
    assert_eq!((listed.priority, listed.of_code), (Some(-3), None));
    assert_eq!(listed.headers["tenant"], "acme");
}

async fn leaves_one_in_the_code_alone(database: &Database) {
    let seen = Seen::default();
    work_until(database, &seen, async || !listed(database).await.is_empty()).await;

    let error = call(database, "schedule('in_the_code', 'bill', 'every 1s')")
        .await
        .unwrap_err();

    let message = error.as_database_error().unwrap().message().to_owned();
    assert_eq!(message, "pgqueuer: schedule \"in_the_code\" is in the code");
    assert_eq!(listed(database).await[0].schedule.rule, "0 0 1 1 *");
}

async fn gives_its_jobs_the_keys_of_their_kind(database: &Database) {
    let seen = Seen::default();
    work_until(database, &seen, async || !listed(database).await.is_empty()).await;
    call(
        database,
        "schedule('x', 'bill', '0 0 1 1 *', '{\"customer\": 7}')",
    )
    .await
    .unwrap();

    let id = database.pgq.run_schedule("x").await.unwrap();

    let of_customer = pgqueuer::JobFilter::all().limit_key("7");
    let found = database
        .pgq
        .list_jobs(&of_customer, None, 10)
        .await
        .unwrap();
    assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), [id]);
}

async fn shows_the_fault_of_a_rule(database: &Database) {
    call(database, "schedule('x', 'bill', '0 25 * * *')")
        .await
        .unwrap();
    call(
        database,
        "schedule('y', 'bill', '0 9 * * *', missed => 'all up to 0')",
    )
    .await
    .unwrap();

    let seen = Seen::default();
    work_until(database, &seen, async || {
        let all = listed(database).await;
        all.len() == 3 && all.iter().filter(|it| it.fault.is_some()).count() == 2
    })
    .await;

    let fault = listed(database).await[1].fault.clone().unwrap();
    assert!(fault.contains("has the hour `25`"), "{fault}");
}

/// The row is changed by another transaction meanwhile, as by a tick.
async fn runs_once_if_it_has_to_wait(database: &Database) {
    call(
        database,
        "schedule('x', 'bill', '0 9 * * *', '{\"customer\": 7}')",
    )
    .await
    .unwrap();
    let mut other = database.pool().begin().await.unwrap();
    let update = database.sql("UPDATE pgqueuer.schedules SET revision = revision + 1");
    sqlx::query(update).execute(&mut *other).await.unwrap();

    let running = call(database, "run_schedule('x')");
    let committing = async {
        wait_for_a_lock(database).await;
        other.commit().await.unwrap();
    };
    let (ran, ()) = in_time("the run", async { tokio::join!(running, committing) }).await;

    ran.unwrap();
    assert_eq!(database.pgq.count_jobs().await.unwrap().available, 1);
    assert_eq!(listed(database).await[0].last_slot, None);
}

/// Both are there in the end.
async fn keeps_both_of_two_changes_at_once(database: &Database) {
    call(database, "schedule('x', 'bill', '0 9 * * *')")
        .await
        .unwrap();
    let mut other = database.pool().begin().await.unwrap();
    let update = database.sql(
        "UPDATE pgqueuer.schedules SET of_hand = of_hand || '{\"overlap\": \"skip\"}', revision = revision + 1",
    );
    sqlx::query(update).execute(&mut *other).await.unwrap();

    let change = ScheduleChange::new().rule("0 10 * * *");
    let changing = database.pgq.change_schedule("x", change);
    let committing = async {
        wait_for_a_lock(database).await;
        other.commit().await.unwrap();
    };
    let (changed, ()) = in_time("the change", async { tokio::join!(changing, committing) }).await;

    changed.unwrap();
    let expected = Schedule::new("0 10 * * *").overlap(Overlap::Skip);
    assert_eq!(listed(database).await[0].schedule, expected);
}

async fn pauses_runs_and_deletes(database: &Database) {
    call(
        database,
        "schedule('x', 'bill', '0 9 * * *', '{\"customer\": 7}')",
    )
    .await
    .unwrap();

    call(database, "pause_schedule('x')").await.unwrap();
    assert!(listed(database).await[0].paused_at.is_some());
    call(database, "pause_schedule('x', false)").await.unwrap();
    assert!(listed(database).await[0].paused_at.is_none());
    call(database, "run_schedule('x')").await.unwrap();
    assert_eq!(database.pgq.count_jobs().await.unwrap().available, 1);
    call(database, "delete_schedule('x')").await.unwrap();
    assert!(listed(database).await.is_empty());
    // There is none any more: that is no error, and no job.
    for unknown in [
        "pause_schedule('x')",
        "run_schedule('x')",
        "delete_schedule('x')",
    ] {
        call(database, unknown).await.unwrap();
    }
    assert_eq!(database.pgq.count_jobs().await.unwrap().available, 1);
}

async fn refuses_what_cannot_be(database: &Database) {
    for (arguments, reason) in [
        ("NULL, 'bill', '0 9 * * *'", "is no name"),
        ("'', 'bill', '0 9 * * *'", "is no name"),
        ("'a b', 'bill', '0 9 * * *'", "is no name"),
        ("E'a\\u2003b', 'bill', '0 9 * * *'", "is no name"),
        ("repeat('x', 129), 'bill', '0 9 * * *'", "is no name"),
        ("'x', NULL, '0 9 * * *'", "the kind is 0 characters long"),
        ("'x', 'a b', '0 9 * * *'", "white space"),
        ("'x', 'bill', NULL", "has rule NULL"),
        ("'x', 'bill', '0 9 * * *', '[]'", "not an object"),
        ("'x', 'bill', '0 9 * * *', NULL", "not an object"),
        (
            "'x', 'bill', '0 9 * * *', missed => 'never'",
            "missed 'never'",
        ),
        (
            "'x', 'bill', '0 9 * * *', overlap => 'wait'",
            "overlap 'wait'",
        ),
        ("'x', 'bill', '0 9 * * *', zone => NULL", "zone NULL"),
        (
            "'x', 'bill', '0 9 * * *', priority => 40000",
            "out of range",
        ),
        (
            "'x', 'bill', '0 9 * * *', headers => '{\"a\": 1}'",
            "not an object of texts",
        ),
        (
            "'x', 'bill', '0 9 * * *', headers => jsonb_build_object('a', repeat('x', 70000))",
            "over 65536 bytes",
        ),
    ] {
        let error = call(database, &format!("schedule({arguments})"))
            .await
            .unwrap_err();
        let message = error.as_database_error().unwrap().message().to_owned();
        assert!(message.contains(reason), "{arguments}: {message}");
    }
    assert!(listed(database).await.is_empty());
}
