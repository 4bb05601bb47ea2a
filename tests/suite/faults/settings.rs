//! What a database has for a default: read-only, limits of time, other isolation. And errors that
//! come now and then, and are to be tried again.

use std::time::Duration;

use super::stage::{Running, Stage, until};

/// So is a primary that was made a standby. A connection that was made meanwhile stays read-only
/// when the database no longer is.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_when_the_database_was_read_only() {
    let mut stage = Stage::set().await;
    let worker = stage.worker_on(&stage.pgq).lease(Duration::from_secs(3));
    let worker = Running::start(worker.build().unwrap());
    stage.is_idle_and_well().await;

    stage
        .set_default("default_transaction_read_only = on")
        .await;
    stage.terminate_all().await;
    stage.enqueue(100).await;
    stage.enqueue_scheduled(10).await;
    // Until every loop has tried, also the one that renews the lease.
    let expired = "SELECT count(*) FROM pgqueuer.sessions WHERE expires_at < now()";
    until("it has expired", async || stage.number(expired).await == 1).await;
    assert_eq!(stage.runs.len(), 1);
    stage
        .set_default("default_transaction_read_only = off")
        .await;

    stage.all_done_once().await;
    until("it is renewed", async || stage.number(expired).await == 0).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn short_limits_of_time_do_not_hold_for_a_worker() {
    let mut stage = Stage::set().await;
    for setting in [
        "statement_timeout = '50ms'",
        "lock_timeout = '50ms'",
        "idle_in_transaction_session_timeout = '50ms'",
        "idle_session_timeout = '500ms'",
    ] {
        stage.set_default(setting).await;
    }
    stage.terminate_all().await;
    let worker = stage.worker_on(&stage.pgq).lease(Duration::from_secs(3));
    let worker = Running::start(worker.build().unwrap());
    stage.is_idle_and_well().await;
    let ended = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let before = stage.number(ended).await;

    let mut jobs = stage.pool.begin().await.unwrap();
    let lock = "LOCK TABLE pgqueuer.jobs IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *jobs).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    jobs.rollback().await.unwrap();

    stage.enqueue(100).await;
    stage.all_done_once().await;
    worker.stop().await;
    // Statistics are late by a second. Our own rollback, and hardly any other.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let ended = stage.number(ended).await - before;
    assert!(ended < 5, "{ended} transactions were rolled back");
}

/// As others set it up who replicate a whole database: then nothing can be deleted from a table without a key.
#[tokio::test(flavor = "multi_thread")]
async fn all_tables_can_be_published() {
    let mut stage = Stage::set().await;
    stage
        .execute("CREATE PUBLICATION everything FOR ALL TABLES")
        .await;
    let many = "INSERT INTO pgqueuer.counts (kind, available)
                SELECT 'mail', n % 2 * 2 - 1 FROM generate_series(1, 1000) AS n";
    stage.execute(many).await;
    let expired = "INSERT INTO pgqueuer.history_default
                       (job_id, enqueued_at, expires_at, ending, attempt, priority, kind)
                   VALUES (1, now(), now() - interval '1 day', 'completed', 1, 0, 'mail')";
    stage.execute(expired).await;
    stage.enqueue(100).await;
    let worker = stage.start_worker();

    stage.all_done_once().await;

    for (what, query) in [
        (
            "it is folded",
            "SELECT (count(*) < 1000)::int::bigint FROM pgqueuer.counts",
        ),
        (
            "it is pruned",
            "SELECT (count(*) = 0)::int::bigint FROM pgqueuer.history_default",
        ),
    ] {
        until(what, async || stage.number(query).await == 1).await;
    }
    // As a worker does that moves their marks.
    stage
        .execute("UPDATE pgqueuer.lanes SET low_water = 0")
        .await;
    worker.stop().await;
}

