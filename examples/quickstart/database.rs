//! Finding a database: yours, a throw-away one, or none.

use pgqueuer::{BoxError, Hosts, PgQueuer, SchemaName};
use throwaway_postgres::Postgres;

/// Not the schema of a real queue: the quickstart removes it.
const SCHEMA: &str = "pgqueuer_quickstart";

pub(crate) enum Database {
    /// `DATABASE_URL`.
    Yours(PgQueuer),
    /// A server that ends, and is removed, with this program, whatever ends it.
    ThrowAway {
        pgq: PgQueuer,
        /// Held for its end.
        _server: Postgres,
    },
    /// No PostgreSQL on this machine.
    Memory(PgQueuer),
}

impl Database {
    pub(crate) async fn find() -> Result<Self, BoxError> {
        if let Ok(url) = std::env::var("DATABASE_URL") {
            let pgq = install(&url).await?;
            return Ok(Self::Yours(pgq));
        }
        // No template is kept for the next start: a demo leaves nothing behind.
        match Postgres::builder().cache_template(false).start() {
            Ok(server) => {
                let pgq = install(&server.url("postgres")).await?;
                Ok(Self::ThrowAway {
                    pgq,
                    _server: server,
                })
            }
            Err(error) if error.is_not_found() => Ok(Self::Memory(PgQueuer::in_memory())),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn queue(&self) -> PgQueuer {
        let (Self::Yours(pgq) | Self::ThrowAway { pgq, .. } | Self::Memory(pgq)) = self;
        pgq.clone()
    }

    pub(crate) fn description(&self) -> String {
        match self {
            Self::Yours(_) => format!("the PostgreSQL of DATABASE_URL, in the schema {SCHEMA}"),
            Self::ThrowAway { .. } => "a throw-away PostgreSQL, found on this machine".to_owned(),
            Self::Memory(_) => {
                "memory: no PostgreSQL was found on this machine, and DATABASE_URL is not set"
                    .to_owned()
            }
        }
    }

    /// Leaves the database as it was found.
    pub(crate) async fn clean_up(self) -> Result<(), BoxError> {
        if let Self::Yours(pgq) = &self {
            pgq.uninstall().await?;
        }
        self.queue().close().await;
        Ok(())
    }
}

async fn install(url: &str) -> Result<PgQueuer, BoxError> {
    let hosts: Hosts = url.parse()?;
    let pgq = PgQueuer::connect_with(hosts, SchemaName::parse(SCHEMA)?).await?;
    // A run that was killed may have left something behind.
    if pgq.installed_version().await?.is_some() {
        pgq.uninstall().await?;
    }
    pgq.install().await?;
    Ok(pgq)
}
