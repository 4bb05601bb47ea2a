//! What is kept about finished work, and for how long.

use std::time::Duration;

use sqlx::PgConnection;

use super::{
    application::ApplicationPool, dedicated::Dedicated, failure::failed_to, route::Route, rows,
    statements::Statements,
};
use crate::{
    error::Result,
    store::{Histogram, Measures, MinuteRecord, MinuteToAdd, Tally, Tended},
};

/// The longest look back: any database can take it from the time.
pub(super) const LONGEST_AGO: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) async fn tend(dedicated: &Dedicated, statements: &Statements) -> Result<Tended> {
    let failed = failed_to("tend the history");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let route = lent.route();
    let tended = tend_on(lent.connection(), route, statements).await?;
    lent.give_back().await.map_err(&failed)?;
    Ok(tended)
}

/// As [`tend`], for who has no connections of a worker.
pub(super) async fn tend_with(pool: &ApplicationPool, statements: &Statements) -> Result<Tended> {
    let failed = failed_to("tend the history");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let route = lent.route();
    let tended = tend_on(lent.connection(), route, statements).await?;
    lent.give_back().await.map_err(&failed)?;
    Ok(tended)
}

async fn tend_on(
    connection: &mut PgConnection,
    route: Route,
    statements: &Statements,
) -> Result<Tended> {
    statements
        .tend_history
        .query(route)
        .try_map(|row| rows::tended(&row))
        .fetch_one(connection)
        .await
        .map_err(failed_to("tend the history"))
}

pub(super) async fn add_minutes(
    dedicated: &Dedicated,
    statements: &Statements,
    minutes: &[MinuteToAdd],
) -> Result<()> {
    let counts = |count: fn(&Tally) -> u64| -> Vec<i64> {
        let of = |it: &MinuteToAdd| i64::try_from(count(&it.measures.tally)).unwrap_or(i64::MAX);
        minutes.iter().map(of).collect()
    };
    let seconds = |sum: fn(&Tally) -> f64| -> Vec<f64> {
        minutes.iter().map(|it| sum(&it.measures.tally)).collect()
    };
    let lists = |of: fn(&Measures) -> &Histogram| -> Vec<String> {
        minutes.iter().map(|it| array(of(&it.measures))).collect()
    };
    let ago = |it: &MinuteToAdd| it.ago.min(LONGEST_AGO).as_secs_f64();
    let failed = failed_to("add to the minutes");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    statements
        .add_minutes
        .query(lent.route())
        .bind(minutes.iter().map(ago).collect::<Vec<_>>())
        .bind(
            minutes
                .iter()
                .map(|it| it.kind.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(minutes.iter().map(|it| it.session.0).collect::<Vec<_>>())
        .bind(counts(|it| it.completed))
        .bind(counts(|it| it.retried))
        .bind(counts(|it| it.held))
        .bind(counts(|it| it.discarded))
        .bind(counts(|it| it.cancelled))
        .bind(counts(|it| it.snoozed))
        .bind(seconds(|it| it.wait_seconds))
        .bind(seconds(|it| it.run_seconds))
        .bind(seconds(|it| it.max_run_seconds))
        .bind(lists(|it| &it.waits))
        .bind(lists(|it| &it.runs))
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}

/// As PostgreSQL writes an array.
fn array(histogram: &Histogram) -> String {
    let counts: Vec<String> = histogram.counts().iter().map(u64::to_string).collect();
    format!("{{{}}}", counts.join(","))
}

pub(super) async fn list_minutes(
    pool: &ApplicationPool,
    statements: &Statements,
    last: Duration,
) -> Result<Vec<MinuteRecord>> {
    let failed = failed_to("list minutes");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let minutes = statements
        .list_minutes
        .query(lent.route())
        .bind(last.min(LONGEST_AGO).as_secs_f64())
        .try_map(|row| rows::minute(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(minutes)
}

pub(super) async fn forget_minutes(
    dedicated: &Dedicated,
    statements: &Statements,
    keep: Duration,
    limit: u32,
) -> Result<u64> {
    let failed = failed_to("forget old minutes");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let forgotten = statements
        .forget_minutes
        .query(lent.route())
        .bind(keep.min(LONGEST_AGO).as_secs_f64())
        .bind(i64::from(limit))
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(forgotten.rows_affected())
}
