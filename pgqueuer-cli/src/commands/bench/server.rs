//! What the server says of itself: its settings, and what a run has cost, by counters that are
//! read before and after. The only SQL outside the library: nothing here touches its tables.

use pgqueuer::BoxError;
use serde::Serialize;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _, postgres::PgConnectOptions};

/// Its settings, as far as they matter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) fsync: String,
    pub(super) synchronous_commit: String,
    pub(super) shared_buffers: String,
}

/// Counters that only grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counters {
    wal_bytes: i64,
    commits: i64,
    /// Needs the extension `pg_stat_statements`.
    statements: Option<i64>,
    /// Needs a server on this machine, and Linux.
    server_seconds: Option<f64>,
    client_seconds: Option<f64>,
}

/// What one job has cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Cost {
    pub(super) wal_bytes: f64,
    pub(super) commits: f64,
    pub(super) round_trips: Option<f64>,
    pub(super) server_cpu_us: Option<f64>,
    pub(super) client_cpu_us: Option<f64>,
}

const SETTINGS: &str = "SELECT current_setting('server_version'), current_setting('fsync'),
    current_setting('synchronous_commit'), current_setting('shared_buffers')";

const COUNTERS: &str = "SELECT
    (pg_current_wal_lsn() - '0/0')::bigint AS wal_bytes,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits,
    pg_backend_pid() AS process,
    to_regclass('pg_stat_statements') IS NOT NULL
        AND current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%' AS counts_statements";

const STATEMENTS: &str = "SELECT coalesce(sum(calls), 0)::bigint
    FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

impl Server {
    pub(super) async fn read(pool: Option<&PgPool>) -> sqlx::Result<Self> {
        let pool = pool.ok_or(sqlx::Error::PoolClosed)?;
        let row = sqlx::query(SETTINGS).fetch_one(pool).await?;
        Ok(Self {
            version: row.try_get(0)?,
            fsync: row.try_get(1)?,
            synchronous_commit: row.try_get(2)?,
            shared_buffers: row.try_get(3)?,
        })
    }
}

impl Counters {
    /// Over a connection of its own: what others have counted is there once they have closed
    /// theirs.
    pub(super) async fn read(options: &PgConnectOptions) -> sqlx::Result<Self> {
        let mut connection = PgConnection::connect_with(options).await?;
        let row = sqlx::query(COUNTERS).fetch_one(&mut connection).await?;
        let statements = if row.try_get("counts_statements")? {
            let statements = sqlx::query_scalar(STATEMENTS);
            Some(statements.fetch_one(&mut connection).await?)
        } else {
            None
        };
        let counters = Self {
            wal_bytes: row.try_get("wal_bytes")?,
            commits: row.try_get("commits")?,
            statements,
            // What cannot be found out is left out.
            server_seconds: server_seconds(row.try_get("process")?).ok(),
            client_seconds: client_seconds().ok(),
        };
        connection.close().await?;
        Ok(counters)
    }

    /// What each of so many jobs has cost since.
    #[expect(clippy::cast_precision_loss, reason = "means of counters, for people")]
    pub(super) fn per_job(self, before: Self, jobs: u64) -> Cost {
        let jobs = jobs.max(1) as f64;
        let micros =
            |after: Option<f64>, before: Option<f64>| Some((after? - before?) * 1e6 / jobs);
        Cost {
            wal_bytes: (self.wal_bytes - before.wal_bytes) as f64 / jobs,
            commits: (self.commits - before.commits) as f64 / jobs,
            round_trips: self
                .statements
                .zip(before.statements)
                .map(|(after, before)| (after - before) as f64 / jobs),
            server_cpu_us: micros(self.server_seconds, before.server_seconds),
            client_cpu_us: micros(self.client_seconds, before.client_seconds),
        }
    }
}

/// What the server has used of the processors: its main process, its children, and those that
/// have ended. Fails if process `backend` is none of PostgreSQL's here.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "a sum of ticks, for people")]
fn server_seconds(backend: i32) -> Result<f64, BoxError> {
    use procfs::process::{Process, all_processes};

    let backend = Process::new(backend)?.stat()?;
    if backend.comm != "postgres" {
        return Err("the server is on another machine".into());
    }
    let main = backend.ppid;
    let main_stat = Process::new(main)?.stat()?;
    let ended = main_stat.cutime.max(0).unsigned_abs() + main_stat.cstime.max(0).unsigned_abs();
    // A process that ends while it is looked at is counted with the ended next time.
    let children = all_processes()?
        .filter_map(|it| it.ok()?.stat().ok())
        .filter(|it| it.ppid == main);
    let running: u64 = children.map(|it| it.utime + it.stime).sum();
    let ticks = main_stat.utime + main_stat.stime + ended + running;
    Ok(ticks as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "a sum of ticks, for people")]
fn client_seconds() -> Result<f64, BoxError> {
    let own = procfs::process::Process::myself()?.stat()?;
    Ok((own.utime + own.stime) as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
fn server_seconds(_backend: i32) -> Result<f64, BoxError> {
    Err("not known how on this system".into())
}

#[cfg(not(target_os = "linux"))]
fn client_seconds() -> Result<f64, BoxError> {
    Err("not known how on this system".into())
}
