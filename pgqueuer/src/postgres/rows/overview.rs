//! Rows of what an overview is made of.

use std::collections::BTreeMap;

use sqlx::{Row as _, postgres::PgRow, types::Json};

use crate::{
    limits::Scope,
    store::{Backlog, Histogram, Measures, SessionId, Tally, WorkerRecord},
};

pub(in crate::postgres) fn backlog(row: &PgRow) -> sqlx::Result<Backlog> {
    // Less than nothing only if jobs were inserted by hand, and have ended since.
    let count = |column| {
        let count: i64 = row.try_get(column)?;
        Ok::<u64, sqlx::Error>(u64::try_from(count).unwrap_or(0))
    };
    let scope: Option<String> = row.try_get("paused_scope")?;
    let name: Option<String> = row.try_get("paused_name")?;
    Ok(Backlog {
        kind: row.try_get("kind")?,
        queue: row.try_get("queue")?,
        is_alias: row.try_get::<Option<bool>, _>("is_alias")? == Some(true),
        paused: scope.map(|it| Scope::from_parts(&it, name.unwrap_or_default())),
        available: count("available")?,
        scheduled: count("scheduled")?,
        held: count("held")?,
        oldest: row.try_get("due_at")?,
    })
}

pub(in crate::postgres) fn worker(row: &PgRow) -> sqlx::Result<WorkerRecord> {
    let concurrency: Option<i32> = row.try_get("concurrency")?;
    let Json(running): Json<BTreeMap<String, u64>> = row.try_get("running")?;
    Ok(WorkerRecord {
        session: SessionId(row.try_get("id")?),
        name: row.try_get("worker")?,
        started_at: row.try_get("started_at")?,
        expires_at: row.try_get("expires_at")?,
        is_idle: row.try_get("armed")?,
        concurrency: concurrency.map(i32::unsigned_abs),
        running,
    })
}

/// A kind, and what was done of it.
pub(in crate::postgres) fn measures(row: &PgRow) -> sqlx::Result<(String, Measures)> {
    let histogram = |column| {
        let counts: Vec<i64> = row.try_get(column)?;
        let counts = counts.into_iter().map(i64::unsigned_abs).collect();
        Ok::<_, sqlx::Error>(Histogram::from_counts(counts))
    };
    let measures = Measures {
        tally: tally(row)?,
        waits: histogram("waits")?,
        runs: histogram("runs")?,
    };
    Ok((row.try_get("kind")?, measures))
}

pub(super) fn tally(row: &PgRow) -> sqlx::Result<Tally> {
    let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    Ok(Tally {
        completed: count("completed")?,
        retried: count("retried")?,
        held: count("held")?,
        discarded: count("discarded")?,
        cancelled: count("cancelled")?,
        snoozed: count("snoozed")?,
        wait_seconds: row.try_get("wait_seconds")?,
        run_seconds: row.try_get("run_seconds")?,
        max_run_seconds: row.try_get("max_run_seconds")?,
    })
}
