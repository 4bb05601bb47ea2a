//! Enqueueing as many jobs as there are, in bounded memory.

use std::{future::Future, pin::Pin};

use futures_util::{Stream, StreamExt as _};
use sqlx::{PgPool, Postgres, Transaction};
use tracing::Instrument as _;

use super::{NewJob, Prepared};
use crate::{
    error::Result,
    handle::PgQueuer,
    job::Job,
    postgres::{self, Statements, failed_to},
    store::JobToEnqueue,
    telemetry,
    unique::Enqueued,
};

/// So many jobs are sent at a time, or fewer if they are large.
const CHUNK_JOBS: usize = 1000;
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Where a stream of jobs can be enqueued: a `&PgPool`, a `&mut Transaction`, or a
/// [`&PgQueuer`](PgQueuer).
///
/// Not a bare connection: a stream takes many statements, and nobody can tell from a connection
/// whether a transaction holds them together.
#[diagnostic::on_unimplemented(
    message = "a stream of jobs cannot be enqueued to `{Self}`",
    label = "neither a pool, nor a transaction, nor a `&PgQueuer`",
    note = "write `&pool`, `&mut transaction` or `&pgq`; \
            the pool must come from the same version of sqlx as pgqueuer's"
)]
pub trait StreamTarget: Send {
    /// Inserts jobs, chunk by chunk, all or none. Returns how many were new.
    #[doc(hidden)]
    fn insert_all<J, S>(self, chunks: Chunks<S>) -> impl Future<Output = Result<u64>> + Send
    where
        J: Job,
        S: Stream<Item = J> + Send;
}

/// Enqueues a stream. See [`Job::enqueue_stream`].
pub(crate) fn enqueue_stream<J, T, S>(
    target: T,
    jobs: S,
) -> impl Future<Output = Result<u64>> + Send
where
    J: Job,
    T: StreamTarget,
    S: Stream<Item = J> + Send,
{
    let inserting = target.insert_all(Chunks(Box::pin(jobs)));
    async move {
        // Made when the future runs, so that it is in the span of whoever waits for it.
        let span = telemetry::enqueue_span(J::KIND, None);
        let inserted = inserting.instrument(span.clone()).await;
        let count = |inserted: &u64| usize::try_from(*inserted).ok();
        telemetry::record_enqueued(&span, &inserted, |it| (None, count(it)));
        inserted
    }
}

/// Jobs, some at a time, checked and encoded.
#[doc(hidden)]
#[derive(Debug)]
pub struct Chunks<S>(Pin<Box<S>>);

impl<J: Job, S: Stream<Item = J> + Send> Chunks<S> {
    async fn next(&mut self) -> Result<Option<Vec<Prepared>>> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while chunk.len() < CHUNK_JOBS && bytes < CHUNK_BYTES {
            let Some(job) = self.0.next().await else {
                break;
            };
            let prepared = NewJob::new(job).prepare()?;
            bytes += prepared.0.payload.bytes.len();
            chunk.push(prepared);
        }
        telemetry::inject(chunk.iter_mut().map(|(it, _)| &mut it.headers));
        Ok((!chunk.is_empty()).then_some(chunk))
    }
}

impl StreamTarget for &PgPool {
    async fn insert_all<J, S>(self, chunks: Chunks<S>) -> Result<u64>
    where
        J: Job,
        S: Stream<Item = J> + Send,
    {
        insert_to_pool(self, Statements::of_default_schema(), chunks).await
    }
}

impl StreamTarget for &mut Transaction<'_, Postgres> {
    async fn insert_all<J, S>(self, mut chunks: Chunks<S>) -> Result<u64>
    where
        J: Job,
        S: Stream<Item = J> + Send,
    {
        let first = chunks.next().await?;
        insert_rest(self, Statements::of_default_schema(), first, chunks).await
    }
}

impl StreamTarget for &PgQueuer {
    async fn insert_all<J, S>(self, mut chunks: Chunks<S>) -> Result<u64>
    where
        J: Job,
        S: Stream<Item = J> + Send,
    {
        if let Some(postgres) = self.postgres() {
            return insert_to_pool(postgres.pool(), postgres.statements(), chunks).await;
        }
        // What is in memory in the end may as well be there at once.
        let mut all = Vec::new();
        while let Some(chunk) = chunks.next().await? {
            all.extend(chunk);
        }
        Ok(count_new(&self.store().enqueue_unique(&all).await?))
    }
}

/// In a transaction of its own, which begins when there is something to insert: who waits for
/// the first job of a slow stream holds nothing up.
async fn insert_to_pool<J, S>(
    pool: &PgPool,
    statements: &Statements,
    mut chunks: Chunks<S>,
) -> Result<u64>
where
    J: Job,
    S: Stream<Item = J> + Send,
{
    let failed = failed_to("enqueue a stream of jobs");
    let Some(first) = chunks.next().await? else {
        return Ok(0);
    };
    let mut transaction = pool.begin().await.map_err(&failed)?;
    let inserted = insert_rest(&mut transaction, statements, Some(first), chunks).await?;
    transaction.commit().await.map_err(&failed)?;
    Ok(inserted)
}

async fn insert_rest<J, S>(
    transaction: &mut Transaction<'_, Postgres>,
    statements: &Statements,
    mut next: Option<Vec<Prepared>>,
    mut chunks: Chunks<S>,
) -> Result<u64>
where
    J: Job,
    S: Stream<Item = J> + Send,
{
    let mut inserted = 0;
    while let Some(chunk) = next {
        inserted += if chunk.iter().any(|(_, unique)| unique.is_some()) {
            count_new(&postgres::enqueue_unique_on(transaction, statements, &chunk).await?)
        } else {
            let jobs: Vec<JobToEnqueue> = chunk.into_iter().map(|(job, _)| job).collect();
            let ids = postgres::enqueue_on(transaction, statements, &jobs).await?;
            ids.len() as u64
        };
        next = chunks.next().await?;
    }
    Ok(inserted)
}

fn count_new(enqueued: &[Enqueued]) -> u64 {
    enqueued.iter().filter(|it| it.is_new).count() as u64
}
