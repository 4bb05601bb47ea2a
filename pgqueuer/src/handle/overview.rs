//! What a queue is doing, for screens and metrics.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    error::Result,
    handle::PgQueuer,
    store::{KindTotal, Overview},
};

impl PgQueuer {
    /// What the queue is doing: of each kind how many jobs wait, run, are scheduled or held, since when the
    /// oldest has waited, and what was done of late; and the workers. The model behind every view.
    ///
    /// It counts no jobs, however many there are: it reads what transactions and workers have written
    /// down to be added up. What waits, is scheduled or held is right at once (after
    /// somebody has deleted jobs by hand, after [`recount`](Self::recount)); what runs and what was done, as
    /// workers have said within the last five seconds.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let pgq = PgQueuer::in_memory();
    /// SendWelcome { user_id: 42 }.enqueue(&pgq).await?;
    /// let overview = pgq.overview().await?;
    /// let welcome = &overview.kinds[0];
    /// assert_eq!((welcome.kind.as_str(), welcome.counts.available), ("send_welcome", 1));
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn overview(&self) -> Result<Overview> {
        self.store().overview().await
    }

    /// What was done of each kind since the schema was installed, by name: for metrics, since it only ever
    /// grows. Workers add to it every five seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn list_totals(&self) -> Result<Vec<KindTotal>> {
        self.store().list_totals().await
    }

    /// Counts the unfinished jobs, and mends the numbers of the [overview](Self::overview) where they are
    /// wrong: after somebody has deleted or inserted jobs by hand. Returns how many kinds that was. Reads
    /// all unfinished jobs, and nobody has to stop meanwhile. In SQL: `SELECT pgqueuer.recount()`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn recount(&self) -> Result<u64> {
        self.store().recount().await
    }
}
