//! [`PgQueuer`]: the handle to a queue.

mod jobs;
mod limits;
mod look;
mod overview;
mod schedules;
mod tables;

pub use schedules::ScheduleChange;

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    enqueue::OnConnection,
    error::Result,
    hook::{Hook, Hooks},
    job::JobId,
    memory::MemoryStore,
    postgres::{Hosts, PostgresStore, SchemaName},
    runtime::Meters,
    store::{Counts, JobRecord, KindRecord, MinuteRecord, Store},
    waiting::Waiting,
    worker::WorkerBuilder,
};

/// The handle to a queue: enqueue to it, look into it, build workers on it.
///
/// Cheap to clone. On PostgreSQL, whatever the schema is called, or in memory.
///
/// ```standalone_crate
/// use pgqueuer::prelude::*;
///
/// #[job]
/// async fn greet(name: String) {
///     println!("hello, {name}!");
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> pgqueuer::Result<()> {
/// let pgq = PgQueuer::in_memory();
/// Greet { name: "world".into() }.enqueue(&pgq).await?;
///
/// // Runs what is there, and returns.
/// let report = pgq.worker().build()?.drain().await?;
/// assert_eq!(report.completed, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PgQueuer {
    store: Arc<dyn Store>,
    /// The same store once more, for what only a database has.
    postgres: Option<Arc<PostgresStore>>,
    hooks: Hooks,
    /// What the workers on this handle and its clones measure of themselves.
    meters: Meters,
    /// Where all who have a clone of this handle wait for jobs.
    waiting: Waiting,
}

impl PgQueuer {
    /// Connects to `url`, with a pool of up to ten connections, in the schema `pgqueuer`.
    ///
    /// The URL is that of libpq and sqlx:
    /// `postgres://user:password@host:5432/database?sslmode=require`.
    ///
    /// It may name several hosts (`postgres://user@host1,host2:5433/database`, see [`Hosts`]), of
    /// which one takes writes: a primary with its standbys. The queue is on that one, and when it
    /// is gone, or takes no more writes, on the next that does: the pool and all connections of
    /// workers go there by themselves, within seconds. That takes one connection more, which
    /// asks every second. The pool follows as long as this handle, a clone of it, or a worker on
    /// it is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the URL is not one,
    /// [`ErrorKind::Database`] if the server does not answer, or none
    /// of several takes writes within ten seconds. The password is in neither message.
    pub async fn connect(url: &str) -> Result<Self> {
        let hosts: Hosts = url.parse()?;
        Self::connect_with(hosts, SchemaName::default()).await
    }

    /// As [`connect`](Self::connect), with a schema; and with
    /// [`PgConnectOptions`](sqlx::postgres::PgConnectOptions), or with [`Hosts`] from a URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] if the server does not answer, or none
    /// of several takes writes within ten seconds.
    pub async fn connect_with(hosts: impl Into<Hosts>, schema: SchemaName) -> Result<Self> {
        let pgq = Self::connect_lazy(hosts, schema);
        pgq.reach().await?;
        Ok(pgq)
    }

    /// As [`connect_with`](Self::connect_with), but does not wait for the database to answer:
    /// what is done first connects.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[must_use]
    pub fn connect_lazy(hosts: impl Into<Hosts>, schema: SchemaName) -> Self {
        Self::on_store(PostgresStore::connect_lazy(hosts.into(), schema))
    }

    /// Makes sure that the database answers, and, of several hosts, that one takes writes. Waits
    /// up to ten seconds for it. In memory, does nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] if it does not. Of several hosts, the
    /// message has the answer of each.
    pub async fn reach(&self) -> Result<()> {
        match &self.postgres {
            Some(postgres) => postgres.reach().await,
            None => Ok(()),
        }
    }

