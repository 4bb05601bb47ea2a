//! The server: started, stopped in three ways, and started again.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pgqueuer::PgQueuer;
use sqlx::{Connection as _, Executor as _, PgConnection};
use throwaway_postgres::{Postgres, Shutdown};

use crate::{Result, ledger};

/// What everybody here calls the database.
const DATABASE: &str = "postgres";

pub(crate) struct Server {
    postgres: Arc<Mutex<Postgres>>,
    pub(crate) url: String,
    pub(crate) dir: PathBuf,
}

impl Server {
    /// Starts a server that keeps what it has committed, and installs the queue and the
    /// tables of the ledger.
    pub(crate) async fn start() -> Result<Self> {
        let postgres = Postgres::builder()
            .durable(true)
            .setting("max_connections", "300")
            .start()?;
        let url = postgres.url(DATABASE);
        let dir = postgres.dir().to_path_buf();
        let pgq = PgQueuer::connect(&url).await?;
        pgq.install().await?;
        pgq.close().await;
        let mut connection = PgConnection::connect(&url).await?;
        connection.execute(ledger::TABLES).await?;
        Ok(Self {
            postgres: Arc::new(Mutex::new(postgres)),
            url,
            dir,
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.join(".s.PGSQL.5432")
    }

    /// The URL of the database behind a port.
    pub(crate) fn url_at(port: u16) -> String {
        format!("postgresql://postgres@127.0.0.1:{port}/{DATABASE}?sslmode=disable")
    }

    /// Connects, as soon as the server lets anybody in.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        let connecting = async {
            loop {
                match PgConnection::connect(&self.url).await {
                    Ok(connection) => return connection,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let connected = tokio::time::timeout(Duration::from_secs(60), connecting).await;
        connected.map_err(|_| "the server lets nobody in".into())
    }

    /// Stops the server and starts it again. A smart shutdown would wait for its clients, so
    /// it becomes a fast one after a while.
    pub(crate) async fn restart(&self, how: Shutdown) -> Result {
        let postgres = Arc::clone(&self.postgres);
        let restarting = tokio::task::spawn_blocking(move || {
            let mut postgres = postgres.lock().unwrap_or_else(PoisonError::into_inner);
            postgres.shut_down(how)?;
            if how == Shutdown::Smart {
                std::thread::sleep(Duration::from_millis(700));
                postgres.shut_down(Shutdown::Fast)?;
            }
            postgres.start_again()
        });
        Ok(restarting.await??)
    }

    /// Ends backends at random, as an administrator would. Returns how many.
    pub(crate) async fn terminate(&self, how_many: u32) -> Result<i64> {
        let mut connection = self.connect().await?;
        let terminated = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM (
                 SELECT pid FROM pg_stat_activity
                 WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
                 ORDER BY random()
                 LIMIT $1
             ) AS backend",
        )
        .bind(i64::from(how_many))
        .fetch_one(&mut connection)
        .await?;
        Ok(terminated)
    }
}
