//! Connections that are kept for one purpose.
//!
//! A pool tests each connection when it is given back, which is a round trip for every
//! statement (measured: a fifth of the time of a drain). And it takes back one that has failed:
//! one whose other end is gone without a word, which no test gets an answer from, or one to a
//! server that has become a standby. A worker's own connections are closed when anything went
//! wrong on them, and made anew.
//!
//! Behind a pooler, a connection that is lent is in a transaction, which ends when it is given back.
//! What it would have been set to at its start is set in each.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sqlx::{
    Connection as _, Executor as _, PgConnection, PgPool, Row as _, postgres::PgConnectOptions,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::debug;

use super::{lookout::Moves, purpose::Purpose, route::Route, statements::Statements};

/// A few connections that are made when they are first needed, and again after they were lost.
#[derive(Debug)]
pub(super) struct Dedicated {
    /// Says how to connect: its options may change, with a password that is replaced.
    pool: PgPool,
    moves: Moves,
    statements: Arc<Statements>,
    purpose: Purpose,
    places: Semaphore,
    /// Those that are not lent.
    idle: Mutex<Vec<Own>>,
    /// How many there have been.
    made: AtomicU64,
}

#[derive(Debug)]
struct Own {
    connection: PgConnection,
    number: u64,
    route: Route,
    /// When it was begun: the database may have moved since.
    begun: Instant,
}

/// A connection, lent to one statement or a few. Unless it is given back, it is closed: a
/// statement that failed or was cancelled half-way may have left it in any state.
pub(super) struct Lent<'a> {
    dedicated: &'a Dedicated,
    _place: SemaphorePermit<'a>,
    own: Own,
    in_transaction: bool,
}

impl Dedicated {
    /// How long to wait for a server that does not answer, or that is starting.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// How long to wait before the second try to connect, doubled each time.
    const FIRST_PAUSE: Duration = Duration::from_millis(50);

    pub(super) fn new(
        pool: PgPool,
        moves: Moves,
        statements: Arc<Statements>,
        purpose: Purpose,
    ) -> Self {
        Self {
            pool,
            moves,
            statements,
            purpose,
            places: Semaphore::new(purpose.connections()),
            idle: Mutex::default(),
            made: AtomicU64::new(0),
        }
    }

