//! Looking at what there is and what was, for people.

use std::time::Duration;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    store::{HeldJob, HistoryFilter, HistoryPage, HistoryPlace, StaleRecord},
};

/// The most jobs that are listed at once.
pub(super) const MOST_LISTED: u32 = 10_000;

/// Refuses a page that is out of range.
pub(super) fn check_limit(limit: u32) -> Result<()> {
    if (1..=MOST_LISTED).contains(&limit) {
        return Ok(());
    }
    Err(Error::config(format!(
        "a page of {limit} jobs is out of range, from 1 to {MOST_LISTED}"
    )))
}

impl PgQueuer {
    /// Finished jobs, newest first, from the newest or below the [place](HistoryPage::next) where a page had
    /// its end. At most `limit` of them, from 1 to 10,000.
    ///
    /// However large the history is, a page reads no more than its end: a part of it that the filter leaves
    /// nothing of costs one page after the other, of up to 32 MiB.
    ///
    /// ```
    /// use pgqueuer::{Ending, HistoryFilter, PgQueuer};
    ///
    /// # async fn show(pgq: PgQueuer) -> pgqueuer::Result<()> {
    /// let given_up = HistoryFilter::all().ending(Ending::Discarded);
    /// for job in pgq.list_history(&given_up, None, 100).await?.jobs {
    ///     println!("{} {} at {:?}", job.kind, job.id, job.finished_at);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a limit out of range; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn list_history(
        &self,
        filter: &HistoryFilter,
        below: Option<HistoryPlace>,
        limit: u32,
    ) -> Result<HistoryPage> {
        check_limit(limit)?;
        self.store().list_history(filter, below, limit).await
    }

    /// Held jobs of these kinds (`None` for all), the newest first, each with its last failure. At most `limit`
    /// of them, from 1 to 10,000. Reads no others, however many there are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a limit out of range; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn list_held(&self, kinds: Option<&[String]>, limit: u32) -> Result<Vec<HeldJob>> {
        check_limit(limit)?;
        self.store().list_held(kinds, limit).await
    }

    /// What should have been begun or ended by now, the oldest first: jobs that have been due for longer than
    /// `waits`; that have run for longer than `runs`, or were left behind by a dead worker; and sessions
    /// that have been over for ten seconds, and that no other worker has ended. At most `limit` of them, from
    /// 1 to 10,000.
    ///
    /// Reads the first thousand jobs of each lane (a kind and a priority), however many there are.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// use std::time::Duration;
    ///
    /// # async fn show(pgq: PgQueuer) -> pgqueuer::Result<()> {
    /// let minutes = |it: u64| Duration::from_secs(60 * it);
    /// for it in pgq.list_stale(minutes(5), minutes(60), 100).await? {
    ///     println!("{} {} {} since {}", it.what.as_str(), it.kind, it.id, it.since);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a limit out of range; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn list_stale(
        &self,
        waits: Duration,
        runs: Duration,
        limit: u32,
    ) -> Result<Vec<StaleRecord>> {
        check_limit(limit)?;
        self.store().list_stale(waits, runs, limit).await
    }
}
