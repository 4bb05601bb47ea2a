//! Jobs that are due, and jobs that claims have passed by: both become claimable again. And what is of no
//! more use.

use super::{
    dedicated::Dedicated,
    failure::failed_to,
    rows,
    statements::{Statement, Statements},
};
use crate::{error::Result, store::Promotion};

pub(super) async fn promote(
    dedicated: &Dedicated,
    statements: &Statements,
    limit: u32,
) -> Result<Promotion> {
    let failed = failed_to("promote scheduled jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let promotion = statements
        .promote
        .query(lent.route())
        .bind(i64::from(limit))
        .try_map(|row| rows::promotion(&row))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(promotion)
}

pub(super) async fn requeue_stranded(
    dedicated: &Dedicated,
    statements: &Statements,
) -> Result<u64> {
    let failed = failed_to("look for stranded jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let requeued = statements
        .requeue_stranded
        .query(lent.route())
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(requeued.len() as u64)
}

/// Runs a statement that deletes up to `limit` rows which are of no more use. Returns how many it deleted.
pub(super) async fn forget(
    dedicated: &Dedicated,
    statement: &Statement,
    what: &'static str,
    limit: u32,
) -> Result<u64> {
    let failed = failed_to(what);
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let forgotten = statement
        .query(lent.route())
        .bind(i64::from(limit))
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(forgotten.rows_affected())
}
