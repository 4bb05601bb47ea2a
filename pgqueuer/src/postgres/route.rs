//! How a connection reaches the server: by itself, or by a pooler that shares connections.
//!
//! Behind a pooler in transaction mode (PgBouncer), one transaction has one connection of the server,
//! and the next has another. So nothing may be left there (prepared statements, settings), and
//! nothing is found again. sqlx prepares in one round trip and executes in the next, so that even
//! a single statement needs a transaction around it.

use sqlx::{PgConnection, Row as _};

use super::statements::Statement;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The session is the connection's own.
    Direct,
    /// Each transaction may be in another session.
    Pooled,
}

/// What the server says of a connection.
pub(super) struct Asked {
    pub(super) route: Route,
    /// It is in a transaction already.
    pub(super) has_begun: bool,
}

impl Route {
    /// Asks the server, by `route.sql`.
    pub(super) async fn ask(
        connection: &mut PgConnection,
        statement: &Statement,
    ) -> sqlx::Result<Asked> {
        let row = sqlx::raw_sql(statement.text())
            .fetch_one(connection)
            .await?;
        let route = match row.try_get("is_direct")? {
            true => Self::Direct,
            false => Self::Pooled,
        };
        let has_begun = row.try_get("has_begun")?;
        Ok(Asked { route, has_begun })
    }
}
