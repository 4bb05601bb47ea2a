//! What a person should look at: jobs that are held, and what does not go on.

use std::time::Duration;

use super::{
    application::ApplicationPool, failure::failed_to, history::LONGEST_AGO, rows,
    statements::Statements,
};
use crate::{
    error::Result,
    store::{HeldJob, StaleRecord},
};

pub(super) async fn held(
    pool: &ApplicationPool,
    statements: &Statements,
    kinds: Option<&[String]>,
    limit: u32,
) -> Result<Vec<HeldJob>> {
    let failed = failed_to("list held jobs");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let held = statements
        .list_held
        .query(lent.route())
        .bind(kinds)
        .bind(i64::from(limit))
        .try_map(|row| rows::held_job(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(held)
}

pub(super) async fn stale(
    pool: &ApplicationPool,
    statements: &Statements,
    waits: Duration,
    runs: Duration,
    limit: u32,
) -> Result<Vec<StaleRecord>> {
    let failed = failed_to("look for what does not go on");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let stale = statements
        .list_stale
        .query(lent.route())
        // A plan for a small table reads all of it, also when it is large.
        .persistent(false)
        .bind(waits.min(LONGEST_AGO).as_secs_f64())
        .bind(runs.min(LONGEST_AGO).as_secs_f64())
        .bind(i64::from(limit))
        .try_map(|row| rows::stale(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(stale)
}
