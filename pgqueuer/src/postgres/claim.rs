//! Claiming: one statement for the lanes that may have jobs. See [`super::lanes`].

use std::{cmp::Reverse, time::Duration};

use super::{
    dedicated::{Dedicated, Lent},
    failure::failed_to,
    lanes::{LaneBook, LaneColumns, Lanes},
    rows::{self, ClaimedRow},
    statements::Statements,
};
use crate::{
    error::Result,
    store::{ClaimRequest, ClaimedJob, Look, SessionId},
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
    let knows_lanes = lanes.with(|book| book.holds_for(lent.number()));
    if request.look == Look::Everywhere || !knows_lanes {
        survey(&mut lent, statements, lanes, request.kinds).await?;
    }
    let columns = lanes.with(|book| book.in_order(request.kinds, request.look));
    if columns.kinds.is_empty() || request.limit == 0 {
        lent.give_back().await.map_err(&failed)?;
        return Ok(Vec::new());
    }

    let way = match request.bounds {
        [] if lanes.with(|book| book.is_alone()) => Way::Alone,
        [] => Way::Together,
        _ => Way::Bounded,
    };
    let claimed = match run(&mut lent, statements, way, request, &columns).await {
        Err(error) if way == Way::Alone && has_code(&error, LOCK_NOT_AVAILABLE) => {
            lanes.with(LaneBook::note_hindrance);
            lent.recover().await.map_err(&failed)?;
            run(&mut lent, statements, Way::Together, request, &columns).await
        }
        claimed => claimed,
    };
    let mut claimed = match claimed {
        // Nothing is noted: there is something, for others.
        Err(error) if has_code(&error, SESSION_IS_OVER) => Vec::new(),
        Err(error) => return Err(failed(error)),
        Ok(claimed) => {
            // Nor is what may yet be rolled back.
            lent.commit().await.map_err(&failed)?;
            lanes.with(|book| book.note(request, &columns, &claimed));
            claimed
        }
    };
    lent.give_back().await.map_err(&failed)?;
    // UPDATE … RETURNING keeps no order.
    claimed.sort_unstable_by_key(|row| (Reverse(row.job.priority), row.position));
    Ok(claimed.into_iter().map(|row| row.job).collect())
}

/// Makes the connection, and has the server prepare and plan what the first claim will need, by
/// asking it for nothing.
pub(super) async fn warm_up(dedicated: &Dedicated, statements: &Statements) -> sqlx::Result<()> {
    let mut lent = dedicated.lend().await?;
    let nothing = ClaimRequest {
        session: SessionId(0),
        kinds: &[],
        limit: 0,
        bounds: &[],
        look: Look::Onward,
    };
    statements
        .lanes
        .query(lent.route())
        .bind(nothing.kinds)
        .execute(lent.connection())
        .await?;
    let no_lanes = LaneColumns::default();
    run(&mut lent, statements, Way::Alone, &nothing, &no_lanes).await?;
    lent.give_back().await
}

/// Which statement claims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Alone,
    Together,
    Bounded,
}

async fn run(
    lent: &mut Lent<'_>,
    statements: &Statements,
    way: Way,
    request: &ClaimRequest<'_>,
    columns: &LaneColumns,
) -> sqlx::Result<Vec<ClaimedRow>> {
    let statement = match way {
        Way::Alone => &statements.claim_alone,
        Way::Together => &statements.claim,
        Way::Bounded => &statements.claim_bounded,
    };
    let query = statement
        .query(lent.route())
        .bind(request.session.0)
        .bind(&columns.kinds)
        .bind(&columns.priorities)
        .bind(&columns.cursors)
        .bind(i64::from(request.limit));
    let query = match way {
        Way::Alone => query,
        Way::Together => query.bind(request.look == Look::Onward),
        Way::Bounded => {
            let (groups, limits) = columns.bounds(request);
            query.bind(groups).bind(limits)
        }
    };
    query
        .try_map(|row| rows::claimed(&row))
        .fetch_all(lent.connection())
        .await
}

/// See `pgqueuer.refuse_claim` in the schema.
const SESSION_IS_OVER: &str = "PQ001";

/// `lock_not_available`, by the time limit in `claim_alone.sql`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

fn has_code(error: &sqlx::Error, code: &str) -> bool {
    let error = error.as_database_error();
    error.and_then(|it| it.code()).is_some_and(|it| it == code)
}

/// Learns which lanes are in use, and how far they are settled; tells others what is known here.
async fn survey(
    lent: &mut Lent<'_>,
    statements: &Statements,
    lanes: &Lanes,
    kinds: &[&str],
) -> Result<()> {
    let failed = failed_to("find waiting jobs");
    let found = statements
        .lanes
        .query(lent.route())
        .bind(kinds)
        .try_map(|row| rows::lane(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lanes.with(|book| book.learn(found));
    if lanes.with(|book| book.wants_horizon()) {
        let horizon = statements
            .horizon
            .query(lent.route())
            .try_map(|row| rows::horizon(&row))
            .fetch_one(lent.connection())
            .await
            .map_err(&failed)?;
        lanes.with(|book| book.pass(horizon));
    }
    if let Some(marks) = lanes.with(|book| book.unshared(SHARE_EVERY)) {
        share(lent, statements, marks).await?;
    }
    Ok(())
}

/// Tells others what is known here, at the end.
pub(super) async fn share_marks(
    dedicated: &Dedicated,
    statements: &Statements,
    lanes: &Lanes,
) -> Result<()> {
    let failed = failed_to("share marks");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let knows_lanes = lanes.with(|book| book.holds_for(lent.number()));
    let marks = lanes.with(|book| book.unshared(Duration::ZERO));
    if let Some(marks) = marks.filter(|_| knows_lanes) {
        share(&mut lent, statements, marks).await?;
    }
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}

async fn share(lent: &mut Lent<'_>, statements: &Statements, marks: LaneColumns) -> Result<()> {
    statements
        .share_lanes
        .query(lent.route())
        .bind(marks.kinds)
        .bind(marks.priorities)
        .bind(marks.cursors)
        .execute(lent.connection())
        .await
        .map_err(failed_to("share marks"))?;
    Ok(())
}
