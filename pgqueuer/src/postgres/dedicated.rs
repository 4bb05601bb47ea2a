//! A connection that is kept for one purpose.
//!
//! A pool tests each connection when it is given back, which is a round trip for every
//! statement (measured: a fifth of the time of a drain). Claiming and settling do one
//! thing at a time, all the time, so each has a connection of its own instead.

use std::time::Duration;

use sqlx::{
    Connection as _, Executor as _, PgConnection, PgPool, SqlSafeStr as _,
    postgres::PgConnectOptions,
};
use tokio::sync::{Mutex, MutexGuard};
use tracing::debug;

use super::statements::Statement;

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
                let connecting = connect(self.pool.connect_options().as_ref().clone());
                tokio::time::timeout(Self::CONNECT_TIMEOUT, connecting)
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??
            }
        };
        Ok(Lent { place, connection })
    }

    /// Makes the connection, and prepares what it is for. If that fails, whoever needs it is
    /// told.
    pub(super) async fn warm_up(&self, statements: &[&Statement]) {
        let Ok(mut lent) = self.lend().await else {
            return;
        };
        for statement in statements {
            let text = statement.text().into_sql_str();
            if lent.connection().prepare(text).await.is_err() {
                return;
            }
        }
        lent.give_back();
    }

    /// Closes the connection, if there is one.
    pub(super) async fn close(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            // It is of no more use either way.
            let _ = connection.close().await;
        }
    }
}

/// Claiming and settling have one good plan each, which reads an index. A planner that has no
/// statistics yet, or old ones, may think otherwise, so it is not left the choice.
const PLANNER: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// `protocol_violation`: how a pooler in between refuses settings at the start.
const PROTOCOL_VIOLATION: &str = "08P01";

async fn connect(options: PgConnectOptions) -> sqlx::Result<PgConnection> {
    let refused = match PgConnection::connect_with(&options.clone().options(PLANNER)).await {
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some(PROTOCOL_VIOLATION) =>
        {
            error
        }
        result => return result,
    };
    debug!(error = %refused, "connecting without settings for the planner");
    PgConnection::connect_with(&options).await
}

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) fn give_back(mut self) {
        *self.place = Some(self.connection);
    }
}
