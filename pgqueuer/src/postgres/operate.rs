//! What is done to jobs from outside: listing, cancelling, requeueing, discarding.

use chrono::{DateTime, Utc};
use sqlx::{
    PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    application::ApplicationPool,
    dedicated::Dedicated,
    failure::failed_to,
    route::Route,
    rows,
    statements::{Statement, Statements},
};
use crate::{
    error::Result,
    job::JobId,
    store::{
        Cancelled, ClaimKey, Counts, Edit, JobFilter, JobRecord, JobState, Meant, Requeue,
        Requeued, SessionId, Step,
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

pub(super) async fn get(
    pool: &ApplicationPool,
    statements: &Statements,
    id: JobId,
) -> Result<Option<JobRecord>> {
    let failed = failed_to("read a job");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .get_job
        .query(lent.route())
        .bind(id.as_i64())
        .try_map(|row| rows::job_record(&row))
        .fetch_optional(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn now(pool: &ApplicationPool, statements: &Statements) -> Result<DateTime<Utc>> {
    let failed = failed_to("read the clock of the database");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .now
        .query(lent.route())
        .try_map(|row: PgRow| row.try_get("now"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn count(
    pool: &ApplicationPool,
    statements: &Statements,
    kinds: Option<&[&str]>,
) -> Result<Counts> {
    let failed = failed_to("count jobs");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let found = statements
        .count_jobs
        .query(lent.route())
        .bind(kinds)
        .try_map(|row| rows::counts(&row))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
}

pub(super) async fn list(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    filter: &JobFilter,
    above: JobId,
    limit: u32,
) -> Result<Vec<JobRecord>> {
    // What people look for most, and where there may be millions of others.
    let statement = match filter.states.as_deref() {
        Some([JobState::Held]) => &statements.list_jobs_held,
        _ => &statements.list_jobs,
    };
    query(statement, route, filter, above, limit)
        .try_map(|row| rows::job_record(&row))
        .fetch_all(connection)
        .await
        .map_err(failed_to("list jobs"))
}

pub(super) async fn count_meant(
    pool: &ApplicationPool,
    statements: &Statements,
    filter: &JobFilter,
    limit: u32,
) -> Result<Vec<Meant>> {
    let failed = failed_to("count jobs");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let all = JobId::from(i64::MIN);
    let counted = query(&statements.count_meant, lent.route(), filter, all, limit)
        .try_map(|row| rows::meant(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(counted)
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
    dedicated: &Dedicated,
    statements: &Statements,
    session: SessionId,
) -> Result<Vec<(ClaimKey, String)>> {
    let failed = failed_to("look for cancelled jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let found = statements
        .cancelled
        .query(lent.route())
        .bind(session.0)
        .try_map(|row| rows::cancelled(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(found)
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

pub(super) async fn edit(
    pool: &ApplicationPool,
    statements: &Statements,
    filter: &JobFilter,
    edit: &Edit,
    above: JobId,
    limit: u32,
) -> Result<Step<u64>> {
    let failed = failed_to("edit jobs");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let payload = edit.payload.as_ref();
    let step = query(&statements.edit, lent.route(), filter, above, limit)
        .bind(payload.map(|it| it.codec.as_str()))
        .bind(payload.map(|it| it.bytes.as_slice()))
        .bind(edit.run_at)
        .bind(edit.delay.map(|it| it.as_secs_f64()))
        .bind(edit.priority)
        .try_map(|row| rows::step(&row, |row| rows::count(row, "edited")))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(step)
}