    /// Waits for a connection, and makes one if there is none.
    pub(super) async fn lend(&self) -> sqlx::Result<Lent<'_>> {
        let place = self.places.acquire().await;
        let place = place.expect("the semaphore is never closed");
        let idle = {
            let mut idle = self.idle();
            idle.retain(|own| !self.moves.outdate(own.begun));
            idle.pop()
        };
        let own = match idle {
            Some(idle) => idle,
            None => self.connect().await?,
        };
        let mut lent = Lent {
            dedicated: self,
            _place: place,
            own,
            in_transaction: false,
        };
        if lent.route() == Route::Pooled {
            lent.begin_pooled().await?;
        }
        Ok(lent)
    }

    /// Tries again for a while if the server is starting, or has all the connections that it
    /// allows.
    async fn connect(&self) -> sqlx::Result<Own> {
        let began = Instant::now();
        let mut pause = Self::FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let options = self.pool.connect_options().as_ref().clone();
            let connecting = connect(options, self.purpose, &self.statements);
            let left = Self::CONNECT_TIMEOUT.saturating_sub(began.elapsed());
            let error = match tokio::time::timeout(left, connecting).await {
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
                Ok(Ok((connection, route))) => {
                    let number = self.made.fetch_add(1, Relaxed) + 1;
                    return Ok(Own {
                        connection,
                        number,
                        route,
                        begun,
                    });
                }
                Ok(Err(error)) => error,
            };
            if !is_temporary(&error) || began.elapsed() + 2 * pause > Self::CONNECT_TIMEOUT {
                return Err(error);
            }
            debug!(%error, "failed to connect; trying again");
            // All workers of a server that has just started want to connect at once.
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause *= 2;
        }
    }

    /// Makes the connections. Whoever needs one that could not be made is told.
    pub(super) async fn warm_up(&self) {
        let _places = self.all_places().await;
        let missing = self.purpose.connections() - self.idle().len();
        let making = (0..missing).map(|_| self.connect());
        let made = futures_util::future::join_all(making).await;
        self.idle().extend(made.into_iter().flatten());
    }

    /// How many there are. One that is being made is in use.
    #[cfg(feature = "metrics")]
    pub(super) fn count(&self, purpose: &'static str) -> super::connections::Connections {
        let places = self.purpose.connections();
        super::connections::Connections {
            purpose,
            idle: self.idle().len(),
            in_use: places - self.places.available_permits().min(places),
        }
    }

    /// How many were ever made.
    #[cfg(feature = "metrics")]
    pub(super) fn made(&self) -> u64 {
        self.made.load(Relaxed)
    }

    /// In one call: two who hold one each, and wait for another, would wait for ever.
    async fn all_places(&self) -> SemaphorePermit<'_> {
        let all = u32::try_from(self.purpose.connections()).unwrap_or(u32::MAX);
        let places = self.places.acquire_many(all).await;
        places.expect("the semaphore is never closed")
    }

    /// Closes the connections, once they are not lent any more.
    pub(super) async fn close(&self) {
        let _places = self.all_places().await;
        let idle = mem::take(&mut *self.idle());
        for own in idle {
            // It is of no more use either way.
            let _ = own.connection.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Own>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a pooler in between refuses settings at the start: `protocol_violation` (PgBouncer),
/// `feature_not_supported` (the proxy of RDS).
const REFUSES_SETTINGS: [&str; 2] = ["08P01", "0A000"];

async fn connect(
    options: PgConnectOptions,
    purpose: Purpose,
    statements: &Statements,
) -> sqlx::Result<(PgConnection, Route)> {
    let set = options.clone().options(purpose.session_settings());
    let connected = PgConnection::connect_with(&set).await;
    let mut connection = match connected {
        Err(error) if refuses_settings(&error) => {
            debug!(%error, "connecting without settings of our own");
            let connection = PgConnection::connect_with(&options).await?;
            return Ok((connection, Route::Pooled));
        }
        connected => connected?,
    };
    // A pooler may have accepted the settings, and ignored them.
    let asked = Route::ask(&mut connection, &statements.route).await?;
    Ok((connection, asked.route))
}

fn refuses_settings(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    code.is_some_and(|code| REFUSES_SETTINGS.contains(&code.as_ref()))
}

/// Whether another try may succeed in a moment.
fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        sqlx::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// Begins a transaction of several statements. Each has a snapshot of its own, whatever the
/// database has for a default; may read the whole table; and keeps its locks for a few seconds
/// only if the worker is cut off.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
                     SET LOCAL statement_timeout = '10min'";

/// The same in a transaction that has begun, and has not been told how long it may take.
const GO_ON: &str = "SET LOCAL statement_timeout = '10min'";

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.own.connection
    }

    pub(super) fn route(&self) -> Route {
        self.own.route
    }

    /// Counts the connections of this purpose from 1. The server may have crashed between one
    /// and the next. Behind a pooler it may have crashed between any two transactions, and the
    /// number is that of its life.
    pub(super) fn number(&self) -> u64 {
        self.own.number
    }

    async fn begin_pooled(&mut self) -> sqlx::Result<()> {
        let settings = self.dedicated.purpose.transaction_settings();
        let begin = sqlx::raw_sql(self.dedicated.statements.begin(&settings));
        self.in_transaction = true;
        let row = begin.fetch_one(self.connection()).await?;
        self.own.number = row.try_get::<i64, _>("life")?.unsigned_abs();
        Ok(())
    }

    /// Puts several statements into one transaction, which may take its time. It ends when the
    /// connection is given back.
    pub(super) async fn begin(&mut self) -> sqlx::Result<()> {
        let begin = match self.route() {
            Route::Direct => BEGIN,
            Route::Pooled => GO_ON,
        };
        self.in_transaction = true;
        self.connection().execute(begin).await?;
        Ok(())
    }

    /// After a statement that failed: so that the next one does not, too.
    pub(super) async fn recover(&mut self) -> sqlx::Result<()> {
        if self.route() == Route::Pooled {
            self.connection().execute("ROLLBACK").await?;
            self.begin_pooled().await?;
        }
        Ok(())
    }

    /// Goes on after [`commit`](Self::commit).
    pub(super) async fn go_on(&mut self) -> sqlx::Result<()> {
        if self.route() == Route::Pooled && !self.in_transaction {
            self.begin_pooled().await?;
        }
        Ok(())
    }

    /// Makes sure of what was done.
    pub(super) async fn commit(&mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            self.connection().execute("COMMIT").await?;
            self.in_transaction = false;
        }
        Ok(())
    }

    pub(super) async fn give_back(mut self) -> sqlx::Result<()> {
        self.commit().await?;
        self.dedicated.idle().push(self.own);
        Ok(())
    }
}
