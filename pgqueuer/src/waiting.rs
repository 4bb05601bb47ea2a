//! Waiting for jobs to end: one task, and one connection that listens, for all who wait in a process.
//!
//! The first who waits starts the task, and some time after the last one it ends. It subscribes, and
//! then looks, so that no end is missed; a look is one statement for all that have to be looked at.
//! Notifications are only told for kinds that somebody has said to wait for, and one may be lost with
//! its connection, so it looks now and then anyway.

mod task;
mod waiters;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    error::{Error, ErrorKind, Result},
    job::JobId,
    store::{Became, Store},
};
use task::Task;
use waiters::Waiters;

/// What became of a job that was waited for; `None` if nothing is known of it.
pub(crate) type Reply = Result<Option<Became>>;

/// Where to wait for jobs of one store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Waiting(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// What those who wait share with the task.
#[derive(Default)]
struct Shared {
    waiters: Mutex<Waiters>,
    /// Somebody new waits.
    changed: Notify,
}

impl Shared {
    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        lock(&self.waiters)
    }
}

impl Waiting {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Inner {
            store,
            shared: Arc::default(),
            task: Mutex::new(None),
        }))
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Waits for a job of one of these kinds.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: to wait again is as good.
    pub(crate) async fn wait(&self, id: JobId, kinds: impl Iterator<Item = &str>) -> Reply {
        let (sender, receiver) = oneshot::channel();
        let is_served = self.0.shared.waiters().add(id, kinds, sender);
        self.keep_running(is_served);
        self.0.shared.changed.notify_one();
        match receiver.await {
            Ok(reply) => reply,
            Err(_) => Err(Error::new(
                ErrorKind::Database,
                format!("the queue was closed while somebody waited for job {id}"),
            )),
        }
    }

    /// Starts the task, unless it runs. It may have ended with the runtime that it was on.
    fn keep_running(&self, is_served: bool) {
        let mut task = lock(&self.0.task);
        let runs = task.as_ref().is_some_and(|it| !it.is_finished());
        if !is_served || !runs {
            let work = Task::new(Arc::clone(&self.0.store), Arc::clone(&self.0.shared)).run();
            *task = Some(AbortOnDropHandle::new(tokio::spawn(work)));
        }
    }

    /// Stops listening. Those who wait are told that the queue was closed.
    pub(crate) async fn close(&self) {
        let task = lock(&self.0.task).take();
        if let Some(task) = task {
            task.abort();
            // An error is the abort.
            let _ = task.await;
        }
        *self.0.shared.waiters() = Waiters::default();
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
