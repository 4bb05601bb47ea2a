//! Rows of schedules.

use sqlx::{Row, postgres::PgRow};

use super::{codec, headers};
use crate::{
    job::JobId,
    payload::Payload,
    schedule::Schedule,
    store::{DueSchedule, DueSchedules, ScheduleRecord, Ticked},
};

pub(in super::super) fn schedule(row: &PgRow) -> sqlx::Result<ScheduleRecord> {
    let in_force: &str = row.try_get("in_force")?;
    let of_code: Option<&str> = row.try_get("of_code")?;
    let (schedule, unreadable) = match read(in_force) {
        Ok(schedule) => (schedule, None),
        Err(problem) => (Schedule::new(in_force.to_owned()), Some(problem)),
    };
    let last_job: Option<i64> = row.try_get("last_job")?;
    Ok(ScheduleRecord {
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        schedule,
        of_code: of_code.and_then(|it| read(it).ok()),
        is_changed: row.try_get("is_changed")?,
        priority: row.try_get("priority")?,
        payload: Payload {
            codec: codec(row.try_get("codec")?),
            bytes: row.try_get("payload")?,
        },
        headers: headers(row.try_get("headers")?),
        next_tick: row.try_get("next_tick")?,
        after: row.try_get("after")?,
        fault: row.try_get::<Option<String>, _>("fault")?.or(unreadable),
        paused_at: row.try_get("paused_at")?,
        last_slot: row.try_get("last_slot")?,
        last_skipped: row.try_get("last_skipped")?,
        last_job: last_job.map(JobId::from),
        now: row.try_get("now")?,
    })
}

/// One row at least, which says what time it is.
pub(in super::super) fn due_schedules(rows: &[PgRow]) -> sqlx::Result<DueSchedules> {
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let due = rows.iter().map(due_schedule).filter_map(Result::transpose);
    Ok(DueSchedules {
        now: first.try_get("now")?,
        soonest: first.try_get("soonest")?,
        due: due.collect::<sqlx::Result<_>>()?,
    })
}

fn due_schedule(row: &PgRow) -> sqlx::Result<Option<DueSchedule>> {
    let Some(name) = row.try_get("name")? else {
        return Ok(None);
    };
    Ok(Some(DueSchedule {
        name,
        schedule: read(row.try_get("in_force")?),
        revision: row.try_get("revision")?,
        next_tick: row.try_get("next_tick")?,
        after: row.try_get("after")?,
    }))
}

pub(in super::super) fn ticked(row: &PgRow) -> sqlx::Result<Ticked> {
    let job: Option<i64> = row.try_get("id")?;
    Ok(Ticked {
        name: row.try_get("name")?,
        slot: row.try_get("slot")?,
        job: job.map(JobId::from),
    })
}

/// It may have been written by anyone with SQL.
fn read(json: &str) -> Result<Schedule, String> {
    serde_json::from_str(json).map_err(|problem| format!("{json} is no schedule: {problem}"))
}
