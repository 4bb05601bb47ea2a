//! The transaction of a handler, in which its job is completed.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, PgPool, Row as _, postgres::PgRow, postgres::PgTransaction};

use super::{failure::failed_to, statements::Statement, statements::Statements};
use crate::{
    error::Result,
    store::{ClaimKey, SessionId, Work},
};

/// A transaction of the application's pool.
#[derive(Debug)]
pub(crate) struct PostgresWork {
    transaction: PgTransaction<'static>,
    complete: Statement,
}

impl PostgresWork {
    pub(super) async fn begin(pool: &PgPool, statements: &Statements) -> Result<Self> {
        let transaction = pool
            .begin()
            .await
            .map_err(failed_to("begin the transaction of a handler"))?;
        Ok(Self {
            transaction,
            complete: statements.complete.clone(),
        })
    }

    pub(crate) fn connection(&self) -> &PgConnection {
        &self.transaction
    }

    pub(crate) fn connection_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

#[async_trait]
impl Work for PostgresWork {
    async fn complete(
        mut self: Box<Self>,
        session: SessionId,
        key: ClaimKey,
        retain: Duration,
    ) -> Result<bool> {
        let failed = failed_to("complete a job in the transaction of its handler");
        let completed: i64 = sqlx::query(self.complete.text())
            .bind(session.0)
            .bind(key.id.as_i64())
            .bind(key.claim_number)
            .bind(retain.as_secs_f64())
            .try_map(|row: PgRow| row.try_get("completed"))
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(&failed)?;
        if completed == 0 {
            self.transaction.rollback().await.map_err(&failed)?;
            return Ok(false);
        }
        self.transaction.commit().await.map_err(&failed)?;
        Ok(true)
    }
}
