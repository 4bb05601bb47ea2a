//! What people see.

use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow};

use super::{super::recent::Part, attempt, count, job_id, state};
use crate::store::{HeldJob, Meant, Stale, StaleRecord, TableRecord};

/// A row of `sql/count_meant.sql`.
pub(in super::super) fn meant(row: &PgRow) -> sqlx::Result<Meant> {
    Ok(Meant {
        kind: row.try_get("kind")?,
        state: state(row)?,
        jobs: count(row, "jobs")?,
    })
}

/// A row of `sql/history_parts.sql`.
pub(in super::super) fn history_part(row: &PgRow) -> sqlx::Result<Part> {
    Ok(Part {
        from_day: row.try_get("from_day")?,
        to_day: row.try_get("to_day")?,
        unread: row.try_get("blocks")?,
        is_fresh: true,
        newest: row.try_get("newest")?,
    })
}

/// A row of `sql/history_newest.sql`.
pub(in super::super) fn newest(row: &PgRow) -> sqlx::Result<Option<DateTime<Utc>>> {
    row.try_get("newest")
}

/// A row of `sql/list_held.sql`.
pub(in super::super) fn held_job(row: &PgRow) -> sqlx::Result<HeldJob> {
    let reason: Option<&str> = row.try_get("reason")?;
    let failed_at: Option<&str> = row.try_get("failed_at")?;
    let message: Option<String> = row.try_get("message")?;
    Ok(HeldJob {
        id: job_id(row)?,
        kind: row.try_get("kind")?,
        attempt: attempt(row, "attempt")?,
        failed_at: failed_at.and_then(|it| it.parse().ok()),
        // A newer version may know others.
        reason: reason.and_then(|it| serde_json::from_value(it.into()).ok()),
        message: message.unwrap_or_default(),
    })
}

/// A row of `sql/list_stale.sql`.
pub(in super::super) fn stale(row: &PgRow) -> sqlx::Result<StaleRecord> {
    let what: &str = row.try_get("what")?;
    let unknown = || sqlx::Error::Decode(format!("{what} is not known to be stale").into());
    Ok(StaleRecord {
        what: Stale::parse(what).ok_or_else(unknown)?,
        id: row.try_get("id")?,
        kind: row.try_get("kind")?,
        since: row.try_get("since")?,
        worker: row.try_get("worker")?,
        is_lost: row.try_get("is_lost")?,
        is_attended: row.try_get("is_attended")?,
    })
}

/// A row of `sql/list_tables.sql`.
pub(in super::super) fn table(row: &PgRow) -> sqlx::Result<TableRecord> {
    Ok(TableRecord {
        name: row.try_get("name")?,
        is_logged: row.try_get("is_logged")?,
        settings: row.try_get("settings")?,
        bytes: row.try_get("bytes")?,
        dead_rows: row.try_get("dead_rows")?,
        vacuumed_at: row.try_get("vacuumed_at")?,
    })
}
