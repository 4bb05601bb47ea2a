//! A primary and its standby, in one URL.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use pgqueuer::{ErrorKind, Hosts, Job as _, PgQueuer, SchemaName};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, pool::PoolConnection};
use throwaway_postgres::{Postgres, Shutdown};

use super::{
    proxy::Proxy,
    stage::{Running, Stage, TakeTurns, until},
};

/// Two servers, of which the second follows the first.
struct Pair {
    primary: Postgres,
    standby: Postgres,
}

impl Pair {
    fn start() -> Self {
        let primary = Postgres::builder().durable(true).start().unwrap();
        let standby = Postgres::builder().durable(true).standby_of(&primary);
        let standby = standby.start().unwrap();
        Self { primary, standby }
    }

    /// A commit is acknowledged only when the standby has it as well.
    async fn synchronous() -> Self {
        let pair = Self::start();
        execute(
            &pair.primary,
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        )
        .await;
        execute(&pair.primary, "SELECT pg_reload_conf()").await;
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        until("it is synchronous", async || {
            number(&pair.primary, synchronous).await == 1
        })
        .await;
        pair
    }

    fn url(&self) -> String {
        url(&[&self.primary, &self.standby])
    }

    async fn promote(&self) {
        execute(&self.standby, "SELECT pg_promote()").await;
    }
}

fn url(servers: &[&Postgres]) -> String {
    let folders = servers.iter().map(|it| it.dir().to_str().unwrap());
    let folders: Vec<&str> = folders.collect();
    format!(
        "postgres:///postgres?host={}&user=postgres",
        folders.join(",")
    )
}

async fn connect(server: &Postgres) -> PgConnection {
    let url = server.url("postgres");
    PgConnection::connect(&url).await.unwrap()
}

async fn execute(server: &Postgres, statement: &str) {
    let mut connection = connect(server).await;
    let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
    statement.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn number(server: &Postgres, query: &'static str) -> i64 {
    let mut connection = connect(server).await;
    let number = sqlx::query_scalar(query).fetch_one(&mut connection).await;
    connection.close().await.unwrap();
    number.unwrap()
}

/// As the kernel does when there is no memory left.
fn kill(server: &Postgres) {
    let pid = server.pid().to_string();
    let killed = Command::new("kill").args(["-KILL", &pid]).status();
    assert!(killed.unwrap().success());
}

async fn take(stage: &Stage, count: usize) -> Vec<PoolConnection<sqlx::Postgres>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(stage.pool.acquire().await.unwrap());
    }
    taken
}

/// Enqueues as a producer would: again and again, until it is done.
async fn enqueue(pgq: &PgQueuer, number: i64) {
    until("it is enqueued", async || {
        TakeTurns { number }.enqueue(pgq).await.is_ok()
    })
    .await;
}

/// Starts a worker that finds nothing by polling: the bell must be where the jobs are.
fn start_listening(stage: &Stage) -> Running {
    let hour = Duration::from_secs(60 * 60);
    // Soon enough that the lease need not be waited for.
    let worker = stage.worker_on(&stage.pgq).lease(Duration::from_secs(6));
    let worker = worker.configure(|it| it.poll_interval = hour).build();
    Running::start(worker.unwrap())
}

