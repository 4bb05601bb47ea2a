//! A fresh queue for each case: in memory, or in a schema or database of its own.
//!
//! One throw-away server serves all tests of this process, unless
//! `PGQUEUER_TEST_DATABASE_URL` names another one. Without either, the tests that need a
//! database fail: a suite that skips half of itself proves nothing.
//!
//! With `PGQUEUER_TEST_POOLER_URL`, queues are reached by that pooler in front of the server; what
//! cases do by SQL of their own goes to the server itself. `cargo xtask test --pgbouncer` sets both.
//!
//! What a case used is dropped when it passes, and kept when it fails; then its name is
//! printed. (The throw-away server does not outlive the process: to look into what a
//! failed case left behind, run it on a server of your own.)

use std::{
    env,
    io::{self, Write as _},
    process,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use pgqueuer::{PgQueuer, SchemaName, store::Store};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use throwaway_postgres::Postgres;
use tokio::sync::Semaphore;

/// How long a case may take. A hundred times what the slowest needs, for machines that are
/// slow or busy; it turns a case that hangs into one that fails.
const DEADLINE: Duration = Duration::from_secs(120);

/// How many connections the pool of a case has.
const CONNECTIONS: u32 = 5;

/// How many cases may use the server at once. Each needs up to 11 connections (its pool, the
/// five of the store, a bell) and the server has 200.
static PLACES: Semaphore = Semaphore::const_new(15);

/// Runs a case on an empty queue in memory.
pub(crate) async fn in_memory(case: impl AsyncFnOnce(&PgQueuer)) {
    let pgq = PgQueuer::in_memory();
    in_time(case(&pgq)).await;
}

/// Runs a case on an empty queue in a schema of its own.
pub(crate) async fn on_postgres(case: impl AsyncFnOnce(&Database)) {
    let _place = PLACES.acquire().await.expect("never closed");
    // Everything in it must be quoted.
    let name = format!("Odd Schema; --ü% {}", unique());
    let schema = SchemaName::parse(&name).expect("an odd name is a name");
    let name = server_options().get_database().map(str::to_owned);
    let database = Database::with_schema(&name.unwrap_or_default(), schema).await;
    let mut kept = KeptOnPanic(format!("schema \"{}\"", database.schema));

    in_time(case(&database)).await;
    database.check_counts().await;

    kept.0.clear();
    let drop = format!("DROP SCHEMA IF EXISTS \"{}\" CASCADE", database.schema);
    let drop = sqlx::raw_sql(AssertSqlSafe(drop));
    drop.execute(database.pool()).await.expect("drop schema");
    database.close().await;
}

/// Runs a case in a database of its own, with the queue in the schema `pgqueuer`: for those
/// who enqueue with nothing but a connection.
pub(crate) async fn in_own_database(case: impl AsyncFnOnce(&Database)) {
    let _place = PLACES.acquire().await.expect("never closed");
    let url = fresh_database().await;
    let options: PgConnectOptions = url.parse().expect("a database URL");
    let name = options.get_database().expect("it has a name").to_owned();
    let database = Database::with_schema(&name, SchemaName::default()).await;
    let mut kept = KeptOnPanic(format!("database \"{name}\""));

    in_time(case(&database)).await;
    database.check_counts().await;

    kept.0.clear();
    database.close().await;
    let mut server = connect_to_server().await;
    let drop = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
    server.execute(AssertSqlSafe(drop)).await.expect("drop");
}

/// Makes an empty database, and returns its URL.
pub(crate) async fn fresh_database() -> String {
    let name = format!("pgqueuer_test_{}", unique());
    let mut server = connect_to_server().await;
    let create = format!("CREATE DATABASE \"{name}\"");
    server.execute(AssertSqlSafe(create)).await.expect("create");
    server_options().database(&name).to_url_lossy().to_string()
}

async fn connect_to_server() -> PgConnection {
    let connected = PgConnection::connect_with(&server_options()).await;
    connected.expect("connect to the server")
}

/// An installed queue on PostgreSQL.
pub(crate) struct Database {
    pub(crate) pgq: PgQueuer,
    pub(crate) schema: SchemaName,
    /// How the queue is reached: by the pooler, if there is one.
    pub(crate) options: PgConnectOptions,
    pool: PgPool,
}

impl Database {
    async fn with_schema(name: &str, schema: SchemaName) -> Self {
        let direct = server_options().database(name);
        let pool = pool(direct.clone()).await;
        let (application, options) = match pooler_options() {
            None => (pool.clone(), direct),
            Some(pooler) => {
                let options = pooler.database(name).statement_cache_capacity(0);
                (self::pool(options.clone()).await, options)
            }
        };
        let pgq = PgQueuer::with_schema(application, schema.clone());
        pgq.install().await.expect("install the schema");
        Self {
            pgq,
            schema,
            options,
            pool,
        }
    }

    async fn close(&self) {
        self.pgq.close().await;
        self.pool.close().await;
    }

    /// Whatever a case has done: the numbers that dashboards show are those of the jobs. A case that
    /// changes jobs by hand has to [recount](PgQueuer::recount) them.
    async fn check_counts(&self) {
        let installed = "SELECT to_regprocedure('pgqueuer.recount()') IS NOT NULL";
        let installed: bool = sqlx::query_scalar(self.sql(installed))
            .fetch_one(&self.pool)
            .await
            .expect("look for the schema");
        if installed {
            let wrong: i64 = sqlx::query_scalar(self.sql("SELECT pgqueuer.recount()"))
                .fetch_one(&self.pool)
                .await
                .expect("count the jobs");
            assert_eq!(wrong, 0, "so many kinds were counted wrongly");
        }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &**self.pgq.store()
    }

    /// To the server itself, for what a case does by SQL of its own.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The pool of the application, to enqueue to.
    pub(crate) fn application(&self) -> &PgPool {
        self.pgq.pool().expect("it is on PostgreSQL")
    }

    /// SQL that was written for the schema `pgqueuer`, for the schema of this case.
    pub(crate) fn sql(&self, text: &str) -> AssertSqlSafe<String> {
        let quoted = format!("\"{}\".", self.schema);
        AssertSqlSafe(text.replace("pgqueuer.", &quoted))
    }
}

async fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .connect_with(options)
        .await
        .expect("connect to the database")
}

