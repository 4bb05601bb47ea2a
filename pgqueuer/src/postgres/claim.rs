//! Claiming: one statement for the lanes that may have jobs. See [`super::lanes`].

use std::{cmp::Reverse, time::Duration};

use sqlx::PgConnection;

use super::{
    dedicated::Dedicated,
    failure::failed_to,
    lanes::{LaneColumns, Lanes},
    rows,
    statements::Statements,
};
use crate::{
    error::Result,
    store::{ClaimRequest, ClaimedJob, Look},
};

/// How often marks are shared. A guess: often enough that a new worker walks over little, seldom
/// enough to cost nothing.
const SHARE_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn claim(
    dedicated: &Dedicated,
    statements: &Statements,
    lanes: &Lanes,
    request: &ClaimRequest<'_>,
) -> Result<Vec<ClaimedJob>> {
    let failed = failed_to("claim jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    if request.look == Look::Everywhere {
        survey(lent.connection(), statements, lanes, request.kinds).await?;
    }
    let columns = lanes.with(|book| book.in_order(request.kinds, request.look));
    if columns.kinds.is_empty() || request.limit == 0 {
        lent.give_back();
        return Ok(Vec::new());
    }

    let (groups, limits) = columns.bounds(request);
    let statement = if request.bounds.is_empty() {
        &statements.claim
    } else {
        &statements.claim_bounded
    };
    let mut query = sqlx::query(statement.text())
        .bind(request.session.0)
        .bind(&columns.kinds)
        .bind(&columns.priorities)
        .bind(columns.cursors)
        .bind(i64::from(request.limit));
    if !request.bounds.is_empty() {
        query = query.bind(groups).bind(limits);
    }
    let claimed = query
        .try_map(|row| rows::claimed(&row))
        .fetch_all(lent.connection())
        .await;
    let mut claimed = match claimed {
        // Nothing is noted: there is something, for others.
        Err(error) if is_refused(&error) => {
            lent.give_back();
            return Ok(Vec::new());
        }
        claimed => claimed.map_err(&failed)?,
    };
    lent.give_back();

    let read: Vec<(String, i16)> = columns.kinds.into_iter().zip(columns.priorities).collect();
    lanes.with(|book| book.note(request, &read, &claimed));
    // UPDATE … RETURNING keeps no order.
    claimed.sort_unstable_by_key(|row| (Reverse(row.job.priority), row.position));
    Ok(claimed.into_iter().map(|row| row.job).collect())
}

/// Whether the session is over; see `pgqueuer.refuse_claim` in the schema.
fn is_refused(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|it| it.code());
    code.is_some_and(|it| it == "PQ001")
}

/// Learns which lanes are in use, and how far they are settled; tells others what is known here.
async fn survey(
    connection: &mut PgConnection,
    statements: &Statements,
    lanes: &Lanes,
    kinds: &[&str],
) -> Result<()> {
    let failed = failed_to("find waiting jobs");
    let found = sqlx::query(statements.lanes.text())
        .bind(kinds)
        .try_map(|row| rows::lane(&row))
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    lanes.with(|book| book.learn(found));
    if lanes.with(|book| book.wants_horizon()) {
        let horizon = sqlx::query(statements.horizon.text())
            .try_map(|row| rows::horizon(&row))
            .fetch_one(&mut *connection)
            .await
            .map_err(&failed)?;
        lanes.with(|book| book.pass(horizon));
    }
    if let Some(marks) = lanes.with(|book| book.unshared(SHARE_EVERY)) {
        share(connection, statements, marks).await?;
    }
    Ok(())
}

/// Tells others what is known here, at the end.
pub(super) async fn share_marks(
    dedicated: &Dedicated,
    statements: &Statements,
    lanes: &Lanes,
) -> Result<()> {
    if let Some(marks) = lanes.with(|book| book.unshared(Duration::ZERO)) {
        let mut lent = dedicated.lend().await.map_err(failed_to("share marks"))?;
        share(lent.connection(), statements, marks).await?;
        lent.give_back();
    }
    Ok(())
}

async fn share(
    connection: &mut PgConnection,
    statements: &Statements,
    marks: LaneColumns,
) -> Result<()> {
    sqlx::query(statements.share_lanes.text())
        .bind(marks.kinds)
        .bind(marks.priorities)
        .bind(marks.cursors)
        .execute(connection)
        .await
        .map_err(failed_to("share marks"))?;
    Ok(())
}
