//! The application's pool, which may go through a pooler.

use sqlx::{PgConnection, PgPool, Postgres, Transaction, pool::PoolConnection};
use tokio::sync::OnceCell;

use super::{route::Route, statements::Statement};

#[derive(Debug)]
pub(super) struct ApplicationPool {
    pool: PgPool,
    ask: Statement,
    /// Asked when it is first needed.
    route: OnceCell<Route>,
}

/// A connection of the application, for the statements of one call. Unless it is given back,
/// what they have done behind a pooler is rolled back.
pub(super) enum Borrowed {
    Direct(PoolConnection<Postgres>),
    Pooled(Transaction<'static, Postgres>),
}

impl ApplicationPool {
    pub(super) fn new(pool: PgPool, ask: Statement) -> Self {
        Self {
            pool,
            ask,
            route: OnceCell::new(),
        }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) async fn route(&self) -> sqlx::Result<Route> {
        let ask = async || {
            let mut connection = self.pool.acquire().await?;
            let asked = Route::ask(&mut connection, &self.ask).await?;
            Ok(asked.route)
        };
        self.route.get_or_try_init(ask).await.copied()
    }

    pub(super) async fn lend(&self) -> sqlx::Result<Borrowed> {
        Ok(match self.route().await? {
            Route::Direct => Borrowed::Direct(self.pool.acquire().await?),
            Route::Pooled => Borrowed::Pooled(self.pool.begin().await?),
        })
    }
}

impl Borrowed {
    pub(super) fn route(&self) -> Route {
        match self {
            Self::Direct(_) => Route::Direct,
            Self::Pooled(_) => Route::Pooled,
        }
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match self {
            Self::Direct(connection) => connection,
            Self::Pooled(transaction) => transaction,
        }
    }

    pub(super) async fn give_back(self) -> sqlx::Result<()> {
        match self {
            Self::Direct(_) => Ok(()),
            Self::Pooled(transaction) => transaction.commit().await,
        }
    }
}
