//! Databases that come and go: for the kit for testing.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::failed_to;
use crate::error::{Error, Result};

/// A test needs few, and many tests run at once.
const CONNECTIONS: u32 = 5;

/// A database of its own on a server.
#[derive(Debug)]
pub(crate) struct Scratch {
    server: PgConnectOptions,
    name: String,
}

impl Scratch {
    /// Makes an empty one, on the server that a URL names with a database that is there.
    pub(crate) async fn create(url: &str) -> Result<Self> {
        let server: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
            // The URL may hold a password, and stays out of the message.
            Error::config("the URL of the server for tests is not one of PostgreSQL").because(error)
        })?;
        let this = Self {
            server,
            name: unique_name(),
        };
        this.execute(&format!("CREATE DATABASE \"{}\"", this.name))
            .await?;
        Ok(this)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn connect(&self) -> Result<PgPool> {
        PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(self.server.clone().database(&self.name))
            .await
            .map_err(failed_to("connect to the database of a test"))
    }

    /// Drops it, whoever is connected.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.execute(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name))
            .await
    }

    /// The name is all that varies in the text, and has neither quotes nor anything from outside.
    async fn execute(&self, text: &str) -> Result<()> {
        let failed = failed_to("make or drop the database of a test");
        let mut server = PgConnection::connect_with(&self.server)
            .await
            .map_err(&failed)?;
        server
            .execute(AssertSqlSafe(text.to_owned()))
            .await
            .map_err(&failed)?;
        server.close().await.map_err(&failed)
    }
}

/// What is kept of tests that failed long ago has other names.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let salt = fastrand::u32(..);
    format!("pgqueuer_testing_{}_{count}_{salt:08x}", process::id())
}
