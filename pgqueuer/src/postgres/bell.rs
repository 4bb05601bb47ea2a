//! The bell on PostgreSQL.

use async_trait::async_trait;
use sqlx::postgres::PgNotification;

use super::{
    dedicated::Dedicated,
    failure::failed_to,
    listener::Listener,
    route::Route,
    rows::{self, HorizonRow},
    statements::Statements,
};
use crate::{
    error::{Error, Result},
    store::{Bell, Horizon, Ring, SessionId},
};

/// Listens for `pgqueuer.ring()`.
pub(super) struct PostgresBell(pub(super) Listener);

#[async_trait]
impl Bell for PostgresBell {
    async fn rung(&mut self) -> Ring {
        let mut ring = match self.0.heard().await {
            Some(notification) => ring_of(&notification),
            None => Ring::Anything,
        };
        // Several rings are as good as one.
        while let Some(notification) = self.0.next_heard() {
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
        "cancel" => Ring::Cancelled,
        _ => Ring::Anything,
    }
}

/// No pooler lets it through.
pub(super) async fn can_be_heard(dedicated: &Dedicated) -> Result<bool> {
    let failed = failed_to("ask for a pooler");
    let lent = dedicated.lend().await.map_err(&failed)?;
    let route = lent.route();
    lent.give_back().await.map_err(&failed)?;
    Ok(route == Route::Direct)
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
    statements
        .arm_bell
        .query(lent.route())
        .bind(session.0)
        .bind(armed)
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    // Once the bell is armed for all to see: who begins to write from here on, rings.
    Ok(Horizon(horizon(dedicated, statements).await?.next))
}

/// Which transactions are under way.
pub(super) async fn horizon(dedicated: &Dedicated, statements: &Statements) -> Result<HorizonRow> {
    let failed = failed_to("read which transactions are under way");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let horizon = statements
        .horizon
        .query(lent.route())
        .try_map(|row| rows::horizon(&row))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(horizon)
}

/// What is said to who would listen there.
pub(super) fn through_a_pooler() -> Error {
    Error::config(
        "a pooler between this program and the database lets no notification through; \
         set `listen` to false (`--no-listen`)",
    )
}
