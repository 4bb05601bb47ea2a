//! Adding jobs, over any connection.

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgPool, types::Json};

use super::{failure::failed_to, route::Route, rows, statements::Statements};
use crate::{
    context::Headers,
    error::{Error, Result},
    job::JobId,
    store::{JobToEnqueue, RunAt},
    unique::{Enqueued, Unique, UniqueFor},
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
                && job.limit_key.is_none()
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

/// Adds jobs over a pool of which nothing is known.
pub(crate) async fn enqueue_to(
    pool: &PgPool,
    statements: &Statements,
    jobs: &[JobToEnqueue],
) -> Result<Vec<JobId>> {
    let mut connection = pool.acquire().await.map_err(failed_to("enqueue jobs"))?;
    enqueue_on(&mut connection, statements, jobs).await
}

/// Adds jobs over a connection of which nothing is known: it may be in a transaction or not, and
/// behind a pooler or not.
pub(crate) async fn enqueue_on(
    connection: &mut PgConnection,
    statements: &Statements,
    jobs: &[JobToEnqueue],
) -> Result<Vec<JobId>> {
    // Behind a pooler nothing can be kept prepared, so here the server is asked once for each
    // connection, and there each time.
    if connection.cached_statements_size() > 0 {
        return enqueue(connection, Route::Direct, statements, jobs).await;
    }
    let failed = failed_to("enqueue jobs");
    let asked = Route::ask(connection, &statements.route);
    let asked = asked.await.map_err(&failed)?;
    if asked.route == Route::Direct || asked.has_begun {
        return enqueue(connection, asked.route, statements, jobs).await;
    }
    let mut transaction = connection.begin().await.map_err(&failed)?;
    let ids = enqueue(&mut transaction, asked.route, statements, jobs).await?;
    transaction.commit().await.map_err(&failed)?;
    Ok(ids)
}

/// Adds jobs by one statement.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    jobs: &[JobToEnqueue],
) -> Result<Vec<JobId>> {
    if let Some(alike) = Alike::of(jobs) {
        return enqueue_alike(connection, route, statements, alike).await;
    }

    let kinds: Vec<&str> = jobs.iter().map(|it| it.kind.as_ref()).collect();
    let priorities: Vec<i16> = jobs.iter().map(|it| it.priority).collect();
    let codecs: Vec<&str> = jobs.iter().map(|it| it.payload.codec.as_str()).collect();
    let payloads: Vec<&[u8]> = jobs.iter().map(|it| it.payload.bytes.as_slice()).collect();
    let headers: Vec<_> = jobs.iter().map(|it| headers_column(&it.headers)).collect();
    let delays: Vec<Option<f64>> = jobs.iter().map(|it| delay_column(it.run_at)).collect();
    let limit_keys: Vec<Option<&str>> = jobs.iter().map(|it| it.limit_key.as_deref()).collect();
    let times: Vec<Option<DateTime<Utc>>> = jobs.iter().map(|it| time_column(it.run_at)).collect();

    statements
        .enqueue
        .query(route)
        .bind(kinds)
        .bind(priorities)
        .bind(codecs)
        .bind(payloads)
        .bind(headers)
        .bind(delays)
        .bind(times)
        .bind(limit_keys)
        .try_map(|row| rows::job_ids(&row))
        .fetch_one(connection)
        .await
        .map_err(failed_to("enqueue jobs"))
}

/// How statements go over a connection of which nothing is known.
///
/// # Errors
///
/// Behind a pooler, if it is in no transaction: each statement takes several round trips there.
pub(crate) async fn route_of(
    connection: &mut PgConnection,
    statements: &Statements,
) -> Result<Route> {
    if connection.cached_statements_size() > 0 {
        return Ok(Route::Direct);
    }
    let asked = Route::ask(connection, &statements.route).await;
    let asked = asked.map_err(failed_to("ask for a pooler"))?;
    match asked.route {
        Route::Pooled if !asked.has_begun => Err(Error::config(
            "behind a pooler this needs a transaction; hand in one that has begun",
        )),
        route => Ok(route),
    }
}

/// Adds jobs of which some are unique, over a connection of which nothing is known.
pub(crate) async fn enqueue_unique_on(
    connection: &mut PgConnection,
    statements: &Statements,
    jobs: &[(JobToEnqueue, Option<Unique>)],
) -> Result<Vec<Enqueued>> {
    let failed = failed_to("enqueue jobs");
    let mut route = Route::Direct;
    if connection.cached_statements_size() == 0 {
        let asked = Route::ask(connection, &statements.route).await;
        let asked = asked.map_err(&failed)?;
        route = asked.route;
        if route == Route::Pooled && !asked.has_begun {
            let mut transaction = connection.begin().await.map_err(&failed)?;
            let added = enqueue_unique(&mut transaction, route, statements, jobs).await?;
            transaction.commit().await.map_err(&failed)?;
            return Ok(added);
        }
    }
    enqueue_unique(connection, route, statements, jobs).await
}

/// Adds jobs of which some are unique, by one statement.
pub(super) async fn enqueue_unique(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    jobs: &[(JobToEnqueue, Option<Unique>)],
) -> Result<Vec<Enqueued>> {
    let job = || jobs.iter().map(|(job, _)| job);
    let unique = || jobs.iter().map(|(_, unique)| unique.as_ref());
    let window = |unique: Option<&Unique>| match unique?.lasts {
        UniqueFor::Unfinished => None,
        UniqueFor::Window(window) => Some(window.as_secs_f64()),
    };
    let on_conflict = |unique: Option<&Unique>| {
        let on_conflict = unique.map(|it| it.on_conflict).unwrap_or_default();
        on_conflict.to_text()
    };
    statements
        .enqueue_unique
        .query(route)
        .bind(job().map(|it| it.kind.as_ref()).collect::<Vec<&str>>())
        .bind(job().map(|it| it.priority).collect::<Vec<_>>())
        .bind(
            job()
                .map(|it| it.payload.codec.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            job()
                .map(|it| it.payload.bytes.as_slice())
                .collect::<Vec<_>>(),
        )
        .bind(
            job()
                .map(|it| headers_column(&it.headers))
                .collect::<Vec<_>>(),
        )
        .bind(job().map(|it| delay_column(it.run_at)).collect::<Vec<_>>())
        .bind(job().map(|it| time_column(it.run_at)).collect::<Vec<_>>())
        .bind(job().map(|it| it.limit_key.as_deref()).collect::<Vec<_>>())
        .bind(
            unique()
                .map(|it| it.map(|it| it.key.as_str()))
                .collect::<Vec<_>>(),
        )
        .bind(unique().map(window).collect::<Vec<_>>())
        .bind(unique().map(on_conflict).collect::<Vec<_>>())
        .try_map(|row| rows::enqueued(&row))
        .fetch_all(connection)
        .await
        .map_err(failed_to("enqueue jobs"))
}

async fn enqueue_alike(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
    alike: Alike<'_>,
) -> Result<Vec<JobId>> {
    let statement = match *alike.payloads {
        [_] => &statements.enqueue_one,
        _ => &statements.enqueue_alike,
    };
    let query = statement
        .query(route)
        .bind(alike.kind)
        .bind(alike.priority)
        .bind(alike.codec);
    let query = match *alike.payloads {
        [payload] => query.bind(payload),
        _ => query.bind(alike.payloads),
    };
    let mut ids = query
        .try_map(|row| rows::job_ids(&row))
        .fetch_one(connection)
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
