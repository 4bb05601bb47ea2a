//! What a queue is doing: a few statements that read aggregates, over one connection.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Row as _, postgres::PgRow, types::Json};

use super::{
    PostgresStore,
    application::ApplicationPool,
    dedicated::Dedicated,
    failure::failed_to,
    rows::{self, overview as row},
    statements::Statements,
};
use crate::{
    error::Result,
    store::{
        CHARTED, Front, KindTotal, Measures, Overview, Parts, RECENT, SessionId, WorkerReport,
    },
};

pub(super) async fn overview(store: &PostgresStore) -> Result<Overview> {
    let failed = failed_to("read what the queue is doing");
    let statements = &store.statements;
    let mut lent = store.pool.lend().await.map_err(&failed)?;
    let route = lent.route();
    let connection = lent.connection();
    let at: DateTime<Utc> = statements
        .now
        .query(route)
        .try_map(|row: PgRow| row.try_get("now"))
        .fetch_one(&mut *connection)
        .await
        .map_err(&failed)?;
    let backlog = statements
        .backlog
        .query(route)
        .try_map(|it| row::backlog(&it))
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    let workers = statements
        .list_workers
        .query(route)
        .try_map(|it| row::worker(&it))
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    let recent = statements
        .list_measures
        .query(route)
        .bind(RECENT.as_secs_f64())
        .try_map(|it| row::measures(&it))
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    let minutes = statements
        .list_minutes
        .query(route)
        .bind(CHARTED.as_secs_f64())
        .try_map(|it| rows::minute(&it))
        .fetch_all(&mut *connection)
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    let parts = Parts {
        at,
        backlog,
        workers,
        recent,
        minutes,
    };
    Ok(parts.assemble())
}

pub(super) async fn list_totals(
    pool: &ApplicationPool,
    statements: &Statements,
) -> Result<Vec<KindTotal>> {
    let failed = failed_to("read the totals");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let rows = statements
        .list_totals
        .query(lent.route())
        .try_map(|it| row::measures(&it))
        .fetch_all(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    let mut totals: BTreeMap<String, Measures> = BTreeMap::new();
    for (kind, measures) in rows {
        totals.entry(kind).or_default().add(&measures);
    }
    let total = |(kind, measures)| KindTotal::new(kind, measures);
    Ok(totals.into_iter().map(total).collect())
}

pub(super) async fn recount(pool: &ApplicationPool, statements: &Statements) -> Result<u64> {
    let failed = failed_to("count the jobs anew");
    let mut lent = pool.lend().await.map_err(&failed)?;
    let mended: i64 = statements
        .recount
        .query(lent.route())
        .try_map(|it: PgRow| it.try_get("mended"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(mended.unsigned_abs())
}

pub(super) async fn fold(
    dedicated: &Dedicated,
    statements: &Statements,
    limit: u32,
) -> Result<u64> {
    let failed = failed_to("fold the counts");
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    let folded: i64 = statements
        .fold_counts
        .query(lent.route())
        .bind(i64::from(limit))
        .try_map(|it: PgRow| it.try_get("folded"))
        .fetch_one(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(folded.unsigned_abs())
}

pub(super) async fn report(
    dedicated: &Dedicated,
    statements: &Statements,
    session: SessionId,
    report: &WorkerReport,
) -> Result<()> {
    let failed = failed_to("report what the worker does");
    let front = |it: &Front| json!({ "kind": it.kind, "priority": it.priority, "due_ago": it.due_ago.as_secs_f64() });
    let fronts: Vec<serde_json::Value> = report.fronts.iter().map(front).collect();
    let mut lent = dedicated.lend().await.map_err(&failed)?;
    statements
        .report
        .query(lent.route())
        .bind(session.0)
        .bind(i32::try_from(report.concurrency).unwrap_or(i32::MAX))
        .bind(Json(&report.running))
        .bind(Json(fronts))
        .execute(lent.connection())
        .await
        .map_err(&failed)?;
    lent.give_back().await.map_err(&failed)?;
    Ok(())
}
