//! How the tables of a queue are kept and vacuumed.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    postgres::PostgresStore,
    store::{Autovacuum, Durability, TableRecord},
};

impl PgQueuer {
    /// The tables of the queue, by name, with the partitions of its history.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] in memory, where there are none; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn list_tables(&self) -> Result<Vec<TableRecord>> {
        self.tables()?.list_tables().await
    }

    /// Makes one table logged or unlogged that is not kept as `durability` has it, and returns its name; `None`
    /// if all of them are. To be called until then. Rows stay, and so do they when it is changed back.
    /// Partitions of the history that are made later are kept as the others are.
    ///
    /// Needs the rights of the owner. Writes the table anew, and locks it meanwhile: workers and producers
    /// wait, for about a second per gigabyte.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] if somebody has used the table for five seconds, and otherwise as
    /// [`list_tables`](Self::list_tables).
    pub async fn change_durability(&self, durability: Durability) -> Result<Option<String>> {
        let tables = self.list_tables().await?;
        let mut wrong = tables
            .iter()
            .filter(|it| durability.loses(&it.name) == it.is_logged);
        // New partitions are made as that one is.
        let first = wrong.clone().find(|it| it.name == "history_default");
        let Some(table) = first.or(wrong.next()) else {
            return Ok(None);
        };
        self.tables()?
            .set_persistence(&table.name, durability)
            .await?;
        Ok(Some(table.name.clone()))
    }

    /// Sets how the tables of the queue are vacuumed. Needs the rights of the owner;
    /// [`autovacuum_sql`](crate::autovacuum_sql) has the statements.
    ///
    /// # Errors
    ///
    /// As [`list_tables`](Self::list_tables).
    pub async fn set_autovacuum(&self, autovacuum: Autovacuum) -> Result<()> {
        self.tables()?.set_autovacuum(autovacuum).await
    }

    fn tables(&self) -> Result<&PostgresStore> {
        let in_memory = || Error::config("a queue in memory has no tables");
        self.postgres().ok_or_else(in_memory)
    }
}
