//! Where jobs are enqueued to.

use std::future::Future;

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::Prepared;
use crate::{
    error::{Error, Result},
    handle::PgQueuer,
    hook::Event,
    job::{Job, JobId},
    job_handle::JobHandle,
    postgres::{self, Route, Statements, failed_to},
    store::JobToEnqueue,
    unique::{Enqueued, Unique},
};

/// Where jobs can be enqueued: a `&PgPool`, a `&mut PgConnection`, a
/// `&mut Transaction`, or a [`&PgQueuer`](PgQueuer).
///
/// The first three use the schema `pgqueuer`. A [`PgQueuer`] knows its own; for a transaction
/// and another schema there is [`PgQueuer::on`].
#[diagnostic::on_unimplemented(
    message = "jobs cannot be enqueued to `{Self}`",
    label = "neither a connection nor a `&PgQueuer`",
    note = "write `&pool`, `&mut *transaction`, `&mut connection` or `&pgq`; \
            the pool must come from the same version of sqlx as pgqueuer's"
)]
pub trait Target: Send {
    /// What is handed out for a job: a [`JobHandle`], to wait for it, where the queue is known; over a
    /// mere connection or pool its [`JobId`].
    type Handle<J: Job>: Into<JobId> + Send;

    /// What handles are made with.
    #[doc(hidden)]
    type Maker: Send;

    #[doc(hidden)]
    fn maker(&self) -> Self::Maker;

    #[doc(hidden)]
    fn handle<J: Job>(maker: &Self::Maker, id: JobId) -> Self::Handle<J>;

    /// Inserts jobs that were checked and encoded.
    #[doc(hidden)]
    fn insert(self, jobs: Vec<JobToEnqueue>) -> impl Future<Output = Result<Vec<JobId>>> + Send;

    /// The same, where some are unique.
    #[doc(hidden)]
    fn insert_unique(
        self,
        jobs: Vec<(JobToEnqueue, Option<Unique>)>,
    ) -> impl Future<Output = Result<Vec<Enqueued>>> + Send;
}

impl Target for &PgQueuer {
    type Handle<J: Job> = JobHandle<J>;
    type Maker = PgQueuer;

    fn maker(&self) -> PgQueuer {
        PgQueuer::clone(self)
    }

    fn handle<J: Job>(maker: &PgQueuer, id: JobId) -> JobHandle<J> {
        JobHandle::of(maker, id)
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        let ids = self.store().enqueue(&jobs).await?;
        tell_all(self, &jobs, &ids);
        Ok(ids)
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        let enqueued = self.store().enqueue_unique(&jobs).await?;
        tell_new(self, &jobs, &enqueued);
        Ok(enqueued)
    }
}

/// A connection, or a transaction, with the schema of a queue. Made by [`PgQueuer::on`].
#[derive(Debug)]
pub struct OnConnection<'a> {
    pub(crate) pgq: &'a PgQueuer,
    pub(crate) connection: &'a mut PgConnection,
}

impl<'a> OnConnection<'a> {
    /// How statements go over the connection, and which.
    pub(crate) async fn ready(&mut self) -> Result<(Route, &'a Statements)> {
        let Some(store) = self.pgq.postgres() else {
            return Err(without_transactions());
        };
        let statements = store.statements();
        Ok((
            postgres::route_of(self.connection, statements).await?,
            statements,
        ))
    }
}

impl Target for OnConnection<'_> {
    type Handle<J: Job> = JobHandle<J>;
    type Maker = PgQueuer;

    fn maker(&self) -> PgQueuer {
        self.pgq.clone()
    }

    fn handle<J: Job>(maker: &PgQueuer, id: JobId) -> JobHandle<J> {
        JobHandle::of(maker, id)
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        match self.pgq.postgres() {
            Some(store) => {
                let inserting = postgres::enqueue_on(self.connection, store.statements(), &jobs);
                let ids = inserting.await?;
                tell_all(self.pgq, &jobs, &ids);
                Ok(ids)
            }
            None => Err(without_transactions()),
        }
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        match self.pgq.postgres() {
            Some(store) => {
                let statements = store.statements();
                let inserting = postgres::enqueue_unique_on(self.connection, statements, &jobs);
                let enqueued = inserting.await?;
                tell_new(self.pgq, &jobs, &enqueued);
                Ok(enqueued)
            }
            None => Err(without_transactions()),
        }
    }
}

/// Tells the hooks of jobs that were enqueued.
fn tell_all(pgq: &PgQueuer, jobs: &[JobToEnqueue], ids: &[JobId]) {
    if pgq.hooks().is_none() {
        return;
    }
    for (job, id) in jobs.iter().zip(ids) {
        tell(pgq, job, *id);
    }
}

/// The same of those that are new.
fn tell_new(pgq: &PgQueuer, jobs: &[Prepared], enqueued: &[Enqueued]) {
    if pgq.hooks().is_none() {
        return;
    }
    for ((job, _), enqueued) in jobs.iter().zip(enqueued) {
        if enqueued.is_new {
            tell(pgq, job, enqueued.id);
        }
    }
}

fn tell(pgq: &PgQueuer, job: &JobToEnqueue, id: JobId) {
    let kind = job.kind.clone().into_owned();
    pgq.hooks().tell(|| Event::Enqueued { id, kind });
}

fn without_transactions() -> Error {
    Error::config("a queue in memory has no transactions; enqueue to the `&PgQueuer` itself")
}

impl Target for &PgPool {
    type Handle<J: Job> = JobId;
    type Maker = ();

    fn maker(&self) {}

    fn handle<J: Job>((): &(), id: JobId) -> JobId {
        id
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        postgres::enqueue_to(self, Statements::of_default_schema(), &jobs).await
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        let mut connection = self.acquire().await.map_err(failed_to("enqueue jobs"))?;
        (&mut *connection).insert_unique(jobs).await
    }
}

impl Target for &mut PgConnection {
    type Handle<J: Job> = JobId;
    type Maker = ();

    fn maker(&self) {}

    fn handle<J: Job>((): &(), id: JobId) -> JobId {
        id
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        postgres::enqueue_on(self, Statements::of_default_schema(), &jobs).await
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        postgres::enqueue_unique_on(self, Statements::of_default_schema(), &jobs).await
    }
}

impl Target for &mut Transaction<'_, Postgres> {
    type Handle<J: Job> = JobId;
    type Maker = ();

    fn maker(&self) {}

    fn handle<J: Job>((): &(), id: JobId) -> JobId {
        id
    }

    async fn insert(self, jobs: Vec<JobToEnqueue>) -> Result<Vec<JobId>> {
        postgres::enqueue_on(self, Statements::of_default_schema(), &jobs).await
    }

    async fn insert_unique(self, jobs: Vec<Prepared>) -> Result<Vec<Enqueued>> {
        postgres::enqueue_unique_on(self, Statements::of_default_schema(), &jobs).await
    }
}