/// Whoever changes the table may hold it for an hour. Each try that the worker gives up, and
/// the server does not, is a connection more, until there are no more to be had.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_for_a_lock_ends_at_the_server_as_well() {
    let mut stage = Stage::set().await;
    let worker = stage.start_worker();
    stage.is_idle_and_well().await;
    let mut jobs = stage.pool.begin().await.unwrap();
    let lock = "LOCK TABLE pgqueuer.jobs IN ACCESS EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *jobs).await.unwrap();
    let waiting = "SELECT coalesce(min(pid), 0)::bigint FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock' \
                   AND query LIKE '%unnest($2::text[], $3::smallint[]%'";
    let mut first = 0;
    until("it waits", async || {
        first = stage.number(waiting).await;
        first != 0
    })
    .await;

    until("it waits no more", async || {
        let waiting = "SELECT pid::bigint FROM pg_stat_activity \
                       WHERE pid = $1::int AND wait_event_type = 'Lock'";
        let waiting = sqlx::query(waiting).bind(first).fetch_optional(&stage.pool);
        waiting.await.unwrap().is_none()
    })
    .await;

    jobs.rollback().await.unwrap();
    stage.is_idle_and_well().await;
    worker.stop().await;
}

/// A worker that falls asleep waits for those who were writing, a little longer each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stays_open_does_not_end_a_worker() {
    let mut stage = Stage::set().await;
    let mut writing = stage.pool.begin().await.unwrap();
    let write = "SELECT pg_current_xact_id()";
    sqlx::query(write).execute(&mut *writing).await.unwrap();
    let worker = stage.worker_on(&stage.pgq);
    let often = Duration::from_millis(10);
    let worker = worker.configure(|it| it.poll_interval = often).build();
    let worker = Running::start(worker.unwrap());
    stage.is_idle_and_well().await;

    // Some 200 times.
    tokio::time::sleep(Duration::from_secs(3)).await;

    stage.is_idle_and_well().await;
    writing.rollback().await.unwrap();
    worker.stop().await;
}

/// Claims take rows that others have just changed, and the fences of a rescue need a new snapshot.
async fn is_right_at(isolation: &str) {
    let mut stage = Stage::set().await;
    let setting = format!("default_transaction_isolation = '{isolation}'");
    stage.set_default(&setting).await;
    stage.terminate_all().await;
    let workers: Vec<Running> = (0..3).map(|_| stage.start_worker()).collect();
    stage.is_idle_and_well().await;
    let failed = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    let before = stage.number(failed).await;

    stage.enqueue(2000).await;
    stage.enqueue_scheduled(500).await;

    stage.all_done_once().await;
    for worker in workers {
        assert_eq!(worker.stop().await.lost, 0);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let failed = stage.number(failed).await - before;
    assert!(failed < 5, "{failed} transactions failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_do_not_mind_a_default_of_serializable() {
    is_right_at("serializable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_do_not_mind_a_default_of_repeatable_read() {
    is_right_at("repeatable read").await;
}

/// Deadlocks and serialization errors, one statement in five.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_now_and_then_is_tried_again() {
    let mut stage = Stage::set().await;
    stage
        .execute(
            "CREATE FUNCTION public.at_times() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF random() < 0.1 THEN
                     RAISE 'deadlock detected' USING ERRCODE = '40P01';
                 ELSIF random() < 0.1 THEN
                     RAISE 'could not serialize access' USING ERRCODE = '40001';
                 END IF;
                 RETURN NULL;
             END
             $$;
             CREATE TRIGGER at_times AFTER UPDATE OR DELETE ON pgqueuer.jobs
             FOR EACH STATEMENT EXECUTE FUNCTION public.at_times();
             CREATE TRIGGER at_times AFTER UPDATE OR DELETE ON pgqueuer.sessions
             FOR EACH STATEMENT EXECUTE FUNCTION public.at_times();",
        )
        .await;
    stage.enqueue(500).await;
    let workers: Vec<Running> = (0..2).map(|_| stage.start_worker()).collect();

    stage.all_done_once().await;
    for worker in workers {
        assert_eq!(worker.stop().await.lost, 0);
    }
}
