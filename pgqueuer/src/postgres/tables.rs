//! How the tables are kept and vacuumed. For the owner of the schema.

use sqlx::Executor as _;

use super::{
    PostgresStore, failure::failed_to, rows, schema_name::SchemaName, statements::Statement,
};
use crate::{
    error::Result,
    store::{Autovacuum, Durability, TableRecord},
};

impl PostgresStore {
    pub(crate) async fn list_tables(&self) -> Result<Vec<TableRecord>> {
        let failed = failed_to("look at the tables of the queue");
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        let tables = self
            .statements
            .list_tables
            .query(lent.route())
            .try_map(|row| rows::table(&row))
            .fetch_all(lent.connection())
            .await
            .map_err(&failed)?;
        lent.give_back().await.map_err(&failed)?;
        Ok(tables)
    }

    pub(crate) async fn set_persistence(&self, table: &str, durability: Durability) -> Result<()> {
        let failed = failed_to("change how a table of the queue is kept");
        let mut transaction = self.pool().begin().await.map_err(&failed)?;
        let set = "SELECT set_config('pgqueuer_change.table', $1, true), \
                   set_config('pgqueuer_change.unlogged', $2::boolean::text, true)";
        sqlx::query(set)
            .persistent(false)
            .bind(table)
            .bind(durability.loses(table))
            .execute(&mut *transaction)
            .await
            .map_err(&failed)?;
        let change = Statement::render(include_str!("set_persistence.sql"), &self.schema);
        let change = sqlx::raw_sql(change.text());
        transaction.execute(change).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }

    pub(crate) async fn set_autovacuum(&self, autovacuum: Autovacuum) -> Result<()> {
        let failed = failed_to("change how the tables of the queue are vacuumed");
        let mut transaction = self.pool().begin().await.map_err(&failed)?;
        let change = Statement::render(text(autovacuum), &self.schema);
        let change = sqlx::raw_sql(change.text());
        transaction.execute(change).await.map_err(&failed)?;
        transaction.commit().await.map_err(&failed)
    }
}

fn text(autovacuum: Autovacuum) -> &'static str {
    match autovacuum {
        Autovacuum::Recommended => include_str!("autovacuum_recommended.sql"),
        Autovacuum::Default => include_str!("autovacuum_default.sql"),
    }
}

/// What [`PgQueuer::set_autovacuum`](crate::PgQueuer::set_autovacuum) runs, for those who apply it by other
/// means.
#[must_use]
pub fn autovacuum_sql(schema: &SchemaName, autovacuum: Autovacuum) -> String {
    schema.render(text(autovacuum))
}
