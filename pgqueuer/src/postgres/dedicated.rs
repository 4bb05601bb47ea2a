//! A connection that is kept for one purpose.
//!
//! A pool tests each connection when it is given back, which is a round trip for every
//! statement (measured: a fifth of the time of a drain). Claiming and settling do one
//! thing at a time, all the time, so each has a connection of its own instead.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::{Mutex, MutexGuard};

/// A connection that is made when it is first needed, and again after it was lost.
#[derive(Debug)]
pub(super) struct Dedicated {
    /// Says how to connect: its options may change, with a password that is replaced.
    pool: PgPool,
    connection: Mutex<Option<PgConnection>>,
}

/// The connection, lent to one statement. Unless it is given back, it is closed: a statement
/// that failed or was cancelled half-way may have left it in any state.
pub(super) struct Lent<'a> {
    place: MutexGuard<'a, Option<PgConnection>>,
    connection: PgConnection,
}

impl Dedicated {
    /// How long to wait for a server that does not answer.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            connection: Mutex::new(None),
        }
    }

    /// Waits for the connection, and makes it if there is none.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent<'_>> {
        let mut place = self.connection.lock().await;
        let connection = match place.take() {
            Some(connection) => connection,
            None => {
                let options = self.pool.connect_options();
                let connecting = PgConnection::connect_with(&options);
                tokio::time::timeout(Self::CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??
            }
        };
        Ok(Lent { place, connection })
    }

    /// Closes the connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // It is of no more use either way.
            let _ = connection.close().await;
        }
    }
}

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) fn give_back(mut self) {
        *self.place = Some(self.connection);
    }
}
