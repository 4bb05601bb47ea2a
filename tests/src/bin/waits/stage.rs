//! A server with a queue.

use pgqueuer::PgQueuer;
use pgqueuer_tests::program::Result;
use throwaway_postgres::Postgres;

pub(crate) struct Stage {
    pub(crate) pgq: PgQueuer,
    postgres: Postgres,
}

impl Stage {
    /// The server keeps what it has committed, as a real one does.
    pub(crate) async fn set() -> Result<Self> {
        let postgres = Postgres::builder().durable(true).start()?;
        let pgq = PgQueuer::connect(&postgres.url("postgres")).await?;
        pgq.install().await?;
        Ok(Self { pgq, postgres })
    }

    pub(crate) fn url(&self) -> String {
        self.postgres.url("postgres")
    }
}
