//! Adding jobs, over any connection.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};

use super::{failure::failed_to, rows, statements::Statements};
use crate::{
    context::Headers,
    error::Result,
    job::JobId,
    store::{JobToEnqueue, RunAt},
};

/// Jobs that differ in nothing but their arguments and are due at once, as most do: the
/// columns of `enqueue_alike.sql`.
struct Alike<'a> {
    kind: &'a str,
    priority: i16,
    codec: &'static str,
    payloads: Vec<&'a [u8]>,
}

impl<'a> Alike<'a> {
    fn of(jobs: &'a [JobToEnqueue]) -> Option<Self> {
        let first = jobs.first()?;
        let is_like_first = |job: &JobToEnqueue| {
            job.run_at == RunAt::Now
                && job.headers.is_empty()
                && job.priority == first.priority
                && job.payload.codec == first.payload.codec
                && job.kind == first.kind
        };
        jobs.iter().all(is_like_first).then(|| Self {
            kind: &first.kind,
            priority: first.priority,
            codec: first.payload.codec.as_str(),
            payloads: jobs.iter().map(|it| it.payload.bytes.as_slice()).collect(),
        })
    }
}

/// Adds jobs by one statement, over a connection that may be in a transaction or not.
pub(crate) async fn enqueue<'e, E>(
    executor: E,
    statements: &Statements,
    jobs: &[JobToEnqueue],
) -> Result<Vec<JobId>>
where
    E: PgExecutor<'e>,
{
    if let Some(alike) = Alike::of(jobs) {
        return enqueue_alike(executor, statements, alike).await;
    }

    let kinds: Vec<&str> = jobs.iter().map(|it| it.kind.as_ref()).collect();
    let priorities: Vec<i16> = jobs.iter().map(|it| it.priority).collect();
    let codecs: Vec<&str> = jobs.iter().map(|it| it.payload.codec.as_str()).collect();
    let payloads: Vec<&[u8]> = jobs.iter().map(|it| it.payload.bytes.as_slice()).collect();
    let headers: Vec<_> = jobs.iter().map(|it| headers_column(&it.headers)).collect();
    let delays: Vec<Option<f64>> = jobs.iter().map(|it| delay_column(it.run_at)).collect();
    let times: Vec<Option<DateTime<Utc>>> = jobs.iter().map(|it| time_column(it.run_at)).collect();

    sqlx::query(statements.enqueue.text())
        .bind(kinds)
        .bind(priorities)
        .bind(codecs)
        .bind(payloads)
        .bind(headers)
        .bind(delays)
        .bind(times)
        .try_map(|row| rows::job_ids(&row))
        .fetch_one(executor)
        .await
        .map_err(failed_to("enqueue jobs"))
}

async fn enqueue_alike<'e, E>(
    executor: E,
    statements: &Statements,
    alike: Alike<'_>,
) -> Result<Vec<JobId>>
where
    E: PgExecutor<'e>,
{
    let statement = match *alike.payloads {
        [_] => &statements.enqueue_one,
        _ => &statements.enqueue_alike,
    };
    let query = sqlx::query(statement.text())
        .bind(alike.kind)
        .bind(alike.priority)
        .bind(alike.codec);
    let query = match *alike.payloads {
        [payload] => query.bind(payload),
        _ => query.bind(alike.payloads),
    };
    let mut ids = query
        .try_map(|row| rows::job_ids(&row))
        .fetch_one(executor)
        .await
        .map_err(failed_to("enqueue jobs"))?;
    // They are, as it happens. To ask the database for it costs a tenth of a microsecond each.
    ids.sort_unstable();
    Ok(ids)
}

pub(super) fn headers_column(headers: &Headers) -> Option<Json<&Headers>> {
    (!headers.is_empty()).then_some(Json(headers))
}

fn delay_column(run_at: RunAt) -> Option<f64> {
    match run_at {
        RunAt::After(delay) => Some(delay.as_secs_f64()),
        RunAt::Now | RunAt::At(_) => None,
    }
}

fn time_column(run_at: RunAt) -> Option<DateTime<Utc>> {
    match run_at {
        RunAt::At(time) => Some(time),
        RunAt::Now | RunAt::After(_) => None,
    }
}