/// What a case needs of the way to the server.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    Nothing,
    /// For this, which no pooler lets through.
    OwnSession(&'static str),
    Pooler,
}

/// Whether a case has what it needs. If not, it is left out, and that is said even where the output
/// of tests is captured.
pub(crate) fn has(needs: Needs, case: &str) -> bool {
    let why = match (needs, pooler_options().is_some()) {
        (Needs::OwnSession(why), true) => why,
        (Needs::Pooler, false) => "needs a pooler: cargo xtask test --pgbouncer",
        _ => return true,
    };
    let _ = writeln!(io::stderr(), "left out: {case} ({why})");
    false
}

/// Prints what is left behind when a case panics.
struct KeptOnPanic(String);

impl Drop for KeptOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you to look into: {}", self.0);
        }
    }
}

async fn in_time(case: impl Future<Output = ()>) {
    let in_time = tokio::time::timeout(DEADLINE, case).await;
    in_time.expect("the case takes far too long: something hangs");
}

/// How to reach the server. Nothing is on the search path, so that a statement which forgets
/// to name the schema fails.
fn server_options() -> PgConnectOptions {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    let url = env::var("PGQUEUER_TEST_DATABASE_URL").unwrap_or_else(|_| {
        let server = SERVER.get_or_init(|| match Postgres::start() {
            Ok(server) => server,
            Err(error) => panic!(
                "this test needs PostgreSQL: {error}. \
                 To use a running server, set PGQUEUER_TEST_DATABASE_URL"
            ),
        });
        server.url("postgres")
    });
    let options: PgConnectOptions = url.parse().expect("a database URL");
    options.options([("search_path", "")])
}

/// How to reach the server by a pooler, if that is wanted. It takes no `search_path`, and has to be
/// told to set it by itself.
fn pooler_options() -> Option<PgConnectOptions> {
    let url = env::var("PGQUEUER_TEST_POOLER_URL").ok()?;
    Some(url.parse().expect("a database URL"))
}

/// What nobody else has in their names.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}_{count}", process::id())
}
