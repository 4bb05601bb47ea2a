//! What is done to jobs from outside: listing, cancelling, requeueing, discarding.

use sqlx::{
    PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    failure::failed_to,
    route::Route,
    rows,
    statements::{Statement, Statements},
};
use crate::{
    error::Result,
    job::JobId,
    store::{
        Cancelled, ClaimKey, JobFilter, JobRecord, JobState, Requeue, Requeued, SessionId, Step,
    },
};

/// A statement on some of the jobs that are meant: its first ten parameters.
fn query<'q>(
    statement: &Statement,
    route: Route,
    filter: &'q JobFilter,
    above: JobId,
    limit: u32,
) -> Query<'q, Postgres, PgArguments> {
    let ids = filter.ids.as_ref();
    let ids: Option<Vec<i64>> = ids.map(|ids| ids.iter().map(|it| it.as_i64()).collect());
    let states = filter.states.as_ref();
    let states: Option<Vec<&str>> =
        states.map(|states| states.iter().copied().map(JobState::as_str).collect());
    statement
        .query(route)
        .bind(ids)
        .bind(filter.kinds.as_deref())
        .bind(filter.queue.as_deref())
        .bind(states)
        .bind(filter.limit_key.as_deref())
        .bind(filter.unique_key.as_deref())
        .bind(filter.before)
        .bind(filter.after)
        .bind(above.as_i64())
        .bind(i64::from(limit))
}

pub(super) async fn list(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    filter: &JobFilter,
    above: JobId,
    limit: u32,
) -> Result<Vec<JobRecord>> {
    query(&statements.list_jobs, route, filter, above, limit)
        .try_map(|row| rows::job_record(&row))
        .fetch_all(connection)
        .await
        .map_err(failed_to("list jobs"))
}

pub(crate) async fn cancel(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    filter: &JobFilter,
    reason: &str,
    above: JobId,
    limit: u32,
) -> Result<Step<Cancelled>> {
    let done = |row: &PgRow| {
        Ok(Cancelled {
            waiting: rows::count(row, "waiting")?,
            running: rows::count(row, "running")?,
        })
    };
    query(&statements.cancel, route, filter, above, limit)
        .bind(reason)
        .try_map(|row| rows::step(&row, done))
        .fetch_one(connection)
        .await
        .map_err(failed_to("cancel jobs"))
}

pub(super) async fn cancelled(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    session: SessionId,
) -> Result<Vec<(ClaimKey, String)>> {
    statements
        .cancelled
        .query(route)
        .bind(session.0)
        .try_map(|row| rows::cancelled(&row))
        .fetch_all(connection)
        .await
        .map_err(failed_to("look for cancelled jobs"))
}

pub(crate) async fn requeue(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    filter: &JobFilter,
    how: &Requeue,
    above: JobId,
    limit: u32,
) -> Result<Step<Requeued>> {
    let done = |row: &PgRow| {
        Ok(Requeued {
            requeued: rows::count(row, "requeued")?,
            refused: rows::count(row, "refused")?,
        })
    };
    let payload = how.payload.as_ref();
    query(&statements.requeue, route, filter, above, limit)
        .bind(payload.map(|it| it.codec.as_str()))
        .bind(payload.map(|it| it.bytes.as_slice()))
        .bind(how.run_at)
        .bind(how.delay.map(|it| it.as_secs_f64()))
        .bind(how.priority)
        .bind(how.keeps_attempts)
        .try_map(|row| rows::step(&row, done))
        .fetch_one(connection)
        .await
        .map_err(failed_to("requeue jobs"))
}

pub(crate) async fn discard(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    filter: &JobFilter,
    above: JobId,
    limit: u32,
) -> Result<Step<u64>> {
    query(&statements.discard, route, filter, above, limit)
        .try_map(|row| rows::step(&row, |row| rows::count(row, "discarded")))
        .fetch_one(connection)
        .await
        .map_err(failed_to("discard jobs"))
}
