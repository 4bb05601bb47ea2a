//! The bell on PostgreSQL: `LISTEN`, on a connection of its own.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification, PgPoolOptions},
};
use tracing::warn;

use super::{
    dedicated::Dedicated,
    failure::failed_to,
    rows::{self, HorizonRow},
    statements::Statements,
};
use crate::{
    error::{Chain, Result},
    store::{Bell, Horizon, Ring, SessionId},
};

/// Guess: often enough to be back soon, seldom enough not to be a load.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Listens for `pgqueuer.ring()`.
pub(super) struct PostgresBell {
    listener: PgListener,
    pool: PgPool,
    channel: String,
}

impl PostgresBell {
    pub(super) async fn listen(pool: &PgPool, channel: &str) -> Result<Self> {
        // A pool of its own: closing a pool waits for ever for a listener that is not polled.
        let own_pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(pool.connect_options().as_ref().clone());
        let mut listener = PgListener::connect_with(&own_pool)
            .await
            .map_err(failed_to("connect for notifications"))?;
        listener
            .listen(channel)
            .await
            .map_err(failed_to("listen for notifications"))?;
        Ok(Self {
            listener,
            pool: pool.clone(),
            channel: channel.to_owned(),
        })
    }
}

#[async_trait]
impl Bell for PostgresBell {
    async fn rung(&mut self) -> Ring {
        let mut ring = loop {
            match self.listener.try_recv().await {
                Ok(Some(notification)) => break ring_of(&notification),
                // The connection was lost, and is back and subscribed. What was rung meanwhile
                // is unknown.
                Ok(None) => break Ring::Anything,
                Err(error) => {
                    warn!(error = %Chain(&error), "failed to listen for notifications; polling instead");
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                    if let Ok(fresh) = Self::listen(&self.pool, &self.channel).await {
                        *self = fresh;
                        break Ring::Anything;
                    }
                }
            }
        };
        // Several rings are as good as one.
        while let Some(notification) = self.listener.next_buffered() {
            if ring_of(&notification) != ring {
                ring = Ring::Anything;
            }
        }
        ring
    }
}

/// See `pgqueuer.ring` in the schema.
fn ring_of(notification: &PgNotification) -> Ring {
    match notification.payload() {
        "" => Ring::Available,
        "scheduled" => Ring::Scheduled,
        _ => Ring::Anything,
    }
}

/// Asks for the bell, or no longer.
pub(super) async fn arm(
    dedicated: &Dedicated,
    statements: &Statements,
    session: SessionId,
    armed: bool,
) -> Result<Horizon> {
    let failed = failed_to("arm the bell");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    sqlx::query(statements.arm_bell.text())
        .bind(session.0)
        .bind(armed)
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back();
    // Once the bell is armed for all to see: who begins to write from here on, rings.
    Ok(Horizon(horizon(dedicated, statements).await?.next))
}

/// Which transactions are under way.
pub(super) async fn horizon(dedicated: &Dedicated, statements: &Statements) -> Result<HorizonRow> {
    let failed = failed_to("read which transactions are under way");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let horizon = sqlx::query(statements.horizon.text())
        .try_map(|row| rows::horizon(&row))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back();
    Ok(horizon)
}
