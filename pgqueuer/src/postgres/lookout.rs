//! Follows the database from host to host, when it has several.
//!
//! A task looks at the host that takes writes. When that is gone, or takes none any more, it looks
//! for the next. Connections are made by the options of the pool, so the task changes these, and
//! notes the time: what was connected before is of no more use.

use std::{
    fmt,
    future::Future,
    io,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use sqlx::{
    Connection as _, PgConnection, PgPool, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    PostgresStore, SchemaName,
    hosts::{Hosts, address},
    statements::{Statement, Statements},
};
use crate::error::{BoxError, Error, ErrorKind, Result};

/// How long to wait for a connection, or for a host that takes writes.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How often to ask the host whether it still takes writes.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long a host may take to answer. One that has fallen silent costs this time twice: once to
/// notice, and once more because the hosts behind it in the URL have to wait.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How long to wait before the second look around, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// When the database has last moved to another host. With one host: never.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves(watch::Sender<Option<Instant>>);

impl Moves {
    /// Whether a connection that was begun at this time may be one to the host before.
    pub(super) fn outdate(&self, begun: Instant) -> bool {
        self.0.borrow().is_some_and(|moved| begun <= moved)
    }

    /// Tells of moves from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Instant>> {
        self.0.subscribe()
    }

    /// Gives up a call when the database moves: the host before may have fallen silent.
    pub(super) async fn cut<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let mut moved = self.subscribe();
        tokio::select! {
            biased;
            result = call => result,
            Ok(()) = moved.changed() => Err(Error::new(
                ErrorKind::Database,
                "the database has moved to another host before it answered",
            )),
        }
    }

    fn note(&self) {
        self.0.send_replace(Some(Instant::now()));
    }
}

/// What was last seen.
#[derive(Debug)]
enum Sight {
    Nothing,
    Primary,
    /// Why none of the hosts will do, and whether that may pass.
    Nobody {
        why: String,
        may_pass: bool,
    },
}

impl PostgresStore {
    /// Uses `schema` on one of `hosts`, over a pool of its own. Connects to nothing yet, but looks
    /// for the one of several hosts that takes writes. Needs a runtime.
    pub(crate) fn connect_lazy(hosts: Hosts, schema: SchemaName) -> Self {
        let options = PgPoolOptions::new().acquire_timeout(CONNECT_LIMIT);
        let first = hosts.first().clone();
        if hosts.only().is_some() {
            return Self::new(options.connect_lazy_with(first), schema);
        }
        let question = Statements::of_default_schema().takes_writes.clone();
        let moves = Moves::default();
        let pool = following(options, &moves, &question).connect_lazy_with(first);
        let mut store = Self::with_moves(pool.clone(), schema, moves.clone());
        store.lookout = Some(Lookout::start(hosts, pool, moves, question));
        store
    }

    /// Makes sure that there is a database that answers.
    pub(crate) async fn reach(&self) -> Result<()> {
        let failed = |hosts: &dyn fmt::Display, why: BoxError| {
            let message = format!("failed to connect to {hosts}");
            Err(Error::new(ErrorKind::Database, message).because(why))
        };
        if let Some(lookout) = &self.lookout {
            return match lookout.found().await {
                Ok(()) => Ok(()),
                Err(why) => failed(&lookout.hosts, why.into()),
            };
        }
        match self.pool().acquire().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let options = self.pool().connect_options().as_ref().clone();
                failed(&Hosts::from(options), error.into())
            }
        }
    }
}

/// Ends with the value.
#[derive(Debug)]
pub(super) struct Lookout {
    hosts: Hosts,
    task: AbortOnDropHandle<()>,
    sight: watch::Receiver<Sight>,
}

impl Lookout {
    /// Sees to it that `pool` follows.
    fn start(hosts: Hosts, pool: PgPool, moves: Moves, question: Statement) -> Self {
        let (sender, sight) = watch::channel(Sight::Nothing);
        let watch = Watch {
            hosts: hosts.clone(),
            pool,
            moves,
            question,
            sight: sender,
        };
        Self {
            hosts,
            task: AbortOnDropHandle::new(tokio::spawn(watch.run())),
            sight,
        }
    }

