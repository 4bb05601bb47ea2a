//! Connections whose other end is gone without a word. Nothing tells a client that: what it waits
//! for does not come, for a quarter of an hour or, on a connection where it only listens, for ever.

use std::time::Duration;

use pgqueuer::{Context, Job as _, PgQueuer, Report, State, job};

use super::{
    proxy::Proxy,
    stage::{Running, Runs, Stage, small_pool, until},
};

const CLAIMING: &str = "unnest($2::text[], $3::smallint[]";
const SETTLING: &str = "WITH ended AS";
const RENEWING: &str = "SET expires_at";
const UPKEEP: &str = "WITH due AS";
const LISTENING: &str = "LISTEN ";

/// Takes longer than the lease of its worker.
#[job]
async fn linger(number: i64, runs: State<Runs>) {
    runs.note(number);
    tokio::time::sleep(Duration::from_secs(12)).await;
}

/// Notes 1, and 2 when it is told to end.
#[job(concurrency = 1)]
async fn narrow(runs: State<Runs>, context: Context) -> Result<(), String> {
    runs.note(1);
    context.cancellation().cancelled().await;
    runs.note(2);
    Err("it was told to end".to_owned())
}

/// Notes 3, and 4 when it is told to end.
#[job]
async fn wide(runs: State<Runs>, context: Context) {
    runs.note(3);
    context.cancellation().cancelled().await;
    runs.note(4);
}

/// Others may run it when the lease is over, and that would be one too many.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_under_a_limit_ends_before_the_lease_does() {
    let stage = Stage::set().await;
    let worker = stage
        .worker_on(&stage.pgq)
        .lease(Duration::from_secs(3))
        .configure(|it| it.shutdown_grace = Duration::from_millis(100))
        .register::<Narrow>()
        .register::<Wide>();
    let worker = Running::start(worker.build().unwrap());
    Narrow {}.enqueue(&stage.pgq).await.unwrap();
    Wide {}.enqueue(&stage.pgq).await.unwrap();
    until("both run", async || stage.runs.len() == 2).await;

    // Nobody can renew.
    let mut silence = stage.pool.begin().await.unwrap();
    let lock = "LOCK TABLE pgqueuer.sessions IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut *silence).await.unwrap();
    until("it is told to end", async || stage.runs.len() == 3).await;
    let left = "SELECT expires_at > clock_timestamp() FROM pgqueuer.sessions";
    let is_in_time: bool = sqlx::query_scalar(left)
        .fetch_one(&mut *silence)
        .await
        .unwrap();
    let told = stage.runs.numbers();
    silence.rollback().await.unwrap();
    let runs_again = async || stage.runs.repeated().iter().any(|it| it.0 == 1);
    until("it runs again", runs_again).await;
    worker.stop().await;

    assert!(is_in_time);
    assert_eq!(told, [1, 2, 3]);
}

/// A stage, and a way to it that can fall silent.
async fn on_stage() -> (Stage, Proxy, PgQueuer) {
    let stage = Stage::set().await;
    let server = stage.options();
    let proxy = Proxy::to(&server).await;
    let pgq = PgQueuer::new(small_pool(proxy.options(&server), 3));
    (stage, proxy, pgq)
}