/// Jobs that were acknowledged are all there, and so are session and claims: none runs twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_at_the_standby_that_was_promoted_under_load() {
    let pair = Pair::synchronous().await;
    let mut stage = Stage::on_hosts(&pair.url()).await;
    let worker = stage.start_worker();
    stage.enqueue(2000).await;
    stage.begun(200).await;

    kill(&pair.primary);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = stage.runs.len();
    assert!(before < 1900, "or this proves nothing");
    pair.promote().await;

    let promoted = Instant::now();
    stage.begun(before + 50).await;
    assert!(promoted.elapsed() < Duration::from_secs(30));
    stage.all_done_once().await;
    stage.is_idle_and_well().await;
    assert_eq!(worker.stop().await.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_the_hosts_does_not_matter() {
    let pair = Pair::start();
    let url = url(&[&pair.standby, &pair.primary]);
    let mut stage = Stage::on_hosts(&url).await;
    let worker = stage.start_worker();

    stage.enqueue(100).await;
    stage.all_done_once().await;

    // Nor for one that does not yet know which it is.
    let hosts: Hosts = url.parse().unwrap();
    let lazy = PgQueuer::connect_lazy(hosts, SchemaName::default());
    TakeTurns { number: 100 }.enqueue(&lazy).await.unwrap();
    stage.begun(101).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_without_a_worker_follows() {
    let pair = Pair::synchronous().await;
    let pgq = PgQueuer::connect(&pair.url()).await.unwrap();
    pgq.install().await.unwrap();
    for number in 0..20 {
        enqueue(&pgq, number).await;
    }

    kill(&pair.primary);
    pair.promote().await;
    for number in 20..40 {
        enqueue(&pgq, number).await;
    }

    // One more if the server died between a commit and its reply.
    let jobs = pgq.count_jobs().await.unwrap().available;
    assert!((40..=41).contains(&jobs), "{jobs} jobs");
    assert_eq!(
        number(&pair.standby, "SELECT count(*) FROM pgqueuer.jobs").await as u64,
        jobs
    );
}

/// As a machine does that has lost its power: it closes nothing, and answers to nothing. The
/// worker has no time to lose, or others would take over its jobs.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_keeps_its_lease_when_the_primary_has_fallen_silent() {
    let pair = Pair::synchronous().await;
    let primary = pair.primary.url("postgres").parse().unwrap();
    let proxy = Proxy::to(&primary).await;
    let url = format!(
        "postgres:///postgres?host=127.0.0.1,{}&port={},5432&user=postgres&sslmode=disable",
        pair.standby.dir().display(),
        proxy.options(&primary).get_port()
    );
    let mut stage = Stage::on_hosts(&url).await;
    let worker = stage.worker_on(&stage.pgq).lease(Duration::from_secs(15));
    let worker = Running::start(worker.build().unwrap());
    stage.enqueue(1000).await;
    stage.begun(100).await;

    // Somebody enqueues, and has no answer yet.
    let mut lock = connect(&pair.primary).await;
    let mut locking = lock.begin().await.unwrap();
    let lock = "LOCK TABLE pgqueuer.jobs IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *locking).await.unwrap();
    let pgq = stage.pgq.clone();
    let enqueuing = tokio::spawn(async move { TakeTurns { number: 1000 }.enqueue(&pgq).await });
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND query LIKE '-- Adds a job%'";
    until("it waits", async || {
        number(&pair.primary, waiting).await == 1
    })
    .await;

    // Others have the rest of the pool, and give it back when nobody answers any more.
    let mut taken = take(&stage, 9).await;

    proxy.vanish();
    taken.clear();
    let silent = Instant::now();
    pair.promote().await;

    // Sooner than it would give up its statements.
    let left = "SELECT count(*) FROM pgqueuer.jobs";
    until("it goes on", async || {
        number(&pair.standby, left).await == 0
    })
    .await;
    let enqueued = tokio::time::timeout(Duration::from_secs(5), enqueuing).await;
    enqueued.unwrap().unwrap().unwrap_err();
    assert!(silent.elapsed() < Duration::from_secs(14));
    let expired = "SELECT count(*) FROM pgqueuer.sessions WHERE expires_at < now()";
    while silent.elapsed() < Duration::from_secs(16) {
        assert_eq!(number(&pair.standby, expired).await, 0);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stage.all_done_once().await;
    take(&stage, 10).await;
    worker.stop().await;
}

/// The old primary is the first in the URL, and answers.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_back_to_a_primary_that_has_become_a_standby() {
    let mut pair = Pair::synchronous().await;
    let mut stage = Stage::on_hosts(&pair.url()).await;
    let worker = start_listening(&stage);
    stage.is_idle_and_well().await;

    let follow = format!(
        "ALTER SYSTEM SET primary_conninfo = 'host={} user=postgres'",
        pair.standby.dir().display()
    );
    execute(&pair.primary, &follow).await;
    fs::write(pair.primary.dir().join("data/standby.signal"), "").unwrap();
    pair.primary.shut_down(Shutdown::Fast).unwrap();
    pair.primary.start_again().unwrap();
    pair.promote().await;
    stage.pgq.reach().await.unwrap();
    until("they have changed places", async || {
        stage.pgq.count_jobs().await.is_ok()
            && number(&pair.standby, "SELECT count(*) FROM pg_stat_replication").await == 1
    })
    .await;

    for _ in 0..3 {
        stage.is_idle_and_well().await;
    }
    let clients = "SELECT count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    until("nobody is left", async || {
        number(&pair.primary, clients).await == 0
    })
    .await;
    worker.stop().await;
}

/// Connections to it stay open, and so they do not show that it is of no more use.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_stays_at_a_primary_that_was_made_read_only() {
    let pair = Pair::synchronous().await;
    let mut stage = Stage::on_hosts(&pair.url()).await;
    let worker = start_listening(&stage);
    stage.is_idle_and_well().await;

    execute(
        &pair.primary,
        "ALTER SYSTEM SET default_transaction_read_only = on",
    )
    .await;
    execute(&pair.primary, "SELECT pg_reload_conf()").await;
    pair.promote().await;
    until("the pool has moved", async || {
        let here = "SELECT current_setting('data_directory')";
        let here: String = sqlx::query_scalar(here)
            .fetch_one(&stage.pool)
            .await
            .unwrap();
        pair.standby.dir().join("data").to_str().unwrap() == here
    })
    .await;

    // What is asked on a connection to it would not even fail.
    execute(
        &pair.primary,
        "ALTER SYSTEM RESET default_transaction_read_only",
    )
    .await;
    execute(&pair.primary, "SELECT pg_reload_conf()").await;
    for _ in 0..3 {
        stage.is_idle_and_well().await;
    }
    let clients = "SELECT count(*) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    until("nobody is left", async || {
        stage.number("SELECT 1::bigint").await;
        number(&pair.primary, clients).await == 0
    })
    .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_until_one_of_its_hosts_is_back() {
    let mut pair = Pair::start();
    let mut stage = Stage::on_hosts(&pair.url()).await;
    let worker = stage.start_worker();
    stage.enqueue(1000).await;
    stage.begun(100).await;

    pair.standby.shut_down(Shutdown::Immediate).unwrap();
    pair.primary.shut_down(Shutdown::Immediate).unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(stage.runs.len() < 1000);
    pair.primary.start_again().unwrap();

    stage.pgq.reach().await.unwrap();
    stage.all_done_once().await;
    worker.stop().await;
}

/// What will not pass is told at once, and what each host said.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_let_nobody_in_are_named() {
    let server = Postgres::start().unwrap();
    let folder = server.dir().display();
    let url = format!("postgres://postgres:s3cret@/nowhere?host={folder},{folder}&port=5432,5432");

    let error = PgQueuer::connect(&url).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Database);
    let answer = "error returned from database: database \"nowhere\" does not exist";
    let told = format!("{error:?}");
    assert!(
        told.contains(&format!("{folder}:5432, {folder}:5432: ")),
        "{told}"
    );
    assert_eq!(told.matches(answer).count(), 2, "{told}");
    assert!(!told.contains("s3cret"), "{told}");
}
