//! A database, a worker in this process, and jobs that count how often they ran.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use pgqueuer::{Job as _, PgQueuer, Report, State, Worker, WorkerBuilder, job};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use throwaway_postgres::Postgres;
use tokio::{sync::oneshot, task::JoinHandle};

/// Longer than any fault here lasts, so that no job is taken over, and none runs twice.
pub(super) const LONG_LEASE: Duration = Duration::from_secs(60);

/// For what must come by itself. Includes the limits of time that a worker has.
const SOON: Duration = Duration::from_secs(60);

/// How often each job ran, by its number.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(Arc<Mutex<BTreeMap<i64, u32>>>);

impl Runs {
    pub(super) fn note(&self, number: i64) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(super) fn numbers(&self) -> Vec<i64> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    /// Those that ran more than once.
    pub(super) fn repeated(&self) -> Vec<(i64, u32)> {
        let runs = self.0.lock().unwrap();
        let repeated = runs.iter().filter(|(_, count)| **count > 1);
        repeated.map(|(number, count)| (*number, *count)).collect()
    }
}

/// Takes a few milliseconds.
#[job]
pub(super) async fn take_turns(number: i64, runs: State<Runs>) {
    runs.note(number);
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// A database with a queue, and somebody who looks at it whatever the worker does.
pub(super) struct Stage {
    pub(super) pgq: PgQueuer,
    /// For the test itself.
    pub(super) pool: PgPool,
    pub(super) runs: Runs,
    enqueued: i64,
}

impl Stage {
    /// On a database of the shared server.
    pub(super) async fn set() -> Self {
        let url = crate::backend::fresh_database().await;
        Self::with_options(url.parse().unwrap()).await
    }

    /// On a server of its own.
    pub(super) async fn on(server: &Postgres) -> Self {
        Self::with_options(server.url("postgres").parse().unwrap()).await
    }

    /// On the one of several servers that takes writes, wherever that is.
    pub(super) async fn on_hosts(url: &str) -> Self {
        let pgq = PgQueuer::connect(url).await.unwrap();
        pgq.install().await.unwrap();
        Self {
            pool: pgq.pool().unwrap().clone(),
            pgq,
            runs: Runs::default(),
            enqueued: 0,
        }
    }

    async fn with_options(options: PgConnectOptions) -> Self {
        // Whatever a case makes the default of the database.
        let as_ever = options.clone().options([
            ("default_transaction_read_only", "off"),
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_session_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
        ]);
        let pool = small_pool(as_ever.application_name("the test"), 3);
        let pgq = PgQueuer::new(small_pool(options, 3));
        pgq.install().await.unwrap();
        Self {
            pgq,
            pool,
            runs: Runs::default(),
            enqueued: 0,
        }
    }

    /// How to connect to this database.
    pub(super) fn options(&self) -> PgConnectOptions {
        let pool = self.pgq.pool().unwrap();
        pool.connect_options().as_ref().clone()
    }

    /// A worker on this queue, by whatever way it gets there.
    pub(super) fn worker_on(&self, pgq: &PgQueuer) -> WorkerBuilder {
        let worker = pgq.worker().only_registered().register::<TakeTurns>();
        let worker = worker.state(self.runs.clone()).lease(LONG_LEASE);
        worker.concurrency(10).configure(|it| it.claim_batch = 20)
    }

    pub(super) fn start_worker(&self) -> Running {
        Running::start(self.worker_on(&self.pgq).build().unwrap())
    }

    pub(super) async fn enqueue(&mut self, count: i64) {
        let until = self.enqueued + count;
        let numbers = self.enqueued..until;
        TakeTurns::enqueue_many(&self.pool, numbers.map(|number| TakeTurns { number }))
            .await
            .unwrap();
        self.enqueued = until;
    }

    /// Enqueues jobs that are due in a moment.
    pub(super) async fn enqueue_scheduled(&mut self, count: i64) {
        let until = self.enqueued + count;
        for number in self.enqueued..until {
            let job = TakeTurns { number }
                .options()
                .delay(Duration::from_millis(500));
            job.enqueue(&self.pool).await.unwrap();
        }
        self.enqueued = until;
    }

    /// Waits until so many jobs have begun.
    pub(super) async fn begun(&self, count: usize) {
        until("jobs have begun", async || self.runs.len() >= count).await;
    }

    /// Waits until all jobs are done, and checks that each ran once, and in one attempt.
    pub(super) async fn all_done_once(&self) {
        self.all_done().await;
        assert_eq!(self.runs.repeated(), [], "these ran more than once");
        assert_eq!(
            self.number("SELECT count(*) FROM pgqueuer.history WHERE attempt > 1")
                .await,
            0
        );
    }

    pub(super) async fn all_done(&self) {
        let left = "SELECT count(*) FROM pgqueuer.jobs";
        until("no job is left", async || self.number(left).await == 0).await;
        let done = "SELECT count(*) FROM pgqueuer.history WHERE ending = 'completed'";
        assert_eq!(self.number(done).await, self.enqueued);
        assert_eq!(self.runs.len(), usize::try_from(self.enqueued).unwrap());
    }

    /// One job at a time through an idle worker, until it is idle once more.
    pub(super) async fn is_idle_and_well(&mut self) {
        self.enqueue(1).await;
        self.all_done_once().await;
    }

    /// Waits until the only worker has asked for the bell, and looks no more by itself.
    pub(super) async fn sleeps(&self) {
        let armed = "SELECT count(*) FROM pgqueuer.sessions WHERE armed";
        until("it has armed the bell", async || {
            self.number(armed).await == 1
        })
        .await;
        // It looks once or twice more, for what was being written meanwhile.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    pub(super) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    pub(super) async fn execute(&self, statement: impl Into<String>) {
        let statement = AssertSqlSafe(statement.into());
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    /// Ends the connections to this database that the server knows by what they have done last,
    /// and returns how many. Those of the test itself stay.
    pub(super) async fn terminate(&self, query: &str) -> usize {
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE datname = current_database() \
                         AND application_name <> 'the test' AND query LIKE $1";
        let ended = sqlx::query_scalar(terminate).bind(query);
        let ended: i64 = ended.fetch_one(&self.pool).await.unwrap();
        usize::try_from(ended).unwrap()
    }

    pub(super) async fn terminate_all(&self) -> usize {
        self.terminate("%").await
    }

    /// A setting for all who connect to this database from now on.
    pub(super) async fn set_default(&self, setting: &str) {
        let options = self.options();
        let database = options.get_database().unwrap();
        self.execute(format!("ALTER DATABASE \"{database}\" SET {setting}"))
            .await;
    }
}

/// One that neither keeps connections for long, nor waits for long.
pub(super) fn small_pool(options: PgConnectOptions, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(20))
        .connect_lazy_with(options)
}

/// A worker that runs until it is stopped.
pub(super) struct Running {
    stop: oneshot::Sender<()>,
    worker: JoinHandle<pgqueuer::Result<Report>>,
}

impl Running {
    pub(super) fn start(worker: Worker) -> Self {
        let (stop, stopped) = oneshot::channel();
        let worker = tokio::spawn(worker.run_until(async {
            let _ = stopped.await;
        }));
        Self { stop, worker }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.worker.is_finished()
    }

    /// Stops it, which shows that it was still there.
    pub(super) async fn stop(self) -> Report {
        assert!(!self.has_ended(), "the worker has ended by itself");
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(SOON, self.worker).await;
        ended
            .expect("the worker does not stop")
            .unwrap()
            .expect("the worker has started")
    }
}

/// Asks until it is so.
pub(super) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, asking).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
