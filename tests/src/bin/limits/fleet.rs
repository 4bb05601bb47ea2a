//! A server, and workers as processes on it.

use std::{
    collections::HashMap,
    env,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use pgqueuer::PgQueuer;
use sqlx::{Connection as _, PgConnection};
use throwaway_postgres::Postgres;
use tokio::process::{Child, Command};

use crate::{Result, log::now};

pub(crate) struct Fleet {
    postgres: Postgres,
    queue: &'static str,
    workers: Vec<Child>,
    /// When which process was killed.
    pub(crate) killed: HashMap<u32, u128>,
}

impl Fleet {
    /// A server that keeps what it has committed, and workers for a queue, ready to work.
    pub(crate) async fn start(queue: &'static str, workers: usize) -> Result<Self> {
        let postgres = Postgres::builder()
            .durable(true)
            .setting("max_connections", "300")
            .start()?;
        let mut fleet = Self {
            postgres,
            queue,
            workers: Vec::new(),
            killed: HashMap::new(),
        };
        let pgq = fleet.connect().await?;
        pgq.install().await?;
        for _ in 0..workers {
            fleet.start_one()?;
        }
        fleet
            .until(
                "SELECT count(*) FROM pgqueuer.sessions",
                i64::try_from(workers)?,
            )
            .await?;
        // They have looked once, and sleep.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(fleet)
    }

    pub(crate) fn url(&self) -> String {
        self.postgres.url("postgres")
    }

    pub(crate) async fn connect(&self) -> Result<PgQueuer> {
        Ok(PgQueuer::connect(&self.url()).await?)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.postgres.dir().join("runs.log")
    }

    pub(crate) fn start_one(&mut self) -> Result {
        let mut command = Command::new(env::current_exe()?);
        command
            .args(["worker", "--queue", self.queue, "--concurrency", "20"])
            .env("DATABASE_URL", self.url())
            .env("LIMITS_LOG", self.log())
            .env("RUST_LOG", env::var_os("RUST_LOG").unwrap_or("off".into()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        self.workers.push(command.spawn()?);
        Ok(())
    }

    /// Kills one of them, as `kill -9` does, and starts another.
    pub(crate) async fn replace_one(&mut self) -> Result {
        let chosen = fastrand::usize(..self.workers.len());
        let mut worker = self.workers.swap_remove(chosen);
        let pid = worker.id().ok_or("a worker has ended by itself")?;
        worker.kill().await?;
        self.killed.insert(pid, now());
        self.start_one()
    }

    /// Asks until the answer is that.
    pub(crate) async fn until(&self, query: &'static str, expected: i64) -> Result {
        let mut connection = PgConnection::connect(&self.url()).await?;
        let began = Instant::now();
        loop {
            let found: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
            if found == expected {
                return Ok(());
            }
            if began.elapsed() > Duration::from_secs(600) {
                return Err(format!("still {found} instead of {expected}: {query}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
