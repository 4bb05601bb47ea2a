//! Claiming: which lanes to read, from where, and in what order.
//!
//! A lane is a kind and a priority. For each the store remembers how far it has claimed,
//! and begins there: an index that is read from its head would walk over every entry of
//! finished jobs that vacuum has not removed yet, and slow down with their number
//! (`docs/decisions/0004-claims.md`). The memory is a hint. A look everywhere begins anew
//! at the true heads, and finds what was committed behind a cursor.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sqlx::PgConnection;

use super::{
    dedicated::Dedicated,
    failure::failed_to,
    rows::{self, ClaimedRow},
    statements::Statements,
};
use crate::{
    error::Result,
    store::{ClaimRequest, ClaimedJob, Look},
};

/// How far each lane has been claimed: kind → priority → cursor.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<LaneBook>);

#[derive(Debug, Default)]
struct LaneBook {
    cursors: HashMap<String, HashMap<i16, i64>>,
    /// Counts claims, to take turns among lanes of one priority.
    turn: usize,
}

/// The lanes of one claim, as the columns that go into the statement.
struct LaneColumns {
    kinds: Vec<String>,
    priorities: Vec<i16>,
    cursors: Vec<i64>,
}

impl LaneColumns {
    /// Which bound each lane is under, counted from 1, and how many jobs that allows. Lanes
    /// without one share the limit of the claim.
    fn bounds(&self, request: &ClaimRequest<'_>) -> (Vec<i32>, Vec<i64>) {
        let bound_of = |kind: &String| {
            let mut bounds = request.bounds.iter().zip(1_i32..);
            let found = bounds.find(|(bound, _)| bound.kinds.contains(&kind.as_str()));
            found.map_or((0, request.limit), |(bound, number)| (number, bound.limit))
        };
        let bounds = self.kinds.iter().map(bound_of);
        bounds
            .map(|(number, limit)| (number, i64::from(limit)))
            .unzip()
    }
}

impl Lanes {
    fn with<T>(&self, read: impl FnOnce(&mut LaneBook) -> T) -> T {
        // The book is a hint: one that a panic left half-written is still good.
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut book)
    }
}

impl LaneBook {
    /// The lanes of these kinds, highest priority first. Within a priority the first turn
    /// goes round.
    fn in_order(&mut self, kinds: &[&str]) -> LaneColumns {
        let mut lanes: Vec<(i16, usize, &str, i64)> = Vec::new();
        for (place, kind) in kinds.iter().enumerate() {
            let turn = (place + self.turn) % kinds.len();
            let known = self.cursors.get(*kind).into_iter().flatten();
            lanes.extend(known.map(|(priority, cursor)| (*priority, turn, *kind, *cursor)));
        }
        self.turn = self.turn.wrapping_add(1);
        lanes.sort_unstable_by_key(|(priority, turn, ..)| (Reverse(*priority), *turn));
        LaneColumns {
            kinds: lanes.iter().map(|lane| lane.2.to_owned()).collect(),
            priorities: lanes.iter().map(|lane| lane.0).collect(),
            cursors: lanes.iter().map(|lane| lane.3).collect(),
        }
    }

    fn advance(&mut self, claimed: &[ClaimedRow]) {
        for row in claimed {
            let lane = self.cursors.get_mut(&row.job.kind);
            if let Some(cursor) = lane.and_then(|it| it.get_mut(&row.job.priority)) {
                *cursor = row.position.max(*cursor);
            }
        }
    }
}

pub(super) async fn claim(
    dedicated: &Dedicated,
    statements: &Statements,
    lanes: &Lanes,
    request: &ClaimRequest<'_>,
) -> Result<Vec<ClaimedJob>> {
    let failed = failed_to("claim jobs");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    if request.look == Look::Everywhere {
        find_lanes(lent.connection(), statements, lanes, request.kinds).await?;
    }
    let columns = lanes.with(|book| book.in_order(request.kinds));
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
        .bind(columns.kinds)
        .bind(columns.priorities)
        .bind(columns.cursors)
        .bind(i64::from(request.limit));
    if !request.bounds.is_empty() {
        query = query.bind(groups).bind(limits);
    }
    let mut claimed = query
        .try_map(|row| rows::claimed(&row))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back();

    lanes.with(|book| book.advance(&claimed));
    // UPDATE … RETURNING keeps no order.
    claimed.sort_unstable_by_key(|row| (Reverse(row.job.priority), row.position));
    Ok(claimed.into_iter().map(|row| row.job).collect())
}

/// Learns which lanes have jobs, and moves their cursors to their heads.
async fn find_lanes(
    connection: &mut PgConnection,
    statements: &Statements,
    lanes: &Lanes,
    kinds: &[&str],
) -> Result<()> {
    let found = sqlx::query(statements.lanes.text())
        .bind(kinds)
        .try_map(|row| rows::lane(&row))
        .fetch_all(connection)
        .await
        .map_err(failed_to("find waiting jobs"))?;
    lanes.with(|book| {
        for kind in kinds {
            book.cursors.remove(*kind);
        }
        for lane in found {
            let priorities = book.cursors.entry(lane.kind).or_default();
            priorities.insert(lane.priority, lane.cursor);
        }
    });
    Ok(())
}