/// Silences one sort of connection while jobs run.
async fn goes_on_without(said: &str) -> Report {
    let (mut stage, proxy, pgq) = on_stage().await;
    let worker = Running::start(stage.worker_on(&pgq).build().unwrap());
    stage.enqueue(1000).await;
    stage.begun(100).await;

    until("it was there", async || proxy.silence(said) > 0).await;

    stage.all_done_once().await;
    let report = worker.stop().await;
    assert_eq!(report.completed + report.lost, 1000);
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_claim_is_not_answered_claims_again() {
    goes_on_without(CLAIMING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_results_are_not_answered_writes_them_again() {
    let report = goes_on_without(SETTLING).await;
    // What was written, and the worker was not told, is refused when it is written again, and counts.
    assert_eq!(report.lost, 0);
}

/// Whatever one can do by itself, all can.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlasts_a_network_that_forgets_all_connections() {
    goes_on_without("").await;
}

/// Nothing is ever sent to a bell that is not rung, so its silence is nothing unusual.
#[tokio::test(flavor = "multi_thread")]
async fn a_bell_that_has_fallen_silent_is_replaced() {
    let (mut stage, proxy, pgq) = on_stage().await;
    let hour = Duration::from_secs(60 * 60);
    let worker = stage.worker_on(&pgq);
    let worker = worker.configure(|it| it.poll_interval = hour).build();
    let worker = Running::start(worker.unwrap());
    stage.is_idle_and_well().await;
    stage.sleeps().await;
    assert_eq!(proxy.silence(LISTENING), 1);

    stage.is_idle_and_well().await;

    // By the new bell, not by chance.
    stage.sleeps().await;
    stage.is_idle_and_well().await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_by_another_way() {
    let (stage, proxy, pgq) = on_stage().await;
    let lease = Duration::from_secs(6);
    let worker = stage.worker_on(&pgq).register::<Linger>().lease(lease);
    let worker = Running::start(worker.build().unwrap());
    let lingers = (0..5).map(|number| Linger { number });
    Linger::enqueue_many(&stage.pool, lingers).await.unwrap();
    stage.begun(5).await;
    // Who would take over its jobs.
    let heir = stage.worker_on(&stage.pgq).register::<Linger>();
    let heir = Running::start(heir.lease(lease).build().unwrap());

    until("it renews", async || proxy.silence(RENEWING) > 0).await;

    let done = "SELECT count(*) FROM pgqueuer.history";
    until("all are done", async || stage.number(done).await == 5).await;
    assert_eq!(stage.runs.repeated(), []);
    assert_eq!(worker.stop().await.completed, 5);
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_comes_by_another_way() {
    let (mut stage, proxy, pgq) = on_stage().await;
    let worker = Running::start(stage.worker_on(&pgq).build().unwrap());
    stage.is_idle_and_well().await;
    // Both that there may be.
    until("there is an upkeep", async || proxy.silence(UPKEEP) > 0).await;

    stage.enqueue_scheduled(10).await;

    stage.all_done_once().await;
    worker.stop().await;
}

/// A worker that vanishes in the middle of a rescue must not keep others from it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upkeep_that_was_cut_off_gives_up_its_locks() {
    let (stage, proxy, pgq) = on_stage().await;
    let dead = stage.pgq.store().open_session("dead", Duration::ZERO).await;
    dead.unwrap();
    let mut jobs = stage.pool.begin().await.unwrap();
    let lock = "LOCK TABLE pgqueuer.jobs IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *jobs).await.unwrap();
    let rescuing = tokio::spawn(async move { pgq.store().rescue().await });
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("it waits", async || stage.number(waiting).await == 1).await;

    assert_eq!(proxy.silence("FOR UPDATE SKIP LOCKED"), 1);
    jobs.rollback().await.unwrap();

    let sessions = "SELECT count(*) FROM pgqueuer.sessions";
    until("another rescues", async || {
        stage.pgq.store().rescue().await.unwrap();
        stage.number(sessions).await == 0
    })
    .await;
    rescuing.abort();
}

/// Many workers would not let a server come up that each of them asks all the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_nobody_in_is_asked_less_and_less() {
    let (mut stage, proxy, pgq) = on_stage().await;
    let worker = Running::start(stage.worker_on(&pgq).build().unwrap());
    stage.is_idle_and_well().await;
    proxy.refuse(true);
    stage.terminate_all().await;
    let before = proxy.asked();

    tokio::time::sleep(Duration::from_secs(6)).await;

    let asked = proxy.asked() - before;
    proxy.refuse(false);
    // Each of some six loops waits for 0.1 s, 0.2 s, … A loop that does not wait asks some
    // thousand times a second.
    assert!((6..200).contains(&asked), "asked {asked} times in 6 s");
    stage.is_idle_and_well().await;
    worker.stop().await;
}
