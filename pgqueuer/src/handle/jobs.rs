//! Jobs one by one and by the thousand: listing, cancelling, requeueing, discarding.

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::{
    enqueue::OnConnection,
    error::{Error, ErrorKind as Kind, Result},
    handle::{PgQueuer, look::check_limit},
    job::{Job, JobId},
    payload::Payload,
    postgres,
    store::{Cancelled, Edit, JobFilter, JobRecord, JobState, Meant, Requeue, Requeued, Step},
};

/// So many jobs are changed in one statement, so that none holds locks for long.
const BATCH: u32 = 1000;

/// The longest reason, in bytes.
const MAX_REASON_BYTES: usize = 8 * 1024;

impl PgQueuer {
    /// Unfinished jobs, by id, from the one after `above` on. A page of them: at most `limit`, from 1
    /// to 10,000.
    ///
    /// Reads the live jobs until the page is full; not for dashboards.
    ///
    /// ```
    /// use pgqueuer::{JobFilter, JobState, PgQueuer};
    ///
    /// # async fn show(pgq: PgQueuer) -> pgqueuer::Result<()> {
    /// let held = JobFilter::kind("send_mail").state(JobState::Held);
    /// for job in pgq.list_jobs(&held, None, 100).await? {
    ///     let last = job.failures.last().map(|it| it.message.as_str());
    ///     println!("{} after {} attempts: {}", job.id, job.attempt, last.unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a limit out of range; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn list_jobs(
        &self,
        filter: &JobFilter,
        above: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<JobRecord>> {
        check_limit(limit)?;
        self.store().list_jobs(filter, from(above), limit).await
    }

    /// How many unfinished jobs are meant, by kind and state: what [`cancel`](Self::cancel) and its like
    /// would come upon. Reads as many jobs as they would.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn count_meant(&self, filter: &JobFilter) -> Result<Vec<Meant>> {
        self.store().count_meant(filter, u32::MAX).await
    }

    /// Cancels unfinished jobs. Those that wait are gone at once, and their records say `cancelled`,
    /// with the reason. Those that run are told within a second (without `LISTEN` within two): the
    /// [cancellation](crate::Context::cancellation) of their context fires, and they may finish up
    /// for 30 s; then they are dropped. However their attempts end, also if their workers die, the
    /// jobs end as `cancelled` and do not run again. (But for a handler with a
    /// [`Tx`](crate::Tx) that commits all the same: its job has completed.)
    ///
    /// In batches of 1,000, each by itself. In one transaction of yours:
    /// [`pgq.on(&mut transaction).cancel(…)`](OnConnection::cancel).
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use pgqueuer::JobFilter;
    ///
    /// let pgq = PgQueuer::in_memory();
    /// SendWelcome { user_id: 42 }.enqueue(&pgq).await?;
    /// let cancelled = pgq.cancel(&JobFilter::kind("send_welcome"), "wrong address").await?;
    /// assert_eq!((cancelled.waiting, cancelled.running), (1, 0));
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a reason of over 8 KiB, or with a NUL character;
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn cancel(&self, filter: &JobFilter, reason: &str) -> Result<Cancelled> {
        check_reason(reason)?;
        let mut total = Cancelled::default();
        let mut above = from(None);
        loop {
            let step = self.store().cancel(filter, reason, above, BATCH).await?;
            total.waiting += step.done.waiting;
            total.running += step.done.running;
            match step.last {
                Some(last) => above = last,
                None => return Ok(total),
            }
        }
    }

    /// Makes jobs run again that are held: now, or as `how` says. Of a filter that names ids or states,
    /// scheduled ones as well (a retry that waits, say). They go to the end of their line; their
    /// failures stay with them.
    ///
    /// A job whose unique key another one has by now stays as it is, and is counted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`]; [`ErrorKind::Payload`] for one that is too
    /// large.
    pub async fn requeue(&self, filter: &JobFilter, how: &Requeue) -> Result<Requeued> {
        check_payload(how.payload.as_ref())?;
        let filter = held_unless_named(filter);
        let mut total = Requeued::default();
        let mut above = from(None);
        loop {
            let step = self.store().requeue(&filter, how, above, BATCH).await?;
            total.requeued += step.done.requeued;
            total.refused += step.done.refused;
            match step.last {
                Some(last) => above = last,
                None => return Ok(total),
            }
        }
    }

    /// Makes one job run again, with these arguments.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no such job that is held or scheduled,
    /// [`ErrorKind::Config`] if it is of another kind, [`ErrorKind::Conflict`] if another one has
    /// its unique key, and as [`Job::enqueue`].
    pub async fn requeue_as<J: Job>(&self, id: JobId, job: &J) -> Result<()> {
        let found = self.get_job(id).await?;
        let is_ours = |kind: &str| kind == J::KIND || J::ALIASES.contains(&kind);
        match found {
            Some(record) if !is_ours(&record.kind) => {
                return Err(Error::config(format!(
                    "job {id} is of kind `{}`, not `{}`",
                    record.kind,
                    J::KIND
                )));
            }
            Some(_) | None => {}
        }
        let how = Requeue::now().payload(job.encode()?);
        let requeued = self.requeue(&JobFilter::ids([id]), &how).await?;
        match requeued {
            Requeued { requeued: 1, .. } => Ok(()),
            Requeued { refused: 1, .. } => Err(Error::new(
                Kind::Conflict,
                format!("another job has the unique key of job {id} by now"),
            )),
            _ => Err(Error::new(
                Kind::NotFound,
                format!("there is no job {id} that is held or scheduled"),
            )),
        }
    }

    /// Gives up jobs that are held: their payloads are deleted, and their records say `discarded`.
    /// Returns how many.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Database`] or [`ErrorKind::Schema`].
    pub async fn discard(&self, filter: &JobFilter) -> Result<u64> {
        let mut total = 0;
        let mut above = from(None);
        loop {
            let step = self.store().discard(filter, above, BATCH).await?;
            total += step.done;
            match step.last {
                Some(last) => above = last,
                None => return Ok(total),
            }
        }
    }

    /// Changes jobs that are held or scheduled, and leaves them so: a held job is mended first, and
    /// [requeued](Self::requeue) when all is well. Returns how many. Those that are available or run are
    /// passed by, and with another due time those that are held.
    ///
    /// ```
    /// # use pgqueuer::prelude::*;
    /// # #[job] async fn send_welcome(user_id: i64) { let _ = user_id; }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use pgqueuer::{Edit, JobFilter};
    ///
    /// let pgq = PgQueuer::in_memory();
    /// let hour = Duration::from_secs(3600);
    /// let job = SendWelcome { user_id: 42 }.options().delay(hour).enqueue(&pgq).await?;
    /// let edited = pgq.edit(&JobFilter::ids([job.id()]), &Edit::new().priority(9).after(2 * hour)).await?;
    /// assert_eq!(edited, 1);
    /// # Ok::<(), pgqueuer::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Payload`] for arguments that are too large; [`ErrorKind::Database`] or
    /// [`ErrorKind::Schema`].
    pub async fn edit(&self, filter: &JobFilter, edit: &Edit) -> Result<u64> {
        check_payload(edit.payload.as_ref())?;
        let mut total = 0;
        let mut above = from(None);
        loop {
            let step = self.store().edit(filter, edit, above, BATCH).await?;
            total += step.done;
            match step.last {
                Some(last) => above = last,
                None => return Ok(total),
            }
        }
    }
}