    /// Waits until there is a host that takes writes. The error says what each of them answered.
    async fn found(&self) -> Result<(), String> {
        let mut sight = self.sight.clone();
        let waiting = sight.wait_for(|it| match it {
            Sight::Primary => true,
            Sight::Nothing => false,
            Sight::Nobody { may_pass, .. } => !may_pass,
        });
        // What counts is what was seen last.
        let _ = tokio::time::timeout(CONNECT_LIMIT, waiting).await;
        match &*self.sight.borrow() {
            Sight::Primary => Ok(()),
            Sight::Nothing => Err("no answer".to_owned()),
            Sight::Nobody { why, .. } => Err(why.clone()),
        }
    }

    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

/// Makes a pool leave a host that the database has left, or that has fallen silent: the tests of the
/// pool itself would wait for a quarter of an hour for its answer.
fn following(options: PgPoolOptions, moves: &Moves, question: &Statement) -> PgPoolOptions {
    let (when_acquired, when_released) = (moves.clone(), moves.clone());
    let question = question.clone();
    options
        .test_before_acquire(false)
        .before_acquire(move |connection, its| {
            let moves = when_acquired.clone();
            Box::pin(async move { Ok(is_of_use(connection, its.age, &moves).await) })
        })
        .after_release(move |connection, its| {
            let moves = when_released.clone();
            Box::pin(async move { Ok(is_of_use(connection, its.age, &moves).await) })
        })
        // After an error the pool tries again, by the options that it has then.
        .after_connect(move |connection, _| {
            let question = question.clone();
            Box::pin(async move {
                if takes_writes(connection, &question).await? {
                    return Ok(());
                }
                Err(io::Error::other(READ_ONLY).into())
            })
        })
}

async fn is_of_use(connection: &mut PgConnection, age: Duration, moves: &Moves) -> bool {
    let begun = Instant::now().checked_sub(age);
    if begun.is_some_and(|begun| moves.outdate(begun)) {
        return false;
    }
    let answer = tokio::time::timeout(ANSWER_WITHIN, connection.ping()).await;
    matches!(answer, Ok(Ok(())))
}

const READ_ONLY: &str = "is a standby, or read-only";

async fn takes_writes(connection: &mut PgConnection, question: &Statement) -> sqlx::Result<bool> {
    let answer = sqlx::raw_sql(question.text()).fetch_one(connection).await?;
    answer.try_get("takes_writes")
}

/// The task.
struct Watch {
    hosts: Hosts,
    pool: PgPool,
    moves: Moves,
    question: Statement,
    sight: watch::Sender<Sight>,
}

/// Why a host will not do.
struct Refusal {
    why: String,
    may_pass: bool,
}

impl Watch {
    async fn run(self) {
        let mut last = 0;
        loop {
            let (index, options, mut connection) = self.find().await;
            let host = address(options);
            if index != last {
                self.pool.set_connect_options(options.clone());
                self.moves.note();
                info!(host, "the host that takes writes is another one");
                last = index;
            }
            self.sight.send_replace(Sight::Primary);
            let why = self.stay(&mut connection).await;
            warn!(
                host,
                why, "lost the host that takes writes; looking for one that does"
            );
            self.sight.send_replace(Sight::Nothing);
        }
    }

    /// Looks around until a host takes writes.
    async fn find(&self) -> (usize, &PgConnectOptions, PgConnection) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut refusals = Vec::new();
            // All at once, but the first of those that take writes: if there are two, all who
            // have this URL choose the same.
            let hosts = self.hosts.all().iter().enumerate();
            let asking = hosts.clone().map(|(_, options)| self.ask(options));
            let mut answers: FuturesOrdered<_> = asking.collect();
            for (index, options) in hosts {
                match answers.next().await {
                    Some(Ok(connection)) => return (index, options, connection),
                    Some(Err(refusal)) => refusals.push((address(options), refusal)),
                    None => {}
                }
            }
            let told = refusals
                .iter()
                .map(|(host, it)| format!("{host}: {}", it.why));
            self.sight.send_replace(Sight::Nobody {
                why: told.collect::<Vec<_>>().join("; "),
                may_pass: refusals.iter().any(|(_, it)| it.may_pass),
            });
            tokio::time::sleep(spread(pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Connects, and asks whether the host takes writes.
    async fn ask(&self, options: &PgConnectOptions) -> Result<PgConnection, Refusal> {
        let asking = async {
            let mut connection = PgConnection::connect_with(options).await?;
            if takes_writes(&mut connection, &self.question).await? {
                return Ok(Some(connection));
            }
            connection.close().await.map(|()| None)
        };
        let (why, may_pass) = match tokio::time::timeout(ANSWER_WITHIN, asking).await {
            Ok(Ok(Some(connection))) => return Ok(connection),
            Ok(Ok(None)) => (READ_ONLY.to_owned(), true),
            Ok(Err(error)) => (error.to_string(), may_pass(&error)),
            Err(_) => (silent(), true),
        };
        Err(Refusal { why, may_pass })
    }

    /// Asks now and then, until the host takes writes no more. Returns why.
    async fn stay(&self, connection: &mut PgConnection) -> String {
        loop {
            tokio::time::sleep(spread(ASK_EVERY)).await;
            let asking = takes_writes(connection, &self.question);
            match tokio::time::timeout(ANSWER_WITHIN, asking).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return READ_ONLY.to_owned(),
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return silent(),
            }
        }
    }
}

fn silent() -> String {
    format!("no answer within {} s", ANSWER_WITHIN.as_secs())
}

/// All who have lost a host look for the next.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

/// A host may come back, and its name be known again. A wrong password stays wrong.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}
