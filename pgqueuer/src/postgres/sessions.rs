//! Sessions: who works, for how long that is known, and what becomes of what they held.

use std::time::Duration;

use sqlx::{Row as _, postgres::PgRow};

use super::{PostgresStore, claim, dedicated::Lent, failed_to, key_columns, rows};
use crate::{
    error::Result,
    store::{ClaimKey, Crash, Holds, SessionId, Store as _},
};

pub(super) async fn open(
    store: &PostgresStore,
    worker: &str,
    lease: Duration,
) -> Result<SessionId> {
    let failed = failed_to("open a session");
    let mut lent = store.lease().lend().await.map_err(&failed)?;
    let session = store
        .statements
        .open_session
        .query(lent.route())
        .bind(worker)
        .bind(lease.as_secs_f64())
        .try_map(|row: PgRow| row.try_get("id").map(SessionId))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(session)
}

pub(super) async fn renew(
    store: &PostgresStore,
    session: SessionId,
    lease: Duration,
) -> Result<bool> {
    let failed = failed_to("renew the session");
    let mut lent = store.lease().lend().await.map_err(&failed)?;
    let renewed = store
        .statements
        .renew_session
        .query(lent.route())
        .bind(session.0)
        .bind(lease.as_secs_f64())
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(renewed.rows_affected() == 1)
}

pub(super) async fn close(
    store: &PostgresStore,
    session: SessionId,
    holds: Holds<'_>,
) -> Result<()> {
    let failed = failed_to("close the session");
    // For who comes next. If it cannot be told, they walk a little further.
    let _ = claim::share_marks(store.claiming(), &store.statements, &store.lanes).await;
    let mut lent = store.control().lend().await.map_err(&failed)?;
    if let Holds::Only(held) = holds {
        let (ids, claim_numbers) = key_columns(held);
        store
            .statements
            .give_back
            .query(lent.route())
            .bind(session.0)
            .bind(ids)
            .bind(claim_numbers)
            .execute(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        return Ok(());
    }
    lent.begin().await.map_err(&failed)?;
    for statement in [
        &store.statements.lock_session,
        &store.statements.close_session,
    ] {
        statement
            .query(lent.route())
            .bind(session.0)
            .execute(lent.connection())
            .await
            .map_err(&failed)?;
    }
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}

pub(super) async fn rescue(store: &PostgresStore) -> Result<Vec<Crash>> {
    let failed = failed_to("rescue jobs");
    let mut lent = store.control().lend().await.map_err(&failed)?;
    // Without a transaction it locks nothing, and nearly always there is nothing.
    let found = expired(store, &mut lent).await.map_err(&failed)?;
    if found.is_empty() {
        lent.give_back().await.map_err(&failed)?;
        return Ok(Vec::new());
    }
    lent.begin().await.map_err(&failed)?;
    let expired = expired(store, &mut lent).await.map_err(&failed)?;
    let crashes = if expired.is_empty() {
        Vec::new()
    } else {
        store
            .statements
            .rescue
            .query(lent.route())
            .bind(&expired)
            .try_map(|row| rows::crash(&row))
            .fetch_all(lent.connection())
            .await
            .map_err(&failed)?
    };
    lent.give_back().await.map_err(&failed)?;
    if !expired.is_empty() {
        // The last claim of a worker that died may have been rolled back, after others had
        // passed its jobs by.
        store.requeue_stranded().await?;
    }
    Ok(crashes)
}

async fn expired(store: &PostgresStore, lent: &mut Lent<'_>) -> sqlx::Result<Vec<i64>> {
    store
        .statements
        .expired_sessions
        .query(lent.route())
        .try_map(|row: PgRow| row.try_get("id"))
        .fetch_all(lent.connection())
        .await
}

pub(super) async fn reconcile(
    store: &PostgresStore,
    session: SessionId,
    known: &[ClaimKey],
) -> Result<u64> {
    let failed = failed_to("reconcile the session");
    let (ids, claim_numbers) = key_columns(known);
    let mut lent = store.control().lend().await.map_err(&failed)?;
    lent.begin().await.map_err(&failed)?;
    store
        .statements
        .lock_session
        .query(lent.route())
        .bind(session.0)
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    let given_back = store
        .statements
        .reconcile
        .query(lent.route())
        .bind(session.0)
        .bind(ids)
        .bind(claim_numbers)
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(given_back.len() as u64)
}
