//! Databases for tests, on a throw-away server or on one that is named.

use std::{
    env,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use throwaway_postgres::Postgres;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    postgres::Scratch,
};

/// Names a server to use instead of a throw-away one.
const SERVER_VARIABLE: &str = "PGQUEUER_TESTING_URL";

/// How long to wait for connections that are in use when a test ends.
const LONGEST_CLOSE: Duration = Duration::from_secs(2);

/// How many databases are in use at once. Each takes up to 11 connections, and many servers have 100.
static PLACES: Semaphore = Semaphore::const_new(8);

/// Serves all tests of this process, and ends with it.
static THROW_AWAY: Mutex<Option<Postgres>> = Mutex::new(None);

/// A database of its own, with the schema installed.
pub(super) struct Database {
    queue: PgQueuer,
    scratch: Scratch,
    is_removed: bool,
    _place: SemaphorePermit<'static>,
}

impl Database {
    pub(super) async fn create() -> Result<Self> {
        let closed = |_| Error::config("no database is given away any more");
        let place = PLACES.acquire().await.map_err(closed)?;
        let scratch = Scratch::create(&server_url()?).await?;
        let this = Self {
            queue: PgQueuer::new(scratch.connect().await?),
            scratch,
            is_removed: false,
            _place: place,
        };
        this.queue.install().await?;
        Ok(this)
    }

    pub(super) fn queue(&self) -> &PgQueuer {
        &self.queue
    }

    pub(super) async fn remove(mut self) -> Result<()> {
        self.is_removed = true;
        // A task that the test has left behind may hold a connection for ever. It is cut off.
        let _ = tokio::time::timeout(LONGEST_CLOSE, self.queue.close()).await;
        self.scratch.remove().await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_removed {
            return;
        }
        let name = self.scratch.name();
        match env::var_os(SERVER_VARIABLE) {
            Some(_) => eprintln!("kept for you to look into: database \"{name}\""),
            None => eprintln!(
                "the database of this test goes with its throw-away server; to look into it, name a \
                 server of your own in {SERVER_VARIABLE}"
            ),
        }
    }
}

/// The URL of the server that is named, or of a throw-away one, which is started if need be.
fn server_url() -> Result<String> {
    if let Ok(url) = env::var(SERVER_VARIABLE) {
        return Ok(url);
    }
    let mut server = THROW_AWAY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = &*server {
        return Ok(server.url("postgres"));
    }
    let started = Postgres::start().map_err(|error| {
        Error::config(format!(
            "no throw-away server starts; name a running one in {SERVER_VARIABLE}"
        ))
        .because(error)
    })?;
    let url = started.url("postgres");
    *server = Some(started);
    Ok(url)
}
