//! Gathering: tasks that enqueue at the same time share a statement.
//!
//! A web server under load enqueues from many tasks at once, a job each. One by one, each takes
//! a connection, a transaction and a flush to disk. So no more than [`SENDERS`] statements are
//! under way for one handle; what comes meanwhile waits, and goes together with the next. A
//! task that is alone waits for nobody.
//!
//! Sharing shows in nothing but time. If the database refuses the shared statement, the jobs
//! of each task are sent by themselves, so that each has its own result. If nobody can tell
//! whether they were committed (the connection broke), all are told so. A task that has waited
//! for [`LONGEST_WAIT`] sends by itself: a connection that hangs must not hold up those who
//! could have had another.

use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::postgres::{PgDatabaseError, PgSeverity};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{
    application::ApplicationPool, enqueue::enqueue, failure::failed_to, lookout::Moves,
    statements::Statements,
};
use crate::{
    error::{Error, ErrorKind, Result},
    job::JobId,
    store::JobToEnqueue,
};

/// How many statements are under way at most. Two: while one is on its way back, the database
/// works on the other.
const SENDERS: usize = 2;

/// Who brings more than this has a statement of its own.
const MOST_JOBS: usize = 100;
const MOST_BYTES: usize = 64 * 1024;

/// How many tasks share a statement at most.
const MOST_TASKS: usize = 100;

/// A hundred times what a statement takes.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// Sends for the tasks that enqueue through one handle.
pub(super) struct Gathering {
    pool: Arc<ApplicationPool>,
    moves: Moves,
    statements: Arc<Statements>,
    senders: Arc<Semaphore>,
    waiting: Mutex<Vec<Waiting>>,
    tickets: AtomicU64,
}

/// What a task waits for.
struct Waiting {
    ticket: u64,
    jobs: Vec<JobToEnqueue>,
    reply: oneshot::Sender<Result<Vec<JobId>>>,
}

impl Gathering {
    pub(super) fn new(
        pool: Arc<ApplicationPool>,
        moves: Moves,
        statements: Arc<Statements>,
    ) -> Self {
        Self {
            pool,
            moves,
            statements,
            senders: Arc::new(Semaphore::new(SENDERS)),
            waiting: Mutex::default(),
            tickets: AtomicU64::new(0),
        }
    }

    /// Adds jobs, all or none.
    pub(super) async fn enqueue(self: &Arc<Self>, jobs: &[JobToEnqueue]) -> Result<Vec<JobId>> {
        if jobs.len() > MOST_JOBS || payload_bytes(jobs) > MOST_BYTES {
            return self.send(jobs).await;
        }
        if let Some(_turn) = self.take_turn() {
            return self.send(jobs).await;
        }
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let (reply, mut replied) = oneshot::channel();
        self.lock().push(Waiting {
            ticket,
            jobs: jobs.to_vec(),
            reply,
        });
        self.go_on();
        let reply = match tokio::time::timeout(LONGEST_WAIT, &mut replied).await {
            Ok(reply) => reply,
            Err(_) if self.has_left(ticket) => return self.send(jobs).await,
            // It is under way.
            Err(_) => replied.await,
        };
        reply.unwrap_or_else(|_| Err(abandoned()))
    }

    async fn send(&self, jobs: &[JobToEnqueue]) -> Result<Vec<JobId>> {
        let failed = failed_to("enqueue jobs");
        // Who still waits for a connection has lost nothing when the database moves.
        let mut lent = self.pool.lend().await.map_err(&failed)?;
        self.moves
            .cut(async {
                let route = lent.route();
                let ids = enqueue(lent.connection(), route, &self.statements, jobs).await?;
                lent.give_back().await.map_err(&failed)?;
                Ok(ids)
            })
            .await
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_turn(self: &Arc<Self>) -> Option<Turn> {
        let permit = Arc::clone(&self.senders).try_acquire_owned().ok()?;
        Some(Turn {
            gathering: Arc::clone(self),
            permit: Some(permit),
        })
    }

    /// Sees to it that somebody sends what waits. Called by who has begun to wait, and by who
    /// has given up a turn: one of the two sees the other.
    fn go_on(self: &Arc<Self>) {
        if self.lock().is_empty() {
            return;
        }
        // A task of its own: it must not end with the one that happens to start it.
        let (Ok(runtime), Ok(permit)) = (
            tokio::runtime::Handle::try_current(),
            Arc::clone(&self.senders).try_acquire_owned(),
        ) else {
            return;
        };
        let gathering = Arc::clone(self);
        runtime.spawn(async move {
            // Made here: a runtime that shuts down drops this block before it begins.
            let turn = Turn {
                gathering,
                permit: Some(permit),
            };
            turn.send_waiting().await;
        });
    }

    /// Whether the task was still waiting; now it is not.
    fn has_left(&self, ticket: u64) -> bool {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|it| it.ticket == ticket);
        place.map(|it| waiting.remove(it)).is_some()
    }
}

/// The right to send. It is passed on to those who wait.
struct Turn {
    gathering: Arc<Gathering>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.gathering.go_on();
    }
}

impl Turn {
    async fn send_waiting(&self) {
        loop {
            let tasks: Vec<Waiting> = {
                let mut waiting = self.gathering.lock();
                let count = waiting.len().min(MOST_TASKS);
                waiting.drain(..count).collect()
            };
            if tasks.is_empty() {
                return;
            }
            self.send_together(tasks).await;
        }
    }

    async fn send_together(&self, tasks: Vec<Waiting>) {
        let jobs: Vec<JobToEnqueue> = tasks.iter().flat_map(|it| it.jobs.clone()).collect();
        match self.gathering.send(&jobs).await {
            Ok(ids) => {
                let mut ids = ids.into_iter();
                for task in tasks {
                    let own = ids.by_ref().take(task.jobs.len()).collect();
                    // Nobody waits any more if its future was dropped.
                    let _ = task.reply.send(Ok(own));
                }
            }
            Err(error) if tasks.len() > 1 && was_refused(&error) => {
                for task in tasks {
                    let _ = task.reply.send(self.gathering.send(&task.jobs).await);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for task in tasks {
                    let _ = task.reply.send(Err(told(&error)));
                }
            }
        }
    }
}

fn payload_bytes(jobs: &[JobToEnqueue]) -> usize {
    jobs.iter().map(|it| it.payload.bytes.len()).sum()
}

/// Whether the database says that it did nothing. A connection that ends says nothing of the
/// kind: the statement may have been committed just before.
fn was_refused(error: &Error) -> bool {
    let cause = error.source().and_then(|it| it.downcast_ref());
    let database_error = cause.and_then(sqlx::Error::as_database_error);
    database_error
        .and_then(|it| it.try_downcast_ref::<PgDatabaseError>())
        .is_some_and(|it| matches!(it.severity(), PgSeverity::Error))
}

fn abandoned() -> Error {
    Error::new(
        ErrorKind::Database,
        "failed to enqueue jobs: the runtime that was sending them has shut down; they may or may \
         not be in the queue",
    )
}

/// The same error, for one more of those who shared a statement.
fn told(error: &Arc<Error>) -> Error {
    let copy = Error::new(error.kind(), error.to_string());
    match error.source() {
        Some(_) => copy.because(Shared(Arc::clone(error))),
        None => copy,
    }
}

/// The source of an error that several were told.
#[derive(Debug)]
struct Shared(Arc<Error>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source().map_or(Ok(()), |it| write!(f, "{it}"))
    }
}

impl StdError for Shared {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()?.source()
    }
}

impl fmt::Debug for Gathering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gathering").finish_non_exhaustive()
    }
}
