//! Sessions: who works, for how long that is known, and what becomes of what they held.

use std::time::Duration;

use sqlx::{
    Connection as _, PgConnection, Row as _,
    postgres::{PgRow, PgTransaction},
};

use super::{PostgresStore, claim, failed_to, key_columns, rows};
use crate::{
    error::Result,
    store::{ClaimKey, Crash, Holds, SessionId, Store as _},
};

/// Each statement has a snapshot of its own, whatever the database has for a default; may read
/// the whole table; and keeps its locks for a few seconds only if the worker is cut off.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
                     SET LOCAL statement_timeout = '10min'; \
                     SET LOCAL idle_in_transaction_session_timeout = '10s'";

async fn begin(connection: &mut PgConnection) -> sqlx::Result<PgTransaction<'_>> {
    connection.begin_with(BEGIN).await
}

pub(super) async fn open(
    store: &PostgresStore,
    worker: &str,
    lease: Duration,
) -> Result<SessionId> {
    let failed = failed_to("open a session");
    let mut lent = store.lease().lend().await.map_err(&failed)?;
    let session = sqlx::query(store.statements.open_session.text())
        .bind(worker)
        .bind(lease.as_secs_f64())
        .try_map(|row: PgRow| row.try_get("id").map(SessionId))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back();
    Ok(session)
}

pub(super) async fn renew(
    store: &PostgresStore,
    session: SessionId,
    lease: Duration,
) -> Result<bool> {
    let failed = failed_to("renew the session");
    let mut lent = store.lease().lend().await.map_err(&failed)?;
    let renewed = sqlx::query(store.statements.renew_session.text())
        .bind(session.0)
        .bind(lease.as_secs_f64())
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back();
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
        sqlx::query(store.statements.give_back.text())
            .bind(session.0)
            .bind(ids)
            .bind(claim_numbers)
            .execute(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back();
        return Ok(());
    }
    let mut transaction = begin(lent.connection()).await.map_err(&failed)?;
    for statement in [
        &store.statements.lock_session,
        &store.statements.close_session,
    ] {
        sqlx::query(statement.text())
            .bind(session.0)
            .execute(&mut *transaction)
            .await
            .map_err(&failed)?;
    }
    transaction.commit().await.map_err(&failed)?;
    lent.give_back();
    Ok(())
}

pub(super) async fn rescue(store: &PostgresStore) -> Result<Vec<Crash>> {
    let failed = failed_to("rescue jobs");
    let mut lent = store.control().lend().await.map_err(&failed)?;
    // Without a transaction it locks nothing, and nearly always there is nothing.
    let found = expired(store, lent.connection()).await.map_err(&failed)?;
    if found.is_empty() {
        lent.give_back();
        return Ok(Vec::new());
    }
    let mut transaction = begin(lent.connection()).await.map_err(&failed)?;
    let expired = expired(store, &mut transaction).await.map_err(&failed)?;
    let crashes = if expired.is_empty() {
        Vec::new()
    } else {
        sqlx::query(store.statements.rescue.text())
            .bind(&expired)
            .try_map(|row| rows::crash(&row))
            .fetch_all(&mut *transaction)
            .await
            .map_err(&failed)?
    };
    transaction.commit().await.map_err(&failed)?;
    lent.give_back();
    if !expired.is_empty() {
        // The last claim of a worker that died may have been rolled back, after others had
        // passed its jobs by.
        store.requeue_stranded().await?;
    }
    Ok(crashes)
}

async fn expired(store: &PostgresStore, connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    sqlx::query(store.statements.expired_sessions.text())
        .try_map(|row: PgRow| row.try_get("id"))
        .fetch_all(connection)
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
    let mut transaction = begin(lent.connection()).await.map_err(&failed)?;
    sqlx::query(store.statements.lock_session.text())
        .bind(session.0)
        .execute(&mut *transaction)
        .await
        .map_err(&failed)?;
    let given_back = sqlx::query(store.statements.reconcile.text())
        .bind(session.0)
        .bind(ids)
        .bind(claim_numbers)
        .fetch_all(&mut *transaction)
        .await
        .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)?;
    lent.give_back();
    Ok(given_back.len() as u64)
}