    /// Uses a pool of yours, in the schema `pgqueuer`.
    ///
    /// Such a pool has one host, and so have the connections of workers, which are made by its
    /// options. To follow a database from host to host, use [`connect`](Self::connect) and
    /// [`pool`](Self::pool).
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::with_schema(pool, SchemaName::default())
    }

    /// Uses a pool of yours, as [`new`](Self::new) does, in another schema.
    #[must_use]
    pub fn with_schema(pool: PgPool, schema: SchemaName) -> Self {
        Self::on_store(PostgresStore::new(pool, schema))
    }

    fn on_store(postgres: PostgresStore) -> Self {
        let postgres = Arc::new(postgres);
        let store = Arc::clone(&postgres) as Arc<dyn Store>;
        Self {
            waiting: Waiting::new(Arc::clone(&store)),
            store,
            postgres: Some(postgres),
            hooks: Hooks::default(),
            meters: Meters::default(),
        }
    }

    /// A queue in the memory of this process, for tests and prototypes. It behaves as the
    /// one on PostgreSQL does; the same suite of tests holds for both.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::on_memory(MemoryStore::new())
    }

    /// The same, with a clock that shows this time now. It goes on with Tokio's, which a test can
    /// pause and advance: so schedules, delays and retries are tested without waiting for them.
    ///
    /// ```standalone_crate
    /// # use pgqueuer::prelude::*;
    /// #[schedule("0 9 * * MON", tz = "Europe/Oslo")]
    /// async fn weekly_report(tick: Tick) {
    ///     assert_eq!(tick.slot.to_rfc3339(), "2026-03-30T07:00:00+00:00");
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// // On Friday, before the clocks go forward.
    /// let pgq = PgQueuer::in_memory_at("2026-03-27T12:00:00Z".parse().unwrap());
    /// let worker = pgq.worker().build()?;
    /// let until_monday = std::time::Duration::from_secs(3 * 24 * 60 * 60);
    /// let _ = tokio::time::timeout(until_monday, worker.run()).await;
    /// assert!(pgq.list_schedules().await?[0].last_job.is_some());
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn in_memory_at(time: DateTime<Utc>) -> Self {
        Self::on_memory(MemoryStore::starting_at(time))
    }

    fn on_memory(store: MemoryStore) -> Self {
        let store: Arc<dyn Store> = Arc::new(store);
        Self {
            waiting: Waiting::new(Arc::clone(&store)),
            store,
            postgres: None,
            hooks: Hooks::default(),
            meters: Meters::default(),
        }
    }

    /// Creates the schema, or brings an older one up to date. Safe to call from many
    /// processes at once, and when there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if the schema is newer than this crate,
    /// [`ErrorKind::Database`] if the database refuses (it needs `CREATE` on the database).
    pub async fn install(&self) -> Result<Vec<i32>> {
        self.store.install().await
    }

    /// Removes the schema, with every job in it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if it is not installed.
    pub async fn uninstall(&self) -> Result<()> {
        self.store.uninstall().await
    }

    /// Checks that the schema is the one this crate needs. A worker does so at its start.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if it is missing, damaged, older or newer; the message says
    /// what to run.
    pub async fn verify(&self) -> Result<()> {
        self.store.verify().await
    }

    /// The version of the schema that is installed; `None` if there is none, or in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] if the database does not answer.
    pub async fn installed_version(&self) -> Result<Option<i32>> {
        self.store.installed_version().await
    }

    /// A connection or transaction of yours, to enqueue to this queue whatever its schema is
    /// called. For the schema `pgqueuer` the connection alone will do.
    ///
    /// ```no_run
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # async fn sign_up(pgq: PgQueuer, pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut transaction = pool.begin().await?;
    /// // … insert the user …
    /// SendWelcome { user_id: 42 }.enqueue(pgq.on(&mut transaction)).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    pub fn on<'a>(&'a self, connection: &'a mut PgConnection) -> OnConnection<'a> {
        OnConnection {
            pgq: self,
            connection,
        }
    }

    /// The same queue, with a hook that is told of what this handle, its clones and workers on it do;
    /// after the hooks that it has already. See [`Hook`].
    #[must_use]
    pub fn with_hook(&self, hook: impl Hook) -> Self {
        Self {
            hooks: self.hooks.with(hook),
            ..self.clone()
        }
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    pub(crate) fn postgres(&self) -> Option<&PostgresStore> {
        self.postgres.as_deref()
    }

    /// Begins a worker on this queue.
    pub fn worker(&self) -> WorkerBuilder {
        WorkerBuilder::new(self.clone())
    }

    /// What is known of a job, waiting or finished; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn get_job(&self, id: impl Into<JobId>) -> Result<Option<JobRecord>> {
        self.store.get_job(id.into()).await
    }

    /// How many unfinished jobs there are, by state. Reads all of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn count_jobs(&self) -> Result<Counts> {
        self.store.count_jobs(None).await
    }

    /// What workers have done, minute by minute and kind by kind, oldest first: the minutes that
    /// reach into the `last` while. Made for charts: it reads no jobs, however many there are.
    ///
    /// Workers add to it every five seconds, and minutes are kept for 30 days. A minute in
    /// which nothing of a kind was done has no record. Zero is the present minute.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// use std::time::Duration;
    ///
    /// # async fn show(pgq: PgQueuer) -> pgqueuer::Result<()> {
    /// for it in pgq.list_minutes(Duration::from_secs(3600)).await? {
    ///     let average = it.tally.run_seconds / it.tally.attempts() as f64;
    ///     println!("{} {}: {} completed, {average:.3} s each", it.minute, it.kind, it.tally.completed);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn list_minutes(&self, last: Duration) -> Result<Vec<MinuteRecord>> {
        self.store.list_minutes(last).await
    }

    /// The kinds that workers have published at their start, by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn list_kinds(&self) -> Result<Vec<KindRecord>> {
        self.store.list_kinds().await
    }

    /// The time, by the clock that decides when jobs are due.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] if the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        self.store.now().await
    }

    /// The pool, if the queue is on PostgreSQL.
    #[must_use]
    pub fn pool(&self) -> Option<&PgPool> {
        self.postgres.as_deref().map(PostgresStore::pool)
    }

    /// Where the jobs are kept. Not a stable API.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Closes the pool and the connections of workers, and ends all waiting for jobs: it fails.
    pub async fn close(&self) {
        self.waiting.close().await;
        if let Some(postgres) = &self.postgres {
            postgres.close().await;
            postgres.pool().close().await;
        }
    }
}

impl From<PgPool> for PgQueuer {
    fn from(pool: PgPool) -> Self {
        Self::new(pool)
    }
}

impl fmt::Debug for PgQueuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the pool: its options hold the password.
        f.debug_struct("PgQueuer")
            .field("in_memory", &self.postgres.is_none())
            .finish_non_exhaustive()
    }
}