impl OnConnection<'_> {
    /// As [`PgQueuer::cancel`], when the transaction commits, and not if it does not. All in one
    /// statement.
    ///
    /// # Errors
    ///
    /// As [`PgQueuer::cancel`].
    pub async fn cancel(mut self, filter: &JobFilter, reason: &str) -> Result<Cancelled> {
        check_reason(reason)?;
        let (route, statements) = self.ready().await?;
        let step = postgres::cancel(
            self.connection,
            route,
            statements,
            filter,
            reason,
            from(None),
            u32::MAX,
        );
        step.await.map(|it: Step<Cancelled>| it.done)
    }

    /// As [`PgQueuer::requeue`], when the transaction commits, and not if it does not. All in one
    /// statement.
    ///
    /// # Errors
    ///
    /// As [`PgQueuer::requeue`].
    pub async fn requeue(mut self, filter: &JobFilter, how: &Requeue) -> Result<Requeued> {
        check_payload(how.payload.as_ref())?;
        let filter = held_unless_named(filter);
        let (route, statements) = self.ready().await?;
        let step = postgres::requeue(
            self.connection,
            route,
            statements,
            &filter,
            how,
            from(None),
            u32::MAX,
        );
        step.await.map(|it| it.done)
    }

    /// As [`PgQueuer::discard`], when the transaction commits, and not if it does not. All in one
    /// statement.
    ///
    /// # Errors
    ///
    /// As [`PgQueuer::discard`].
    pub async fn discard(mut self, filter: &JobFilter) -> Result<u64> {
        let (route, statements) = self.ready().await?;
        let step = postgres::discard(
            self.connection,
            route,
            statements,
            filter,
            from(None),
            u32::MAX,
        );
        step.await.map(|it| it.done)
    }
}

fn from(above: Option<JobId>) -> JobId {
    above.unwrap_or(JobId::from(i64::MIN))
}

/// Requeueing everything does not mean to run now what is for next week.
fn held_unless_named(filter: &JobFilter) -> JobFilter {
    match (&filter.ids, &filter.states) {
        (None, None) => filter.clone().state(JobState::Held),
        _ => filter.clone(),
    }
}

fn check_reason(reason: &str) -> Result<()> {
    if reason.len() > MAX_REASON_BYTES || reason.contains('\0') {
        return Err(Error::config(format!(
            "the reason of a cancellation is at most {MAX_REASON_BYTES} bytes long, without NUL \
             characters"
        )));
    }
    Ok(())
}

fn check_payload(payload: Option<&Payload>) -> Result<()> {
    match payload.cloned() {
        Some(payload) => payload.checked("in the queue").map(drop),
        None => Ok(()),
    }
}
