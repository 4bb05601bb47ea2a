//! Claiming: one statement for the lanes that may have jobs. See [`super::lanes`].

use std::{cmp::Reverse, time::Duration};

use super::{
    dedicated::{Dedicated, Lent},
    failure::failed_to,
    lanes::{LaneBook, LaneColumns, Lanes},
    rows::{self, ClaimedRow, LimitedRow},
    statements::Statements,
};
use crate::{
    error::Result,
    store::{Bound, ClaimRequest, Claimed, Look, SessionId},
};

/// How often marks are shared. A guess: often enough that a new worker walks over little, seldom
/// enough to cost nothing.
const SHARE_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn claim(
    dedicated: &Dedicated,
    statements: &Statements,
    lanes: &Lanes,
    request: &ClaimRequest<'_>,
) -> Result<Claimed> {
    let failed = failed_to("claim jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let knows_lanes = lanes.with(|book| book.holds_for(lent.number()));
    if request.look == Look::Everywhere || !knows_lanes {
        survey(&mut lent, statements, lanes, request.kinds).await?;
    }
    let (runs, mut held_back) = lanes.with(|book| book.in_order(request));
    let mut claimed = Vec::new();
    for run in runs {
        let left = Left::of(request, &claimed);
        let request = left.request(request);
        if request.limit == 0 {
            break;
        }
        lent.go_on().await.map_err(&failed)?;
        if !lanes.with(|book| book.holds_for(lent.number())) {
            break;
        }
        if run.is_limited {
            let (rows, wait) = claim_limited(&mut lent, statements, lanes, &request, &run).await?;
            claimed.extend(rows);
            held_back = held_back.into_iter().chain(wait).min();
        } else {
            claimed.extend(claim_free(&mut lent, statements, lanes, &request, &run).await?);
        }
    }
    lent.give_back().await.map_err(&failed)?;
    // UPDATE … RETURNING keeps no order.
    claimed.sort_unstable_by_key(|row| (Reverse(row.job.priority), row.position));
    Ok(Claimed {
        jobs: claimed.into_iter().map(|row| row.job).collect(),
        held_back,
    })
}

/// What a request still asks for, once some of its lanes were read.
struct Left<'a> {
    limit: u32,
    bounds: Vec<Bound<'a>>,
}

impl<'a> Left<'a> {
    fn of(request: &ClaimRequest<'a>, claimed: &[ClaimedRow]) -> Self {
        let less = |limit: u32, taken: usize| {
            limit.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
        };
        let of_bound = |bound: &Bound<'a>| {
            let is_its = |row: &&ClaimedRow| bound.kinds.contains(&row.job.kind.as_str());
            Bound {
                kinds: bound.kinds,
                limit: less(bound.limit, claimed.iter().filter(is_its).count()),
            }
        };
        Self {
            limit: less(request.limit, claimed.len()),
            bounds: request.bounds.iter().map(of_bound).collect(),
        }
    }

    fn request(&'a self, request: &ClaimRequest<'a>) -> ClaimRequest<'a> {
        ClaimRequest {
            limit: self.limit,
            bounds: &self.bounds,
            ..*request
        }
    }
}

/// Claims from lanes without limits.
async fn claim_free(
    lent: &mut Lent<'_>,
    statements: &Statements,
    lanes: &Lanes,
    request: &ClaimRequest<'_>,
    columns: &LaneColumns,
) -> Result<Vec<ClaimedRow>> {
    let failed = failed_to("claim jobs");
    let way = match request.bounds {
        [] if lanes.with(|book| book.is_alone()) => Way::Alone,
        [] => Way::Together,
        _ => Way::Bounded,
    };
    let claimed = match run(lent, statements, way, request, columns).await {
        Err(error) if way == Way::Alone && has_code(&error, LOCK_NOT_AVAILABLE) => {
            lanes.with(LaneBook::note_hindrance);
            lent.recover().await.map_err(&failed)?;
            run(lent, statements, Way::Together, request, columns).await
        }
        claimed => claimed,
    };
    match claimed {
        // Nothing is noted: there is something, for others.
        Err(error) if has_code(&error, SESSION_IS_OVER) => {
            lent.recover().await.map_err(&failed)?;
            Ok(Vec::new())
        }
        Err(error) => Err(failed(error)),
        Ok(claimed) => {
            // Nor is what may yet be rolled back.
            lent.commit().await.map_err(&failed)?;
            lanes.with(|book| book.note(request, columns, &claimed));
            Ok(claimed)
        }
    }
}

/// Claims from lanes with limits, as far as these allow; and says in how long to look again.
async fn claim_limited(
    lent: &mut Lent<'_>,
    statements: &Statements,
    lanes: &Lanes,
    request: &ClaimRequest<'_>,
    columns: &LaneColumns,
) -> Result<(Vec<ClaimedRow>, Option<Duration>)> {
    let failed = failed_to("claim jobs");
    let (groups, limits) = columns.bounds(request);
    let found = statements
        .claim_limited
        .query(lent.route())
        .bind(request.session.0)
        .bind(&columns.kinds)
        .bind(&columns.priorities)
        .bind(&columns.cursors)
        .bind(i64::from(request.limit))
        .bind(groups)
        .bind(limits)
        .bind(&columns.after_keys)
        .try_map(|row| rows::limited(&row))
        .fetch_all(lent.connection())
        .await;
    let found = match found {
        Err(error) if has_code(&error, SESSION_IS_OVER) => {
            lent.recover().await.map_err(&failed)?;
            return Ok((Vec::new(), None));
        }
        found => found.map_err(&failed)?,
    };
    lent.commit().await.map_err(&failed)?;
    let (mut claimed, mut reports) = (Vec::new(), Vec::new());
    for row in found {
        match row {
            LimitedRow::Claimed(row) => claimed.push(row),
            LimitedRow::Lane(report) => reports.push(report),
        }
    }
    let held_back = reports.iter().filter_map(|it| it.held_back).min();
    lanes.with(|book| {
        book.note(request, columns, &claimed);
        book.note_limits(columns, reports);
    });
    Ok((claimed, held_back))
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
        has_freed: false,
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
