//! The transaction of a handler, in which its job is completed.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, Row as _, postgres::PgRow, postgres::PgTransaction};

use super::{
    application::ApplicationPool,
    failure::failed_to,
    route::Route,
    statements::{Statement, Statements},
};
use crate::{
    error::Result,
    store::{ClaimKey, SessionId, Work},
};

/// A transaction of the application's pool.
#[derive(Debug)]
pub(crate) struct PostgresWork {
    transaction: PgTransaction<'static>,
    route: Route,
    complete: Statement,
}

impl PostgresWork {
    pub(super) async fn begin(pool: &ApplicationPool, statements: &Statements) -> Result<Self> {
        let failed = failed_to("begin the transaction of a handler");
        let route = pool.route().await.map_err(&failed)?;
        let transaction = pool.pool().begin().await.map_err(&failed)?;
        Ok(Self {
            transaction,
            route,
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
        result: Option<String>,
    ) -> Result<bool> {
        let failed = failed_to("complete a job in the transaction of its handler");
        let completed: i64 = self
            .complete
            .query(self.route)
            .bind(session.0)
            .bind(key.id.as_i64())
            .bind(key.claim_number)
            .bind(retain.as_secs_f64())
            .bind(result)
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

    async fn roll_back(self: Box<Self>) -> Result<()> {
        let failed = failed_to("roll back the transaction of a handler");
        self.transaction.rollback().await.map_err(&failed)
    }
}
