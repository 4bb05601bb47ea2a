//! A handler's own transaction, in which its job is completed.

use std::{
    any::Any,
    fmt,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sqlx::PgConnection;

use crate::{
    context::Context,
    error::{Error, Result},
    postgres::PostgresWork,
    resources::{Inject, Requirement},
    store::Work,
};

/// A transaction in which a handler writes, and in which its job is completed: what the handler
/// wrote and the end of the job are committed together, or not at all. So those writes are done
/// exactly once, whatever fails.
///
/// Take it as a parameter. It begins before the handler, over a connection of the worker's pool,
/// and is a [`PgConnection`] to all who want one:
///
/// ```
/// use pgqueuer::prelude::*;
///
/// #[job]
/// async fn pay_out(account: i64, cents: i64, mut tx: Tx) -> Result<(), sqlx::Error> {
///     sqlx::query("UPDATE accounts SET cents = cents + $2 WHERE id = $1")
///         .bind(account)
///         .bind(cents)
///         .execute(&mut *tx)
///         .await?;
///     Ok(())
/// }
/// # #[job] async fn send_receipt(account: i64) { let _ = account; }
///
/// // Jobs that are enqueued to it are in the queue if the transaction is committed.
/// #[job]
/// async fn settle_up(account: i64, mut tx: Tx) -> pgqueuer::Result<()> {
///     SendReceipt { account }.enqueue(&mut *tx).await?;
///     Ok(())
/// }
/// ```
///
/// The transaction is committed when the handler returns `()` or `Ok`. It is rolled back when
/// the handler fails, panics, takes too long, is cut off, or ends the job in another way
/// ([`Snooze`](crate::Snooze), [`Hold`](crate::Hold), …); and when the worker has lost the job to
/// another one meanwhile. If the commit fails, the attempt has failed.
///
/// Do not commit by hand (`COMMIT`, `ROLLBACK` in SQL), and do not keep it longer than the
/// handler runs: an attempt whose `Tx` is still somewhere else when its handler returns fails.
/// A transaction that is open for long keeps vacuum from its work, and one connection of the
/// pool is taken as long as the handler runs: let the pool have as many as the worker runs such jobs
/// at a time.
///
/// Only on PostgreSQL: a worker on a queue in memory refuses to start.
pub struct Tx {
    /// There until it is dropped.
    work: Option<Box<PostgresWork>>,
    home: Home,
}

/// Where the transaction of an attempt is while its handler does not have it.
#[derive(Clone, Default)]
pub(crate) struct Home(Arc<Mutex<Option<Box<dyn Work>>>>);

impl Home {
    fn lock(&self) -> MutexGuard<'_, Option<Box<dyn Work>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, work: Box<dyn Work>) {
        *self.lock() = Some(work);
    }

    pub(crate) fn take(&self) -> Option<Box<dyn Work>> {
        self.lock().take()
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Home")
    }
}

impl Inject for Tx {
    fn requirements() -> Vec<Requirement> {
        vec![Requirement::of_transaction()]
    }

    fn inject(context: &Context) -> Result<Self> {
        let home = context.transaction().clone();
        let work: Option<Box<dyn Any>> = home.take().map(|it| it as Box<dyn Any>);
        let work = work.and_then(|it| it.downcast().ok());
        if work.is_none() {
            return Err(Error::config(
                "this attempt has no transaction to give: a job can take one `Tx`, and only \
                 from a worker",
            ));
        }
        Ok(Self { work, home })
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        let work = self.work.as_ref();
        work.expect("it is there until it is dropped").connection()
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        let work = self.work.as_mut();
        work.expect("it is there until it is dropped")
            .connection_mut()
    }
}

/// Gives the transaction back to the attempt, which decides what becomes of it.
impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.home.put(work);
        }
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}
