//! Connections that are kept for one purpose.
//!
//! A pool tests each connection when it is given back, which is a round trip for every
//! statement (measured: a fifth of the time of a drain). And it takes back one that has failed:
//! one whose other end is gone without a word, which no test gets an answer from, or one to a
//! server that has become a standby. A worker's own connections are closed when anything went
//! wrong on them, and made anew.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::debug;

/// Settings of connections, as PostgreSQL names them.
type Settings = &'static [(&'static str, &'static str)];

/// A few connections that are made when they are first needed, and again after they were lost.
#[derive(Debug)]
pub(super) struct Dedicated {
    /// Says how to connect: its options may change, with a password that is replaced.
    pool: PgPool,
    purpose: Purpose,
    places: Semaphore,
    /// Those that are not lent, with their numbers.
    idle: Mutex<Vec<(PgConnection, u64)>>,
    /// How many there have been.
    made: AtomicU64,
}

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To claim or to settle: short statements, one at a time.
    Jobs,
    /// To renew the lease.
    Lease,
    /// All else.
    Control,
}

/// A connection, lent to one statement. Unless it is given back, it is closed: a statement
/// that failed or was cancelled half-way may have left it in any state.
pub(super) struct Lent<'a> {
    dedicated: &'a Dedicated,
    _place: SemaphorePermit<'a>,
    connection: PgConnection,
    number: u64,
}

impl Dedicated {
    /// How long to wait for a server that does not answer, or that is starting.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// How long to wait before the second try to connect, doubled each time.
    const FIRST_PAUSE: Duration = Duration::from_millis(50);

    pub(super) fn new(pool: PgPool, purpose: Purpose) -> Self {
        Self {
            pool,
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
        let idle = self.idle().pop();
        let (connection, number) = match idle {
            Some(idle) => idle,
            None => (self.connect().await?, self.made.fetch_add(1, Relaxed) + 1),
        };
        Ok(Lent {
            dedicated: self,
            _place: place,
            connection,
            number,
        })
    }

    /// Tries again for a while if the server is starting, or has all the connections that it
    /// allows.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let began = Instant::now();
        let mut pause = Self::FIRST_PAUSE;
        loop {
            let options = self.pool.connect_options().as_ref().clone();
            let connecting = connect(options, self.purpose);
            let left = Self::CONNECT_TIMEOUT.saturating_sub(began.elapsed());
            let error = match tokio::time::timeout(left, connecting).await {
                Err(_) => return Err(sqlx::Error::PoolTimedOut),
                Ok(Ok(connection)) => return Ok(connection),
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
        let number = || self.made.fetch_add(1, Relaxed) + 1;
        let made = made.into_iter().flatten().map(|it| (it, number()));
        self.idle().extend(made);
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
        let idle = std::mem::take(&mut *self.idle());
        for (connection, _) in idle {
            // It is of no more use either way.
            let _ = connection.close().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(PgConnection, u64)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purpose {
    fn connections(self) -> usize {
        match self {
            Self::Jobs | Self::Lease => 1,
            // One for the upkeep and one for the schedules.
            Self::Control => 2,
        }
    }

    /// How long the server may work on a statement: a little less than the worker waits for its
    /// answer. A call that the worker alone gives up goes on at the server, where it waits for
    /// a lock, say; and with each new try there is one connection more.
    fn settings(self) -> Settings {
        match self {
            Self::Jobs => &[("statement_timeout", "12s")],
            Self::Lease => &[("statement_timeout", "5s")],
            Self::Control => &[("statement_timeout", "25s")],
        }
    }
}

/// What a database may have for a default, and should not for a worker.
///
/// - A claim takes rows that others have just changed, and a statement must see what those
///   before it have locked. Where the snapshot is older, both are errors.
/// - An upkeep that was cut off from the server must not keep its locks for hours.
/// - Nor must a worker that is gone without a word keep its connections for hours. (These have no
///   effect on a Unix socket.)
const OWN: Settings = &[
    ("default_transaction_isolation", "read committed"),
    ("lock_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "60"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "6"),
];

/// Claiming and settling have one good plan each, which reads an index. A planner that has no
/// statistics yet, or old ones, may think otherwise, so it is not left the choice.
const PLANNER: Settings = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// How a pooler in between refuses settings at the start: `protocol_violation` (PgBouncer),
/// `feature_not_supported` (the proxy of RDS).
const REFUSES_SETTINGS: [&str; 2] = ["08P01", "0A000"];

async fn connect(options: PgConnectOptions, purpose: Purpose) -> sqlx::Result<PgConnection> {
    let planner = match purpose {
        Purpose::Jobs => PLANNER,
        Purpose::Lease | Purpose::Control => &[],
    };
    let settings = [OWN, purpose.settings(), planner].concat();
    let connected = PgConnection::connect_with(&options.clone().options(settings)).await;
    let refused = match connected {
        Err(error) if refuses_settings(&error) => error,
        result => return result,
    };
    debug!(error = %refused, "connecting without settings of our own");
    PgConnection::connect_with(&options).await
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

impl Lent<'_> {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Counts the connections of this purpose from 1. The server may have crashed between one
    /// and the next.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn give_back(self) {
        let idle = (self.connection, self.number);
        self.dedicated.idle().push(idle);
    }
}
