//! To which database, and how.

use std::{env, time::Duration};

use pgqueuer::{Error, Hosts, PgQueuer};
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    cli::GlobalArgs,
    exit::{ExitCode, Failure},
};

/// Any of these says that a database is meant; sqlx reads them, and others with them.
const LIBPQ_VARIABLES: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGPORT"];

/// How long to wait for a server that does not say no: a host that is down, say.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A queue that was not connected to yet.
pub(crate) struct Database {
    hosts: Hosts,
    pgq: PgQueuer,
}

/// What to do when nothing listens at the address of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfRefused {
    /// A person waits for an answer.
    GiveUp,
    /// The database may be starting together with us.
    TryAgain,
}

impl Database {
    /// Finds out which database is meant. Connects to nothing.
    pub(crate) fn find(global: &GlobalArgs) -> Result<Self, Failure> {
        Ok(Self::new(hosts(global)?, global))
    }

    /// A database that nobody connects to, for looking at jobs.
    pub(crate) fn none(global: &GlobalArgs) -> Self {
        Self::new(PgConnectOptions::new_without_pgpass().into(), global)
    }

    fn new(hosts: Hosts, global: &GlobalArgs) -> Self {
        Self {
            pgq: PgQueuer::connect_lazy(hosts.clone(), global.schema.clone()),
            hosts,
        }
    }

    /// The queue. Its first use connects; [`connect`](Self::connect) has better messages.
    pub(crate) fn queue(&self) -> &PgQueuer {
        &self.pgq
    }

    /// Makes sure that the database answers.
    pub(crate) async fn connect(self, if_refused: IfRefused) -> Result<PgQueuer, Failure> {
        let Some(options) = self.hosts.only() else {
            // While they fail over, none of them takes writes for a moment.
            self.pgq.reach().await.map_err(cannot_connect)?;
            return Ok(self.pgq);
        };
        // Not by the pool: it hides why it could not connect.
        let deadline = Instant::now() + CONNECT_LIMIT;
        loop {
            let Ok(answer) = timeout_at(deadline, options.connect()).await else {
                let seconds = CONNECT_LIMIT.as_secs();
                return Err(self
                    .failure(options)
                    .because(format!("no answer within {seconds} s")));
            };
            match answer {
                Ok(connection) => {
                    // It has served its purpose, whether or not it closes well.
                    let _ = connection.close().await;
                    return Ok(self.pgq);
                }
                Err(error) => {
                    let may_be_starting = if_refused == IfRefused::TryAgain && is_starting(&error);
                    if !may_be_starting || Instant::now() > deadline {
                        return Err(self.failure(options).because(error));
                    }
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn failure(&self, options: &PgConnectOptions) -> Failure {
        let user = options.get_username();
        let message = format!("failed to connect to {} as user \"{user}\"", self.hosts);
        Failure::new(ExitCode::CannotConnect, message)
    }
}

fn cannot_connect(error: Error) -> Failure {
    Failure::new(ExitCode::CannotConnect, error.to_string()).because(error)
}

/// From the command line or its variable, else from the variables of libpq.
fn hosts(global: &GlobalArgs) -> Result<Hosts, Failure> {
    if let Some(url) = global.database_url.as_deref().filter(|it| !it.is_empty()) {
        return parse(url);
    }
    let is_set = |name: &str| env::var_os(name).is_some_and(|it| !it.is_empty());
    if LIBPQ_VARIABLES.into_iter().any(is_set) {
        return Ok(PgConnectOptions::new().into());
    }
    Err(Failure::usage(
        "no database was given; use --database-url postgres://user:password@host/database, \
         or set DATABASE_URL, or set the variables of libpq (PGHOST, PGDATABASE, …)",
    ))
}

fn parse(url: &str) -> Result<Hosts, Failure> {
    const EXPECTED: &str = "write postgres://user:password@host/database";
    // sqlx does not look at the scheme.
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("postgres" | "postgresql") => Ok(url.parse::<Hosts>()?),
        Some(other) => Err(Failure::usage(format!(
            "the database URL is one of `{other}`, not of PostgreSQL; {EXPECTED}"
        ))),
        None => Err(Failure::usage(format!(
            "the database URL is not a URL; {EXPECTED}"
        ))),
    }
}

/// Whether a server that is starting answers like this.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        // `cannot_connect_now`.
        sqlx::Error::Database(error) => error.code().is_some_and(|it| it == "57P03"),
        _ => false,
    }
}
